//! A network of addresses, such as 10.0.0.0/8. IPv4 counts as the part of IPv6 that stands for it. Pure.

use crate::fair_share::counted_address;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// A network, such as 10.0.0.0/8; a single address is one too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    /// Zero outside of the mask.
    address: u128,
    mask: u128,
}

/// Bits above an IPv4 address in 128 bits.
const IPV4_PREFIX_BITS: u32 = 96;

impl Network {
    /// Reads `10.0.0.0/8`, `fd00::/8` or `192.0.2.1`. `None`: it is no network.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let (max, above) = match address {
            IpAddr::V4(_) => (32, IPV4_PREFIX_BITS),
            IpAddr::V6(_) => (128, 0),
        };
        let length = length.unwrap_or(max);
        (length <= max).then(|| Self::new(address, above + length))
    }

    /// The network of one household or host: an IPv4 address, or the /64 of an IPv6 address.
    pub fn of_host(address: IpAddr) -> Self {
        let length = match address.to_canonical() {
            IpAddr::V4(_) => 128,
            IpAddr::V6(_) => 64,
        };
        Self::new(counted_address(address), length)
    }

    /// `length` counts in 128 bits.
    fn new(address: IpAddr, length: u32) -> Self {
        let mask = u128::MAX.checked_shl(128 - length).unwrap_or_default();
        Self {
            address: as_bits(address) & mask,
            mask,
        }
    }

    /// Whether the address is in the network.
    pub fn contains(self, address: IpAddr) -> bool {
        (as_bits(address) ^ self.address) & self.mask == 0
    }

    /// The bits that an address must have to be in the network, and where they stand: for look-ups by hash.
    pub fn key(self) -> (u128, u128) {
        (self.mask, self.address)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.mask.leading_ones();
        let (address, above, max) = match Ipv6Addr::from_bits(self.address).to_ipv4_mapped() {
            Some(v4) if length >= IPV4_PREFIX_BITS => (IpAddr::from(v4), IPV4_PREFIX_BITS, 32),
            _ => (IpAddr::from(Ipv6Addr::from_bits(self.address)), 0, 128),
        };
        match length - above {
            length if length == max => write!(f, "{address}"),
            length => write!(f, "{address}/{length}"),
        }
    }
}

/// An address in 128 bits; IPv4 as IPv6 writes it.
pub(crate) fn as_bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_shown_as_it_is_read() {
        for text in [
            "10.0.0.0/8",
            "192.0.2.1",
            "fd00::/8",
            "2001:db8::1",
            "::/0",
            "0.0.0.0/0",
        ] {
            assert_eq!(Network::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(
            Network::parse("10.9.8.7/8").unwrap().to_string(),
            "10.0.0.0/8"
        );
    }

    #[test]
    fn a_host_is_an_address_or_a_64() {
        let of = |text: &str| Network::of_host(text.parse().unwrap()).to_string();
        assert_eq!(of("192.0.2.1"), "192.0.2.1");
        assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(of("2001:db8:0:1:2:3:4:5"), "2001:db8:0:1::/64");
    }
}
