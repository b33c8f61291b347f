//! Smoothing: how far the screen still is from where the predicted entity is.
//!
//! In: steps that the state made. Out: an offset that fades. Only the screen is smoothed, never the state.

use tickwire_sync::{Kind, Micros};

/// Time constant of smoothing: after this time 1/e of a correction is left on the screen.
const SMOOTHING_US: f64 = 80_000.0;
/// Corrections larger than this, in lane units, are not smoothed where the kind does not count its teleports itself: the entity was
/// teleported.
const TELEPORT_DISTANCE: f64 = 200.0 * 16.0;

/// How far the screen was from the corrected position at some time, in lane units.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Smoothing {
    offset: [f64; 2],
    at: Micros,
}

impl Smoothing {
    /// How far the screen is from the corrected position at `now`, along x and y.
    pub fn offset(&self, now: Micros) -> [f64; 2] {
        let remaining = decay(now.since(self.at).0 as f64 / SMOOTHING_US);
        self.offset.map(|offset| offset * remaining)
    }

    /// Takes a correction of a placed kind's lanes. A teleport shows at once.
    pub fn correct(&mut self, kind: &Kind, before: &[i32], after: &[i32], now: Micros) {
        let step = step(before, after);
        let is_teleport = match kind.teleport_lane {
            Some(_) => has_teleported(kind, before, after),
            None => step[0] * step[0] + step[1] * step[1] > TELEPORT_DISTANCE * TELEPORT_DISTANCE,
        };
        let offset = self.offset(now);
        self.offset = if is_teleport {
            [0.0; 2]
        } else {
            [offset[0] + step[0], offset[1] + step[1]]
        };
        self.at = now;
    }

    /// Keeps a kind's lanes where they were on the screen, and lets them move on from there. Both rows are as shown, `after` with
    /// what is left of earlier corrections.
    pub fn move_on(&mut self, kind: &Kind, before: &[i32], after: &[i32], now: Micros) {
        if !kind.placed || has_teleported(kind, before, after) {
            return;
        }
        let (offset, step) = (self.offset(now), step(before, after));
        self.offset = [offset[0] + step[0], offset[1] + step[1]];
        self.at = now;
    }
}

/// e to the power of -`x`, within 0.002, for `x` from 0 on. The exact function would be another half kilobyte of every browser's download.
fn decay(x: f64) -> f64 {
    let mut remaining = 1.0 / (1.0 + x / 256.0);
    for _ in 0..8 {
        remaining *= remaining;
    }
    remaining
}

fn step(before: &[i32], after: &[i32]) -> [f64; 2] {
    let along = |axis: usize| match (before.get(axis), after.get(axis)) {
        (Some(before), Some(after)) => f64::from(*before) - f64::from(*after),
        _ => 0.0,
    };
    [along(0), along(1)]
}

fn has_teleported(kind: &Kind, before: &[i32], after: &[i32]) -> bool {
    kind.has_teleported(before.iter().copied(), after.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_correction_fades_exponentially() {
        for step in 0..1000 {
            let x = f64::from(step) / 50.0;
            assert!((decay(x) - (-x).exp()).abs() < 2e-3, "{x}");
        }
        assert_eq!((decay(0.0), decay(f64::MAX)), (1.0, 0.0));
    }
}
