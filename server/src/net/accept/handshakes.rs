//! TLS handshakes under way: how many there may be, in all and for one address.
//!
//! In: connections before their handshake. Out: a place for each, or none: the connection is then dropped, which costs nothing. A
//! handshake takes some hundred microseconds of a core, so an address may also begin only so many a second.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::now;
use crate::fair_share::{RateByAddress, allowance};

/// Handshakes that may be under way, and while ticks are late.
const MAX_UNDER_WAY: usize = 256;
const MAX_WHILE_LATE: usize = 64;
/// Handshakes that one address may begin in a second, and at once, for each join that it may make in a second.
const PER_JOIN: f64 = 4.0;
const BURST_PER_JOIN: f64 = 16.0;

/// The handshakes under way.
#[derive(Debug)]
pub(in crate::net) struct Handshakes {
    under_way: Mutex<UnderWay>,
    rate: RateByAddress,
}

#[derive(Debug, Default)]
struct UnderWay {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One handshake; dropping it ends it.
#[derive(Debug)]
pub(in crate::net) struct Handshake {
    all: Arc<Handshakes>,
    address: Option<IpAddr>,
}

impl Handshakes {
    /// None under way. `join_rate` is `--join-rate`; 0: no limit.
    pub fn new(join_rate: u32) -> Arc<Self> {
        let joins = f64::from(join_rate);
        Arc::new(Self {
            under_way: Mutex::default(),
            rate: RateByAddress::new(joins * PER_JOIN, joins * BURST_PER_JOIN),
        })
    }

    /// Begins a handshake of a peer that counts under `address`. `None`: there is no place for it.
    pub fn begin(
        self: &Arc<Self>,
        address: Option<IpAddr>,
        are_ticks_late: bool,
    ) -> Option<Handshake> {
        if !self.rate.take(address, now()) {
            return None;
        }
        let max = if are_ticks_late {
            MAX_WHILE_LATE
        } else {
            MAX_UNDER_WAY
        };
        let mut under_way = self.lock();
        let UnderWay { total, by_address } = &mut *under_way;
        let own = address.and_then(|address| by_address.get(&address).copied());
        let own = own.unwrap_or(0);
        if *total >= max || (address.is_some() && own >= allowance(max, *total - own)) {
            return None;
        }
        *total += 1;
        if let Some(address) = address {
            *by_address.entry(address).or_default() += 1;
        }
        Some(Handshake {
            all: Arc::clone(self),
            address,
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, UnderWay> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        let mut under_way = self.all.lock();
        under_way.total -= 1;
        if let Some(address) = self.address
            && let Some(count) = under_way.by_address.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                under_way.by_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handshakes_under_way_are_bounded_and_shared() {
        let handshakes = Handshakes::new(0);
        let fill = |address: Option<IpAddr>, late| -> Vec<_> {
            std::iter::from_fn(|| handshakes.begin(address, late)).collect()
        };
        let one = fill(Some([10, 0, 0, 1].into()), false);
        assert_eq!(one.len(), 64);
        assert_eq!(fill(None, false).len(), 192);
        assert_eq!(fill(None, true).len(), 0);
        drop(one);
        assert_eq!(fill(Some([10, 0, 0, 2].into()), true).len(), 16);
        assert!(handshakes.lock().by_address.is_empty());
    }

    #[test]
    fn an_address_begins_only_so_many_handshakes_a_second() {
        let handshakes = Handshakes::new(1);
        let begun = |address: [u8; 4]| {
            let begin = |_: &u32| handshakes.begin(Some(address.into()), false).is_some();
            (0..100).filter(begin).count()
        };
        assert_eq!((begun([10, 0, 0, 1]), begun([10, 0, 0, 2])), (16, 16));
    }
}
