//! Keys, mouse and touch, turned into the input of a tick.

use glam::Vec2;
use tickwire_arena::{ArenaInput, heading_to};

/// The state of keys, mouse and touch.
#[derive(Clone, Copy, Default, Debug)]
pub(in crate::wasm) struct Controls {
    buttons: u8,
    /// Buttons that went down since the newest input: a click may be over before the next tick.
    pressed: u8,
    /// From the player's own ship to the point aimed at, in units; only the direction counts. `None` before the first aim.
    aim: Option<Vec2>,
}

impl Controls {
    /// Sets the buttons that are down, as in byte 0 of an input: up 1, down 2, left 4, right 8, fire 16.
    pub fn set_buttons(&mut self, buttons: u8) {
        self.pressed |= buttons & !self.buttons;
        self.buttons = buttons;
    }

    pub fn set_aim(&mut self, x: f32, y: f32) {
        self.aim = Some(Vec2::new(x, y));
    }

    /// The controls with every button that went down since the latest call, even if it is up again.
    pub fn take_with_presses(&mut self) -> Self {
        let pressed = std::mem::take(&mut self.pressed);
        Self {
            buttons: self.buttons | pressed,
            ..*self
        }
    }

    /// Forgets buttons that went down: they are too old.
    pub fn forget_presses(&mut self) {
        self.pressed = 0;
    }

    /// The input of a tick for a ship with this heading, which it keeps without an aim.
    pub fn input(&self, heading: i32) -> Vec<u8> {
        let heading = self.aim.map_or(heading, |aim| heading_to(Vec2::ZERO, aim));
        let [low, high] = (heading as u16).to_le_bytes();
        ArenaInput::decode(&[self.buttons, low, high]).encode()
    }

    pub fn is_firing(&self) -> bool {
        ArenaInput::decode(&[self.buttons, 0, 0]).fire
    }
}
