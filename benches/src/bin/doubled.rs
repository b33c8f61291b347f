//! What twice as many clients in the same places cost one room, by phase: `cargo run --release -p tickwire-benches --bin doubled`.
//!
//! Two rooms of the same moving ships take turns, the second with two viewers wherever the first has one. So whatever else runs
//! on the machine affects both. Encoded blocks per tick are counted; phases are those of `tickwire_phase_seconds`.

use anyhow::{Context as _, Result};
use clap::Parser;
use glam::{IVec2, Vec2};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tickwire_benches::load::game::ships;
use tickwire_game::{Game, Identity, Refusal, Step};
use tickwire_proto::v1;
use tickwire_server::internals::{
    Close, Inbox, InboxMessage, JoinRequest, Link, PhaseTimes, ReceivedInput, Room, RoomSettings,
    SendOutcome, SendRequest,
};
use tickwire_sync::bench_policies::{ViewPolicy, WindowPolicy};
use tickwire_sync::encode::Encoding;
use tickwire_sync::frame::Publisher;
use tickwire_sync::interest::InterestArea;
use tickwire_sync::{
    EntityId, KindId, Layer, LayerSet, Micros, PlayerId, Schema, Scope, Tick, TickClock,
};

const TICK_RATE: u32 = 60;
/// Steps of a unit and of a turn, and the side of the world, as in W1.
const UNIT: i32 = 16;
const TURN: i32 = 1024;
const SIDE: i32 = 4096 * UNIT;

#[derive(Parser)]
struct Arguments {
    /// Ships, each of which moves every tick
    #[arg(long, default_value_t = 1000)]
    ships: u32,
    /// Viewers of the first room
    #[arg(long, default_value_t = 400)]
    viewers: u32,
    /// Ticks that count, after ten seconds' worth that don't
    #[arg(long, default_value_t = 3000)]
    ticks: u32,
    /// Half the side of what a viewer sees, in units
    #[arg(long, default_value_t = 220)]
    half: i32,
    /// Side of a cell, in units
    #[arg(long, default_value_t = 384)]
    cell: u32,
}

/// Ships that turn by themselves, and viewers that each watch one of them.
struct Watched {
    ships: Vec<[i32; 4]>,
    half: i32,
    cell: u32,
    places: u32,
    tick: u32,
}

impl Watched {
    fn new(arguments: &Arguments) -> Self {
        // The generalised golden ratio spreads any number of positions evenly.
        let at =
            |index: u32, step: f64| ((f64::from(index) * step).fract() * f64::from(SIDE)) as i32;
        let ships = (0..arguments.ships).map(|index| {
            let (x, y) = (at(index, 0.754_877_666), at(index, 0.569_840_291));
            [x, y, index as i32 * 131 % TURN, 60 + index as i32 * 17 % 40]
        });
        Self {
            ships: ships.collect(),
            half: arguments.half,
            cell: arguments.cell,
            places: arguments.viewers,
            tick: 0,
        }
    }
}

impl Game for Watched {
    fn name(&self) -> &'static str {
        "watched"
    }

    fn schema(&self) -> Arc<Schema> {
        ships(SIDE, self.cell * UNIT as u32)
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

    fn leave(&mut self, _: PlayerId) {}

    fn step(&mut self, _: &mut Step<'_>) {
        self.tick += 1;
        for (index, ship) in self.ships.iter_mut().enumerate() {
            let turn = ((self.tick as usize / 40 + index) % 5) as i32 - 2;
            ship[2] = (ship[2] + turn * 3).rem_euclid(TURN);
            let angle = ship[2] as f32 * (std::f32::consts::TAU / TURN as f32);
            let way = Vec2::from_angle(angle) * ship[3] as f32;
            ship[0] = (ship[0] + way.x.round() as i32).rem_euclid(SIDE);
            ship[1] = (ship[1] + way.y.round() as i32).rem_euclid(SIDE);
        }
    }

    fn publish(&self, out: &mut Publisher<'_>) {
        for (slot, ship) in (0..).zip(&self.ships) {
            let id = EntityId {
                kind: KindId(0),
                slot,
                generation: 1,
            };
            out.put(id, Scope::Layer(Layer(0)), &ship[..3], &[]);
        }
    }

    fn interest_area(&self, player: PlayerId) -> InterestArea {
        let looked_at = (player.0 % self.places) as usize % self.ships.len();
        let [x, y, ..] = self.ships[looked_at];
        InterestArea {
            focus: IVec2::new(x, y),
            half_extent: IVec2::splat(self.half * UNIT),
            layers: LayerSet::default(),
        }
    }
}

/// A link that takes everything at no cost, so that the room's own work is what is measured.
struct Sink;

impl Link for Sink {
    fn try_send(requests: &mut [SendRequest<'_, Self>]) {
        for one in requests {
            one.outcome = SendOutcome::Sent;
        }
    }

    fn send(&self, _: &[u8]) {}

    fn close(&self, _: &Close) {}

    fn round_trip(&self) -> Option<Micros> {
        Some(Micros(1000))
    }

    fn pending_bytes(&self) -> usize {
        0
    }
}

struct Side {
    room: Room<Sink>,
    ticks: TickClock,
    inboxes: Vec<Arc<Inbox>>,
    counted: Counted,
}

#[derive(Default)]
struct Counted {
    blocks: u64,
    snapshots: u64,
    encode: Vec<u64>,
    send: Vec<u64>,
}

impl Side {
    fn new(arguments: &Arguments, viewers: u32) -> Result<Self> {
        let settings = RoomSettings {
            moderation: Arc::default(),
            rules_module: None,
            tick_rate: TICK_RATE,
            max_players: viewers as usize,
            resume_window: Duration::from_secs(60),
            max_message_bytes: 4096,
            hash_every_snapshot: false,
            max_rewind: Duration::from_millis(250),
            view_policy: ViewPolicy::default(),
            window_policy: WindowPolicy::default(),
        };
        let ticks = TickClock {
            tick_zero_us: 0,
            tick_rate: TICK_RATE,
        };
        let game = Box::new(Watched::new(arguments));
        let mut room = Room::new("doubled", settings, game, ticks, [1; 32]);
        let hello = JoinRequest {
            name: String::new(),
            is_name_vouched: false,
            subject: None,
            ticket_ends: None,
            address: None,
            peer: None,
            resume_token: Vec::new(),
            last_message: 0,
            encoding: Encoding::Packed,
            is_spectator: true,
            ..JoinRequest::default()
        };
        let mut inboxes = Vec::new();
        for _ in 0..viewers {
            let inbox = Arc::new(Inbox::default());
            room.join(&hello, Arc::new(Sink), Arc::clone(&inbox), Micros(0))?;
            inboxes.push(inbox);
        }
        Ok(Self {
            room,
            ticks,
            inboxes,
            counted: Counted::default(),
        })
    }

    /// Plays one tick. Every viewer has acked the snapshot of the tick before.
    fn tick(&mut self, tick: Tick, counts: bool) -> Result<()> {
        let now = Micros(self.ticks.due_us(tick) as u64);
        let newest = tick.minus(1).unwrap_or_default();
        let inputs = v1::Inputs {
            seq: tick.0,
            target_tick: tick.0,
            received_tick: newest.0,
            received_at_us: now.0 as u32,
            view_tick: newest.0,
            ..v1::Inputs::default()
        };
        let inputs = ReceivedInput::new(&inputs, now).context("an input is too long")?;
        for inbox in &self.inboxes {
            inbox.put(InboxMessage::Input(inputs));
        }
        let start = Instant::now();
        let clock = || Micros(start.elapsed().as_micros() as u64);
        self.room.tick(tick, now, clock);
        self.room.replicate(now, clock);
        let stats = self.room.take_stats();
        if counts {
            let PhaseTimes { encode, send, .. } = stats.phases;
            self.counted.blocks += stats.blocks_encoded;
            self.counted.snapshots += stats.snapshots;
            self.counted.encode.push(encode.0);
            self.counted.send.push(send.0);
        }
        Ok(())
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let viewers = [arguments.viewers, arguments.viewers * 2];
    let mut sides = [
        Side::new(&arguments, viewers[0])?,
        Side::new(&arguments, viewers[1])?,
    ];
    let settle = 10 * TICK_RATE;
    for tick in 1..=settle + arguments.ticks {
        // The two alternate who goes first, so that neither always finds the other's data in the cache.
        let first = (tick % 2) as usize;
        for side in [first, 1 - first] {
            sides[side].tick(Tick(tick), tick > settle)?;
        }
    }
    println!(
        "{:>8} {:>15} {:>17} {:>17} {:>17} {:>15}",
        "viewers",
        "snapshots/tick",
        "encoded/tick",
        "encode us p50",
        "encode us mean",
        "send us mean"
    );
    let ticks = f64::from(arguments.ticks);
    let mut means = Vec::new();
    for (side, viewers) in sides.iter_mut().zip(viewers) {
        let counted = &mut side.counted;
        counted.encode.sort_unstable();
        let middle = counted.encode[counted.encode.len() / 2];
        let mean = |times: &[u64]| times.iter().sum::<u64>() as f64 / ticks;
        means.push((
            middle as f64,
            mean(&counted.encode),
            counted.blocks as f64 / ticks,
        ));
        println!(
            "{viewers:>8} {:>15.1} {:>17.2} {middle:>17} {:>17.1} {:>15.1}",
            counted.snapshots as f64 / ticks,
            counted.blocks as f64 / ticks,
            mean(&counted.encode),
            mean(&counted.send),
        );
    }
    let more = |of: fn(&(f64, f64, f64)) -> f64| (of(&means[1]) / of(&means[0]) - 1.0) * 100.0;
    println!(
        "twice the viewers: blocks {:+.1} %, encode {:+.1} % (p50), {:+.1} % (mean)",
        more(|it| it.2),
        more(|it| it.0),
        more(|it| it.1)
    );
    Ok(())
}
