//! The page and its files, embedded in the binary: one file to deploy, no directory to serve.

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::hash::{DefaultHasher, Hasher};
use std::io::Write as _;
use std::sync::LazyLock;

/// An embedded file.
#[derive(Debug)]
pub struct Asset {
    /// The path that asks for it.
    pub path: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    /// Its contents.
    pub bytes: &'static [u8],
    /// The same, compressed by gzip.
    pub gzip: Bytes,
    /// Names these contents: `"HASH"`.
    pub etag: String,
}

/// Path, media type, contents. Built by `web/build.sh` and committed.
const FILES: &[(&str, &str, &[u8])] = &[
    (
        "/",
        "text/html; charset=utf-8",
        include_bytes!("../../../web/dist/index.html"),
    ),
    (
        "/app.js",
        "text/javascript; charset=utf-8",
        include_bytes!("../../../web/dist/app.js"),
    ),
    (
        "/style.css",
        "text/css; charset=utf-8",
        include_bytes!("../../../web/dist/style.css"),
    ),
    (
        "/tickwire_bg.wasm",
        "application/wasm",
        include_bytes!("../../../web/dist/tickwire_bg.wasm"),
    ),
];

/// What a page may do: its own files, WebAssembly, and WebSockets.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; \
    script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' ws: wss:; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let asset = |&(path, content_type, bytes): &(_, _, &'static [u8])| {
        // Fixed keys: all servers of one build agree.
        let mut hasher = DefaultHasher::new();
        hasher.write(bytes);
        Asset {
            path,
            content_type,
            bytes,
            gzip: gzip(bytes),
            etag: format!("\"{:016x}\"", hasher.finish()),
        }
    };
    FILES.iter().map(asset).collect()
});

fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Memory takes everything.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default().into()
}

/// The file that a path asks for.
pub fn find(path: &str) -> Option<&'static Asset> {
    let path = if path == "/index.html" { "/" } else { path };
    ASSETS.iter().find(|asset| asset.path == path)
}
