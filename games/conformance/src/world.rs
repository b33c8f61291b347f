//! The rows, and what the script does with them.
//!
//! In: players, and one step a tick. Out: every row of the tick. Positions are waves of the script's tick; what cannot be computed from
//! that is kept: generations of slots, counters, and the newest input of each player.

use crate::schema::{self, GHOST, MARK, MOTE, PANEL, PROBE, SIGN, SPARK, TALLY};
use crate::script::{SCRIPT_TICKS, ScriptTick, interest_area, scattered, wave};
use std::collections::BTreeMap;
use std::sync::Arc;
use tickwire_game::PlayerInputs;
use tickwire_rules::BitReader;
use tickwire_sync::frame::Publisher;
use tickwire_sync::input_buffer::TickInput;
use tickwire_sync::{EntityId, InputField, KindId, Layer, PlayerId, Scope};

/// The rows of the crowd: their texts alone are more than a first snapshot has, so the cell goes in parts.
const MOTES: u32 = 192;
/// Motes stand in rows of so many.
const MOTES_ABREAST: u32 = 16;
/// When every twelfth mote runs into the next cell, and when it runs back.
const RUN: std::ops::Range<u32> = 100..140;
const RUN_BACK: std::ops::Range<u32> = 360..400;
const RUN_SPEED: i32 = 7;
const SPARKS: usize = 8;
const GHOSTS: u32 = 6;
const GROUND: Scope = Scope::Layer(Layer(0));
/// Slots of marks are far apart, so that their numbers have other lengths.
const MARK_SLOTS: [u32; 3] = [0, 300, 70_000];

/// What a sign says in turn: letters of one to four bytes, and nothing.
const LINES: [&str; 6] = [
    "Ada",
    "",
    "日本語, äöü, 🚀",
    "a title of more than fifteen bytes",
    "Zoë",
    "per aspera ad astra",
];

/// The entity in a slot of the sparks.
pub fn spark_id(slot: u32, generation: u32) -> EntityId {
    EntityId {
        kind: SPARK,
        slot,
        generation,
    }
}

fn id(kind: KindId, slot: u32) -> EntityId {
    EntityId {
        kind,
        slot,
        generation: 1,
    }
}

/// A slot that is reused: its generation counts up with each entity in it.
#[derive(Clone, Copy, Default)]
struct Spark {
    generation: u32,
    is_there: bool,
    born: u32,
    /// How far its wave is shifted: another place.
    shift: u32,
}

/// A player's own entity.
struct Probe {
    name: Arc<str>,
    /// The fields of the newest input, in the schema's order.
    input: Vec<i32>,
    fresh_inputs: i32,
}

/// Everything that is published.
pub struct World {
    at: ScriptTick,
    run: i32,
    is_started: bool,
    input_fields: Vec<InputField>,
    players: BTreeMap<PlayerId, Probe>,
    sparks: [Spark; SPARKS],
    mark_generation: u32,
    labels: Vec<Arc<str>>,
    lines: Vec<Arc<str>>,
    drift: i32,
    phase: i32,
    dials: [i32; 64],
}

impl Default for World {
    fn default() -> Self {
        let labels = (0..MOTES).map(|slot| Arc::from(format!("mote {slot} of {MOTES}")));
        Self {
            at: ScriptTick(0),
            run: 0,
            is_started: false,
            input_fields: schema::input(),
            players: BTreeMap::new(),
            sparks: [Spark::default(); SPARKS],
            mark_generation: 1,
            labels: labels.collect(),
            lines: LINES.map(Arc::from).to_vec(),
            drift: 0,
            phase: 0,
            dials: [0; 64],
        }
    }
}

impl World {
    /// Where the script is.
    pub fn at(&self) -> ScriptTick {
        self.at
    }

    pub fn join(&mut self, player: PlayerId, name: &str) -> EntityId {
        let probe = Probe {
            name: Arc::from(name),
            input: vec![0; self.input_fields.len()],
            fresh_inputs: 0,
        };
        self.players.insert(player, probe);
        id(PROBE, player.0)
    }

    pub fn rename(&mut self, player: PlayerId, name: &str) {
        if let Some(probe) = self.players.get_mut(&player) {
            probe.name = Arc::from(name);
        }
    }

    pub fn leave(&mut self, player: PlayerId) {
        self.players.remove(&player);
    }

    pub fn step(&mut self, inputs: &dyn PlayerInputs) {
        // The first step is tick 0 of the script.
        if self.is_started {
            self.at.0 = (self.at.0 + 1) % SCRIPT_TICKS;
            self.run += i32::from(self.at.0 == 0);
        }
        self.is_started = true;
        let ScriptTick(at) = self.at;
        for (slot, spark) in (0..).zip(&mut self.sparks) {
            spark.step(slot, at);
        }
        if at.is_multiple_of(60) {
            self.mark_generation += 1;
        }
        self.drift = self.drift.wrapping_add(scattered(at, 9, 1 << 30) << 1);
        // Nearly half of the modulus, and a little more each time.
        self.phase = self.phase.wrapping_add((1 << 30) - 2 + at as i32) & i32::MAX;
        self.dials[at as usize % 63] = scattered(at, 3, 1 << (at % 31)) - 40;
        self.dials[63] = self.dials[63].wrapping_add(at as i32 % 90);
        for (player, probe) in &mut self.players {
            if let Some(turn) = inputs.of(*player) {
                probe.take(turn.input, &self.input_fields);
            }
        }
    }

    pub fn publish(&self, out: &mut Publisher<'_>) {
        self.publish_probes(out);
        self.publish_motes(out);
        self.publish_sparks(out);
        self.publish_signs(out);
        self.publish_ghosts(out);
        self.publish_global(out);
    }

    fn publish_probes(&self, out: &mut Publisher<'_>) {
        let ScriptTick(at) = self.at;
        let focus = interest_area(at).focus;
        for (player, probe) in &self.players {
            // Each hop leads over a corner of four cells.
            let hops = (self.run.wrapping_mul(6)).wrapping_add(at as i32 / 100);
            let side = if hops % 2 == 0 { -40 } else { 60 };
            let lanes = [
                focus.x.saturating_add(side),
                focus.y.saturating_add(side - wave(at, 90, 30)),
                (at as i32 * 13) % 1024,
                (at / 20) as i32 % 5,
                hops,
            ];
            let own = id(PROBE, player.0);
            out.put(own, GROUND, &lanes, &[Arc::clone(&probe.name)]);
            let mut private_lanes = probe.input.clone();
            private_lanes.push(probe.fresh_inputs);
            out.own(*player, own, &private_lanes);
        }
    }

    fn publish_motes(&self, out: &mut Publisher<'_>) {
        for slot in 0..MOTES {
            let [x, y] = self.mote(slot);
            let label = Arc::clone(&self.labels[slot as usize]);
            out.put(id(MOTE, slot), GROUND, &[x, y], &[label]);
        }
    }

    fn mote(&self, slot: u32) -> [i32; 2] {
        let ScriptTick(at) = self.at;
        let home = [slot % MOTES_ABREAST, slot / MOTES_ABREAST].map(|place| 20 + 12 * place as i32);
        // A quarter of the crowd trembles at a time, the others rest at home.
        let trembles = slot % 4 == at / 15 % 4;
        let tremble = |axis| match trembles {
            true => scattered(at, slot * 2 + axis, 50) - 25,
            false => 0,
        };
        let ran = if slot % 12 == 5 { self.ran() } else { 0 };
        let x = (home[0] + tremble(0)).clamp(2, 250) + ran;
        [x, (home[1] + tremble(1)).clamp(2, 250)]
    }

    /// How far those who run have run.
    fn ran(&self) -> i32 {
        let ScriptTick(at) = self.at;
        let whole = RUN.len() as u32;
        let ticks = if RUN.contains(&at) {
            at - RUN.start
        } else if RUN_BACK.contains(&at) {
            RUN_BACK.end - at
        } else if (RUN.end..RUN_BACK.start).contains(&at) {
            whole
        } else {
            0
        };
        ticks as i32 * RUN_SPEED
    }

    fn publish_sparks(&self, out: &mut Publisher<'_>) {
        let ScriptTick(at) = self.at;
        for (slot, spark) in (0..).zip(&self.sparks) {
            if !spark.is_there {
                continue;
            }
            // Around the corner of four cells, so that they cross between them.
            let along = at + spark.shift + 13 * slot;
            let lanes = [
                176 + wave(along, 80 + 16 * slot, 160),
                176 + wave(along * 2, 90, 160),
                at.wrapping_sub(spark.born) as i32,
            ];
            out.put(spark_id(slot, spark.generation), GROUND, &lanes, &[]);
        }
    }

    fn publish_signs(&self, out: &mut Publisher<'_>) {
        let ScriptTick(at) = self.at;
        let line = |which: u32| Arc::clone(&self.lines[which as usize % LINES.len()]);
        // Through all columns of the grid, in the view and out of it.
        let runner = [
            100 + wave(at, SCRIPT_TICKS, 800),
            150,
            (at as i32 * 37) % 1024,
            100 - at as i32 % 100,
            at as i32 / 3 % 5,
        ];
        let texts = [line(0), line(4)];
        out.put(id(SIGN, 0), GROUND, &runner, &texts);
        // One text alone, then both, then a text and lanes, then lanes alone.
        let still = [300, 300, 0, at as i32 / 80, 4];
        let texts = [line(at / 20), line(at / 40)];
        out.put(id(SIGN, 1), GROUND, &still, &texts);
        let turning = [
            210,
            320,
            1023 - (at as i32 * 5) % 1024,
            at as i32 / 10,
            at as i32 % 5,
        ];
        out.put(
            id(SIGN, 2),
            GROUND,
            &turning,
            &[line(at / 30), line(at / 30 + 1)],
        );
    }

    fn publish_ghosts(&self, out: &mut Publisher<'_>) {
        let ScriptTick(at) = self.at;
        let prey = self.sparks[0];
        let host = self.players.keys().next().map_or(0, |player| player.0);
        for slot in 0..GHOSTS {
            let scope = match (at / 30 + slot) % 4 {
                3 if slot == 5 => Scope::Global,
                3 => GROUND,
                layer => Scope::Layer(Layer(layer as u8)),
            };
            // A jump once a second leads somewhere else.
            let jumps = at / 60;
            let lanes = [
                170 + scattered(jumps, slot, 150) + (at % 60) as i32 / 4,
                170 + scattered(jumps, slot + 50, 150),
                jumps as i32,
                (1024 - at as i32 * 7 % 1024) % 1024,
                i32::from(at % 40 < 20),
                (at / 25 + slot) as i32 % 3,
                (at / 15) as i32 % 8,
                if at % 100 < 50 { host as i32 } else { 0 },
                0,
                if prey.is_there {
                    prey.generation as i32
                } else {
                    0
                },
                u32::MAX.wrapping_sub(300).wrapping_add(at) as i32,
                wave(at, 60, 16 * 40) * (1 - 2 * (slot as i32 % 2)),
            ];
            out.put(id(GHOST, slot), scope, &lanes, &[]);
        }
    }

    fn publish_global(&self, out: &mut Publisher<'_>) {
        let ScriptTick(at) = self.at;
        let tally = [
            at as i32,
            self.run,
            self.drift,
            self.phase % i32::MAX,
            at as i32 % 7,
        ];
        out.put(id(TALLY, 0), Scope::Global, &tally, &[]);
        let title = Arc::clone(&self.lines[at as usize / 45 % LINES.len()]);
        out.put(id(PANEL, 0), Scope::Global, &self.dials, &[title]);
        if at % 60 < 30 {
            for slot in MARK_SLOTS {
                let mark = EntityId {
                    generation: self.mark_generation,
                    ..id(MARK, slot)
                };
                out.put(mark, Scope::Global, &[], &[]);
            }
        }
    }
}

impl Spark {
    fn step(&mut self, slot: u32, at: u32) {
        let is_vacant = match slot {
            // For fifteen ticks in sixty, and for a single one in fifty.
            6 => (30..45).contains(&(at % 60)),
            7 => at % 50 == 9,
            _ => false,
        };
        // In the tick in which the slot became vacant: in the same place, and elsewhere.
        let is_reused_here = at % 10 == slot && slot < 5;
        let is_reused_elsewhere = at % 40 == 20 + slot;
        if self.is_there && is_reused_elsewhere {
            self.shift += 37;
        }
        let is_reborn = !self.is_there || is_reused_here || is_reused_elsewhere;
        if !is_vacant && is_reborn {
            self.generation += 1;
            self.born = at;
        }
        self.is_there = !is_vacant;
    }
}

impl Probe {
    fn take(&mut self, input: TickInput<'_>, fields: &[InputField]) {
        let (payload, is_fresh) = match input {
            TickInput::Fresh(input) => (input.payload, true),
            TickInput::Repeated(input) => (input.payload, false),
            TickInput::Neutral => (&[][..], false),
        };
        self.fresh_inputs = self.fresh_inputs.wrapping_add(i32::from(is_fresh));
        let mut bits = BitReader::new(payload);
        for (value, field) in self.input.iter_mut().zip(fields) {
            let read = bits.get_int(field.bits, field.min < 0);
            let counts = is_fresh || !field.once;
            *value = if counts {
                read.clamp(field.min, field.max)
            } else {
                0
            };
        }
    }
}
