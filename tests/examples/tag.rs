//! A small game of one's own, as a server: tag. The browser tests play it (`web/test/sdk.test.mjs`).
//!
//! In: two bytes a tick, the steps along x and y (signed; more than one step counts as one). Out: runners with x, y and
//! whether they are "it". Who is caught becomes "it": that is an event (`caught`, the runner's slot as 32 bits,
//! little-endian) and a message to them (`you are it`).

use glam::IVec2;
use std::collections::BTreeMap;
use std::sync::Arc;
use tickwire_game::{Game, GameSettings, Identity, Recipient, Refusal, Step};
use tickwire_server::config::Config;
use tickwire_sync::frame::{Place, Publisher};
use tickwire_sync::view::Sight;
use tickwire_sync::{EntityId, Grid, Kind, KindId, Lane, Layer, LayerSet, PlayerId, Schema};

const RUNNER: KindId = KindId(0);
const CAUGHT: u32 = 0;
const SIDE: i32 = 1_000;
const REACH: i32 = 20;

struct Runner {
    name: Arc<str>,
    place: IVec2,
    is_it: bool,
}

#[derive(Default)]
struct Tag {
    runners: BTreeMap<PlayerId, Runner>,
}

/// A session's number is used once in a room, so it can be its runner's slot.
fn id(player: PlayerId) -> EntityId {
    EntityId {
        kind: RUNNER,
        slot: player.0,
        generation: 1,
    }
}

impl Game for Tag {
    fn name(&self) -> &'static str {
        "tag"
    }

    fn schema(&self) -> Arc<Schema> {
        let runner = Kind {
            name: "runner".into(),
            lanes: vec![
                Lane::continuous("x", "unit"),
                Lane::continuous("y", "unit"),
                Lane::discrete("it", "1: is it"),
            ],
            texts: vec!["name".into()],
            placed: true,
            ..Kind::default()
        };
        Arc::new(Schema {
            kinds: vec![runner],
            events: vec!["caught".into()],
            grid: Grid::covering(IVec2::ZERO, IVec2::splat(SIDE), 250),
        })
    }

    fn map(&self) -> Vec<u8> {
        b"a meadow".to_vec()
    }

    fn rules_hash(&self) -> u64 {
        1
    }

    fn join(&mut self, player: PlayerId, identity: &Identity) -> Result<Option<EntityId>, Refusal> {
        if identity.is_spectator {
            return Ok(None);
        }
        let runner = Runner {
            name: identity.name.as_str().into(),
            place: IVec2::new(100 + 100 * self.runners.len() as i32, SIDE / 2),
            is_it: self.runners.is_empty(),
        };
        self.runners.insert(player, runner);
        Ok(Some(id(player)))
    }

    fn leave(&mut self, player: PlayerId) {
        let left = self.runners.remove(&player);
        if left.is_some_and(|left| left.is_it)
            && let Some(next) = self.runners.values_mut().next()
        {
            next.is_it = true;
        }
    }

    fn step(&mut self, step: &mut Step<'_>) {
        for (player, runner) in &mut self.runners {
            let turn = step.turns.of(*player);
            if let Some(&[x, y]) = turn.as_ref().map(|turn| turn.payload()) {
                let steps = IVec2::new(i32::from(x as i8), i32::from(y as i8)).signum();
                runner.place = (runner.place + steps).clamp(IVec2::ZERO, IVec2::splat(SIDE));
            }
        }
        let hunter = self.runners.values().find(|runner| runner.is_it);
        let Some(place) = hunter.map(|hunter| hunter.place) else {
            return;
        };
        let caught = self.runners.iter_mut().find(|(_, runner)| {
            !runner.is_it && (runner.place - place).abs().max_element() < REACH
        });
        if let Some((&player, caught)) = caught {
            // The other way round, and a stride away, or they would be caught back at once.
            caught.place.y = (caught.place.y + 2 * REACH) % SIDE;
            let here = step.grid().cell_at(caught.place, Layer(0));
            step.events.emit(CAUGHT, &player.0.to_le_bytes(), [here]);
            step.messages
                .send(Recipient::Player(player), *b"you are it");
            for (runner, state) in &mut self.runners {
                state.is_it = *runner == player;
            }
        }
    }

    fn publish(&self, out: &mut Publisher<'_>) {
        for (player, runner) in &self.runners {
            let lanes = [runner.place.x, runner.place.y, i32::from(runner.is_it)];
            out.put(
                id(*player),
                Place::Layer(Layer(0)),
                &lanes,
                &[Arc::clone(&runner.name)],
            );
        }
    }

    fn sight(&self, _: PlayerId) -> Sight {
        Sight {
            focus: IVec2::splat(SIDE / 2),
            half_extent: IVec2::splat(SIDE / 2),
            layers: LayerSet::default(),
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config::load(std::env::args_os())?;
    let new_game = |_: &GameSettings| -> Box<dyn Game> { Box::new(Tag::default()) };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(tickwire_server::run(config, Arc::new(new_game)))?;
    Ok(())
}
