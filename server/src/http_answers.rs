//! HTTP answers and checks that the game port and the operations port share.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Version};

/// An HTTP response whose body is complete.
pub(crate) type Answer = Response<Full<Bytes>>;

/// An answer of any media type, which browsers must not sniff or cache.
pub(crate) fn answer(status: StatusCode, content_type: &str, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if let Ok(content_type) = HeaderValue::from_str(content_type) {
        headers.insert(CONTENT_TYPE, content_type);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        HeaderName::from_static("x-content-type-options"),
        HeaderValue::from_static("nosniff"),
    );
    response
}

/// A plain-text answer: one sentence for a person.
pub(crate) fn text(status: StatusCode, sentence: &str) -> Answer {
    answer(status, "text/plain; charset=utf-8", format!("{sentence}\n"))
}

/// A JSON answer for a program.
pub(crate) fn json(status: StatusCode, value: &serde_json::Value) -> Answer {
    answer(status, "application/json", format!("{value}\n"))
}

/// 404 Not Found.
pub(crate) fn not_found() -> Answer {
    text(StatusCode::NOT_FOUND, "there is nothing here")
}

/// Checks that the request names exactly one host, as HTTP/1.1 demands (RFC 9112, section 3.2).
///
/// # Errors
/// The answer that refuses the request.
pub(crate) fn check_host<B>(request: &Request<B>) -> Result<(), Box<Answer>> {
    let hosts = request.headers().get_all(HOST).iter().count();
    if hosts == 1 || (hosts == 0 && request.version() < Version::HTTP_11) {
        return Ok(());
    }
    Err(Box::new(text(
        StatusCode::BAD_REQUEST,
        "a request needs one Host",
    )))
}

/// Checks that the method is one of `allowed`, a list separated by `, `.
///
/// # Errors
/// The answer that refuses the request.
pub(crate) fn check_method(method: &Method, allowed: &'static str) -> Result<(), Box<Answer>> {
    if allowed.split(", ").any(|one| one == method.as_str()) {
        return Ok(());
    }
    let mut response = text(
        StatusCode::METHOD_NOT_ALLOWED,
        &format!("this takes {allowed} only"),
    );
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allowed));
    Err(Box::new(response))
}
