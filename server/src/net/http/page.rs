//! The page and its files, embedded in the binary: one file to deploy, and no directory to serve.
//!
//! In: a GET for a path. Out: the file, compressed for browsers that take gzip, or 304 if the browser has it already.

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    HeaderName, HeaderValue, IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{HeaderMap, Request, Response, StatusCode};
use std::hash::{DefaultHasher, Hasher};
use std::io::Write as _;
use std::sync::LazyLock;
use tickwire_page::{FILES, PageFile};

use crate::http_answers::{self, Answer};

/// An embedded file.
#[derive(Debug)]
struct Asset {
    /// The URL's path.
    path: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
    /// `bytes` compressed by gzip.
    gzip: Bytes,
    /// Names the contents, in quotation marks as the header wants them.
    etag: String,
}

/// The page may load its own files, run WebAssembly, and open WebSockets.
const SECURITY_POLICY: &str = "default-src 'self'; \
    script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' ws: wss:; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let asset = |file: &PageFile| {
        // The hasher has fixed keys, so all servers of one build agree.
        let mut hasher = DefaultHasher::new();
        hasher.write(file.bytes);
        Asset {
            path: file.path,
            content_type: file.content_type,
            bytes: file.bytes,
            gzip: gzip(file.bytes),
            etag: format!("\"{:016x}\"", hasher.finish()),
        }
    };
    FILES.iter().map(asset).collect()
});

fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to memory cannot fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default().into()
}

fn find(path: &str) -> Option<&'static Asset> {
    let path = if path == "/index.html" { "/" } else { path };
    ASSETS.iter().find(|asset| asset.path == path)
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
    let known_tags = request.headers().get_all(IF_NONE_MATCH);
    let is_unchanged = known_tags.iter().any(|tags| has_tag(tags, asset));
    let takes_gzip = takes_gzip(request.headers());
    let body = match (is_unchanged, takes_gzip) {
        (true, _) => Bytes::new(),
        (false, true) => asset.gzip.clone(),
        (false, false) => Bytes::from_static(asset.bytes),
    };
    let mut answer = Response::new(body.into());
    if is_unchanged {
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = answer.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, asset.content_type),
        (CACHE_CONTROL, "no-cache"),
        (VARY, "accept-encoding"),
        (CONTENT_SECURITY_POLICY, SECURITY_POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // The tag of the compressed form is weak: the bytes differ, the contents do not.
    let weak = if takes_gzip { "W/" } else { "" };
    if let Ok(etag) = HeaderValue::from_str(&format!("{weak}{}", asset.etag)) {
        headers.insert(ETAG, etag);
    }
    if takes_gzip && !is_unchanged {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(answer)
}

/// Whether the client accepts gzip, with a weight above 0 (RFC 9110, section 12.5.3).
fn takes_gzip(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(ACCEPT_ENCODING).iter();
    let codings = lines.flat_map(|line| line.as_bytes().split(|&b| b == b','));
    let mut codings = codings.map(|coding| String::from_utf8_lossy(coding).replace(' ', ""));
    codings.any(|coding| {
        let (name, weight) = coding.split_once(";q=").unwrap_or((&coding, "1"));
        name.eq_ignore_ascii_case("gzip") && weight.parse().is_ok_and(|weight: f32| weight > 0.0)
    })
}

/// Whether a list of tags names the asset, by the weak comparison (RFC 9110, section 13.1.2): a proxy that compresses makes a
/// tag weak.
fn has_tag(tags: &HeaderValue, asset: &Asset) -> bool {
    let names_asset = |tag: &[u8]| {
        let tag = tag.trim_ascii();
        tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == asset.etag.as_bytes()
    };
    tags.as_bytes().split(|&b| b == b',').any(names_asset)
}
