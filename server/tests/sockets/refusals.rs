//! What the log says of refusals and of operators' commands, and the same-origin rule behind proxies.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Mutex, Once};

use tokio::net::TcpStream;

use crate::support::*;

/// All lines of this process's log since the first test that asked for it.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn keep_log() {
    static INIT: Once = Once::new();
    INIT.call_once(|| {
        let log = tracing_subscriber::fmt().with_ansi(false);
        log.with_writer(|| LogWriter).init();
    });
}

/// The lines of the log so far with this in them.
fn lines_with(part: &str) -> Vec<String> {
    let log = String::from_utf8_lossy(&LOG.lock().unwrap()).into_owned();
    let lines = log.lines().filter(|line| line.contains(part));
    lines.map(str::to_owned).collect()
}

/// The first line of the log with this in it.
async fn line_with(part: &str) -> String {
    within(async {
        loop {
            if let Some(line) = lines_with(part).into_iter().next() {
                return line;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

/// The status of a WebSocket handshake with these headers, which name the host.
async fn handshake(addr: SocketAddr, headers: &str) -> String {
    let request = format!("GET /ws HTTP/1.1\r\n{UPGRADE}{VERSION}{KEY}{headers}\r\n");
    let stream = TcpStream::connect(addr).await.unwrap();
    let client = Client::asked(stream, request.as_bytes()).await;
    client.response.split(' ').nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn a_refused_origin_names_the_flag_that_lets_it_in() {
    keep_log();
    let server = TestServer::start(&["--trusted-proxy", "127.0.0.0/8"]);
    let headers = "Host: game.example:7777\r\nOrigin: https://portal.example:3001\r\n\
                   X-Forwarded-For: 203.0.113.5\r\n";
    for _ in 0..3 {
        assert_eq!(handshake(server.addr, headers).await, "403");
    }
    let line = line_with("203.0.113.5").await;
    for part in [
        "WARN",
        "--allowed-origin https://portal.example:3001",
        "game.example:7777",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert_eq!(lines_with("203.0.113.5").len(), 1, "a line a minute");
}

#[tokio::test]
async fn a_refused_host_names_the_flag_that_lets_it_in() {
    keep_log();
    let flags = [
        ["--trusted-proxy", "127.0.0.0/8"],
        ["--allowed-host", "play.example"],
    ];
    let server = TestServer::start(&flags.concat());
    let headers = "Host: other.example:7777\r\nX-Forwarded-For: 203.0.113.6\r\n";
    assert_eq!(handshake(server.addr, headers).await, "403");
    let line = line_with("203.0.113.6").await;
    for part in ["WARN", "--allowed-host other.example", "other.example:7777"] {
        assert!(line.contains(part), "{part}: {line}");
    }
}

#[tokio::test]
async fn a_close_for_a_rule_is_logged_with_address_and_reason() {
    keep_log();
    let mut server = TestServer::start(&[]);
    let (mut client, _connection) = server.join().await;
    let address = client.stream.local_addr().unwrap().to_string();
    client.send(&frame(0x82, b"malformed")).await;
    client.closed_with(4000).await;
    let line = line_with(&address).await;
    for part in ["refused", "4000", "no ClientMessage", "malformed"] {
        assert!(line.contains(part), "{part}: {line}");
    }
}

#[tokio::test]
async fn each_command_on_the_operations_port_is_logged() {
    keep_log();
    let server = TestServer::start(&[]);
    let cross_site = "Sec-Fetch-Site: cross-site\r\n";
    for (method, path, headers, status) in [
        ("POST", "/notice", "", 400),
        ("DELETE", "/bans/7", "", 404),
        ("POST", "/drain", cross_site, 403),
        ("POST", "/drain", "", 202),
    ] {
        let stream = TcpStream::connect(server.ops).await.unwrap();
        let peer = format!("peer={} ", stream.local_addr().unwrap());
        let headers = format!("Content-Length: 0\r\n{headers}");
        let request = request(method, path, &headers);
        let client = Client::asked(stream, request.as_bytes()).await;
        assert!(client.response.starts_with(&format!("HTTP/1.1 {status}")));
        let line = line_with(&peer).await;
        let (method, path) = (format!("method={method}"), format!("path=\"{path}\""));
        let status = format!("status={status}");
        for part in ["a command on the operations port", &method, &path, &status] {
            assert!(line.contains(part), "{part}: {line}");
        }
    }
}

#[tokio::test]
async fn a_known_proxy_may_drop_the_port_of_the_host() {
    let headers = |origin: &str| format!("Host: game.example\r\nOrigin: {origin}\r\n");
    let own = headers("https://game.example:3001");
    let cases: [(&[&str], &str); 4] = [
        (&[], "403"),
        (&["--trusted-proxy", "127.0.0.0/8"], "101"),
        (&["--trusted-proxy", "10.0.0.0/8"], "403"),
        (&["--allowed-host", "game.example"], "101"),
    ];
    for (flags, expected) in cases {
        let server = TestServer::start(flags);
        assert_eq!(handshake(server.addr, &own).await, expected, "{flags:?}");
        let foreign = headers("https://evil.example:3001");
        assert_eq!(handshake(server.addr, &foreign).await, "403", "{flags:?}");
    }
}
