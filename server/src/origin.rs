//! Which web pages may open a connection.
//!
//! A browser sends cookies, or reaches private networks, for any page, so a page from another origin is refused before the
//! upgrade. Programs that are not browsers send no `Origin` and are let in, because they could claim any origin.

use hyper::HeaderMap;
use hyper::header::{HOST, HeaderName, HeaderValue, ORIGIN};
use std::net::IpAddr;

use crate::{clock, log_limit};

/// Whether the request's origin may connect. Allowed are: no origin, the server's own (its host and port equal the request's
/// `Host`), and each of `allowed` (`*` allows all). A request with two origins is refused. `may_lack_port`: a proxy that the operator
/// knows may have dropped the port of `Host`, so that one without a port equals the origin of its name at any port.
pub fn is_allowed(headers: &HeaderMap, allowed: &[String], may_lack_port: bool) -> bool {
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
                || (may_lack_port && lacks_port_of(host, authority))
        }
        _ => false,
    }
}

/// Whether `host` is the authority without its port.
fn lacks_port_of(host: &str, authority: &str) -> bool {
    (authority.split_at_checked(host.len())).is_some_and(|(name, port)| {
        let digits = port.strip_prefix(':');
        name.eq_ignore_ascii_case(host)
            && digits.is_some_and(|port| port.bytes().all(|digit| digit.is_ascii_digit()))
    })
}

/// The longest part of a header that goes into the log.
const MAX_SHOWN_CHARS: usize = 120;

fn shown(headers: &HeaderMap, name: HeaderName) -> String {
    let value = headers.get(name).map(HeaderValue::as_bytes);
    let text = String::from_utf8_lossy(value.unwrap_or_default());
    text.chars().take(MAX_SHOWN_CHARS).collect()
}

/// Says in the log that a page's origin was refused, and how to let it in: a browser tells its page nothing.
pub fn warn_of_origin(headers: &HeaderMap, client: IpAddr) {
    let Some(left_out) = log_limit::admits_from("origin", client, clock::now()) else {
        return;
    };
    let [origin, host] = [ORIGIN, HOST].map(|name| shown(headers, name));
    let authority = origin.split_once("://").map_or("", |(_, rest)| rest);
    let hint = if lacks_port_of(&host, authority) {
        "; or let the proxy pass Host on with its port, in nginx as $http_host"
    } else {
        ""
    };
    tracing::warn!(
        %client, ?origin, ?host, left_out,
        "refused a page of another origin; --allowed-origin {} lets it in{hint}",
        origin.escape_debug()
    );
}

/// Says in the log that a request's host was refused, and how to let it in.
pub fn warn_of_host(headers: &HeaderMap, client: IpAddr) {
    let Some(left_out) = log_limit::admits_from("host", client, clock::now()) else {
        return;
    };
    let [origin, host] = [ORIGIN, HOST].map(|name| shown(headers, name));
    let name = without_port("", &host);
    let name = name.rsplit_once(':').map_or(&*name, |(name, _)| name);
    tracing::warn!(
        %client, ?origin, ?host, left_out,
        "refused a name that is not this server's; --allowed-host {} lets it in",
        name.escape_debug()
    );
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
        is_allowed(&headers, &allowed, false)
    }

    #[test]
    fn a_known_proxy_may_drop_the_port_of_the_own_host() {
        let check = |origin: &str, host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            headers.insert(ORIGIN, origin.parse().unwrap());
            let strict = is_allowed(&headers, &[], false);
            (strict, is_allowed(&headers, &[], true))
        };
        assert_eq!(check("https://x.example:3001", "x.example"), (false, true));
        assert_eq!(check("https://x.example:3001", "X.Example"), (false, true));
        assert_eq!(check("http://[::1]:3001", "[::1]"), (false, true));
        for other in [
            ("https://x.example:3001", "x.example:3002"),
            ("https://x.example", "x.example:3001"),
            ("https://x.example:3001", "y.example"),
            ("https://x.example.evil:3001", "x.example"),
            ("https://x.example:3001.evil", "x.example"),
            ("null", ""),
        ] {
            assert_eq!(check(other.0, other.1), (false, false), "{other:?}");
        }
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
