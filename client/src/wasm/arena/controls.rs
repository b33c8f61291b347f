//! What keys, mouse and touch ask for, as one tick's input.

use glam::Vec2;
use tickwire_game::arena::{ArenaInput, heading_to};

/// The state of keys, mouse and touch.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Controls {
    buttons: u8,
    /// Those that went down since the newest input was made: a click may be over before the next tick.
    pressed: u8,
    /// From the own ship to what is pointed at, in units, or only the direction; `None`: nothing yet.
    aim: Option<Vec2>,
}

impl Controls {
    /// Buttons as in byte 0 of an input: up 1, down 2, left 4, right 8, fire 16.
    pub fn set_buttons(&mut self, buttons: u8) {
        self.pressed |= buttons & !self.buttons;
        self.buttons = buttons;
    }

    pub fn aim(&mut self, x: f32, y: f32) {
        self.aim = Some(Vec2::new(x, y));
    }

    /// The same with what was pressed and is let go of since the latest call; that counts once.
    pub fn with_presses(&mut self) -> Self {
        let pressed = std::mem::take(&mut self.pressed);
        Self {
            buttons: self.buttons | pressed,
            ..*self
        }
    }

    /// Nothing was pressed: what there was is too old.
    pub fn forget_presses(&mut self) {
        self.pressed = 0;
    }

    /// The input of one tick for a ship that points to `heading`.
    pub fn input(&self, heading: i32) -> Vec<u8> {
        let heading = self.aim.map_or(heading, |aim| heading_to(Vec2::ZERO, aim));
        let [low, high] = (heading as u16).to_le_bytes();
        ArenaInput::decode(&[self.buttons, low, high]).encode()
    }

    pub fn is_firing(&self) -> bool {
        ArenaInput::decode(&[self.buttons, 0, 0]).fire
    }
}
