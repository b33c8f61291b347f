//! The arena, for JavaScript: entities and effects of a frame, rocks, players, and the controls.

use crate::wasm::arena::{STRIDE, player_rows};
use crate::wasm::client::WasmClient;
use tickwire_arena::{Kill, Map, player_lane};
use tickwire_sync::EntityId;
use wasm_bindgen::prelude::wasm_bindgen;

/// The arena's frame and controls.
#[wasm_bindgen]
impl WasmClient {
    /// Fills the lists of entities and effects for the moment of the latest [`Self::sample`]. They are valid in the module's memory
    /// until the next call of any function.
    pub fn sample_arena(&mut self) {
        self.arena.sample(&self.client, self.view, self.sampled_at);
    }

    /// Address of the entities: [`Self::stride`] 32-bit floats each, as in `arena::scene`.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn entities_ptr(&self) -> *const f32 {
        self.arena.scene().entities().as_ptr()
    }

    /// Number of floats at [`Self::entities_ptr`].
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn entities_len(&self) -> usize {
        self.arena.scene().entities().len()
    }

    /// Address of the effects: [`Self::stride`] 32-bit floats each, as in `arena::effects`.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn effects_ptr(&self) -> *const f32 {
        self.arena.effects().frame().as_ptr()
    }

    /// Number of floats at [`Self::effects_ptr`].
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn effects_len(&self) -> usize {
        self.arena.effects().frame().len()
    }

    /// Floats per entity, and per effect.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn stride(&self) -> usize {
        STRIDE
    }

    /// Index of the player's own ship among the entities; undefined without one.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn own_index(&self) -> Option<usize> {
        self.arena.scene().own_index()
    }

    /// x of the point that the camera follows, in units.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn focus_x(&self) -> Option<f32> {
        self.arena.scene().focus().map(|[x, _]| x)
    }

    /// y of the point that the camera follows, in units.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn focus_y(&self) -> Option<f32> {
        self.arena.scene().focus().map(|[_, y]| y)
    }

    /// The rocks: x, y and radius of each, in units.
    #[must_use]
    pub fn rocks(&self) -> Vec<f32> {
        let rocks = self.arena.map().map_or(&[][..], Map::rocks);
        rocks
            .iter()
            .flat_map(|rock| [rock.centre.x, rock.centre.y, rock.radius])
            .collect()
    }

    /// All players, highest score first: slot, generation, score, kills, deaths, session (0: computer player) of each.
    #[must_use]
    pub fn players(&self) -> Vec<i32> {
        let mut rows: Vec<_> = player_rows(&self.client).collect();
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

    /// The name of the player with this slot.
    #[must_use]
    pub fn player_name(&self, slot: u32) -> Option<String> {
        player_rows(&self.client)
            .find(|row| row.id.slot == slot)?
            .texts
            .first()
            .map(ToString::to_string)
    }

    /// The slots of killer and victim in the payload of a `kill` event; empty if it is invalid.
    #[must_use]
    pub fn decode_kill(payload: &[u8]) -> Vec<u32> {
        Kill::decode(payload).map_or_else(Vec::new, |kill| vec![kill.killer, kill.victim])
    }

    /// Sets the buttons that are down: up 1, down 2, left 4, right 8, fire 16. They make the inputs from now on, until
    /// [`Self::input`] is called. A button released before the next tick still is in that tick's input.
    pub fn set_buttons(&mut self, buttons: u8) {
        self.arena.controls_mut().set_buttons(buttons);
    }

    /// Sets the point to aim at, relative to the player's own ship, in units.
    pub fn set_aim(&mut self, x: f32, y: f32) {
        self.arena.controls_mut().set_aim(x, y);
    }
}
