//! What pages of other origins may read: answers to those that may open a connection (CORS, as the Fetch standard has it).

use hyper::HeaderMap;
use hyper::header::{ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue, ORIGIN, VARY};

use crate::http_answers::Answer;
use crate::origin;

/// Lets a page of another origin read the answer if it may open a connection as well. Proxies that cache keep the answers apart.
/// The server's own pages need no permission, so that a proxy may drop the port of `Host` here.
pub(in crate::net) fn allow(answer: &mut Answer, request: &HeaderMap, allowed_origins: &[String]) {
    let headers = answer.headers_mut();
    headers.append(VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = request.get(ORIGIN)
        && origin::is_allowed(request, allowed_origins, false)
    {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    }
}
