//! How many connections there are, and how many there may be: in all and per address.
//!
//! A [`Slot`] is held as long as its TCP connection lives, through the upgrade, and gives its place
//! back when it is dropped. IPv6 peers are counted by /64, which is what one household or host has.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Why a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// `--max-connections` are open.
    Full,
    /// `--max-connections-per-ip` are open from this address.
    PerIp,
}

/// The count.
#[derive(Debug)]
pub struct Slots {
    /// 0 for no limit.
    max: usize,
    /// 0 for no limit.
    max_per_ip: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    /// Only kept if there is a limit.
    per_ip: HashMap<IpAddr, usize>,
}

/// A place among the connections.
#[derive(Debug)]
pub struct Slot {
    slots: Arc<Slots>,
    ip: IpAddr,
}

impl Slots {
    /// No connection yet.
    #[must_use]
    pub fn new(max: usize, max_per_ip: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            max_per_ip,
            taken: Mutex::default(),
        })
    }

    /// Takes a place.
    ///
    /// # Errors
    /// Which limit is reached.
    pub fn take(self: &Arc<Self>, ip: IpAddr) -> Result<Slot, Refusal> {
        let ip = counted_as(ip);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if self.max > 0 && taken.all >= self.max {
            return Err(Refusal::Full);
        }
        if self.max_per_ip > 0 {
            let count = taken.per_ip.entry(ip).or_default();
            if *count >= self.max_per_ip {
                return Err(Refusal::PerIp);
            }
            *count += 1;
        }
        taken.all += 1;
        Ok(Slot {
            slots: Arc::clone(self),
            ip,
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = (self.slots.taken.lock()).unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        if let Some(count) = taken.per_ip.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                taken.per_ip.remove(&self.ip);
            }
        }
    }
}

fn counted_as(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
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
    fn limits_hold_and_places_come_back() {
        let slots = Slots::new(3, 2);
        let first = slots.take(ip("10.0.0.1")).unwrap();
        let _second = slots.take(ip("::ffff:10.0.0.1")).unwrap();
        assert_eq!(slots.take(ip("10.0.0.1")).unwrap_err(), Refusal::PerIp);
        let _third = slots.take(ip("10.0.0.2")).unwrap();
        assert_eq!(slots.take(ip("10.0.0.3")).unwrap_err(), Refusal::Full);
        drop(first);
        assert!(slots.take(ip("10.0.0.1")).is_ok());
    }

    #[test]
    fn ipv6_is_counted_by_network() {
        let slots = Slots::new(0, 1);
        let _one = slots.take(ip("2001:db8::1")).unwrap();
        assert_eq!(slots.take(ip("2001:db8::2")).unwrap_err(), Refusal::PerIp);
        assert!(slots.take(ip("2001:db8:0:1::1")).is_ok());
    }
}
