//! Keeps lines that strangers cause from filling the log: so many of each kind in a minute, and a count of what was left out.
//!
//! In: the kind of a line, and for some kinds the address that caused it. Out: whether the line is written. Joins alone, at the full
//! rate, would be 52 GB a day. The limits are the process's, as the log is.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tickwire_sync::Micros;

/// The time in which lines are counted.
pub(crate) const PERIOD: Duration = Duration::from_secs(60);
/// Lines of one kind in that time.
const MAX_LINES: u32 = 60;
/// Lines of one kind and address in that time, where addresses count.
const MAX_LINES_OF_ADDRESS: u32 = 1;
/// Addresses that are remembered at a time.
const MAX_ADDRESSES: usize = 4096;

static LIMIT: LazyLock<Mutex<LogLimit>> = LazyLock::new(Mutex::default);

fn limit() -> MutexGuard<'static, LogLimit> {
    LIMIT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a line of this kind is written now.
pub(crate) fn admits(kind: &'static str, now: Micros) -> bool {
    limit().admit(kind, None, now).is_some()
}

/// Whether a line of this kind and address is written now: `Some` with the number of lines of that address that were left out since
/// its last one.
pub(crate) fn admits_from(kind: &'static str, address: IpAddr, now: Micros) -> Option<u64> {
    limit().admit(kind, Some(address), now)
}

/// Logs how many lines were left out of the log since the last call. Called every [`PERIOD`].
pub(crate) fn report(now: Micros) {
    let left_out = limit().take_left_out(now);
    for (kind, lines) in left_out {
        tracing::warn!(kind, lines, "lines were left out of the log");
    }
}

#[derive(Debug, Default)]
struct LogLimit {
    kinds: HashMap<&'static str, Window>,
    addresses: HashMap<(&'static str, IpAddr), Window>,
    /// Lines left out since they were last reported.
    left_out: HashMap<&'static str, u64>,
}

/// The lines since the beginning of a period.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    began: Option<Micros>,
    lines: u32,
    left_out: u64,
}

impl Window {
    fn is_over(&self, now: Micros) -> bool {
        let period = Micros(PERIOD.as_micros() as u64);
        self.began.is_none_or(|began| now.since(began) >= period)
    }

    /// Counts a line. `Some`: it is written, and so many were left out before it.
    fn admit(&mut self, max: u32, now: Micros) -> Option<u64> {
        if self.is_over(now) {
            (self.began, self.lines) = (Some(now), 0);
        }
        if self.lines >= max {
            self.left_out += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

impl LogLimit {
    fn admit(&mut self, kind: &'static str, address: Option<IpAddr>, now: Micros) -> Option<u64> {
        let of_address = match address {
            None => Some(0),
            Some(address) => {
                if self.addresses.len() >= MAX_ADDRESSES {
                    self.addresses.retain(|_, window| !window.is_over(now));
                    if self.addresses.len() >= MAX_ADDRESSES {
                        self.addresses.clear();
                    }
                }
                let window = self.addresses.entry((kind, address)).or_default();
                window.admit(MAX_LINES_OF_ADDRESS, now)
            }
        };
        let window = self.kinds.entry(kind).or_default();
        let admitted = of_address.filter(|_| window.admit(MAX_LINES, now).is_some());
        if admitted.is_none() {
            *self.left_out.entry(kind).or_default() += 1;
        }
        admitted
    }

    fn take_left_out(&mut self, now: Micros) -> Vec<(&'static str, u64)> {
        self.addresses.retain(|_, window| !window.is_over(now));
        self.left_out.drain().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Micros = Micros::from_millis(60_000);

    #[test]
    fn a_flood_of_lines_is_counted_and_left_out() {
        let mut limit = LogLimit::default();
        let mut written = |kind, now| {
            (0..1_000)
                .filter(|_| limit.admit(kind, None, now).is_some())
                .count()
        };
        assert_eq!(written("joined", Micros(0)), MAX_LINES as usize);
        assert_eq!(written("left", Micros(1)), MAX_LINES as usize);
        assert_eq!(written("joined", Micros(MINUTE.0 - 1)), 0);
        assert_eq!(written("joined", MINUTE), MAX_LINES as usize);
        let mut left_out = limit.take_left_out(MINUTE);
        left_out.sort_unstable();
        assert_eq!(left_out, [("joined", 2_880), ("left", 940)]);
        assert_eq!(limit.take_left_out(MINUTE), []);
    }

    #[test]
    fn each_address_has_a_line_a_minute() {
        let mut limit = LogLimit::default();
        let [one, other] = [1, 2].map(|host| Some(IpAddr::from([192, 0, 2, host])));
        assert_eq!(limit.admit("origin", one, Micros(0)), Some(0));
        assert_eq!(limit.admit("origin", one, Micros(1)), None);
        assert_eq!(limit.admit("origin", other, Micros(1)), Some(0));
        assert_eq!(limit.admit("origin", one, MINUTE), Some(1));
        for host in 0..100_000_u32 {
            limit.admit("origin", Some(IpAddr::from(host.to_be_bytes())), MINUTE);
        }
        assert!(limit.addresses.len() <= MAX_ADDRESSES);
    }
}
