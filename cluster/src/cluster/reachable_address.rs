//! Where other nodes reach a listener that is bound to every address of this machine.

use redis::{ConnectionAddr, IntoConnectionInfo as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// The address to tell other nodes: an unspecified one becomes the one with which this machine reaches Redis, which they reach too.
pub(super) fn of(bound: SocketAddr, redis_url: &str) -> SocketAddr {
    if !bound.ip().is_unspecified() {
        return bound;
    }
    let loopback = match bound.ip() {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    };
    SocketAddr::new(address_towards(redis_url).unwrap_or(loopback), bound.port())
}

/// The address that this machine's packets to Redis have.
fn address_towards(redis_url: &str) -> Option<IpAddr> {
    let info = redis_url.into_connection_info().ok()?;
    let (host, port) = match info.addr() {
        ConnectionAddr::Tcp(host, port) => (host, *port),
        ConnectionAddr::TcpTls { host, port, .. } => (host, *port),
        _ => return None,
    };
    // Connecting a UDP socket sends nothing: the system only picks the route.
    let any: [SocketAddr; 2] = [
        (Ipv4Addr::UNSPECIFIED, 0).into(),
        (Ipv6Addr::UNSPECIFIED, 0).into(),
    ];
    any.into_iter().find_map(|any| {
        let socket = UdpSocket::bind(any).ok()?;
        socket.connect((host.as_str(), port)).ok()?;
        Some(socket.local_addr().ok()?.ip())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unspecified_address_becomes_one_that_others_reach() {
        let of = |bound: &str, url| of(bound.parse().expect("an address"), url).to_string();
        assert_eq!(of("10.1.2.3:7", "redis://127.0.0.1:1"), "10.1.2.3:7");
        assert_eq!(of("0.0.0.0:7", "redis://127.0.0.1:1"), "127.0.0.1:7");
        assert_eq!(of("0.0.0.0:7", "unix:///run/redis.sock"), "127.0.0.1:7");
    }
}
