//! Whether a request names a host that a server goes by.
//!
//! A page of another site can make its own name lead to this server's address (DNS rebinding), and is then of the same origin. It
//! cannot change the name, so a server that knows its names refuses it. An address, and `localhost`, are nobody's other name.

use hyper::HeaderMap;
use hyper::header::HOST;
use std::net::IpAddr;

/// Whether the request's `Host` is one of `names`, an address or `localhost`. No names: any host is.
pub(crate) fn is_allowed(headers: &HeaderMap, names: &[String]) -> bool {
    names.is_empty() || is_known(headers, names)
}

/// Whether the request's `Host` is one of `names`, an address or `localhost`.
pub(crate) fn is_known(headers: &HeaderMap, names: &[String]) -> bool {
    let Some(name) = name_of(headers) else {
        return false;
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok() || names.contains(&name)
}

/// Whether the request's `Host` is one of `names`.
pub(crate) fn is_named(headers: &HeaderMap, names: &[String]) -> bool {
    name_of(headers).is_some_and(|name| names.contains(&name))
}

/// The name in `Host`, in lower case, without its port.
fn name_of(headers: &HeaderMap) -> Option<String> {
    let host = headers.get(HOST)?.to_str().ok()?.to_ascii_lowercase();
    Some(without_port(&host).trim_end_matches('.').to_owned())
}

/// The host without its port and without the brackets of IPv6.
fn without_port(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split_once(']').map_or(rest, |(address, _)| address);
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_names_and_addresses_are_hosts() {
        let check = |host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            is_known(&headers, &["game.example".to_owned()])
        };
        for good in [
            "Game.Example:7777",
            "game.example.",
            "localhost:1",
            "10.0.0.1",
            "[::1]:7777",
        ] {
            assert!(check(good), "{good}");
        }
        for bad in [
            "evil.example",
            "game.example.evil",
            "localhost.evil",
            "10.0.0.1.evil",
            "",
        ] {
            assert!(!check(bad), "{bad}");
        }
        assert!(!is_known(&HeaderMap::new(), &[]));
        assert!(is_allowed(&HeaderMap::new(), &[]));
    }
}
