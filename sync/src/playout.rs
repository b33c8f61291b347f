//! Playout: which rows a screen draws at a moment. The client draws by it, and the server rewinds by it.
//!
//! In: the ticks at which a client was sent a cell, and the moment that its screen shows. Out: the lanes that the screen draws,
//! interpolated between two ticks or extrapolated for a few. Hits are judged fairly because both sides call these functions.

use crate::interest::SentTicks;
use crate::world::{Kind, Tick, ViewTick};

/// How far a screen runs ahead of its newest snapshot before it freezes, in ticks.
pub const MAX_EXTRAPOLATION_TICKS: f64 = 6.0;
/// How fast a frozen screen catches up, in ticks per tick.
pub const CATCH_UP_RATE: f64 = 0.5;
/// How far a moving entity is extrapolated past its newest row while a stall delays snapshots, in ticks.
const MAX_ENTITY_EXTRAPOLATION_TICKS: u64 = 4;

/// The two ticks from which a screen draws a cell at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DrawnTicks {
    /// The screen interpolates from the first to the second.
    Interpolate(Tick, Tick),
    /// The screen has nothing newer than the second, and extrapolates from the first through the second.
    Extrapolate(Tick, Tick),
}

impl DrawnTicks {
    /// The ticks that a screen draws from at `view` if it has received these ticks of the cell.
    #[must_use]
    pub fn at(sent: SentTicks, view: ViewTick) -> Option<Self> {
        let (older, newest) = sent.newest_pair()?;
        if view >= ViewTick::new(newest, 0) {
            return Some(Self::Extrapolate(older, newest));
        }
        sent.pair_around(view)
            .map(|(older, newer)| Self::Interpolate(older, newer))
    }

    /// The older and the newer tick.
    #[must_use]
    pub fn ticks(self) -> (Tick, Tick) {
        match self {
            Self::Interpolate(older, newer) | Self::Extrapolate(older, newer) => (older, newer),
        }
    }

    /// The same way of drawing, from other ticks.
    #[must_use]
    pub(crate) fn at_ticks(self, older: Tick, newer: Tick) -> Self {
        match self {
            Self::Interpolate(..) => Self::Interpolate(older, newer),
            Self::Extrapolate(..) => Self::Extrapolate(older, newer),
        }
    }

    /// Writes the lanes that the screen draws at `view` into the empty `lanes`. `older` and `newer` are the entity's rows at the
    /// two ticks, `None` where it did not exist. An entity that was teleported between them stays at `older` until the tick of
    /// `newer`. Returns `false` if the screen does not show the entity.
    pub fn draw(
        self,
        kind: &Kind,
        older: Option<impl Iterator<Item = i32> + Clone>,
        newer: Option<impl Iterator<Item = i32> + Clone>,
        view: ViewTick,
        lanes: &mut Vec<i32>,
    ) -> bool {
        let (older_tick, newer_tick) = self.ticks();
        let is_past_newer = view >= ViewTick::new(newer_tick, 0);
        match (older, newer) {
            (older, Some(newer)) if is_past_newer => {
                lanes.extend(newer);
                if let (Some(older), Self::Extrapolate(..)) = (older, self)
                    && !kind.has_teleported(older.clone(), lanes.iter().copied())
                {
                    extrapolate(kind, (older_tick, newer_tick), older, view, lanes);
                }
            }
            (Some(older), Some(newer)) if kind.has_teleported(older.clone(), newer.clone()) => {
                lanes.extend(older);
            }
            (Some(older), Some(newer)) => {
                let whole = u64::from(newer_tick.since(older_tick)) * ViewTick::FRACTIONS;
                let part = view.0.saturating_sub(ViewTick::new(older_tick, 0).0);
                let pairs = older.zip(newer).zip(&kind.lanes);
                lanes.extend(
                    pairs.map(|((old, new), lane)| lane.interpolate(old, new, part, whole)),
                );
            }
            (Some(older), None) if !is_past_newer => lanes.extend(older),
            _ => return false,
        }
        true
    }
}

/// Extrapolates a row past `newer` by its motion since `older`, for a few ticks. Only the position of a placed entity moves.
/// `lanes` holds the row at `newer`.
fn extrapolate(
    kind: &Kind,
    (older, newer): (Tick, Tick),
    older_row: impl Iterator<Item = i32>,
    view: ViewTick,
    lanes: &mut [i32],
) {
    let span = u64::from(newer.since(older)) * ViewTick::FRACTIONS;
    let ahead = view.0.saturating_sub(ViewTick::new(newer, 0).0);
    let ahead = ahead.min(MAX_ENTITY_EXTRAPOLATION_TICKS * ViewTick::FRACTIONS) as i64;
    if !kind.placed || span == 0 || ahead == 0 {
        return;
    }
    for (lane, old) in lanes.iter_mut().zip(older_row).take(2) {
        let step = i64::from(lane.wrapping_sub(old)) * ahead / span as i64;
        *lane = lane.wrapping_add(step as i32);
    }
}
