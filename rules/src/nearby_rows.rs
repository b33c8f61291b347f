//! The rows near a predicted one, which its rules may read.
//!
//! In: candidate rows of one tick, in any order. Out: the nearest ones in an order that server and clients agree on, as one flat
//! list of integers, which a rules module takes as it is.

use glam::{I64Vec2, IVec2};
use tickwire_sync::{EntityId, KindId};

/// The most rows that rules are shown. Of more, the nearest are taken.
pub const MAX_NEARBY_ROWS: usize = 32;

/// Integers before the lanes of each row: kind, slot, generation, and how many lanes follow.
const HEAD: usize = 4;

/// The public lanes of other rows, at the tick before the one that is computed. The nearest row comes first; of equally near ones
/// that with the smaller kind and slot. The row that moves is not among them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NearbyRows<'a> {
    words: &'a [i32],
}

/// One row near by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NearbyRow<'a> {
    /// The entity.
    pub id: EntityId,
    /// The public lanes, in the schema's order.
    pub lanes: &'a [i32],
}

impl<'a> NearbyRows<'a> {
    /// No rows.
    pub const NONE: Self = Self { words: &[] };

    /// The rows in a flat list: of each row its kind, slot, generation, number of lanes, and lanes. A row that the list does not
    /// hold to its end is left out, and so is everything after it.
    #[must_use]
    pub const fn from_words(words: &'a [i32]) -> Self {
        Self { words }
    }

    /// The flat list.
    #[must_use]
    pub const fn words(self) -> &'a [i32] {
        self.words
    }

    /// The rows, the nearest first.
    pub fn iter(self) -> impl Iterator<Item = NearbyRow<'a>> {
        let mut rest = self.words;
        std::iter::from_fn(move || {
            let (&[kind, slot, generation, count], tail) = rest.split_first_chunk::<HEAD>()?;
            let (lanes, tail) = tail.split_at_checked(usize::try_from(count).ok()?)?;
            rest = tail;
            Some(NearbyRow {
                id: EntityId {
                    kind: KindId(kind as u8),
                    slot: slot as u32,
                    generation: generation as u32,
                },
                lanes,
            })
        })
    }
}

/// Collects the rows near a place. Keeps its memory from one collection to the next.
#[derive(Clone, Debug, Default)]
pub struct NearbyCollector {
    candidates: Vec<Candidate>,
    lanes: Vec<i32>,
    words: Vec<i32>,
    focus: IVec2,
    reach: i64,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    distance_squared: i64,
    id: EntityId,
    first_lane: usize,
    lane_count: usize,
}

impl NearbyCollector {
    /// Starts a collection around a position. `reach` is the largest distance along each axis.
    pub fn begin(&mut self, focus: IVec2, reach: u32) {
        self.candidates.clear();
        self.lanes.clear();
        self.focus = focus;
        self.reach = i64::from(reach);
    }

    /// Offers a row of a placed kind: its first two lanes are its position. A row out of reach is not taken.
    pub fn offer(&mut self, id: EntityId, lanes: impl IntoIterator<Item = i32>) {
        let first_lane = self.lanes.len();
        self.lanes.extend(lanes);
        let [x, y, ..] = self.lanes[first_lane..] else {
            self.lanes.truncate(first_lane);
            return;
        };
        let away: I64Vec2 = IVec2::new(x, y).as_i64vec2() - self.focus.as_i64vec2();
        if away.abs().max_element() > self.reach {
            self.lanes.truncate(first_lane);
            return;
        }
        self.candidates.push(Candidate {
            distance_squared: away
                .x
                .saturating_mul(away.x)
                .saturating_add(away.y.saturating_mul(away.y)),
            id,
            first_lane,
            lane_count: self.lanes.len() - first_lane,
        });
    }

    /// Ends the collection: the nearest [`MAX_NEARBY_ROWS`] rows.
    pub fn finish(&mut self) -> NearbyRows<'_> {
        self.candidates
            .sort_unstable_by_key(|one| (one.distance_squared, one.id.key()));
        self.words.clear();
        for one in self.candidates.iter().take(MAX_NEARBY_ROWS) {
            let EntityId {
                kind,
                slot,
                generation,
            } = one.id;
            self.words.extend([
                i32::from(kind.0),
                slot as i32,
                generation as i32,
                one.lane_count as i32,
            ]);
            self.words
                .extend_from_slice(&self.lanes[one.first_lane..][..one.lane_count]);
        }
        NearbyRows::from_words(&self.words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(slot: u32) -> EntityId {
        EntityId {
            kind: KindId(1),
            slot,
            generation: 2,
        }
    }

    #[test]
    fn the_nearest_row_comes_first_whatever_the_order() {
        let rows = [
            (1, [10, 0, 7]),
            (2, [0, 5, 8]),
            (3, [-5, 0, 9]),
            (4, [0, 101, 0]),
        ];
        let mut collector = NearbyCollector::default();
        for order in [[0, 1, 2, 3], [3, 2, 1, 0]] {
            collector.begin(IVec2::ZERO, 100);
            for at in order {
                collector.offer(id(rows[at].0), rows[at].1);
            }
            let found: Vec<_> = (collector.finish().iter())
                .map(|row| (row.id.slot, row.lanes.to_vec()))
                .collect();
            assert_eq!(
                found,
                [(2, vec![0, 5, 8]), (3, vec![-5, 0, 9]), (1, vec![10, 0, 7])]
            );
        }
    }

    proptest! {
        #[test]
        fn any_words_are_read_without_a_panic(words: Vec<i32>) {
            let _ = NearbyRows::from_words(&words).iter().count();
        }

        #[test]
        fn any_positions_can_be_offered(x: i32, y: i32, at_x: i32, at_y: i32, reach: u32) {
            let mut collector = NearbyCollector::default();
            collector.begin(IVec2::new(x, y), reach);
            collector.offer(id(1), [at_x, at_y]);
            let _ = collector.finish();
        }
    }
}
