//! What other players seem to want: the input that explains their latest step.
//!
//! In: rows at two ticks in a row, and the rules. Out: for each entity an input by which the rules make the second row of the first, if
//! there is one. Others' inputs and private lanes are not known to a client, so this is a guess: it is used to foresee where
//! neighbours go, and never for the player's own entity.

use tickwire_game::{NearbyRows, RuleContext, RuleInput, Rules};
use tickwire_rules::encode_fields;
use tickwire_sync::{EntityId, InputField, Kind, Tick};

/// The most inputs that are tried on each entity.
const MAX_CANDIDATES: usize = 32;
/// A step is explained if the rules miss it by no more than this part of it.
const MISSED_PART: i64 = 4;
/// A step is explained if the rules miss it by no more than this, in lane units of the position.
const MISSED_UNITS: i64 = 4;

/// The inputs that a game's players can hold, and who seems to hold which.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    candidates: Vec<Vec<u8>>,
    /// By entity, sorted: the index of the candidate that it seems to hold.
    held: Vec<(EntityId, usize)>,
    private_lanes: Vec<i32>,
    lanes: Vec<i32>,
}

impl Wishes {
    /// Takes a game's input fields.
    pub fn set_input(&mut self, fields: &[InputField]) {
        self.held.clear();
        self.candidates = candidates(fields);
    }

    /// Whether the rules explain how an entity moves.
    pub fn explains(&self, id: EntityId) -> bool {
        self.held_at(id).is_ok()
    }

    /// The place of an entity in `held`, or where it would be inserted.
    fn held_at(&self, id: EntityId) -> Result<usize, usize> {
        self.held.binary_search_by_key(&id, |(id, _)| *id)
    }

    /// Forgets entities that are not kept.
    pub fn retain(&mut self, is_kept: impl Fn(EntityId) -> bool) {
        self.held.retain(|(id, _)| is_kept(*id));
    }

    /// Looks for the input that explains the step from `earlier`, the row at the tick before `tick`, to `now`. A step that no input
    /// explains, such as a sudden one, leaves an earlier explanation.
    pub fn explain(
        &mut self,
        rules: &dyn Rules,
        (id, kind): (EntityId, &Kind),
        [earlier, now]: [&[i32]; 2],
        tick: Tick,
        nearby: NearbyRows<'_>,
    ) {
        let moved = position_error(kind, earlier, now);
        let allowed = (moved / MISSED_PART).max(MISSED_UNITS);
        let mut best: Option<(usize, [i64; 2])> = None;
        // The one that was held before comes first: as a rule it still explains everything. Then comes rest.
        let place = self.held_at(id);
        let held = place.ok().map(|place| self.held[place].1);
        let others = (0..self.candidates.len()).filter(|index| Some(*index) != held);
        for index in held.into_iter().chain(others) {
            let Some(payload) = self.candidates.get(index) else {
                continue;
            };
            self.lanes.clear();
            self.lanes.extend_from_slice(earlier);
            self.private_lanes.clear();
            self.private_lanes.resize(kind.private_lanes.len(), 0);
            let context = RuleContext {
                tick,
                input: RuleInput::Repeated(payload),
                nearby,
            };
            rules.advance(id.kind, &mut self.lanes, &mut self.private_lanes, &context);
            let position = position_error(kind, &self.lanes, now);
            let all = position.saturating_add(other_error(kind, &self.lanes, now));
            if best.is_none_or(|(_, [_, least])| all < least) {
                best = Some((index, [position, all]));
            }
            if all == 0 {
                break;
            }
        }
        if let Some((index, [position, _])) = best
            && position <= allowed
        {
            match place {
                Ok(place) => self.held[place].1 = index,
                Err(place) => self.held.insert(place, (id, index)),
            }
        }
    }

    /// Moves an entity by a tick as it seems to want; at rest if `is_resting`. Leaves one whose steps the rules do not explain.
    pub fn advance(
        &mut self,
        rules: &dyn Rules,
        (id, kind): (EntityId, &Kind),
        lanes: &mut [i32],
        (tick, is_resting): (Tick, bool),
        nearby: NearbyRows<'_>,
    ) {
        let held = self.held_at(id).map(|place| self.held[place].1);
        let Some(payload) = held.ok().and_then(|index| self.candidates.get(index)) else {
            return;
        };
        self.private_lanes.clear();
        self.private_lanes.resize(kind.private_lanes.len(), 0);
        let input = if is_resting {
            RuleInput::Neutral
        } else {
            RuleInput::Repeated(payload)
        };
        let context = RuleContext {
            tick,
            input,
            nearby,
        };
        rules.advance(id.kind, lanes, &mut self.private_lanes, &context);
    }
}

/// The inputs to try: each field at rest and fully deflected. What happens once is not held.
fn candidates(fields: &[InputField]) -> Vec<Vec<u8>> {
    let mut all = vec![vec![0; fields.len()]];
    for (at, field) in fields.iter().enumerate().filter(|(_, field)| !field.once) {
        let mut values = vec![field.min, field.max];
        values.retain(|value| *value != 0);
        if all.len() * (1 + values.len()) > MAX_CANDIDATES {
            break;
        }
        let deflected: Vec<_> = (values.iter())
            .flat_map(|value| {
                all.iter().map(move |rest| {
                    let mut input = rest.clone();
                    input[at] = *value;
                    input
                })
            })
            .collect();
        all.extend(deflected);
    }
    let encoded = all.iter().map(|values| encode_fields(fields, values));
    encoded.filter_map(Result::ok).collect()
}

/// How far two rows' positions are apart, in lane units.
fn position_error(kind: &Kind, one: &[i32], other: &[i32]) -> i64 {
    error(kind, one, other, 0, 2)
}

/// How far the other lanes are apart.
fn other_error(kind: &Kind, one: &[i32], other: &[i32]) -> i64 {
    error(kind, one, other, 2, usize::MAX)
}

fn error(kind: &Kind, one: &[i32], other: &[i32], skip: usize, take: usize) -> i64 {
    let lanes = kind.lanes.iter().zip(one.iter().zip(other));
    lanes
        .skip(skip)
        .take(take)
        .map(|(lane, (one, other))| i64::from(lane.difference(*one, *other)).abs())
        .sum()
}
