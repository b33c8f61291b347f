//! What holds at one moment, for look-ups that wait for nothing.
//!
//! In: a subject, an address, and the time on the server's clock. Out: what holds for them. Pure once it is made; a look-up costs
//! two hashes for a subject and one for each length of network that there is.

use super::entry::{Entry, Kind, Target, sentence, until_text};
use crate::clock;
use crate::network::as_bits;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;
use tickwire_sync::Micros;

/// The bans and mutes of one moment.
#[derive(Debug, Default)]
pub struct Snapshot {
    pub bans: Lookup,
    pub mutes: Lookup,
    mutes_by_id: HashMap<u64, Arc<Held>>,
}

/// Entries of one kind, by whom they are about.
#[derive(Debug, Default)]
pub struct Lookup {
    by_subject: HashMap<String, Arc<Held>>,
    /// By the networks' masks, of which there are few.
    by_network: Vec<(u128, HashMap<u128, Arc<Held>>)>,
}

/// An entry as players are told of it.
#[derive(Debug)]
pub struct Held {
    reason: String,
    /// On the server's clock, and as players read it.
    until: Option<(Micros, String)>,
}

impl Held {
    fn new(entry: &Entry) -> Self {
        let on_our_clock = |until: SystemTime| {
            let left = until.duration_since(SystemTime::now()).unwrap_or_default();
            let left = u64::try_from(left.as_micros()).unwrap_or(u64::MAX / 2);
            (clock::now().plus(Micros(left)), until_text(until))
        };
        Self {
            reason: entry.reason.clone(),
            until: entry.until.map(on_our_clock),
        }
    }

    fn holds_at(&self, now: Micros) -> bool {
        self.until.as_ref().is_none_or(|(until, _)| now < *until)
    }

    /// `what`, until when and why, for the player.
    pub fn sentence(&self, what: &str) -> String {
        let until = self.until.as_ref().map(|(_, text)| &**text);
        sentence(what, until, &self.reason)
    }
}

impl Snapshot {
    pub(super) fn new<'a>(entries: impl Iterator<Item = &'a Entry>) -> Self {
        let mut snapshot = Self::default();
        for entry in entries {
            let held = Arc::new(Held::new(entry));
            let lookup = match entry.kind {
                Kind::Ban => &mut snapshot.bans,
                Kind::Mute => {
                    snapshot.mutes_by_id.insert(entry.id, Arc::clone(&held));
                    &mut snapshot.mutes
                }
            };
            lookup.insert(&entry.target, held);
        }
        snapshot
    }

    /// The mute of a player of this subject and address, or of the session that it was pronounced on.
    pub fn mute_of(
        &self,
        session: Option<u64>,
        subject: Option<&str>,
        address: Option<IpAddr>,
        now: Micros,
    ) -> Option<&Held> {
        let of_session = session.and_then(|id| self.mutes_by_id.get(&id));
        let of_session = of_session.filter(|held| held.holds_at(now));
        match of_session {
            Some(held) => Some(held),
            None => self.mutes.find(subject, address, now),
        }
    }
}

impl Lookup {
    fn insert(&mut self, target: &Target, held: Arc<Held>) {
        match target {
            Target::Subject(subject) => {
                self.by_subject.insert(subject.clone(), held);
            }
            Target::Network(network) => {
                let (mask, address) = network.key();
                let index = match self.by_network.iter().position(|(own, _)| *own == mask) {
                    Some(index) => index,
                    None => {
                        self.by_network.push((mask, HashMap::new()));
                        self.by_network.len() - 1
                    }
                };
                self.by_network[index].1.insert(address, held);
            }
        }
    }

    /// What holds at `now` for a player of this subject and address.
    pub fn find(
        &self,
        subject: Option<&str>,
        address: Option<IpAddr>,
        now: Micros,
    ) -> Option<&Held> {
        let of_subject = subject.and_then(|subject| self.by_subject.get(subject));
        if let Some(held) = of_subject.filter(|held| held.holds_at(now)) {
            return Some(held);
        }
        let bits = as_bits(address?);
        let of_networks = (self.by_network.iter())
            .filter_map(|(mask, networks)| networks.get(&(bits & mask)))
            .find(|held| held.holds_at(now));
        of_networks.map(|held| &**held)
    }
}
