//! A room's state as JSON, for `/rooms/NAME/state`.

use super::Room;
use super::link::Link;
use serde_json::{Value, json};
use tickwire_sync::{EntityId, KindId, Layer};

impl<L: Link> Room<L> {
    /// The public state of the room at the newest tick: players, and each entity's row.
    #[must_use]
    pub fn state(&self) -> Value {
        let players = self.sessions.iter().map(|session| {
            let path = session.window.estimate();
            json!({
                "session": session.player.0,
                "name": session.name,
                "entity": session.entity.map(|id| json!({ "kind": id.kind.0, "slot": id.slot, "generation": id.generation })),
                "spectator": session.is_spectator,
                "connected": session.is_connected(),
                "rtt_ms": session.round_trip().map(|rtt| rtt.as_millis()),
                "bytes_in_flight": session.window.bytes_in_flight(),
                "path": {
                    "kbit_per_s": path.kbit_per_s,
                    "queue_ms": path.queue_us as f64 / 1e3,
                    "jitter_ms": path.jitter_us as f64 / 1e3,
                    "has_cross_traffic": path.has_cross_traffic,
                },
                "pending_bytes": session.link().map(|link| link.pending_bytes()),
            })
        });
        json!({
            "room": self.name,
            "game": self.game.name(),
            "tick": self.tick.0,
            "tick_rate": self.settings.tick_rate,
            "players": players.collect::<Vec<_>>(),
            "entities": self.entities(),
        })
    }

    fn entities(&self) -> Vec<Value> {
        let Some(frame) = self.history.newest() else {
            return Vec::new();
        };
        let kinds = self.schema.kinds.iter().enumerate();
        // The game port is public, so layers that only some players may see are left out.
        let is_public = |id: &EntityId| {
            let cell = frame.cell_of(id.key());
            cell.is_some_and(|cell| self.schema.grid.layer_of(cell) == Layer(0))
        };
        let rows = kinds.flat_map(|(number, kind)| {
            let entities = frame.entities(KindId(number as u8)).filter(is_public);
            entities.map(move |id| (kind, id))
        });
        rows.map(|(kind, id)| {
            let names = kind.lanes.iter().map(|lane| lane.name.clone());
            let lanes: serde_json::Map<String, Value> = names.zip(frame.lanes(id.key()).map(Value::from)).collect();
            let texts: serde_json::Map<String, Value> = kind.texts.iter().cloned().zip(frame.texts(id.key()).map(Value::from)).collect();
            json!({ "kind": kind.name, "slot": id.slot, "generation": id.generation, "lanes": lanes, "texts": texts })
        })
        .collect()
    }
}
