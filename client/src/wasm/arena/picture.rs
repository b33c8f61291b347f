//! What a page draws of the arena: entities and effects of a frame, rocks, players.

use super::screen::scores;
use super::{effects, screen};
use crate::wasm::session::WasmClient;
use tickwire_game::arena::{Kill, Map, player_lane};
use tickwire_sync::EntityId;
use wasm_bindgen::prelude::wasm_bindgen;

/// What is drawn of the arena, and what its player steers.
#[wasm_bindgen]
impl WasmClient {
    /// Makes the lists of entities and effects for the moment of the latest [`Self::look`]. They stand in the module's memory until the
    /// next call of anything.
    pub fn look_at_arena(&mut self) {
        self.arena.look(&self.client, self.view, self.looked_at);
    }

    /// Where the entities are, [`Self::stride`] 32-bit floats each; see `screen::STRIDE` for their meaning.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn entities_at(&self) -> *const f32 {
        self.arena.screen.entities().as_ptr()
    }

    /// How many floats there are at [`Self::entities_at`].
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn entities_len(&self) -> usize {
        self.arena.screen.entities().len()
    }

    /// Where the effects are; see `effects::STRIDE` for their meaning.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn effects_at(&self) -> *const f32 {
        self.arena.effects.frame().as_ptr()
    }

    /// How many floats there are at [`Self::effects_at`].
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn effects_len(&self) -> usize {
        self.arena.effects.frame().len()
    }

    /// Floats for each entity, and for each effect.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn stride(&self) -> usize {
        const { assert!(screen::STRIDE == effects::STRIDE) };
        screen::STRIDE
    }

    /// Which of the entities is the own ship; none while there is none.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn own_index(&self) -> Option<usize> {
        self.arena.screen.own_index()
    }

    /// What the camera looks at, along x, in units.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn focus_x(&self) -> Option<f32> {
        self.arena.screen.focus().map(|[x, _]| x)
    }

    /// What the camera looks at, along y, in units.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn focus_y(&self) -> Option<f32> {
        self.arena.screen.focus().map(|[_, y]| y)
    }

    /// The rocks: x, y and radius of each, in units.
    #[must_use]
    pub fn rocks(&self) -> Vec<f32> {
        let rocks = self.arena.map.as_ref().map_or(&[][..], Map::rocks);
        rocks
            .iter()
            .flat_map(|rock| [rock.middle.x, rock.middle.y, rock.radius])
            .collect()
    }

    /// All players, the best first: slot, generation, score, kills, deaths, session (0: computer) of each.
    #[must_use]
    pub fn players(&self) -> Vec<i32> {
        let mut rows: Vec<_> = scores(&self.client).collect();
        rows.sort_by_key(|row| {
            (
                std::cmp::Reverse(row.lanes[player_lane::SCORE]),
                row.id.slot,
            )
        });
        let numbers = |id: EntityId| [id.slot as i32, id.generation as i32];
        rows.iter()
            .flat_map(|row| numbers(row.id).into_iter().chain(row.lanes.iter().copied()))
            .collect()
    }

    /// A player's name by the player's slot.
    #[must_use]
    pub fn player_name(&self, slot: u32) -> Option<String> {
        scores(&self.client)
            .find(|row| row.id.slot == slot)?
            .texts
            .first()
            .map(ToString::to_string)
    }

    /// The slots of killer and victim that a `kill` event tells of; empty if it cannot be read.
    #[must_use]
    pub fn kill_of(payload: &[u8]) -> Vec<u32> {
        Kill::decode(payload).map_or_else(Vec::new, |kill| vec![kill.killer, kill.victim])
    }

    /// The buttons that are down: up 1, down 2, left 4, right 8, fire 16. From now on they make the inputs, until [`Self::input`] does.
    /// One that is let go of before a tick has come is in the next input all the same.
    pub fn buttons(&mut self, buttons: u8) {
        self.arena.steer().set_buttons(buttons);
    }

    /// Where the mouse is, from the own ship, in units.
    pub fn aim(&mut self, x: f32, y: f32) {
        self.arena.steer().aim(x, y);
    }
}
