//! Small answers: what both ports' HTTP services share.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Method, Response, StatusCode};

/// A whole answer.
pub(crate) type Answer = Response<Full<Bytes>>;

/// An answer of any media type, never to be sniffed or cached.
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

/// A sentence for a person.
pub(crate) fn text(status: StatusCode, sentence: &str) -> Answer {
    answer(status, "text/plain; charset=utf-8", format!("{sentence}\n"))
}

/// A value for a program.
pub(crate) fn json(status: StatusCode, value: &serde_json::Value) -> Answer {
    answer(status, "application/json", format!("{value}\n"))
}

/// 404.
pub(crate) fn not_found() -> Answer {
    text(StatusCode::NOT_FOUND, "there is nothing here")
}

/// An error unless the method is one of `allowed`.
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
