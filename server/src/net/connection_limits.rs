//! How many TCP connections may be open: in all, and per address.
//!
//! A [`ConnectionPermit`] is held for as long as its TCP connection lives, through the upgrade to a WebSocket. IPv6 peers are
//! counted by /64 network, which is what one household or host has.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Why a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LimitReached {
    /// `--max-connections` are open.
    Total,
    /// `--max-connections-per-ip` are open from this address.
    PerAddress,
}

/// The limits, and the count of open connections.
#[derive(Debug)]
pub(crate) struct ConnectionLimits {
    /// 0: no limit.
    max: usize,
    /// 0: no limit.
    max_per_address: usize,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    /// Empty if there is no limit per address.
    per_address: HashMap<IpAddr, usize>,
}

/// Permission for one open connection; dropping it gives the permission back.
#[derive(Debug)]
pub(crate) struct ConnectionPermit {
    limits: Arc<ConnectionLimits>,
    address: IpAddr,
}

impl ConnectionLimits {
    /// Limits without any open connection.
    #[must_use]
    pub fn new(max: usize, max_per_address: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            max_per_address,
            counts: Mutex::default(),
        })
    }

    /// Counts one connection more.
    ///
    /// # Errors
    /// The limit that is reached.
    pub fn acquire(self: &Arc<Self>, address: IpAddr) -> Result<ConnectionPermit, LimitReached> {
        let address = counted_address(address);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if self.max > 0 && counts.total >= self.max {
            return Err(LimitReached::Total);
        }
        if self.max_per_address > 0 {
            let count = counts.per_address.entry(address).or_default();
            if *count >= self.max_per_address {
                return Err(LimitReached::PerAddress);
            }
            *count += 1;
        }
        counts.total += 1;
        Ok(ConnectionPermit {
            limits: Arc::clone(self),
            address,
        })
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut counts = (self.limits.counts.lock()).unwrap_or_else(PoisonError::into_inner);
        counts.total -= 1;
        if let Some(count) = counts.per_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.per_address.remove(&self.address);
            }
        }
    }
}

/// The address that a peer is counted under.
fn counted_address(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn limits_hold_and_permits_come_back() {
        let limits = ConnectionLimits::new(3, 2);
        let first = limits.acquire(ip("10.0.0.1")).unwrap();
        let _second = limits.acquire(ip("::ffff:10.0.0.1")).unwrap();
        let third_of_one = limits.acquire(ip("10.0.0.1")).unwrap_err();
        assert_eq!(third_of_one, LimitReached::PerAddress);
        let _third = limits.acquire(ip("10.0.0.2")).unwrap();
        let fourth = limits.acquire(ip("10.0.0.3")).unwrap_err();
        assert_eq!(fourth, LimitReached::Total);
        drop(first);
        assert!(limits.acquire(ip("10.0.0.1")).is_ok());
    }

    #[test]
    fn ipv6_peers_are_counted_by_network() {
        let limits = ConnectionLimits::new(0, 1);
        let _one = limits.acquire(ip("2001:db8::1")).unwrap();
        let neighbour = limits.acquire(ip("2001:db8::2")).unwrap_err();
        assert_eq!(neighbour, LimitReached::PerAddress);
        assert!(limits.acquire(ip("2001:db8:0:1::1")).is_ok());
    }
}
