//! The addresses of clients behind trusted proxies: `X-Forwarded-For`, and the PROXY protocol (versions 1 and 2).
//!
//! In: `--trusted-proxy`, and what a proxy says. Out: the address of the client. A peer that is no trusted proxy is never believed:
//! it would give itself any address.

use crate::network::Network;
use hyper::HeaderMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

/// The longest header of version 1, with its line end.
const MAX_V1_BYTES: usize = 107;
/// The longest header of version 2 that is read: fixed part, addresses, and some hundred bytes of extras.
const MAX_V2_BYTES: usize = 536;
const V1_SIGNATURE: &[u8] = b"PROXY ";
const V2_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Networks whose hosts are believed about their clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<Network>);

impl TrustedProxies {
    /// Reads networks such as `10.0.0.0/8`, `fd00::/8` or `192.0.2.1`.
    ///
    /// # Errors
    /// A sentence that says which one is wrong.
    pub fn parse(networks: &[String]) -> Result<Self, String> {
        let parse = |text: &String| {
            Network::parse(text.trim())
                .ok_or_else(|| format!("{text} is not a network; write it like 10.0.0.0/8"))
        };
        Ok(Self(networks.iter().map(parse).collect::<Result<_, _>>()?))
    }

    /// Whether a peer is believed.
    #[must_use]
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(peer))
    }

    /// The client that a request of `peer` comes from: the last address in `X-Forwarded-For` that is no trusted proxy. Earlier ones
    /// may have been written by the client itself.
    #[must_use]
    pub fn client_of(&self, peer: SocketAddr, headers: &HeaderMap) -> SocketAddr {
        if !self.trusts(peer.ip()) {
            return peer;
        }
        let mut client = peer;
        let lines = headers.get_all("x-forwarded-for").iter();
        let hops: Vec<&str> = lines
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(','))
            .collect();
        for hop in hops.into_iter().rev() {
            let Some(address) = hop_address(hop.trim()) else {
                break;
            };
            client = address;
            if !self.trusts(address.ip()) {
                break;
            }
        }
        client
    }

    /// Reads the PROXY header at the beginning of a connection from a trusted proxy, if there is one. Returns the client's address.
    ///
    /// # Errors
    /// If the connection breaks, or the header is malformed.
    pub async fn read_header(
        &self,
        socket: &mut TcpStream,
        peer: SocketAddr,
    ) -> io::Result<SocketAddr> {
        if !self.trusts(peer.ip()) {
            return Ok(peer);
        }
        let mut buffer = [0; MAX_V2_BYTES];
        let mut seen = 0;
        loop {
            let length = socket.peek(&mut buffer).await?;
            match parse_header(&buffer[..length]) {
                Header::None => return Ok(peer),
                Header::Complete { length, client } => {
                    socket.read_exact(&mut buffer[..length]).await?;
                    return Ok(client.unwrap_or(peer));
                }
                Header::Malformed => return Err(io::ErrorKind::InvalidData.into()),
                Header::Incomplete if length == 0 => {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                // Peeking does not wait for more than there is already.
                Header::Incomplete if length == seen => {
                    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                }
                Header::Incomplete => seen = length,
            }
        }
    }
}

/// An address as proxies write it: with or without a port, IPv6 with or without brackets.
fn hop_address(hop: &str) -> Option<SocketAddr> {
    if let Ok(address) = hop.parse() {
        return Some(address);
    }
    let without_brackets = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']'));
    let address = without_brackets.unwrap_or(hop).parse::<IpAddr>().ok()?;
    Some(SocketAddr::new(address, 0))
}

/// The beginning of a proxy's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Header {
    /// The connection begins with something else.
    None,
    Incomplete,
    Malformed,
    Complete {
        length: usize,
        /// `None`: the proxy speaks for itself, as in a health check.
        client: Option<SocketAddr>,
    },
}

fn parse_header(bytes: &[u8]) -> Header {
    let begins_like = |signature: &[u8]| {
        let common = bytes.len().min(signature.len());
        bytes[..common] == signature[..common]
    };
    if begins_like(V1_SIGNATURE) {
        parse_v1(bytes)
    } else if begins_like(V2_SIGNATURE) {
        parse_v2(bytes)
    } else {
        Header::None
    }
}

fn parse_v1(bytes: &[u8]) -> Header {
    let Some(end) = bytes.windows(2).position(|pair| pair == b"\r\n") else {
        return if bytes.len() < MAX_V1_BYTES {
            Header::Incomplete
        } else {
            Header::Malformed
        };
    };
    let line = std::str::from_utf8(&bytes[..end]).unwrap_or_default();
    let mut words = line.split(' ').skip(1);
    let client = match (words.next(), words.next(), words.next(), words.next()) {
        (Some("UNKNOWN"), ..) => None,
        (Some("TCP4" | "TCP6"), Some(source), Some(_), Some(port)) => {
            let address = source.parse::<IpAddr>().ok().zip(port.parse().ok());
            let Some((address, port)) = address else {
                return Header::Malformed;
            };
            Some(SocketAddr::new(address, port))
        }
        _ => return Header::Malformed,
    };
    Header::Complete {
        length: end + 2,
        client,
    }
}

fn parse_v2(bytes: &[u8]) -> Header {
    let Some(head) = bytes.first_chunk::<16>() else {
        return Header::Incomplete;
    };
    let length = 16 + usize::from(u16::from_be_bytes([head[14], head[15]]));
    if head[12] >> 4 != 2 || length > MAX_V2_BYTES {
        return Header::Malformed;
    }
    let Some(addresses) = bytes.get(16..length) else {
        return Header::Incomplete;
    };
    let port = |at: usize| {
        let port = addresses.get(at..at + 2)?;
        Some(u16::from_be_bytes([port[0], port[1]]))
    };
    let client = match (head[12] & 0x0F, head[13]) {
        // LOCAL: the proxy's own connection.
        (0, _) => None,
        (1, 0x11) => {
            let address = addresses
                .first_chunk::<4>()
                .map(|four| Ipv4Addr::from(*four));
            address
                .zip(port(8))
                .map(|(address, port)| SocketAddr::new(address.into(), port))
        }
        (1, 0x21) => {
            let address = addresses
                .first_chunk::<16>()
                .map(|all| Ipv6Addr::from(*all));
            address
                .zip(port(32))
                .map(|(address, port)| SocketAddr::new(address.into(), port))
        }
        (1, _) => None,
        _ => return Header::Malformed,
    };
    Header::Complete { length, client }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(networks: &[&str]) -> Result<TrustedProxies, String> {
        TrustedProxies::parse(&networks.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn networks_of_both_families_are_matched() {
        let trusted = proxies(&["10.0.0.0/8", "192.0.2.7", "fd00::/8"]).unwrap();
        let trusts = |peer: &str| trusted.trusts(peer.parse().unwrap());
        assert!(trusts("10.9.8.7") && trusts("::ffff:10.9.8.7") && trusts("192.0.2.7"));
        assert!(trusts("fd12::1") && !trusts("fe80::1") && !trusts("11.0.0.1"));
        assert!(!trusts("192.0.2.8"));
        assert!(proxies(&["0.0.0.0/0"]).unwrap().trusts([1, 2, 3, 4].into()));
        assert!(proxies(&["::/0"]).unwrap().trusts([1, 2, 3, 4].into()));
        for wrong in ["10.0.0.0/33", "proxy.example", "::/129", "10.0.0.0/-1", ""] {
            assert!(proxies(&[wrong]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_a_trusted_proxy_is_believed_about_its_client() {
        let trusted = proxies(&["10.0.0.0/8"]).unwrap();
        let client = |peer: &str, lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append("x-forwarded-for", line.parse().unwrap());
            }
            let peer = SocketAddr::new(peer.parse().unwrap(), 5);
            trusted.client_of(peer, &headers).ip().to_string()
        };
        assert_eq!(client("8.8.8.8", &["1.2.3.4"]), "8.8.8.8");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["1.2.3.4"]), "1.2.3.4");
        // The client itself may have sent the first ones.
        assert_eq!(
            client("10.0.0.1", &["6.6.6.6, 1.2.3.4", "10.0.0.2"]),
            "1.2.3.4"
        );
        assert_eq!(client("10.0.0.1", &["junk, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(client("10.0.0.1", &["[2001:db8::1]:443"]), "2001:db8::1");
        assert_eq!(client("10.0.0.1", &["1.2.3.4:99"]), "1.2.3.4");
    }

    #[test]
    fn proxy_headers_of_both_versions_are_read() {
        let client = |text: &str| Some(text.parse::<SocketAddr>().unwrap());
        let complete = |length, client| Header::Complete { length, client };
        let v1 = b"PROXY TCP4 1.2.3.4 5.6.7.8 1000 443\r\nGET /";
        assert_eq!(parse_header(v1), complete(37, client("1.2.3.4:1000")));
        for length in 1..37 {
            assert_eq!(parse_header(&v1[..length]), Header::Incomplete, "{length}");
        }
        let v6 = b"PROXY TCP6 2001:db8::1 ::1 1000 443\r\n";
        assert_eq!(parse_header(v6), complete(37, client("[2001:db8::1]:1000")));
        assert_eq!(parse_header(b"PROXY UNKNOWN\r\n"), complete(15, None));
        assert_eq!(parse_header(b"PROXY TCP4 nobody\r\n"), Header::Malformed);
        assert_eq!(
            parse_header(&[&b"PROXY "[..], &[b'x'; 120]].concat()),
            Header::Malformed
        );
        assert_eq!(parse_header(b"GET / HTTP/1.1"), Header::None);
        let v2 = |command: u8, family: u8, addresses: &[u8]| {
            let length = (addresses.len() as u16).to_be_bytes();
            [V2_SIGNATURE, &[0x20 | command, family], &length, addresses].concat()
        };
        let four = v2(1, 0x11, &[1, 2, 3, 4, 5, 6, 7, 8, 3, 232, 1, 187]);
        assert_eq!(parse_header(&four), complete(28, client("1.2.3.4:1000")));
        for length in 1..28 {
            assert_eq!(
                parse_header(&four[..length]),
                Header::Incomplete,
                "{length}"
            );
        }
        assert_eq!(parse_header(&v2(0, 0, &[])), complete(16, None));
        assert_eq!(parse_header(&v2(2, 0x11, &[])), Header::Malformed);
        assert_eq!(parse_header(&v2(1, 0x11, &[0; 700])), Header::Malformed);
    }
}
