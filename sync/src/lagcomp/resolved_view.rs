//! The resolved view: the moment at which a player's shots are judged.

use crate::world::{Tick, ViewTick};
use std::cmp::Ordering;

/// Which bound moved a claimed view.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ClampedBy {
    /// None: the view is the claimed one.
    #[default]
    Nothing,
    /// The snapshot that the client had, or was assumed to have: a screen that has it shows no older moment.
    Received,
    /// The time at which that snapshot was due: there was no stall that explains an older moment.
    Due,
    /// How far a screen extrapolates past its newest snapshot: it shows no later moment.
    Extrapolation,
    /// `--max-rewind`.
    MaxRewind,
    /// The tick that the input is for: no screen shows the future.
    Present,
}

/// What a player's screen showed when an input was made, as far as the server accepts the claim.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ResolvedView {
    /// The moment at which shots are judged.
    pub at: ViewTick,
    /// The newest snapshot that the screen was drawn from; `None` if every frame was there.
    pub received: Option<Tick>,
    /// Whether the client claimed another moment, so that the server clamped it.
    pub was_clamped: bool,
    /// The moment that the client claimed.
    pub claimed: ViewTick,
    /// The bound that moved the view away from the claim; of several, the last.
    pub clamped_by: ClampedBy,
}

impl ResolvedView {
    /// Limits the view for the tick that uses the input: neither in the future, nor more than `max_rewind` ticks before the
    /// newest frame, which is that of the tick before.
    #[must_use]
    pub fn limited_to(self, tick: Tick, max_rewind: f64) -> Self {
        let oldest = ViewTick::from_ticks(f64::from(tick.0) - 1.0 - max_rewind);
        let at = self.at.clamp(oldest, ViewTick::new(tick, 0).max(oldest));
        let clamped_by = match at.cmp(&self.at) {
            Ordering::Equal => self.clamped_by,
            Ordering::Greater => ClampedBy::MaxRewind,
            Ordering::Less => ClampedBy::Present,
        };
        Self {
            at,
            was_clamped: self.was_clamped || at != self.at,
            clamped_by,
            ..self
        }
    }
}
