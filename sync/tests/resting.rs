//! Rows at rest add no bits to a block, even beside rows that move.

#![allow(clippy::unwrap_used, reason = "this is a test")]

use glam::IVec2;
use std::sync::Arc;
use tickwire_sync::encode::{BlockCache, BlockKey, Encoding};
use tickwire_sync::frame::{Events, History, MIN_HISTORY_FRAMES};
use tickwire_sync::{CellPart, EntityId, Grid, Kind, KindId, Lane, Layer, Schema, Scope, Tick};

const RESTING: u32 = 1_000;

#[test]
fn few_movers_cost_no_bit_per_row_at_rest() {
    let kind = Kind {
        name: "ship".into(),
        lanes: vec![Lane::continuous("x", "unit"), Lane::continuous("y", "unit")],
        placed: true,
        ..Kind::default()
    };
    let schema = Arc::new(Schema {
        kinds: vec![kind],
        events: Vec::new(),
        grid: Grid::covering(IVec2::ZERO, IVec2::splat(100_000), 100_000),
        ..Schema::default()
    });
    let mut history = History::new(Arc::clone(&schema), MIN_HISTORY_FRAMES);
    for tick in 1..=3_u32 {
        history.publish(Tick(tick), &mut Events::default(), |out| {
            for slot in 0..RESTING {
                let id = EntityId {
                    kind: KindId(0),
                    slot,
                    generation: 1,
                };
                let moved = if slot % 500 == 7 { tick as i32 * 3 } else { 0 };
                let lanes = [slot as i32 + moved, 5];
                out.put(id, Scope::Layer(Layer(0)), &lanes, &[]);
            }
        });
    }
    let cell = schema.grid.cell_at(IVec2::ZERO, Layer(0));
    let mut block_cache = BlockCache::new(&schema);
    let key = BlockKey {
        part: CellPart::WHOLE,
        cell,
        baseline: Some(Tick(2)),
        previous: Some(Tick(1)),
        encoding: Encoding::Packed,
    };
    let block = block_cache.block(&history, key);
    assert!(
        block_cache.bytes(block.clone()).len() <= 8,
        "{} bytes",
        block_cache.bytes(block).len()
    );
}
