//! A small raw game for the tests of rooms and workers: things that wander, and one fault on demand.
//!
//! In: how many things there are, and where the game shall panic. Out: rows that change a little in every tick.

use std::sync::Arc;
use tickwire_game::glam::IVec2;
use tickwire_game::{Game, Identity, Refusal, Step};
use tickwire_sync::frame::Publisher;
use tickwire_sync::interest::InterestArea;
use tickwire_sync::{EntityId, Grid, Kind, KindId, Lane, Layer, LayerSet, PlayerId, Schema, Scope};

/// Where a [`Wanderers`] game panics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    Name,
    /// In the fifth call of `interest_area` after the first tick.
    FifthInterestArea,
    Drop,
}

/// Things that wander over a field of 4,000 by 4,000 units.
pub(crate) struct Wanderers {
    things: Vec<[i32; 3]>,
    random: fastrand::Rng,
    fault: Option<Fault>,
    /// Once set, the fault happens: a room must get players first.
    pub is_armed: Arc<std::sync::atomic::AtomicBool>,
    interest_areas: std::cell::Cell<u32>,
    /// How long a step takes at least.
    pub step_takes: std::time::Duration,
}

impl Wanderers {
    pub fn new(count: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(1);
        let things = (0..count)
            .map(|_| [random.i32(0..4_000), random.i32(0..4_000), 0])
            .collect();
        Self {
            things,
            random,
            fault: None,
            is_armed: Arc::default(),
            interest_areas: std::cell::Cell::new(0),
            step_takes: std::time::Duration::ZERO,
        }
    }

    pub fn with_fault(count: usize, fault: Fault) -> Self {
        let mut game = Self::new(count);
        game.fault = Some(fault);
        game
    }

    fn fails(&self, at: Fault) -> bool {
        self.fault == Some(at) && self.is_armed.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn maybe_fail(&self, at: Fault) {
        assert!(!self.fails(at), "the test wants a panic in {at:?}");
    }
}

impl Drop for Wanderers {
    fn drop(&mut self) {
        self.maybe_fail(Fault::Drop);
    }
}

impl Game for Wanderers {
    fn name(&self) -> &'static str {
        self.maybe_fail(Fault::Name);
        "wanderers"
    }

    fn schema(&self) -> Arc<Schema> {
        Arc::new(Schema {
            kinds: vec![Kind {
                name: "thing".into(),
                lanes: vec![
                    Lane::continuous("x", "unit"),
                    Lane::continuous("y", "unit"),
                    Lane::continuous("heading", "1/1024 turn"),
                ],
                placed: true,
                ..Kind::default()
            }],
            events: vec!["bell".into()],
            grid: Grid::covering(IVec2::ZERO, IVec2::splat(4_000), 500),
            ..Schema::default()
        })
    }

    fn map(&self) -> Vec<u8> {
        Vec::new()
    }

    fn rules_hash(&self) -> u64 {
        0
    }

    fn join(&mut self, _: PlayerId, _: &Identity) -> Result<Option<EntityId>, Refusal> {
        Ok(None)
    }

    fn away(&mut self, _: PlayerId) {}

    fn resume(&mut self, _: PlayerId) {}

    fn command(&mut self, _: PlayerId, _: &[u8]) {}

    fn chat(&mut self, _: PlayerId, _: &str) -> bool {
        true
    }

    fn leave(&mut self, _: PlayerId) {}

    fn step(&mut self, _: &mut Step<'_>) {
        if !self.step_takes.is_zero() {
            std::thread::sleep(self.step_takes);
        }
        for [x, y, heading] in &mut self.things {
            *heading = (*heading + self.random.i32(-9..10)).rem_euclid(1_024);
            *x = (*x + self.random.i32(-12..13)).clamp(0, 3_999);
            *y = (*y + self.random.i32(-12..13)).clamp(0, 3_999);
        }
    }

    fn publish(&self, out: &mut Publisher<'_>) {
        for (slot, thing) in self.things.iter().enumerate() {
            let id = EntityId {
                kind: KindId(0),
                slot: slot as u32 + 1,
                generation: 1,
            };
            out.put(id, Scope::Layer(Layer(0)), thing, &[]);
        }
    }

    fn interest_area(&self, _: PlayerId) -> InterestArea {
        if self.fails(Fault::FifthInterestArea) {
            self.interest_areas.set(self.interest_areas.get() + 1);
            assert!(self.interest_areas.get() != 5, "the test wants a panic");
        }
        InterestArea {
            focus: IVec2::splat(2_000),
            half_extent: IVec2::splat(2_000),
            layers: LayerSet::default(),
        }
    }
}
