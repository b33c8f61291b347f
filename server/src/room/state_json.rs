//! A room's state as JSON, for `/rooms/NAME/state`.
//!
//! In: the room. Out: bytes, written in one pass: a copy of the state as a tree of values would cost the worker more than the writing.
//! Members are in alphabetical order, except lanes and texts, which are in the schema's.

use super::Room;
use super::link::Link;
use super::session::Session;
use serde::{Serialize, Serializer};
use tickwire_sync::frame::Frame;
use tickwire_sync::{EntityId, Kind, KindId, Layer, Schema};

impl<L: Link> Room<L> {
    /// The public state of the room at the newest tick, as JSON: players, and each entity's row.
    #[must_use]
    pub fn state_json(&self) -> Vec<u8> {
        let state = RoomJson {
            entities: Entities {
                schema: &self.schema,
                frame: self.history.newest(),
            },
            game: self.game.name(),
            players: self.sessions.iter().map(PlayerJson::of).collect(),
            room: &self.name,
            tick: self.tick.0,
            tick_rate: self.settings.tick_rate,
        };
        let mut json = Vec::new();
        // Memory takes every byte, and all names are texts, so that nothing can go wrong.
        let _ = serde_json::to_writer(&mut json, &state);
        json
    }
}

#[derive(Serialize)]
struct RoomJson<'a> {
    entities: Entities<'a>,
    game: &'a str,
    players: Vec<PlayerJson<'a>>,
    room: &'a str,
    tick: u32,
    tick_rate: u32,
}

#[derive(Serialize)]
struct PlayerJson<'a> {
    bytes_in_flight: usize,
    connected: bool,
    entity: Option<IdJson>,
    name: &'a str,
    path: PathJson,
    pending_bytes: Option<usize>,
    rtt_ms: Option<f64>,
    session: u32,
    spectator: bool,
}

#[derive(Serialize)]
struct IdJson {
    generation: u32,
    kind: u8,
    slot: u32,
}

/// What the player's congestion window knows of its path.
#[derive(Serialize)]
struct PathJson {
    has_cross_traffic: bool,
    jitter_ms: f64,
    kbit_per_s: Option<i64>,
    queue_ms: f64,
}

#[derive(Serialize)]
struct EntityJson<'a, V: Serialize, T: Serialize> {
    generation: u32,
    kind: &'a str,
    lanes: V,
    slot: u32,
    texts: T,
}

impl<'a> PlayerJson<'a> {
    fn of<L: Link>(session: &'a Session<L>) -> Self {
        let path = session.window.estimate();
        Self {
            bytes_in_flight: session.window.bytes_in_flight(),
            connected: session.is_connected(),
            entity: session.entity.map(|id| IdJson {
                generation: id.generation,
                kind: id.kind.0,
                slot: id.slot,
            }),
            name: &session.name,
            path: PathJson {
                has_cross_traffic: path.has_cross_traffic,
                jitter_ms: path.jitter_us as f64 / 1e3,
                kbit_per_s: path.kbit_per_s,
                queue_ms: path.queue_us as f64 / 1e3,
            },
            pending_bytes: session.link().map(|link| link.pending_bytes()),
            rtt_ms: session.round_trip().map(|rtt| rtt.as_millis()),
            session: session.player.0,
            spectator: session.is_spectator,
        }
    }
}

/// The rows of a frame that anybody may see.
struct Entities<'a> {
    schema: &'a Schema,
    frame: Option<&'a Frame>,
}

impl Serialize for Entities<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rows = self.frame.into_iter().flat_map(|frame| {
            let kinds = self.schema.kinds.iter().enumerate();
            kinds.flat_map(move |(number, kind)| {
                let entities = frame.entities(KindId(number as u8));
                let public = entities.filter(move |id| self.is_public(frame, *id));
                public.map(move |id| (frame, kind, id))
            })
        });
        serializer.collect_seq(rows.map(|(frame, kind, id)| EntityJson {
            generation: id.generation,
            kind: &kind.name,
            lanes: Lanes { frame, kind, id },
            slot: id.slot,
            texts: Texts { frame, kind, id },
        }))
    }
}

impl Entities<'_> {
    /// The game port is public, so layers that only some players may see are left out.
    fn is_public(&self, frame: &Frame, id: EntityId) -> bool {
        let cell = frame.cell_of(id.key());
        cell.is_some_and(|cell| self.schema.grid.layer_of(cell) == Layer(0))
    }
}

/// An entity's lanes by their names.
struct Lanes<'a> {
    frame: &'a Frame,
    kind: &'a Kind,
    id: EntityId,
}

/// An entity's texts by their names.
struct Texts<'a> {
    frame: &'a Frame,
    kind: &'a Kind,
    id: EntityId,
}

impl Serialize for Lanes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let names = self.kind.lanes.iter().map(|lane| &lane.name);
        serializer.collect_map(names.zip(self.frame.lanes(self.id.key())))
    }
}

impl Serialize for Texts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let names = self.kind.texts.iter();
        serializer.collect_map(names.zip(self.frame.texts(self.id.key())))
    }
}
