//! The latest events of a run, for the report of a failure.
//!
//! In: who, what and two numbers. Out: lines of text. Kept as numbers, because nearly no run fails.

use crate::model::Peer;
use std::collections::VecDeque;
use tickwire_sync::Micros;

/// Events that are kept.
const KEPT: usize = 8_192;
/// Events of a report.
const SHOWN: usize = 60;

/// One event.
#[derive(Clone, Copy, Debug)]
struct Entry {
    at: Micros,
    /// `None`: the server.
    peer: Option<Peer>,
    what: &'static str,
    numbers: [u64; 2],
}

/// The latest events.
#[derive(Debug, Default)]
pub struct Trace {
    entries: VecDeque<Entry>,
}

impl Trace {
    /// Adds an event.
    pub fn add(&mut self, at: Micros, peer: Option<Peer>, what: &'static str, numbers: [u64; 2]) {
        if self.entries.len() == KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(Entry {
            at,
            peer,
            what,
            numbers,
        });
    }

    /// The latest events of these peers and of the server, oldest first.
    #[must_use]
    pub fn lines(&self, peers: &[Peer]) -> Vec<String> {
        let is_shown = |entry: &&Entry| entry.peer.is_none_or(|peer| peers.contains(&peer));
        let mut lines: Vec<String> = (self.entries.iter().rev().filter(is_shown))
            .take(SHOWN)
            .map(|entry| {
                let seconds = entry.at.0 as f64 / 1e6;
                let who = match entry.peer {
                    None => "server".to_owned(),
                    Some(Peer::Honest(index)) => format!("client {index}"),
                    Some(Peer::Hostile(index)) => format!("hostile {index}"),
                };
                let [a, b] = entry.numbers;
                format!("{seconds:10.4} s  {who:<10} {} {a} {b}", entry.what)
            })
            .collect();
        lines.reverse();
        lines
    }
}
