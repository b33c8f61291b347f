//! Tag: one player is it, and must touch somebody else. A whole game of one's own, with a server's `main`; docs/GAME_GUIDE.md explains it.
//!
//! In: three bytes a tick, see `Wish`. Out: runners, and a table of scores; whoever is touched becomes it: an event with the player's number in
//! 32 bits, little-endian, and a message to the one touched.
//!
//! `cargo run -p tag`, and `cargo run -p tickwire-bot -- --bots 20` beside it: bots join any game, and stand still in one that they don't know.

mod movement;

use movement::{Movement, Wish, X, Y};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use tickwire_game::glam::IVec2;
use tickwire_game::{
    Game, GameSettings, Identity, Recipient, Refusal, RuleContext, Rules as _, Step,
};
use tickwire_sync::frame::Publisher;
use tickwire_sync::interest::InterestArea;
use tickwire_sync::{EntityId, Grid, Kind, KindId, Lane, Layer, LayerSet, PlayerId, Schema, Scope};

/// Positions are in 1/16 unit.
const UNIT: i32 = 16;
/// The side of the square field, in units.
const FIELD: i32 = 2048;
/// So far from each other runners start, in units.
const START: i32 = 128;
/// Who is nearer than this can be touched, in units.
const REACH: i32 = 60;

/// Who runs about. Everybody near sees it.
const RUNNER: KindId = KindId(0);
/// A player's line in the table. Everybody sees it, however far away.
const SCORE: KindId = KindId(1);

/// Position in the schema's list of event kinds.
const TOUCHED: u32 = 0;

struct Runner {
    name: Arc<str>,
    lanes: [i32; movement::LANES],
    private: [i32; movement::PRIVATE_LANES],
    touches: i32,
}

/// One room's world.
struct Tag {
    /// In a map that iterates in the same order everywhere: a step must be deterministic.
    runners: BTreeMap<PlayerId, Runner>,
    it: Option<PlayerId>,
}

impl Tag {
    fn new(_: &GameSettings) -> Self {
        Self {
            runners: BTreeMap::new(),
            it: None,
        }
    }

    /// Whom a player touches, by what the player's own screen showed.
    fn touched(&self, toucher: PlayerId, step: &Step<'_>) -> Option<PlayerId> {
        let turn = step.inputs.of(toucher)?;
        // Only an input that came for this very tick may touch: the last one, repeated, must not.
        turn.fresh_seq()?;
        if !Wish::read(turn.payload()).touches {
            return None;
        }
        let here = place(&self.runners.get(&toucher)?.lanes);
        let screen = step.rewound_for(&turn);
        let mut lanes = Vec::new();
        let is_near = |id: &EntityId| {
            screen.row(*id, &mut lanes) && (place(&lanes) - here).abs().max_element() < REACH * UNIT
        };
        let mut others = screen
            .entities(RUNNER)
            .filter(|id| *id != runner_id(toucher));
        let id = others.find(is_near)?;
        Some(PlayerId(id.slot))
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
                Lane::continuous("x", "1/16 unit"),
                Lane::continuous("y", "1/16 unit"),
                Lane::discrete("it", "1: yes"),
            ],
            private_lanes: vec![Lane::discrete("breath", "ticks")],
            placed: true,
            predicted: true,
            ..Kind::default()
        };
        let score = Kind {
            name: "score".into(),
            lanes: vec![Lane::discrete("touches", "number")],
            texts: vec!["name".into()],
            ..Kind::default()
        };
        Arc::new(Schema {
            kinds: vec![runner, score],
            events: vec!["touched".into()],
            grid: Grid::covering(IVec2::ZERO, IVec2::splat(FIELD * UNIT), 512 * UNIT as u32),
            ..Schema::default()
        })
    }

    fn map(&self) -> Vec<u8> {
        b"a meadow".to_vec()
    }

    fn rules_hash(&self) -> u64 {
        movement::HASH
    }

    fn join(&mut self, player: PlayerId, identity: &Identity) -> Result<Option<EntityId>, Refusal> {
        if identity.is_spectator {
            return Ok(None);
        }
        // Side by side, in as many columns as there are.
        let column = self.runners.len() as i32 % (FIELD / START - 1);
        let runner = Runner {
            name: Arc::from(&*identity.name),
            lanes: [(1 + column) * START * UNIT, FIELD / 2 * UNIT, 0],
            private: [0],
            touches: 0,
        };
        self.runners.insert(player, runner);
        self.it.get_or_insert(player);
        Ok(Some(runner_id(player)))
    }

    fn leave(&mut self, player: PlayerId) {
        self.runners.remove(&player);
        if self.it == Some(player) {
            self.it = self.runners.keys().next().copied();
        }
    }

    fn step(&mut self, step: &mut Step<'_>) {
        for (player, runner) in &mut self.runners {
            let Some(turn) = step.inputs.of(*player) else {
                continue;
            };
            Movement.advance(
                RUNNER,
                &mut runner.lanes,
                &mut runner.private,
                &RuleContext::alone(step.tick, turn.rule_input()),
            );
        }
        if let Some(it) = self.it
            && let Some(touched) = self.touched(it, step)
            && self.runners.contains_key(&touched)
        {
            self.it = Some(touched);
            if let Some(runner) = self.runners.get_mut(&it) {
                runner.touches += 1;
            }
            // Seen and over, by all who see the place; and a word to the one whom it concerns, which always arrives.
            if let Some(runner) = self.runners.get(&touched) {
                let here = step.grid().cell_at(place(&runner.lanes), Layer(0));
                step.events.emit(TOUCHED, &touched.0.to_le_bytes(), [here]);
            }
            step.messages
                .send(Recipient::Player(touched), *b"you are it");
        }
        for (player, runner) in &mut self.runners {
            runner.lanes[movement::IT] = i32::from(self.it == Some(*player));
        }
    }

    fn publish(&self, out: &mut Publisher<'_>) {
        for (player, runner) in &self.runners {
            let id = runner_id(*player);
            out.put(id, Scope::Layer(Layer(0)), &runner.lanes, &[]);
            out.own(*player, id, &runner.private);
            let score = EntityId { kind: SCORE, ..id };
            let name = std::slice::from_ref(&runner.name);
            out.put(score, Scope::Global, &[runner.touches], name);
        }
    }

    fn interest_area(&self, player: PlayerId) -> InterestArea {
        let own = self.runners.get(&player);
        InterestArea {
            focus: own.map_or(IVec2::splat(FIELD * UNIT / 2), |own| place(&own.lanes)),
            half_extent: IVec2::new(720, 440) * UNIT,
            layers: LayerSet::default(),
        }
    }
}

/// A player has one runner for the whole session, so its number can be the slot. What comes and goes takes ids from a slotmap
/// (`tickwire_game::entity::id`), so that no slot is used again without a new generation.
fn runner_id(player: PlayerId) -> EntityId {
    EntityId {
        kind: RUNNER,
        slot: player.0,
        generation: 1,
    }
}

fn place(lanes: &[i32]) -> IVec2 {
    IVec2::new(lanes[X], lanes[Y])
}

fn main() -> ExitCode {
    tickwire_server::main(|settings| Box::new(Tag::new(settings)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_can_be_played() {
        let settings = GameSettings {
            tick_rate: 60,
            ..GameSettings::default()
        };
        assert_eq!(Tag::new(&settings).schema().validate(), Ok(()));
    }
}
