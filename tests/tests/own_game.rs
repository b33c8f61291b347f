//! A game of somebody else's, written against `tickwire-game` and `tickwire-sync` alone: everything that the trait offers.
//!
//! Two teams hide flags from each other: each team's flag is on a layer of its own. Every input moves a token, a step onto
//! x = 100 rings a bell that everyone near hears, and tells the team.

#![allow(clippy::unwrap_used)] // a test that unwraps nothing has failed

use glam::IVec2;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tickwire_client::{Incoming, Options};
use tickwire_game::{Game, GameSettings, Identity, Recipient, Refusal, Step};
use tickwire_server::config::Config;
use tickwire_sync::frame::{Place, Publisher};
use tickwire_sync::view::Sight;
use tickwire_sync::{EntityId, Grid, Kind, KindId, Lane, Layer, LayerSet, PlayerId, Schema};
use tickwire_tests::{Player, TestServer};

const TOKEN: KindId = KindId(0);
const FLAG: KindId = KindId(1);

struct Token {
    x: i32,
    team: u8,
    secret: i32,
}

struct Flags {
    layers: u8,
    tokens: BTreeMap<PlayerId, Token>,
    /// Those who are to go.
    unwanted: Vec<PlayerId>,
    calls: Arc<Mutex<Vec<String>>>,
}

impl Flags {
    fn boxed(layers: u8, calls: Arc<Mutex<Vec<String>>>) -> Box<dyn Game> {
        Box::new(Self {
            layers,
            tokens: BTreeMap::new(),
            unwanted: Vec::new(),
            calls,
        })
    }

    fn note(&self, call: &str, player: PlayerId) {
        self.calls.lock().unwrap().push(format!("{call} {player}"));
    }
}

impl Game for Flags {
    fn name(&self) -> &'static str {
        "flags"
    }

    fn schema(&self) -> Arc<Schema> {
        let position = || vec![Lane::continuous("x", "unit"), Lane::continuous("y", "unit")];
        let token = Kind {
            name: "token".into(),
            lanes: position(),
            private_lanes: vec![Lane::discrete("secret", "number")],
            placed: true,
            ..Kind::default()
        };
        let flag = Kind {
            name: "flag".into(),
            lanes: position(),
            texts: vec!["motto".into()],
            placed: true,
            ..Kind::default()
        };
        let grid = Grid {
            layers: self.layers,
            ..Grid::covering(IVec2::ZERO, IVec2::splat(1000), 250)
        };
        Arc::new(Schema {
            kinds: vec![token, flag],
            events: vec!["bell".into()],
            grid,
        })
    }

    fn map(&self) -> Vec<u8> {
        b"a map of my own".to_vec()
    }

    fn rules_hash(&self) -> u64 {
        1
    }

    fn join(&mut self, player: PlayerId, identity: &Identity) -> Result<Option<EntityId>, Refusal> {
        if identity.name == "Mallory" {
            return Err(Refusal("not you".into()));
        }
        self.note("join", player);
        self.tokens.insert(
            player,
            Token {
                x: 0,
                team: 1 + (player.0 % 2) as u8,
                secret: player.0 as i32 * 11,
            },
        );
        Ok(Some(EntityId {
            kind: TOKEN,
            slot: player.0,
            generation: 1,
        }))
    }

    fn away(&mut self, player: PlayerId) {
        self.note("away", player);
    }

    fn resume(&mut self, player: PlayerId) {
        self.note("resume", player);
    }

    fn command(&mut self, player: PlayerId, payload: &[u8]) {
        self.note(std::str::from_utf8(payload).unwrap(), player);
    }

    fn chat(&mut self, player: PlayerId, line: &str) -> bool {
        if line == "/go" {
            self.unwanted.push(player);
        }
        !line.starts_with('/')
    }

    fn leave(&mut self, player: PlayerId) {
        self.note("leave", player);
        self.tokens.remove(&player);
    }

    fn step(&mut self, step: &mut Step<'_>) {
        for player in self.unwanted.drain(..) {
            step.dismiss(player, "as you wished");
        }
        for (player, token) in &mut self.tokens {
            let turn = step.turns.of(*player).unwrap();
            assert!(turn.payload() != b"bug", "as the test wants");
            if turn.fresh_seq().is_some() && turn.payload() == b"step" {
                token.x += 1;
                if token.x == 100 {
                    let here = step.grid().cell_at(IVec2::new(100, 500), Layer(0));
                    step.events.emit(0, b"ding", [here]);
                    step.messages
                        .send(Recipient::Layer(Layer(token.team)), *b"we are there");
                    step.messages
                        .send(Recipient::Player(*player), *b"well done");
                }
            }
        }
    }

    fn publish(&self, out: &mut Publisher<'_>) {
        for (player, token) in &self.tokens {
            let id = EntityId {
                kind: TOKEN,
                slot: player.0,
                generation: 1,
            };
            out.put(id, Place::Layer(Layer(0)), &[token.x, 500], &[]);
            out.own(*player, id, &[token.secret]);
        }
        for team in 1..=2 {
            let id = EntityId {
                kind: FLAG,
                slot: u32::from(team),
                generation: 1,
            };
            out.put(
                id,
                Place::Layer(Layer(team)),
                &[500, 500],
                &[Arc::from(format!("team {team}"))],
            );
        }
    }

    fn sight(&self, player: PlayerId) -> Sight {
        let team = self.tokens.get(&player).map_or(0, |token| token.team);
        Sight {
            focus: IVec2::splat(500),
            half_extent: IVec2::splat(500),
            layers: LayerSet::default().with(Layer(team)),
        }
    }
}

fn flags_seen(player: &Player) -> Vec<u32> {
    let shown = player.client.replica().unwrap().shown();
    shown
        .iter()
        .filter(|(row, _, _)| row.id.kind == FLAG)
        .map(|(row, _, _)| row.id.slot)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_third_partys_game_gets_all_that_the_trait_promises() {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&calls);
    let new_game = move |_: &GameSettings| Flags::boxed(3, Arc::clone(&noted));
    let server = TestServer::start_with(&["--resume-window", "1s"], new_game);
    let mut odd = Player::joined(&server.url("a"), "Odd").await;
    let mut even = Player::joined(&server.url("a"), "Even").await;
    assert_eq!(
        (odd.client.game(), odd.client.map()),
        ("flags", &b"a map of my own"[..])
    );
    // Layers: each sees the own team's flag and no other.
    assert_eq!((flags_seen(&odd), flags_seen(&even)), (vec![2], vec![1]));
    // Private lanes reach the owner's client and nobody else: the schema marks them, and no public row has them.
    assert_eq!(
        even.client.replica().unwrap().schema().kinds[0]
            .private_lanes
            .len(),
        1
    );
    odd.payload = b"step".to_vec();
    let rang = |player: &mut Player| {
        player
            .incoming
            .iter()
            .any(|came| matches!(came, Incoming::Event(event) if event.payload == b"ding"))
    };
    odd.until("the bell", rang).await;
    even.until("the bell", rang).await;
    odd.until("both messages", |odd| {
        odd.incoming
            .contains(&Incoming::Game(b"we are there".to_vec()))
            && odd
                .incoming
                .contains(&Incoming::Game(b"well done".to_vec()))
    })
    .await;
    assert!(
        !even
            .incoming
            .iter()
            .any(|came| matches!(came, Incoming::Game(_))),
        "a message to the other team came"
    );
    // Away and back; away and gone.
    even.cut();
    even.until("the resume", |even| even.client.counters().resumes == 1)
        .await;
    even.cut();
    let left = || calls.lock().unwrap().contains(&"leave 2".to_owned());
    odd.until("the session's end", |_| left()).await;
    assert_eq!(
        *calls.lock().unwrap(),
        [
            "join 1", "join 2", "away 2", "resume 2", "away 2", "leave 2"
        ]
    );
    // Refused, and told why.
    let mut mallory = Player::new(
        &server.url("a"),
        Options {
            name: "Mallory".into(),
            ..Options::default()
        },
    );
    mallory
        .until("the refusal", |mallory| {
            !matches!(mallory.client.phase(), tickwire_client::Phase::Connecting)
        })
        .await;
    assert_eq!(
        *mallory.client.phase(),
        tickwire_client::Phase::Closed {
            code: 1008,
            reason: "not you".into()
        }
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_come_once_and_in_order_whatever_becomes_of_the_link() {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&calls);
    let server = TestServer::start_with(&["--resume-window", "1s"], move |_: &GameSettings| {
        Flags::boxed(3, Arc::clone(&noted))
    });
    let mut player = Player::new(&server.url("c"), Options::default());
    let mut expected = Vec::new();
    let mut say = |player: &mut Player| {
        let word = format!("word{}", expected.len());
        player.client.command(word.as_bytes());
        expected.push(format!("{word} 1"));
    };
    // Before there is a connection, while there is one, as it is cut, and while there is none.
    say(&mut player);
    player
        .until("the welcome", |player| player.is_playing())
        .await;
    for resumes in 1..=3 {
        say(&mut player);
        player.for_snapshots(2).await;
        say(&mut player);
        player.cut();
        say(&mut player);
        player
            .until("the resume", |player| {
                player.client.counters().resumes == resumes
            })
            .await;
    }
    say(&mut player);
    let came = || {
        let calls = calls.lock().unwrap();
        let words = calls.iter().filter(|call| call.starts_with("word"));
        words.cloned().collect::<Vec<_>>()
    };
    player
        .until("the last word", |_| came().len() >= expected.len())
        .await;
    assert_eq!(came(), expected);

    // What was said to a session that is over is not said to the next one.
    player.client.leave();
    let mut other = Player::joined(&server.url("c"), "Other").await;
    other.client.command(b"hello");
    let has_come = || calls.lock().unwrap().contains(&"hello 2".to_owned());
    other.until("a word of the next", |_| has_come()).await;
    assert_eq!(came(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_game_hears_chat_and_puts_players_out() {
    let (calls, rooms) = (
        Arc::new(Mutex::new(Vec::new())),
        Arc::new(Mutex::new(Vec::new())),
    );
    let (noted, names) = (Arc::clone(&calls), Arc::clone(&rooms));
    let new_game = move |settings: &GameSettings| {
        names.lock().unwrap().push(settings.room.clone());
        Flags::boxed(3, Arc::clone(&noted))
    };
    let server = TestServer::start_with(&[], new_game);
    let mut host = Player::joined(&server.url("b"), "Host").await;
    let mut guest = Player::joined(&server.url("b"), "Guest").await;
    assert_eq!(*rooms.lock().unwrap(), ["", "b"]);
    // A command is the game's alone; what is said after it comes.
    guest.client.chat("/nothing");
    guest.client.chat("bye");
    guest.client.chat("/go");
    guest
        .until("the end", |guest| {
            matches!(guest.client.phase(), tickwire_client::Phase::Closed { .. })
        })
        .await;
    assert_eq!(
        *guest.client.phase(),
        tickwire_client::Phase::Closed {
            code: 1008,
            reason: "as you wished".into()
        }
    );
    host.until("the line", |host| {
        host.incoming
            .iter()
            .any(|came| matches!(came, Incoming::Chat { text, .. } if text == "bye"))
    })
    .await;
    let is_line = |came: &&Incoming| matches!(came, Incoming::Chat { .. });
    assert_eq!(host.incoming.iter().filter(is_line).count(), 1);
    let left = || calls.lock().unwrap().contains(&"leave 2".to_owned());
    host.until("the session's end", |_| left()).await;
    // The session is over; who comes again is somebody new.
    let again = Player::joined(&server.url("b"), "Guest").await;
    assert_eq!(again.client.counters().resumes, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_game_that_panics_ends_its_own_room_and_no_other() {
    let new_game = |_: &GameSettings| Flags::boxed(3, Arc::default());
    let server = TestServer::start_with(&["--workers", "1"], new_game);
    let mut calm = Player::joined(&server.url("calm"), "Ann").await;
    let mut unlucky = Player::joined(&server.url("broken"), "Bob").await;
    let mut bystander = Player::joined(&server.url("broken"), "Eve").await;
    unlucky.payload = b"bug".to_vec();
    unlucky
        .until("the end of the room", |unlucky| !unlucky.is_playing())
        .await;
    unlucky.payload = Vec::new();
    // Everybody in it comes back, to a new room of that name.
    for player in [&mut unlucky, &mut bystander] {
        player
            .until("a new room", |player| {
                player.is_playing() && player.client.counters().reconnects > 0
            })
            .await;
        assert_eq!(player.client.counters().resumes, 0);
    }
    // The other room of the same thread went on, and its player stayed.
    let tick = calm.client.newest_snapshot().0;
    calm.until("a newer tick", |calm| {
        calm.client.newest_snapshot().0 > tick
    })
    .await;
    assert_eq!(calm.client.counters().reconnects, 0);
}

#[tokio::test]
async fn a_game_whose_schema_cannot_be_is_not_served() {
    let config = Config::load(["test", "--listen=127.0.0.1:0", "--ops-listen=127.0.0.1:0"]);
    let new_game = |_: &GameSettings| Flags::boxed(0, Arc::default());
    let error = tickwire_server::start(config.unwrap(), Arc::new(new_game)).err();
    let sentence = error.unwrap().to_string();
    assert!(
        sentence.starts_with("the game flags can't be played: the grid needs"),
        "{sentence}"
    );
}
