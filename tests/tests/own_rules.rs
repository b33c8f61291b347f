//! A game of somebody else's that is predicted: its rules are in its own crate, and its client brings them along.
//!
//! Each player has a cart on a line, as long as the map says. An input pushes it, and it rolls on for a while.

#![allow(clippy::unwrap_used)] // a test that unwraps nothing has failed

use glam::IVec2;
use std::collections::BTreeMap;
use std::sync::Arc;
use tickwire_client::{Client, Options};
use tickwire_game::{
    Game, GameSettings, Identity, Refusal, RuleInput, Rules, Step, hash_of_sources,
};
use tickwire_sync::frame::{Place, Publisher};
use tickwire_sync::view::Sight;
use tickwire_sync::{
    EntityId, Grid, Kind, KindId, Lane, Layer, LayerSet, Micros, PlayerId, Schema,
};
use tickwire_tests::{Player, TestServer};

const NAME: &str = "carts";
const CART: KindId = KindId(0);
const RULES_HASH: u64 = hash_of_sources(&[include_bytes!("own_rules.rs")]);
const LENGTH: i32 = 1_000_000;

/// How carts move; server and client call it.
struct Rolling {
    length: i32,
}

impl Rules for Rolling {
    fn advance(&self, _: KindId, lanes: &mut [i32], speed: &mut [i32], input: RuleInput<'_>) {
        if input == RuleInput::Fresh(b"push") {
            speed[0] = 8;
        }
        lanes[0] = (lanes[0] + speed[0]).min(self.length);
        speed[0] = (speed[0] - 1).max(0);
    }
}

/// What the client of this game gives to [`Client::with_rules`].
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
    /// Lanes and private lanes.
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
            let turn = step.turns.of(*player).unwrap();
            self.rules.advance(CART, lanes, speed, turn.rule_input());
        }
    }

    fn publish(&self, out: &mut Publisher<'_>) {
        for (player, (lanes, speed)) in &self.carts {
            out.put(cart(*player), Place::Layer(Layer(0)), lanes, &[]);
            out.own(*player, cart(*player), speed);
        }
    }

    fn sight(&self, _: PlayerId) -> Sight {
        Sight {
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

/// A player of this game's client, whose cart rolls.
async fn rolling(server: &TestServer) -> Player {
    let mut player = Player::new(&server.url("a"), Options::default());
    player.client = Client::new(Options::default(), Micros(0)).with_rules(rules_for);
    player.payload = b"push".to_vec();
    player
        .until("the cart rolls", |player| {
            let own = player.client.own();
            own.is_some_and(|own| own.lanes[0] > 100)
        })
        .await;
    player
}

/// Waits for so many inputs in a row that came true as they were predicted: one that comes late does not.
async fn a_hundred_come_true(player: &mut Player) {
    let mut corrected = player.client.prediction_stats();
    player
        .until("a hundred predictions in a row that came true", |player| {
            let stats = player.client.prediction_stats();
            if stats.corrections > corrected.corrections {
                corrected = stats;
            }
            stats.inputs >= corrected.inputs + 100
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_game_of_ones_own_is_predicted_by_its_own_rules() {
    let mut player = rolling(&server(RULES_HASH)).await;
    assert!(player.client.is_predicting());
    a_hundred_come_true(&mut player).await;
    // An empty input is one as well.
    player.payload = Vec::new();
    a_hundred_come_true(&mut player).await;
    assert_eq!(player.client.counters().protocol_errors, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_rules_than_the_servers_predict_nothing() {
    let player = rolling(&server(RULES_HASH + 1)).await;
    assert!(!player.client.is_predicting());
    assert_eq!(player.client.prediction_stats().inputs, 0);
}
