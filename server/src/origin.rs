//! Which web pages may open a connection.
//!
//! A browser sends cookies, or reaches private networks, for any page, so a page from another origin is refused before the
//! upgrade. Programs that are not browsers send no `Origin` and are let in, because they could claim any origin.

use hyper::HeaderMap;
use hyper::header::{HOST, ORIGIN};

/// Whether the request's origin may connect. Allowed are: no origin, the server's own (its host and port equal the request's
/// `Host`), and each of `allowed` (`*` allows all). A request with two origins is refused.
pub fn is_allowed(headers: &HeaderMap, allowed: &[String]) -> bool {
    let mut origins = headers.get_all(ORIGIN).iter();
    let Some(origin) = origins.next() else {
        return true;
    };
    if origins.next().is_some() {
        return false;
    }
    let Ok(origin) = origin.to_str() else {
        return false;
    };
    let listed = |entry: &String| entry == "*" || normalized(entry) == normalized(origin);
    if allowed.iter().any(listed) {
        return true;
    }
    // Schemes are not compared: behind a proxy that terminates TLS, the page's scheme is https and ours is not.
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    match (origin.split_once("://"), host) {
        (Some((scheme, authority)), Some(host)) => {
            without_port(scheme, authority) == without_port(scheme, host)
        }
        _ => false,
    }
}

/// An origin as RFC 6454, section 6 writes it: lower case, no default port, no slash at the end.
pub fn normalized(origin: &str) -> String {
    let origin = origin.trim_end_matches('/').to_ascii_lowercase();
    match origin.split_once("://") {
        Some((scheme, authority)) => format!("{scheme}://{}", without_port(scheme, authority)),
        None => origin,
    }
}

/// The authority in lower case, without the scheme's default port.
fn without_port(scheme: &str, authority: &str) -> String {
    let authority = authority.to_ascii_lowercase();
    let default = match scheme.to_ascii_lowercase().as_str() {
        "http" => ":80",
        "https" => ":443",
        _ => return authority,
    };
    match authority.strip_suffix(default) {
        Some(host) => host.to_owned(),
        None => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(origin: Option<&str>, host: &str, allowed: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        let allowed: Vec<_> = allowed.iter().map(ToString::to_string).collect();
        is_allowed(&headers, &allowed)
    }

    #[test]
    fn a_request_without_an_origin_is_allowed() {
        assert!(check(None, "localhost:7777", &[]));
    }

    #[test]
    fn the_own_host_and_port_are_the_own_origin() {
        assert!(check(Some("http://localhost:7777"), "localhost:7777", &[]));
        assert!(check(Some("http://[::1]:7777"), "[::1]:7777", &[]));
        assert!(check(Some("https://Game.example"), "game.example:443", &[]));
        assert!(!check(Some("http://localhost:7778"), "localhost:7777", &[]));
        assert!(!check(Some("http://localhost"), "localhost:7777", &[]));
        assert!(!check(Some("http://evil.example"), "localhost:7777", &[]));
        assert!(!check(
            Some("http://localhost:7777.evil.example"),
            "localhost:7777",
            &[]
        ));
        assert!(!check(Some("null"), "localhost:7777", &[]));
    }

    #[test]
    fn listed_origins_are_allowed_beside_the_own() {
        let allowed = &["https://portal.example/"];
        assert!(check(
            Some("https://portal.example"),
            "game.example",
            allowed
        ));
        assert!(check(
            Some("https://portal.example:443"),
            "game.example",
            allowed
        ));
        assert!(check(Some("https://game.example"), "game.example", allowed));
        assert!(!check(
            Some("http://portal.example"),
            "game.example",
            allowed
        ));
        assert!(check(Some("https://any.example"), "game.example", &["*"]));
    }
}
