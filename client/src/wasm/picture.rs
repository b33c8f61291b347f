//! What a page draws: entities and effects of a frame, rocks, players.

use super::screen::scores;
use super::session::{WasmClient, micros};
use super::{effects, screen};
use tickwire_game::arena::{self, Map, player_lane};
use tickwire_sync::EntityId;
use wasm_bindgen::prelude::wasm_bindgen;

/// What is drawn.
#[wasm_bindgen]
impl WasmClient {
    /// Makes the lists of entities and effects for a frame at `now`. They stand in the module's memory until the next call of anything.
    pub fn look(&mut self, now_ms: f64) {
        let now = micros(now_ms);
        self.looked_at = now;
        let view = self.client.look(now);
        if self.client.game() == arena::NAME {
            // Before the new places are known: a ship bursts where it was last drawn.
            let own_ship = self.client.own().map(|own| own.id);
            let own_player = self.client.entity().map(|id| id.slot);
            self.effects.look(view, own_ship, own_player, &self.screen);
            self.screen.look(&self.client, now);
        }
    }

    /// Where the entities are, [`Self::stride`] 32-bit floats each; see `screen::STRIDE` for their meaning.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn entities_at(&self) -> *const f32 {
        self.screen.entities().as_ptr()
    }

    /// How many floats there are at [`Self::entities_at`].
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn entities_len(&self) -> usize {
        self.screen.entities().len()
    }

    /// Where the effects are; see `effects::STRIDE` for their meaning.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn effects_at(&self) -> *const f32 {
        self.effects.frame().as_ptr()
    }

    /// How many floats there are at [`Self::effects_at`].
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn effects_len(&self) -> usize {
        self.effects.frame().len()
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
        self.screen.own_index()
    }

    /// What the camera looks at, along x, in units.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn focus_x(&self) -> Option<f32> {
        self.screen.focus().map(|[x, _]| x)
    }

    /// What the camera looks at, along y, in units.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn focus_y(&self) -> Option<f32> {
        self.screen.focus().map(|[_, y]| y)
    }

    /// The rocks: x, y and radius of each, in units.
    #[must_use]
    pub fn rocks(&self) -> Vec<f32> {
        let rocks = self.map.as_ref().map_or(&[][..], Map::rocks);
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
}
