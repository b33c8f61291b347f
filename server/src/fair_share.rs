//! Fair share: how much of a limit one address may hold, so that one host never fills the server.
//!
//! In: a peer's address, a limit, and what is held. Out: the address that a peer counts under, and its allowance. The rule is the
//! same for connections, rooms and sessions that wait for their player. Pure, but for [`RateByAddress`]'s lock.

use crate::token_bucket::TokenBucket;
use serde::Deserialize;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use tickwire_sync::Micros;

/// An address may hold this many of anything, whatever others hold.
const MIN_ALLOWANCE: usize = 16;
/// An address may hold one part in this many of what the others have left.
const SHARE_DIVISOR: usize = 4;
/// Addresses whose rate is remembered. Those whose bucket is full again are forgotten first.
const MAX_REMEMBERED: usize = 16 * 1024;

/// Whether addresses have shares: `--fair-share`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum FairShare {
    /// Every address but loopback, where local proxies and load tests are.
    #[default]
    On,
    /// No address.
    Off,
    /// Every address.
    Strict,
}

impl FairShare {
    /// The address that a peer counts under: IPv6 counts by /64, which is what one household or host has. `None`: the peer counts
    /// under none.
    #[must_use]
    pub fn counted(self, peer: IpAddr) -> Option<IpAddr> {
        let address = counted_address(peer);
        match self {
            Self::Off => None,
            Self::On if peer.to_canonical().is_loopback() => None,
            Self::On | Self::Strict => Some(address),
        }
    }
}

/// The address that a peer counts under where every address counts.
#[must_use]
pub(crate) fn counted_address(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

/// How many of `limit` one address may hold while the others hold `held_by_others`: a quarter of what these have left, but never
/// less than 16 or the whole limit. A limit of 0 is none, and has no share.
#[must_use]
pub(crate) fn allowance(limit: usize, held_by_others: usize) -> usize {
    if limit == 0 {
        return usize::MAX;
    }
    let share = limit.saturating_sub(held_by_others) / SHARE_DIVISOR;
    share.max(MIN_ALLOWANCE.min(limit))
}

/// The item that is given up at a limit: the oldest one of the address that holds most, which must hold two at least.
/// `items` are the addresses of the items that may be given up, oldest first. Returns the index of the item.
#[must_use]
pub(crate) fn item_to_give_up(
    items: impl Iterator<Item = Option<IpAddr>>,
    newcomer: Option<IpAddr>,
) -> Option<usize> {
    let mut held: HashMap<IpAddr, (usize, usize)> = HashMap::new();
    for (index, address) in items.enumerate() {
        // What counts under no address is nobody's to give up.
        let Some(address) = address else { continue };
        let (count, _) = held.entry(address).or_insert((0, index));
        *count += 1;
    }
    let of_newcomer = newcomer.and_then(|address| held.get(&address).map(|held| held.0));
    let most = held
        .into_values()
        // The oldest item decides between equals, so that the order of a map never does.
        .max_by_key(|(count, oldest)| (*count, std::cmp::Reverse(*oldest)));
    most.filter(|(count, _)| *count >= of_newcomer.unwrap_or(0).max(2))
        .map(|(_, oldest)| oldest)
}

/// A rate limit for each address.
#[derive(Debug)]
pub(crate) struct RateByAddress {
    per_second: f64,
    burst: f64,
    buckets: Mutex<HashMap<IpAddr, TokenBucket>>,
}

impl RateByAddress {
    /// `per_second` for each address, and `burst` at once; 0: unlimited.
    #[must_use]
    pub fn new(per_second: f64, burst: f64) -> Self {
        Self {
            per_second,
            burst,
            buckets: Mutex::default(),
        }
    }

    /// Counts one for an address. `false`: it has had its share for now.
    pub fn take(&self, address: Option<IpAddr>, now: Micros) -> bool {
        let Some(address) = address.filter(|_| self.per_second > 0.0) else {
            return true;
        };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MAX_REMEMBERED && !buckets.contains_key(&address) {
            buckets.retain(|_, bucket| !bucket.is_full(now));
            if buckets.len() >= MAX_REMEMBERED {
                // So many addresses at a time are no single host.
                buckets.clear();
            }
        }
        buckets
            .entry(address)
            .or_insert_with(|| TokenBucket::new(self.burst, self.per_second, now))
            .take(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_gets_a_quarter_of_what_is_free_or_sixteen() {
        assert_eq!(allowance(1_000, 0), 250);
        assert_eq!(allowance(1_000, 250), 187);
        assert_eq!(allowance(1_000, 1_000), 16);
        assert_eq!(allowance(10, 0), 10);
        assert_eq!(allowance(0, 5), usize::MAX);
    }

    #[test]
    fn loopback_counts_only_where_the_share_is_strict() {
        let counted = |share: FairShare, peer| share.counted(ip(peer));
        assert_eq!(counted(FairShare::On, "127.0.0.9"), None);
        assert_eq!(counted(FairShare::On, "::1"), None);
        assert_eq!(counted(FairShare::On, "::ffff:127.0.0.1"), None);
        assert_eq!(
            counted(FairShare::Strict, "127.0.0.9"),
            Some(ip("127.0.0.9"))
        );
        assert_eq!(counted(FairShare::Off, "10.0.0.1"), None);
        let network = Some(ip("2001:db8::"));
        assert_eq!(counted(FairShare::On, "2001:db8::1"), network);
        assert_eq!(counted(FairShare::On, "2001:db8::ffff:2"), network);
    }

    #[test]
    fn the_address_that_holds_most_gives_up_its_oldest_item() {
        let [a, b, c] = ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map(|text| Some(ip(text)));
        let give_up =
            |items: &[Option<IpAddr>], newcomer| item_to_give_up(items.iter().copied(), newcomer);
        assert_eq!(give_up(&[a, b, b, None, a, b], c), Some(1));
        assert_eq!(give_up(&[None, None, None], c), None);
        // A single honest sleeper is nobody's to wake.
        assert_eq!(give_up(&[a, b], c), None);
        // The host that holds most makes its own place.
        assert_eq!(give_up(&[a, b, b], b), Some(1));
    }

    #[test]
    fn each_address_has_a_rate_of_its_own() {
        let rate = RateByAddress::new(50.0, 200.0);
        let one = Some(ip("10.0.0.1"));
        let taken = |address, at_ms| {
            let now = Micros::from_millis(at_ms);
            (0..1_000).filter(|_| rate.take(address, now)).count()
        };
        assert_eq!((taken(one, 0), taken(one, 1_000)), (200, 50));
        assert_eq!(taken(Some(ip("10.0.0.2")), 1_000), 200);
        assert_eq!(taken(None, 1_000), 1_000);
    }
}
