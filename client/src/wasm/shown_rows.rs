//! What the screen shows, as one flat list of words that JavaScript reads in place.
//!
//! In: the entities of a frame, in any order. Out: for each kind of the schema the number of its rows, then the rows. Of each row:
//! slot, generation, flags (bit 0: the player's own; bytes 1 and 2: the fractions of the first two lanes), public lanes, private lanes (0 of others' entities), and a number for each
//! text. Allocates nothing once the lists are long enough.

use super::texts::{NO_TEXT, Texts};
use crate::client::Client;
use tickwire_sync::Micros;

/// The flag of the player's own entities.
const IS_OWN: i32 = 1;
/// Where in the flags the fractions of the first two lanes are, signed bytes in 1/256 of a step.
const X_FRACTION: i32 = 8;
const Y_FRACTION: i32 = 16;

/// The rows of one frame.
#[derive(Debug, Default)]
pub(super) struct ShownRows {
    words: Vec<i32>,
    /// Of each kind, how many rows it has.
    counts: Vec<i32>,
    /// The rows of each kind.
    rows: Vec<Vec<i32>>,
}

impl ShownRows {
    /// Collects what the screen shows at `now`.
    pub fn update(&mut self, client: &Client, texts: &mut Texts, now: Micros) {
        self.words.clear();
        let Some(replica) = client.replica() else {
            return;
        };
        let schema = &**replica.schema();
        self.rows.resize_with(schema.kinds.len(), Vec::new);
        self.rows.iter_mut().for_each(Vec::clear);
        self.counts.clear();
        self.counts.resize(schema.kinds.len(), 0);
        let (rows, counts) = (&mut self.rows, &mut self.counts);
        client.for_each_on_screen(None, now, &mut |shown| {
            let index = shown.id.kind.index();
            let (Some(kind), Some(list)) = (schema.kinds.get(index), rows.get_mut(index)) else {
                return;
            };
            counts[index] += 1;
            let private = client.private_lanes(shown.id);
            let is_own = private.is_some() || client.entity() == Some(shown.id);
            let [x, y] = shown.fraction.map(|part| i32::from(part.cast_unsigned()));
            let flags = (i32::from(is_own) * IS_OWN) | (x << X_FRACTION) | (y << Y_FRACTION);
            list.extend([shown.id.slot as i32, shown.id.generation as i32, flags]);
            list.extend_from_slice(shown.lanes);
            let count = kind.private_lanes.len();
            let lane = |at| private.and_then(|lanes| lanes.get(at)).copied();
            list.extend((0..count).map(|at| lane(at).unwrap_or(0)));
            list.extend((0..kind.texts.len()).map(|index| {
                let text = shown.row.texts.get(index);
                text.map_or(NO_TEXT, |text| texts.number(text))
            }));
        });
        for (count, rows) in self.counts.iter().zip(&self.rows) {
            self.words.push(*count);
            self.words.extend_from_slice(rows);
        }
    }

    pub fn words(&self) -> &[i32] {
        &self.words
    }
}
