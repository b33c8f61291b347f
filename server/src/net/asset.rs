//! Bytes that never change while the server runs, as an HTTP answer.
//!
//! In: a request's headers. Out: the bytes, compressed for clients that take gzip, or 304 if the client has them already.

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH,
    VARY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{HeaderMap, Response, StatusCode};
use std::io::Write as _;

use crate::http_answers::Answer;

/// Bytes with their media type, their tag and their compressed form.
#[derive(Debug)]
pub(crate) struct Asset {
    content_type: &'static str,
    bytes: Bytes,
    /// `bytes` compressed by gzip.
    gzip: Bytes,
    /// Names the contents, in quotation marks as the header wants them.
    etag: String,
}

impl Asset {
    /// `tag` names the contents: other bytes need another tag.
    pub fn new(content_type: &'static str, bytes: impl Into<Bytes>, tag: &str) -> Self {
        let bytes = bytes.into();
        Self {
            content_type,
            gzip: gzip(&bytes),
            bytes,
            etag: format!("\"{tag}\""),
        }
    }

    /// Answers a GET or HEAD request with these headers.
    pub fn answer(&self, request: &HeaderMap, more: &[(HeaderName, &'static str)]) -> Answer {
        let is_unchanged = is_known(request, &self.etag);
        let takes_gzip = takes_gzip(request);
        let body = match (is_unchanged, takes_gzip) {
            (true, _) => Bytes::new(),
            (false, true) => self.gzip.clone(),
            (false, false) => self.bytes.clone(),
        };
        let mut answer = Response::new(body.into());
        if is_unchanged {
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let headers = answer.headers_mut();
        let own = [
            (CONTENT_TYPE, self.content_type),
            (VARY, "accept-encoding"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        for (name, value) in own.iter().chain(more) {
            headers.append(name, HeaderValue::from_static(value));
        }
        // The tag of the compressed form is weak: the bytes differ, the contents do not.
        let weak = if takes_gzip { "W/" } else { "" };
        if let Ok(etag) = HeaderValue::from_str(&format!("{weak}{}", self.etag)) {
            headers.insert(ETAG, etag);
        }
        if takes_gzip && !is_unchanged {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        answer
    }
}

/// Whether the client has the contents of this tag, which is in quotation marks. Compared weakly (RFC 9110, section 13.1.2), as a proxy
/// that compresses makes a tag weak.
pub(super) fn is_known(request: &HeaderMap, etag: &str) -> bool {
    let is_it = |tag: &[u8]| {
        let tag = tag.trim_ascii();
        tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == etag.as_bytes()
    };
    let lists = request.get_all(IF_NONE_MATCH).iter();
    lists
        .flat_map(|tags| tags.as_bytes().split(|&b| b == b','))
        .any(is_it)
}

fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to memory cannot fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default().into()
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
