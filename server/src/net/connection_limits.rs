//! How many TCP connections may be open: in all, per address, and for one address in relation to the others (its fair share).
//!
//! A [`ConnectionPermit`] is held for as long as its TCP connection lives, through the upgrade to a WebSocket. IPv6 peers are
//! counted by /64 network. An address that has flooded waits before it may come again.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::fair_share::{FairShare, RateByAddress, allowance, counted_address};
use tickwire_sync::Micros;

/// How long a flooder's address waits, and at most, as each further flood doubles it.
const FLOOD_WAIT: Micros = Micros::from_millis(10_000);
const MAX_FLOOD_WAIT: Micros = Micros::from_millis(60_000);
/// For how long a flood is remembered.
const FLOOD_MEMORY: Micros = Micros::from_millis(300_000);
/// Floods that are remembered at a time.
const MAX_REMEMBERED_FLOODS: usize = 16 * 1024;
/// Refusals with an HTTP answer, per second and address; further ones are TCP closes, which cost less.
const ANSWERS_PER_SECOND: f64 = 10.0;

/// Why a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LimitReached {
    /// `--max-connections` are open.
    Total,
    /// `--max-connections-per-ip`, or the address's fair share, are open from this address.
    PerAddress,
    /// The address has flooded and must wait.
    Flooded,
}

impl LimitReached {
    /// The limit, for the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Total => "--max-connections are open",
            Self::PerAddress => "the address has its share of connections",
            Self::Flooded => "the address has flooded, and must wait",
        }
    }
}

/// The limits, and the count of open connections.
#[derive(Debug)]
pub(crate) struct ConnectionLimits {
    /// 0: no limit.
    max: usize,
    /// 0: no limit.
    max_per_address: usize,
    fair_share: FairShare,
    counts: Mutex<Counts>,
    answers: RateByAddress,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    per_address: HashMap<IpAddr, usize>,
    floods: HashMap<IpAddr, Flood>,
}

/// What an address has done.
#[derive(Clone, Copy, Debug)]
struct Flood {
    at: Micros,
    wait: Micros,
}

/// Permission for one open connection; dropping it gives the permission back.
#[derive(Debug)]
pub(crate) struct ConnectionPermit {
    limits: Arc<ConnectionLimits>,
    /// The address that the connection counts under.
    address: Option<IpAddr>,
    /// The permit of the proxy's TCP connection, which is counted in the total.
    proxy: Option<Arc<ConnectionPermit>>,
    /// Whether the connection is counted in the total.
    is_counted: bool,
}

impl ConnectionLimits {
    /// Limits without any open connection.
    #[must_use]
    pub fn new(max: usize, max_per_address: usize, fair_share: FairShare) -> Arc<Self> {
        Arc::new(Self {
            max,
            max_per_address,
            fair_share,
            counts: Mutex::default(),
            answers: RateByAddress::new(ANSWERS_PER_SECOND, ANSWERS_PER_SECOND),
        })
    }

    /// Counts one connection more. A proxy's connections count in the total alone.
    ///
    /// # Errors
    /// The limit that is reached.
    pub fn acquire(
        self: &Arc<Self>,
        peer: IpAddr,
        is_proxy: bool,
        now: Micros,
    ) -> Result<ConnectionPermit, LimitReached> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if self.max > 0 && counts.total >= self.max {
            return Err(LimitReached::Total);
        }
        let address = match is_proxy {
            true => None,
            false => self.count_address(&mut counts, peer, now)?,
        };
        counts.total += 1;
        Ok(ConnectionPermit {
            limits: Arc::clone(self),
            address,
            proxy: None,
            is_counted: true,
        })
    }

    /// Counts the client of a proxy's connection.
    ///
    /// # Errors
    /// The limit that is reached.
    pub fn acquire_behind(
        self: &Arc<Self>,
        proxy: Arc<ConnectionPermit>,
        client: IpAddr,
        now: Micros,
    ) -> Result<ConnectionPermit, LimitReached> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let address = self.count_address(&mut counts, client, now)?;
        Ok(ConnectionPermit {
            limits: Arc::clone(self),
            address,
            proxy: Some(proxy),
            is_counted: false,
        })
    }

    fn count_address(
        &self,
        counts: &mut Counts,
        peer: IpAddr,
        now: Micros,
    ) -> Result<Option<IpAddr>, LimitReached> {
        let with_share = self.fair_share.counted(peer);
        if let Some(address) = with_share {
            let flood = counts.floods.get(&address);
            if flood.is_some_and(|flood| now < flood.at.plus(flood.wait)) {
                return Err(LimitReached::Flooded);
            }
            let own = counts.per_address.get(&address).copied().unwrap_or(0);
            if own >= allowance(self.max, counts.total.saturating_sub(own)) {
                return Err(LimitReached::PerAddress);
            }
        }
        let limited = (self.max_per_address > 0).then(|| counted_address(peer));
        let Some(address) = with_share.or(limited) else {
            return Ok(None);
        };
        let count = counts.per_address.entry(address).or_default();
        if self.max_per_address > 0 && *count >= self.max_per_address {
            return Err(LimitReached::PerAddress);
        }
        *count += 1;
        Ok(Some(address))
    }

    /// Whether a refusal of this peer is worth an HTTP answer.
    pub fn may_answer(&self, peer: IpAddr, now: Micros) -> bool {
        self.answers.take(Some(counted_address(peer)), now)
    }
}

impl ConnectionPermit {
    /// The peer has flooded: its address waits before it may come again, for longer each time.
    pub fn record_flood(&self, now: Micros) {
        let share = self.limits.fair_share;
        // Loopback has no share, and does not wait.
        let Some(address) = self.address.and_then(|address| share.counted(address)) else {
            return;
        };
        let mut counts = (self.limits.counts.lock()).unwrap_or_else(PoisonError::into_inner);
        let floods = &mut counts.floods;
        if floods.len() >= MAX_REMEMBERED_FLOODS {
            floods.retain(|_, flood| now.since(flood.at) < FLOOD_MEMORY);
            if floods.len() >= MAX_REMEMBERED_FLOODS {
                // So many addresses at a time are no single host.
                floods.clear();
            }
        }
        let before = floods
            .get(&address)
            .filter(|flood| now.since(flood.at) < FLOOD_MEMORY);
        let wait = match before {
            // Several connections that flood together are one flood.
            Some(flood) if now < flood.at.plus(flood.wait) => return,
            Some(flood) => Micros(flood.wait.0 * 2).min(MAX_FLOOD_WAIT),
            None => FLOOD_WAIT,
        };
        floods.insert(address, Flood { at: now, wait });
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut counts = (self.limits.counts.lock()).unwrap_or_else(PoisonError::into_inner);
        if self.is_counted {
            counts.total -= 1;
        }
        if let Some(address) = self.address
            && let Some(count) = counts.per_address.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                counts.per_address.remove(&address);
            }
        }
        drop(counts);
        // Its own drop takes the lock.
        self.proxy = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn acquire(
        limits: &Arc<ConnectionLimits>,
        peer: &str,
    ) -> Result<ConnectionPermit, LimitReached> {
        limits.acquire(ip(peer), false, Micros(0))
    }

    #[test]
    fn an_address_gets_ten_answers_to_refusals_a_second() {
        let limits = ConnectionLimits::new(1, 0, FairShare::On);
        let answers = |peer: &str, at_ms| {
            let may_answer =
                |_: &u32| limits.may_answer(peer.parse().unwrap(), Micros::from_millis(at_ms));
            (0..100).filter(may_answer).count()
        };
        assert_eq!(answers("192.0.2.1", 1_000), 10);
        assert_eq!(answers("192.0.2.2", 1_000), 10);
        assert_eq!(answers("192.0.2.1", 1_500), 5);
        assert_eq!(answers("192.0.2.1", 9_000), 10);
        // The addresses of an IPv6 network count as one.
        assert_eq!(answers("2001:db8::1", 9_000), 10);
        assert_eq!(answers("2001:db8::2", 9_000), 0);
    }

    #[test]
    fn limits_hold_and_permits_come_back() {
        let limits = ConnectionLimits::new(3, 2, FairShare::On);
        let first = acquire(&limits, "10.0.0.1").unwrap();
        let _second = acquire(&limits, "::ffff:10.0.0.1").unwrap();
        let third_of_one = acquire(&limits, "10.0.0.1").unwrap_err();
        assert_eq!(third_of_one, LimitReached::PerAddress);
        let _third = acquire(&limits, "10.0.0.2").unwrap();
        let fourth = acquire(&limits, "10.0.0.3").unwrap_err();
        assert_eq!(fourth, LimitReached::Total);
        drop(first);
        assert!(acquire(&limits, "10.0.0.1").is_ok());
    }

    #[test]
    fn ipv6_peers_are_counted_by_network() {
        let limits = ConnectionLimits::new(0, 1, FairShare::Off);
        let _one = acquire(&limits, "2001:db8::1").unwrap();
        let neighbour = acquire(&limits, "2001:db8::2").unwrap_err();
        assert_eq!(neighbour, LimitReached::PerAddress);
        assert!(acquire(&limits, "2001:db8:0:1::1").is_ok());
    }

    #[test]
    fn one_address_holds_a_quarter_of_the_connections() {
        let fill = |share, peer: &str, limits: &mut Vec<ConnectionPermit>, of: &Arc<_>| {
            let before = limits.len();
            limits.extend(std::iter::from_fn(|| acquire(of, peer).ok()));
            let _: FairShare = share;
            limits.len() - before
        };
        let limits = ConnectionLimits::new(1_000, 0, FairShare::On);
        let mut held = Vec::new();
        assert_eq!(fill(FairShare::On, "10.0.0.1", &mut held, &limits), 250);
        assert_eq!(fill(FairShare::On, "10.0.0.2", &mut held, &limits), 187);
        // Loopback is exempt, unless the share is strict.
        assert_eq!(fill(FairShare::On, "127.0.0.1", &mut held, &limits), 563);
        let limits = ConnectionLimits::new(1_000, 0, FairShare::Strict);
        let mut held = Vec::new();
        assert_eq!(
            fill(FairShare::Strict, "127.0.0.1", &mut held, &limits),
            250
        );
        assert_eq!(
            fill(FairShare::Strict, "127.0.0.2", &mut held, &limits),
            187
        );
    }

    #[test]
    fn a_flooder_waits_and_longer_each_time() {
        let limits = ConnectionLimits::new(0, 0, FairShare::On);
        let comes = |peer: &str, at_ms| limits.acquire(ip(peer), false, Micros::from_millis(at_ms));
        let permit = comes("10.0.0.1", 0).unwrap();
        permit.record_flood(Micros::from_millis(1_000));
        permit.record_flood(Micros::from_millis(1_001));
        assert_eq!(
            comes("10.0.0.1", 10_999).unwrap_err(),
            LimitReached::Flooded
        );
        assert!(comes("10.0.0.2", 10_999).is_ok());
        assert!(comes("10.0.0.1", 11_000).is_ok());
        permit.record_flood(Micros::from_millis(12_000));
        assert!(comes("10.0.0.1", 31_999).is_err() && comes("10.0.0.1", 32_000).is_ok());
        let local = comes("127.0.0.1", 0).unwrap();
        local.record_flood(Micros(0));
        assert!(comes("127.0.0.1", 1).is_ok());
    }

    #[test]
    fn the_clients_of_a_proxy_have_shares_of_their_own() {
        let limits = ConnectionLimits::new(1_000, 0, FairShare::Strict);
        let behind = |client: &str| {
            let proxy = limits.acquire(ip("127.0.0.1"), true, Micros(0))?;
            limits.acquire_behind(Arc::new(proxy), ip(client), Micros(0))
        };
        let one: Vec<_> = std::iter::from_fn(|| behind("10.0.0.1").ok()).collect();
        // The proxy's own connection to the newcomer is among what is held.
        assert_eq!(one.len(), 249);
        assert!(behind("10.0.0.2").is_ok());
        drop(one);
        assert_eq!(limits.counts.lock().unwrap().total, 0);
    }
}
