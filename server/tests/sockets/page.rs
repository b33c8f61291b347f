//! What browsers load: a game's page from its program or from a folder, and the SDK.

use crate::support::*;
use std::path::{Path, PathBuf};
use tickwire_server::PageFile;

const PAGE: &[PageFile] = &[
    PageFile::new("/", b"<title>my page</title>"),
    PageFile::new("/app.js", &[b'/'; 1000]),
    PageFile::new("/art/my ship.png", b"a ship"),
    PageFile::new("/help/", b"help"),
];

async fn get(server: &TestServer, path: &str) -> (String, String) {
    http(server.addr, "GET", path, "").await
}

/// A folder that is removed after the test.
struct TestFolder(PathBuf);

impl TestFolder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tickwire-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.0.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// A server whose page is the folder.
    fn server(&self, folder: &Path) -> TestServer {
        TestServer::start_with_page(&["--page", folder.to_str().unwrap()], PAGE)
    }
}

impl Drop for TestFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn a_games_page_comes_with_its_security_headers() {
    let server = TestServer::start_with_page(&[], PAGE);
    let (head, body) = get(&server, "/").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    for header in [
        "content-type: text/html",
        "cache-control: no-cache",
        "x-content-type-options: nosniff",
        "wasm-unsafe-eval",
        "frame-ancestors 'none'",
        "connect-src 'self';",
        "cross-origin-opener-policy: same-origin",
        "cross-origin-resource-policy: same-origin",
        "referrer-policy: no-referrer",
        "etag: ",
    ] {
        assert!(head.contains(header), "{header}: {head}");
    }
    assert_eq!(body, "<title>my page</title>");
    let etag = head
        .lines()
        .find_map(|line| line.strip_prefix("etag: "))
        .unwrap();
    for known in [
        etag.to_owned(),
        format!("\"older\", W/{etag}"),
        "*".to_owned(),
    ] {
        let headers = format!("Connection: close\r\nIf-None-Match: {known}\r\n");
        let (head, body) = http_with(server.addr, "GET", "/", &headers, "").await;
        assert!(
            head.starts_with("HTTP/1.1 304") && body.is_empty(),
            "{head}"
        );
    }
}

#[tokio::test]
async fn a_games_files_have_their_paths_and_media_types() {
    let server = TestServer::start_with_page(&[], PAGE);
    for (path, media_type) in [
        ("/index.html", "text/html; charset=utf-8"),
        ("/help/", "text/html; charset=utf-8"),
        ("/help/index.html", "text/html; charset=utf-8"),
        ("/app.js", "text/javascript; charset=utf-8"),
        ("/art/my%20ship.png", "image/png"),
    ] {
        let (head, _) = get(&server, path).await;
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
        assert!(
            head.contains(&format!("content-type: {media_type}\r\n")),
            "{head}"
        );
    }
    let (head, body) = http(server.addr, "HEAD", "/app.js", "").await;
    assert!(head.contains("content-length: 1000") && body.is_empty());
    for path in ["/app", "/art/", "/art/my ship"] {
        assert!(!get(&server, path).await.0.starts_with("HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn every_server_serves_the_sdk() {
    let folder = TestFolder::new("sdk");
    for server in [
        TestServer::start(&[]),
        TestServer::start_with_page(&[], PAGE),
        folder.server(&folder.0),
    ] {
        let (head, body) = get(&server, "/sdk/index.js").await;
        assert!(head.contains("content-type: text/javascript"), "{head}");
        assert!(head.contains("cache-control: no-cache"), "{head}");
        assert!(body.contains("tickwire_bg.wasm"));
        let (_, body) = get(&server, "/sdk/debug.js").await;
        assert!(body.contains("tickwire-debug"));
        let (head, _) = http(server.addr, "HEAD", "/sdk/tickwire_bg.wasm", "").await;
        assert!(head.contains("content-type: application/wasm"), "{head}");
    }
}

#[tokio::test]
async fn files_are_compressed_for_clients_that_take_gzip() {
    let server = TestServer::start(&[]);
    let ask = async |accepted: &str| {
        let headers = format!("Connection: close\r\nAccept-Encoding: {accepted}\r\n");
        let path = "/sdk/tickwire_bg.wasm";
        let (head, _) = http_with(server.addr, "HEAD", path, &headers, "").await;
        let is_compressed = head.contains("content-encoding: gzip");
        assert_eq!(is_compressed, head.contains("etag: W/"), "{head}");
        assert!(head.contains("vary: accept-encoding"), "{head}");
        let length = |line: &str| line.strip_prefix("content-length: ")?.parse::<usize>().ok();
        (is_compressed, head.lines().find_map(length).unwrap())
    };
    let (_, whole) = ask("identity").await;
    let (is_compressed, length) = ask("br, gzip;q=0.5").await;
    assert!(is_compressed && length < whole / 2, "{length} of {whole}");
    assert_eq!(ask("gzip;q=0, br").await, (false, whole));
}

#[tokio::test]
async fn a_game_without_a_page_says_how_to_make_one() {
    let server = TestServer::start(&[]);
    let (head, body) = get(&server, "/").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("frame-ancestors 'none'"), "{head}");
    for text in ["test &lt;game>", "has no page", "--page", "/sdk/index.js"] {
        assert!(body.contains(text), "{text}: {body}");
    }
}

#[tokio::test]
async fn the_folder_of_page_is_read_with_each_request() {
    let folder = TestFolder::new("page");
    folder.write("index.html", "one");
    folder.write("art/ship.svg", "<svg/>");
    folder.write("help/index.html", "help");
    let server = folder.server(&folder.0);
    let (head, body) = get(&server, "/").await;
    assert_eq!(body, "one");
    for header in [
        "content-type: text/html",
        "cache-control: no-cache",
        "x-content-type-options: nosniff",
        "frame-ancestors 'none'",
    ] {
        assert!(head.contains(header), "{header}: {head}");
    }
    folder.write("index.html", "two");
    assert_eq!(get(&server, "/index.html").await.1, "two");
    let (head, _) = get(&server, "/art/ship.svg").await;
    assert!(head.contains("content-type: image/svg+xml"), "{head}");
    assert_eq!(get(&server, "/help/").await.1, "help");
    let (head, body) = http(server.addr, "HEAD", "/", "").await;
    assert!(
        head.contains("content-length: 3") && body.is_empty(),
        "{head}"
    );
    // The embedded page is not mixed into it.
    assert!(get(&server, "/app.js").await.0.starts_with("HTTP/1.1 404"));
    let (head, _) = http(server.addr, "POST", "/", "").await;
    assert!(head.starts_with("HTTP/1.1 405"), "{head}");
}

#[tokio::test]
async fn open_pages_learn_that_the_folder_changed() {
    let folder = TestFolder::new("reload");
    folder.write("index.html", "one");
    folder.write("page.js", "1");
    let page = folder.0.to_str().expect("the path is text");
    let server = TestServer::start(&["--page", page, "--page-reload"]);
    let (_, body) = get(&server, "/").await;
    assert!(body.starts_with("one<script"), "{body}");
    assert_eq!(get(&server, "/page.js").await.1, "1");
    let (head, script) = get(&server, "/sdk/reload.js").await;
    assert!(head.contains("content-type: text/javascript"), "{head}");
    assert!(script.contains("location.reload()"), "{script}");

    let before = get(&server, "/sdk/page-version").await.1;
    folder.write(".page.js.swp", "hidden");
    assert_eq!(get(&server, "/sdk/page-version").await.1, before);
    folder.write("page.js", "12");
    let after = get(&server, "/sdk/page-version").await.1;
    assert_ne!(after, before);
    folder.write("art/ship.svg", "<svg/>");
    assert_ne!(get(&server, "/sdk/page-version").await.1, after);

    // Without the flag, pages are what the files are.
    let server = TestServer::start(&["--page", page]);
    assert_eq!(get(&server, "/").await.1, "one");
    let (head, _) = get(&server, "/sdk/page-version").await;
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
}

#[tokio::test]
async fn no_path_leads_out_of_the_page_folder() {
    let folder = TestFolder::new("inside");
    folder.write("secret.txt", "secret");
    folder.write("page/index.html", "page");
    folder.write("page/.env", "secret");
    folder.write("page/art/ship.svg", "<svg/>");
    let server = folder.server(&folder.0.join("page"));
    for path in [
        "/../secret.txt",
        "/art/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/art/..%2f..%2fsecret.txt",
        "/..%5csecret.txt",
        "//secret.txt",
        "/.env",
        "/%2eenv",
        "/art",
        "/ship.svg%00.txt",
    ] {
        let (head, body) = get(&server, path).await;
        assert!(head.starts_with("HTTP/1.1 404"), "{path}: {head}");
        assert!(!body.contains("secret"), "{path}: {body}");
    }
    let absolute = folder.0.join("secret.txt");
    let (head, _) = get(&server, absolute.to_str().unwrap()).await;
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
}

#[cfg(unix)]
#[tokio::test]
async fn links_and_pipes_in_the_page_folder_are_not_followed_out() {
    let folder = TestFolder::new("links");
    folder.write("secret/key.txt", "secret");
    folder.write("page/index.html", "page");
    let page = folder.0.join("page");
    let link = |to: PathBuf, name: &str| std::os::unix::fs::symlink(to, page.join(name)).unwrap();
    link(folder.0.join("secret/key.txt"), "key.txt");
    link(folder.0.join("secret"), "folder");
    link(page.join("index.html"), "start.html");
    let pipe = std::process::Command::new("mkfifo")
        .arg(page.join("pipe.txt"))
        .status();
    assert!(pipe.unwrap().success());
    let server = folder.server(&page);
    for path in ["/key.txt", "/folder/key.txt", "/pipe.txt"] {
        let (head, _) = within(get(&server, path)).await;
        assert!(head.starts_with("HTTP/1.1 404"), "{path}: {head}");
    }
    // A link within the folder is as good as its file.
    assert_eq!(get(&server, "/start.html").await.1, "page");
    // A link to the folder itself is where a developer's page may live.
    let alias = folder.0.join("alias");
    std::os::unix::fs::symlink(&page, &alias).unwrap();
    let server = folder.server(&alias);
    assert_eq!(get(&server, "/").await.1, "page");
}
