//! The page and its files, embedded in the binary: one file to deploy, and no directory to serve.
//!
//! In: a GET for a path. Out: the file, with the headers that protect the page.

use hyper::Request;
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY};
use std::hash::{DefaultHasher, Hasher};
use std::sync::LazyLock;
use tickwire_page::{FILES, PageFile};

use crate::http_answers::{self, Answer};
use crate::net::asset::Asset;

/// The page may load its own files, run WebAssembly, and open WebSockets.
const SECURITY_POLICY: &str = "default-src 'self'; \
    script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' ws: wss:; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The files, each with the URL's path.
static ASSETS: LazyLock<Vec<(&str, Asset)>> = LazyLock::new(|| {
    let asset = |file: &PageFile| {
        // The hasher has fixed keys, so all servers of one build agree.
        let mut hasher = DefaultHasher::new();
        hasher.write(file.bytes);
        let tag = format!("{:016x}", hasher.finish());
        (file.path, Asset::new(file.content_type, file.bytes, &tag))
    };
    FILES.iter().map(asset).collect()
});

fn find(path: &str) -> Option<&'static Asset> {
    let path = if path == "/index.html" { "/" } else { path };
    let found = ASSETS.iter().find(|(of, _)| *of == path);
    found.map(|(_, asset)| asset)
}

/// Answers a request for a file of the page; 404 if there is no such file.
///
/// # Errors
/// The answer that refuses the method.
pub(super) fn serve(request: &Request<Incoming>) -> Result<Answer, Box<Answer>> {
    let Some(asset) = find(request.uri().path()) else {
        return Ok(http_answers::not_found());
    };
    http_answers::check_method(request.method(), "GET, HEAD")?;
    let headers = [
        (CACHE_CONTROL, "no-cache"),
        (CONTENT_SECURITY_POLICY, SECURITY_POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ];
    Ok(asset.answer(request.headers(), &headers))
}
