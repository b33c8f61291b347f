//! A predicted game of another crate, whose client brings its own rules.
//!
//! Each player has a cart on a line, whose length is the map. An input pushes the cart, which rolls on for a while.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use glam::IVec2;
use std::collections::BTreeMap;
use std::sync::Arc;
use tickwire_client::{Client, Options};
use tickwire_game::{
    Game, GameSettings, Identity, Refusal, RuleContext, RuleInput, Rules, Step, hash_of_sources,
};
use tickwire_sync::frame::Publisher;
use tickwire_sync::interest::InterestArea;
use tickwire_sync::{
    EntityId, Grid, Kind, KindId, Lane, Layer, LayerSet, Micros, PlayerId, Schema, Scope,
};
use tickwire_tests::{Player, TestServer};

const NAME: &str = "carts";
const CART: KindId = KindId(0);
const RULES_HASH: u64 = hash_of_sources(&[include_bytes!("own_rules.rs")]);
const LENGTH: i32 = 1_000_000;

/// The movement of carts, for server and client.
struct Rolling {
    length: i32,
}

impl Rules for Rolling {
    fn advance(&self, _: KindId, lanes: &mut [i32], speed: &mut [i32], context: &RuleContext<'_>) {
        if context.input == RuleInput::Fresh(b"push") {
            speed[0] = 8;
        }
        lanes[0] = (lanes[0] + speed[0]).min(self.length);
        speed[0] = (speed[0] - 1).max(0);
    }
}

/// The argument of [`Client::with_rules`] in this game's client.
fn rules_for(game: &str, map: &[u8], rules_hash: u64) -> Option<Box<dyn Rules>> {
    if game != NAME || rules_hash != RULES_HASH {
        return None;
    }
    let length = i32::from_le_bytes(map.try_into().ok()?);
    Some(Box::new(Rolling { length }))
}

struct Carts {
    rules: Rolling,
    rules_hash: u64,
    /// Public and private lanes.
    carts: BTreeMap<PlayerId, ([i32; 2], [i32; 1])>,
}

fn cart(player: PlayerId) -> EntityId {
    EntityId {
        kind: CART,
        slot: player.0,
        generation: 1,
    }
}

impl Game for Carts {
    fn name(&self) -> &'static str {
        NAME
    }

    fn schema(&self) -> Arc<Schema> {
        let cart = Kind {
            name: "cart".into(),
            lanes: vec![Lane::continuous("x", "unit"), Lane::continuous("y", "unit")],
            private_lanes: vec![Lane::discrete("speed", "units a tick")],
            placed: true,
            predicted: true,
            ..Kind::default()
        };
        Arc::new(Schema {
            kinds: vec![cart],
            events: Vec::new(),
            grid: Grid::covering(IVec2::ZERO, IVec2::splat(1000), 250),
            ..Schema::default()
        })
    }

    fn map(&self) -> Vec<u8> {
        LENGTH.to_le_bytes().to_vec()
    }

    fn rules_hash(&self) -> u64 {
        self.rules_hash
    }

    fn join(&mut self, player: PlayerId, _: &Identity) -> Result<Option<EntityId>, Refusal> {
        self.carts.insert(player, ([0, 500], [0]));
        Ok(Some(cart(player)))
    }

    fn leave(&mut self, player: PlayerId) {
        self.carts.remove(&player);
    }

    fn step(&mut self, step: &mut Step<'_>) {
        for (player, (lanes, speed)) in &mut self.carts {
            let turn = step.inputs.of(*player).unwrap();
            let context = RuleContext::alone(step.tick, turn.rule_input());
            self.rules.advance(CART, lanes, speed, &context);
        }
    }

    fn publish(&self, out: &mut Publisher<'_>) {
        for (player, (lanes, speed)) in &self.carts {
            out.put(cart(*player), Scope::Layer(Layer(0)), lanes, &[]);
            out.own(*player, cart(*player), speed);
        }
    }

    fn interest_area(&self, _: PlayerId) -> InterestArea {
        InterestArea {
            focus: IVec2::splat(500),
            half_extent: IVec2::splat(500),
            layers: LayerSet::default(),
        }
    }
}

fn server(rules_hash: u64) -> TestServer {
    TestServer::start_with(&[], move |_: &GameSettings| {
        Box::new(Carts {
            rules: Rolling { length: LENGTH },
            rules_hash,
            carts: BTreeMap::new(),
        })
    })
}

/// A player whose cart rolls.
async fn rolling(server: &TestServer) -> Player {
    let mut player = Player::new(&server.url("a"), Options::default());
    player.client = Client::new(Options::default(), Micros(0)).with_rules(rules_for);
    player.payload = b"push".to_vec();
    player
        .until("the cart rolls", |player| {
            let own = player.client.predicted();
            own.is_some_and(|own| own.lanes[0] > 100)
        })
        .await;
    player
}

/// Waits for a hundred predicted inputs in a row without a correction: inputs that arrive late cause corrections.
async fn hundred_without_correction(player: &mut Player) {
    let mut corrected = player.client.prediction_stats();
    player
        .until("a hundred inputs in a row without a correction", |player| {
            let stats = player.client.prediction_stats();
            if stats.corrections > corrected.corrections {
                corrected = stats;
            }
            stats.inputs >= corrected.inputs + 100
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_custom_game_is_predicted_by_its_own_rules() {
    let mut player = rolling(&server(RULES_HASH)).await;
    assert!(player.client.is_predicting());
    hundred_without_correction(&mut player).await;
    // Empty inputs are predicted too.
    player.payload = Vec::new();
    hundred_without_correction(&mut player).await;
    assert_eq!(player.client.counters().protocol_errors, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_other_rules_predicts_nothing() {
    let player = rolling(&server(RULES_HASH + 1)).await;
    assert!(!player.client.is_predicting());
    assert_eq!(player.client.prediction_stats().inputs, 0);
}
