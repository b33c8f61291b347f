//! The resolved view: the moment at which a player's shots are judged.

use crate::world::{Tick, ViewTick};

/// What a player's screen showed when an input was made, as far as the server accepts the claim.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ResolvedView {
    /// The moment at which shots are judged.
    pub at: ViewTick,
    /// The newest snapshot that the screen was drawn from; `None` if every frame was there.
    pub received: Option<Tick>,
    /// Whether the client claimed another moment, so that the server clamped it.
    pub was_clamped: bool,
}

impl ResolvedView {
    /// Limits the view for the tick that uses the input: neither in the future, nor more than `max_rewind` ticks before the
    /// newest frame, which is that of the tick before.
    #[must_use]
    pub fn limited_to(self, tick: Tick, max_rewind: f64) -> Self {
        let oldest = ViewTick::from_ticks(f64::from(tick.0) - 1.0 - max_rewind);
        let at = self.at.clamp(oldest, ViewTick::new(tick, 0).max(oldest));
        Self {
            at,
            was_clamped: self.was_clamped || at != self.at,
            ..self
        }
    }
}
