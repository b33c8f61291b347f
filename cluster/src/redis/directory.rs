//! The directory: which nodes live, and which node owns which room.
//!
//! In: this node's entry, claims, registrations. Out: what Redis says of nodes and rooms at that moment. Each answer was true when Redis gave
//! it; what must be true later is checked again by the script that depends on it (see [`super::room_store`]).

use super::connection::{CommandConnection, client, read_value};
use super::error::DirectoryError;
use super::keys::Keys;
use crate::node::{NodeEntry, NodeId};
use ::redis::{ProtocolVersion, Script, Value, cmd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tracing::warn;

/// How long a lease lives after a renewal.
const LEASE_TTL: Duration = Duration::from_secs(2);
/// How long owners may register, before rooms can be claimed at a Redis that may have forgotten them: four times what a renewal and a new
/// connection take at most.
const REGISTRATION_TIME: Duration = Duration::from_secs(4);
/// Rooms registered by one run of the script, so that it does not hold up the commands of others.
const ROOMS_PER_SCRIPT: usize = 500;

/// What became of a claim on a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// This node owns the room from now on.
    Owned {
        /// Larger than that of any earlier claim on the room.
        epoch: u64,
        /// How often the room was claimed since Redis first knew it, this claim included: at least 1.
        opened: u64,
        /// The room's last checkpoint, if there is one.
        checkpoint: Option<Vec<u8>>,
    },
    /// This node, which lives, owns the room.
    Elsewhere(NodeId),
    /// Redis may have forgotten owners, who get this long to register. At most 4 s; ask again then.
    Wait(Duration),
}

/// What a renewal of the lease found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// Redis did not know the lease (it is the first one, or it has lapsed), or may have forgotten rooms. The rooms that this node owns must be
    /// registered before the lease counts.
    pub was_missing: bool,
}

/// Commands to the directory. A command waits for at most 1 s, also where Redis does not answer, and connects anew by itself.
pub struct Directory {
    me: NodeId,
    keys: Keys,
    commands: CommandConnection,
    /// Envelopes and commands don't queue behind each other.
    relays: CommandConnection,
    scripts: Scripts,
    marker: Mutex<KnownMarker>,
    /// The cluster's secret, once it was read.
    secret: Mutex<Option<[u8; 32]>>,
}

struct Scripts {
    renew: Script,
    register: Script,
    nodes: Script,
    claim: Script,
    locate: Script,
}

/// The cluster's marker as this node's renewals last saw it.
#[derive(Default)]
struct KnownMarker {
    marker: Option<String>,
    /// When it replaced another one.
    changed: Option<Instant>,
}

impl Directory {
    /// Connects, and fails where Redis can't be reached or refuses. Later on, a connection is made anew whenever a command needs one.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub async fn connect(url: &str, game: &str, me: NodeId) -> Result<Self, DirectoryError> {
        let client = client(url, ProtocolVersion::RESP2)?;
        let directory = Self {
            me,
            keys: Keys::new(game),
            commands: CommandConnection::new(client.clone()),
            relays: CommandConnection::new(client),
            scripts: Scripts {
                renew: Script::new(concat!(
                    include_str!("scripts/marker.lua"),
                    include_str!("scripts/renew.lua")
                )),
                register: Script::new(include_str!("scripts/register.lua")),
                nodes: Script::new(include_str!("scripts/nodes.lua")),
                claim: Script::new(concat!(
                    include_str!("scripts/marker.lua"),
                    include_str!("scripts/claim.lua")
                )),
                locate: Script::new(include_str!("scripts/locate.lua")),
            },
            marker: Mutex::default(),
            secret: Mutex::default(),
        };
        directory.commands.query::<()>(&cmd("PING")).await?;
        Ok(directory)
    }

    /// The names of the cluster's channels.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Renews this node's lease for 2 s from the moment at which Redis runs the command.
    ///
    /// # Errors
    /// [`DirectoryError`]. The lease may have been renewed all the same.
    pub async fn renew(&self, entry: &NodeEntry) -> Result<Renewal, DirectoryError> {
        let entry = serde_json::to_string(entry)
            .map_err(|error| DirectoryError::Unexpected(error.to_string()))?;
        let mut script = self.scripts.renew.key(self.keys.lease(&self.me));
        script
            .key(self.keys.nodes())
            .key(self.keys.marker())
            .arg(self.me.as_str())
            .arg(entry)
            .arg(millis(LEASE_TTL));
        let (existed, marker): (bool, String) = self.commands.invoke(&script).await?;
        Ok(Renewal {
            was_missing: self.known_marker().see(marker) || !existed,
        })
    }

    /// Registers the rooms that this node owns, with their epochs, where Redis does not know them or knows an older owner. Returns those that
    /// this node has lost: claimed with a later epoch, or handed over.
    ///
    /// # Errors
    /// [`DirectoryError`]. Some of the rooms may have been registered.
    pub async fn register(&self, rooms: &[(String, u64)]) -> Result<Vec<String>, DirectoryError> {
        let mut lost = Vec::new();
        for rooms in rooms.chunks(ROOMS_PER_SCRIPT) {
            let mut script = self.scripts.register.arg(self.me.as_str());
            for (room, epoch) in rooms {
                script.key(self.keys.room(room)).arg(*epoch);
            }
            let indices: Vec<usize> = self.commands.invoke(&script).await?;
            lost.extend(
                indices
                    .into_iter()
                    .filter_map(|index| rooms.get(index.checked_sub(1)?))
                    .map(|(room, _)| room.clone()),
            );
        }
        Ok(lost)
    }

    /// The nodes whose lease has not lapsed, this one included. Ids of other nodes are removed from the set of nodes.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub async fn nodes(&self) -> Result<Vec<NodeEntry>, DirectoryError> {
        let mut script = self.scripts.nodes.key(self.keys.nodes());
        let entries: Vec<Vec<u8>> = self
            .commands
            .invoke(script.arg(self.keys.lease_prefix()))
            .await?;
        Ok(entries
            .iter()
            .filter_map(|entry| {
                serde_json::from_slice(entry)
                    .inspect_err(
                        |error| warn!(%error, "ignores a node whose entry in Redis can't be read"),
                    )
                    .ok()
            })
            .collect())
    }

    /// Claims a room that is not open on this node. Of two claims at once one gets the room. A node that owns the room already opens it anew,
    /// with a later epoch. Where Redis may have forgotten owners, a claim waits, also the first one of a new cluster; a node that does not renew
    /// its lease waits for ever then.
    ///
    /// # Errors
    /// [`DirectoryError`]. This node may own the room all the same: claim it again.
    pub async fn claim(&self, room: &str) -> Result<Claim, DirectoryError> {
        let (marker, hold) = {
            let known = self.known_marker();
            (known.marker.clone().unwrap_or_default(), known.hold())
        };
        let mut script = self.scripts.claim.key(self.keys.room(room));
        script
            .key(self.keys.checkpoint(room))
            .key(self.keys.marker());
        script
            .arg(self.me.as_str())
            .arg(self.keys.lease_prefix())
            .arg(marker)
            .arg(millis(REGISTRATION_TIME))
            .arg(millis(hold));
        read_claim(self.commands.invoke(&script).await?)
    }

    /// The room's owner, if it lives. Claims nothing.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub async fn locate(&self, room: &str) -> Result<Option<NodeId>, DirectoryError> {
        let mut script = self.scripts.locate.key(self.keys.room(room));
        let owner: Option<String> = self
            .commands
            .invoke(script.arg(self.keys.lease_prefix()))
            .await?;
        Ok(owner.map(|owner| NodeId::from_text(&owner)))
    }

    /// Gives the lease back. Rooms that this node has not handed over can be claimed from then on.
    ///
    /// # Errors
    /// [`DirectoryError`]; the lease lapses then.
    pub async fn leave(&self) -> Result<(), DirectoryError> {
        self.commands
            .query::<()>(cmd("DEL").arg(self.keys.lease(&self.me)))
            .await?;
        self.commands
            .query(cmd("SREM").arg(self.keys.nodes()).arg(self.me.as_str()))
            .await
    }

    /// The secret that all nodes of the cluster share. After Redis forgot it, the first node that asks brings back the one that it knows.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub async fn secret(&self) -> Result<[u8; 32], DirectoryError> {
        let proposed = self
            .secret
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .unwrap_or_else(rand::random);
        self.commands
            .query::<()>(
                cmd("SET")
                    .arg(self.keys.secret())
                    .arg(&proposed[..])
                    .arg("NX"),
            )
            .await?;
        let stored: Option<Vec<u8>> = self
            .commands
            .query(cmd("GET").arg(self.keys.secret()))
            .await?;
        let secret = stored
            .and_then(|secret| secret.try_into().ok())
            .ok_or_else(|| DirectoryError::Unexpected("the secret has not 32 bytes".to_owned()))?;
        *self.secret.lock().unwrap_or_else(PoisonError::into_inner) = Some(secret);
        Ok(secret)
    }

    /// Publishes an envelope for this node, and returns how many receive it: 0 where nobody subscribes.
    ///
    /// # Errors
    /// [`DirectoryError`]. The envelope may have been published all the same.
    pub async fn send(&self, to: &NodeId, envelope: &[u8]) -> Result<u32, DirectoryError> {
        self.relays
            .query(cmd("PUBLISH").arg(self.keys.node_channel(to)).arg(envelope))
            .await
    }

    pub(super) fn commands(&self) -> &CommandConnection {
        &self.commands
    }

    fn known_marker(&self) -> MutexGuard<'_, KnownMarker> {
        self.marker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KnownMarker {
    /// Takes what a renewal found, and says whether this node has to register.
    fn see(&mut self, marker: String) -> bool {
        let is_known = self.marker.as_ref() == Some(&marker);
        if !is_known && self.marker.is_some() {
            self.changed = Some(Instant::now());
        }
        self.marker = Some(marker);
        !is_known
    }

    /// How long this node claims nothing, because its Redis became another one, whose own marker may be old.
    fn hold(&self) -> Duration {
        self.changed.map_or(Duration::ZERO, |changed| {
            REGISTRATION_TIME.saturating_sub(changed.elapsed())
        })
    }
}

fn read_claim(answer: Vec<Value>) -> Result<Claim, DirectoryError> {
    let mut answer = answer.into_iter();
    let mut next = || {
        answer.next().ok_or_else(|| {
            DirectoryError::Unexpected("an answer to a claim is too short".to_owned())
        })
    };
    let kind: String = read_value(next()?)?;
    Ok(match kind.as_str() {
        "elsewhere" => Claim::Elsewhere(NodeId::from_text(&read_value::<String>(next()?)?)),
        "wait" => Claim::Wait(Duration::from_millis(read_value(next()?)?)),
        _ => Claim::Owned {
            epoch: read_value(next()?)?,
            opened: read_value(next()?)?,
            checkpoint: read_value(next()?)?,
        },
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
