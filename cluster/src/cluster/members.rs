//! The other nodes: who is in the directory, and what this node has to do with each.

use crate::node::{NodeEntry, NodeId};
use crate::peer::Peer;
use crate::stream::Generations;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use tickwire_sync::Micros;
use tokio::task::AbortHandle;

/// A node without a link to this one is lost this long after its last sign of life, where the directory can't say.
pub(super) const SILENT_AFTER: Micros = Micros::from_millis(2_500);

/// One other node.
struct Member {
    peer: Arc<Peer>,
    /// Sends its envelopes; dials it.
    tasks: Vec<AbortHandle>,
}

impl Drop for Member {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// What became of the members when the directory was read.
#[derive(Default)]
pub(super) struct Changes {
    /// New nodes: somebody must send their envelopes.
    pub came: Vec<(Arc<Peer>, NodeEntry)>,
    /// Nodes that are lost: [`Peer::end`] was called.
    pub lost: Vec<NodeId>,
}

/// The other nodes that live.
#[derive(Default)]
pub(super) struct Members {
    members: RwLock<HashMap<NodeId, Member>>,
    /// As it was last read.
    directory: RwLock<Vec<NodeEntry>>,
    generations: Mutex<Generations>,
}

impl Members {
    /// The node of this id, if it lives.
    pub fn find(&self, id: &str) -> Option<Arc<Peer>> {
        let members = self.members.read().unwrap_or_else(PoisonError::into_inner);
        members.get(id).map(|member| Arc::clone(&member.peer))
    }

    /// All other nodes that live.
    pub fn all(&self) -> Vec<Arc<Peer>> {
        let members = self.members.read().unwrap_or_else(PoisonError::into_inner);
        members
            .values()
            .map(|member| Arc::clone(&member.peer))
            .collect()
    }

    /// The directory as it was last read.
    pub fn directory(&self) -> Vec<NodeEntry> {
        self.directory
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Takes what the directory says. `is_complete`: whoever is missing is lost; else owners may still have to register, and who gave a
    /// sign of life lately stays. Called by one task at a time.
    pub fn apply(
        &self,
        now: Micros,
        me: &NodeId,
        entries: Vec<NodeEntry>,
        is_complete: bool,
        new: impl Fn(NodeId, u64) -> Peer,
    ) -> Changes {
        let listed: HashSet<&NodeId> = entries.iter().map(|entry| &entry.id).collect();
        for peer in self.all() {
            if listed.contains(peer.node()) {
                peer.seen(now);
            }
        }
        let lost = self.lose(|peer| {
            !listed.contains(peer.node())
                && (is_complete || now.since(peer.seen_at()) > SILENT_AFTER)
        });
        let mut came = Vec::new();
        for entry in entries.iter().filter(|entry| entry.id != *me) {
            let generations = self.generations();
            if self.find(entry.id.as_str()).is_some() {
                continue;
            }
            let generation = generations.first_for(&entry.id);
            let peer = Arc::new(new(entry.id.clone(), generation));
            let member = Member {
                peer: Arc::clone(&peer),
                tasks: Vec::new(),
            };
            let mut members = self.members.write().unwrap_or_else(PoisonError::into_inner);
            members.insert(entry.id.clone(), member);
            drop(members);
            came.push((peer, entry.clone()));
        }
        *self
            .directory
            .write()
            .unwrap_or_else(PoisonError::into_inner) = entries;
        Changes { came, lost }
    }

    /// While Redis is lost: ends nodes that have given no sign of life for too long.
    pub fn lose_silent(&self, now: Micros) -> Vec<NodeId> {
        self.lose(|peer| !peer.is_linked() && now.since(peer.seen_at()) > SILENT_AFTER)
    }

    fn lose(&self, is_lost: impl Fn(&Peer) -> bool) -> Vec<NodeId> {
        let mut lost = Vec::new();
        for peer in self.all().into_iter().filter(|peer| is_lost(peer)) {
            // Until the last generation is known, the node does not come back. Its peer's handler is called without the map's lock.
            let mut generations = self.generations();
            let mut members = self.members.write().unwrap_or_else(PoisonError::into_inner);
            let Some(member) = members.remove(peer.node()) else {
                continue;
            };
            drop(members);
            generations.ended(peer.node(), member.peer.end());
            lost.push(peer.node().clone());
        }
        lost
    }

    /// The task ends with the node's membership.
    pub fn keep_task(&self, node: &NodeId, task: AbortHandle) {
        let mut members = self.members.write().unwrap_or_else(PoisonError::into_inner);
        match members.get_mut(node) {
            Some(member) => member.tasks.push(task),
            None => task.abort(),
        }
    }

    /// When each other node last said that it has lost Redis: those of the last directory, and those that live.
    pub fn witnesses(&self, me: &NodeId) -> Vec<Option<Micros>> {
        let mut witnesses: HashMap<NodeId, Option<Micros>> = HashMap::new();
        for entry in self.directory().into_iter().filter(|entry| entry.id != *me) {
            witnesses.insert(entry.id, None);
        }
        for peer in self.all() {
            witnesses.insert(peer.node().clone(), peer.redis_lost_at());
        }
        witnesses.into_values().collect()
    }

    /// Forgets all members and ends their tasks, without a word to the handler.
    pub fn clear(&self) {
        self.members
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    fn generations(&self) -> MutexGuard<'_, Generations> {
        self.generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
