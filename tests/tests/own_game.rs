//! A game of another crate, which uses only `tickwire-game` and `tickwire-sync`, and every feature of the `Game` trait.
//!
//! Two teams hide flags from each other: each team's flag is on a layer of its own. Every input moves a token. A step onto x = 100
//! emits an event in its cell and sends messages to the player and the team.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use glam::IVec2;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tickwire_client::{Options, SessionEvent};
use tickwire_game::{Game, GameSettings, Identity, Recipient, Refusal, Step};
use tickwire_proto::v1::{self, client_message::Body};
use tickwire_server::config::Config;
use tickwire_sync::frame::Publisher;
use tickwire_sync::interest::InterestArea;
use tickwire_sync::{EntityId, Grid, Kind, KindId, Lane, Layer, LayerSet, PlayerId, Schema, Scope};
use tickwire_tests::{Player, RawClient, TestServer};

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
    /// Players to kick in the next step.
    to_kick: Vec<PlayerId>,
    calls: Arc<Mutex<Vec<String>>>,
}

impl Flags {
    fn boxed(layers: u8, calls: Arc<Mutex<Vec<String>>>) -> Box<dyn Game> {
        Box::new(Self {
            layers,
            tokens: BTreeMap::new(),
            to_kick: Vec::new(),
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
            ..Schema::default()
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
            self.to_kick.push(player);
        }
        !line.starts_with('/')
    }

    fn leave(&mut self, player: PlayerId) {
        self.note("leave", player);
        self.tokens.remove(&player);
    }

    fn step(&mut self, step: &mut Step<'_>) {
        for player in self.to_kick.drain(..) {
            step.kick(player, "as you wished");
        }
        for (player, token) in &mut self.tokens {
            let turn = step.inputs.of(*player).unwrap();
            assert!(turn.payload() != b"bug", "the panic that the test wants");
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
            out.put(id, Scope::Layer(Layer(0)), &[token.x, 500], &[]);
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
                Scope::Layer(Layer(team)),
                &[500, 500],
                &[Arc::from(format!("team {team}"))],
            );
        }
    }

    fn interest_area(&self, player: PlayerId) -> InterestArea {
        let team = self.tokens.get(&player).map_or(0, |token| token.team);
        InterestArea {
            focus: IVec2::splat(500),
            half_extent: IVec2::splat(500),
            layers: LayerSet::default().with(Layer(team)),
        }
    }
}

fn flags_seen(player: &Player) -> Vec<u32> {
    let shown = player.client.replica().unwrap().visible_rows();
    shown
        .iter()
        .filter(|(row, _, _)| row.id.kind == FLAG)
        .map(|(row, _, _)| row.id.slot)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_custom_game_gets_every_feature_of_the_trait() {
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
    // Layers: each player sees only the own team's flag.
    assert_eq!((flags_seen(&odd), flags_seen(&even)), (vec![2], vec![1]));
    // Private lanes are in the schema, but not in public rows: only the owner's client gets them.
    assert_eq!(
        even.client.replica().unwrap().schema().kinds[0]
            .private_lanes
            .len(),
        1
    );
    odd.payload = b"step".to_vec();
    let has_bell = |player: &mut Player| {
        player.events.iter().any(
            |event| matches!(event, SessionEvent::GameEvent(event) if event.payload == b"ding"),
        )
    };
    odd.until("the bell", has_bell).await;
    even.until("the bell", has_bell).await;
    odd.until("both messages", |odd| {
        odd.events
            .contains(&SessionEvent::GameMessage(b"we are there".to_vec()))
            && odd
                .events
                .contains(&SessionEvent::GameMessage(b"well done".to_vec()))
    })
    .await;
    assert!(
        !even
            .events
            .iter()
            .any(|event| matches!(event, SessionEvent::GameMessage(_))),
        "a message to the other team arrived"
    );
    // A lost connection that resumes, and one that does not.
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
    // A refused player gets the reason.
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
async fn commands_arrive_once_and_in_order_over_lost_links() {
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
    // Sent before there is a connection, over one, just before it is cut, and while there is none.
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

    // Commands to a session that is over do not reach the next one.
    player.client.leave();
    let mut other = Player::joined(&server.url("c"), "Other").await;
    other.client.command(b"hello");
    let has_come = || calls.lock().unwrap().contains(&"hello 2".to_owned());
    other.until("a word of the next", |_| has_come()).await;
    assert_eq!(came(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_connection_is_away_before_it_resumes() {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&calls);
    let server = TestServer::start_with(&[], move |_: &GameSettings| {
        Flags::boxed(3, Arc::clone(&noted))
    });
    let mut first = RawClient::connect(server.addr, "/ws?room=w").await;
    let welcome = first.join(v1::Hello::default()).await;
    // The first connection is still open, and the server has no reason to hold it for lost.
    let mut second = RawClient::connect(server.addr, "/ws?room=w").await;
    let hello = v1::Hello {
        resume_token: welcome.resume_token,
        ..v1::Hello::default()
    };
    assert!(second.join(hello).await.resumed);
    assert_eq!(first.end().await.code, Some(4005));
    assert_eq!(*calls.lock().unwrap(), ["join 1", "away 1", "resume 1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_for_a_while_is_waited_for_that_long() {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&calls);
    let server = TestServer::start_with(&["--resume-window", "1h"], move |_: &GameSettings| {
        Flags::boxed(3, Arc::clone(&noted))
    });
    let leave = |grace_ms| Body::Leave(v1::Leave { grace_ms });
    let mut first = RawClient::connect(server.addr, "/ws?room=w").await;
    let welcome = first.join(v1::Hello::default()).await;
    // The session waits for the hour of the resume window, not for seven weeks.
    first.send(leave(u32::MAX)).await;
    assert_eq!(first.end().await.code, Some(1000));
    let mut second = RawClient::connect(server.addr, "/ws?room=w").await;
    let hello = v1::Hello {
        resume_token: welcome.resume_token,
        ..v1::Hello::default()
    };
    let resumed = second.join(hello).await;
    assert_eq!((resumed.session, resumed.resumed), (welcome.session, true));
    // This time for a moment only, although the window is long.
    second.send(leave(1)).await;
    assert_eq!(second.end().await.code, Some(1000));
    let mut other = Player::joined(&server.url("w"), "Other").await;
    let left = || calls.lock().unwrap().contains(&"leave 1".to_owned());
    other.until("the session's end", |_| left()).await;
    let of_first: Vec<_> = (calls.lock().unwrap().iter())
        .filter(|call| call.ends_with(" 1"))
        .cloned()
        .collect();
    assert_eq!(
        of_first,
        ["join 1", "away 1", "resume 1", "away 1", "leave 1"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_game_filters_chat_and_kicks_players() {
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
    // The game swallows slash lines; the line between them arrives.
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
        host.events
            .iter()
            .any(|event| matches!(event, SessionEvent::Chat { text, .. } if text == "bye"))
    })
    .await;
    let is_line = |event: &&SessionEvent| matches!(event, SessionEvent::Chat { .. });
    assert_eq!(host.events.iter().filter(is_line).count(), 1);
    let left = || calls.lock().unwrap().contains(&"leave 2".to_owned());
    host.until("the session's end", |_| left()).await;
    // The session is over: joining again makes a new one.
    let again = Player::joined(&server.url("b"), "Guest").await;
    assert_eq!(again.client.counters().resumes, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panicking_game_ends_only_its_own_room() {
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
    // All its players reconnect, to a new room of that name.
    for player in [&mut unlucky, &mut bystander] {
        player
            .until("a new room", |player| {
                player.is_playing() && player.client.counters().reconnects > 0
            })
            .await;
        assert_eq!(player.client.counters().resumes, 0);
    }
    // The other room on the same thread goes on, and its player stays.
    let tick = calm.client.newest_snapshot().0;
    calm.until("a newer tick", |calm| {
        calm.client.newest_snapshot().0 > tick
    })
    .await;
    assert_eq!(calm.client.counters().reconnects, 0);
}

#[tokio::test]
async fn a_game_with_an_invalid_schema_is_not_served() {
    let config = Config::load(["test", "--listen=127.0.0.1:0", "--ops-listen=127.0.0.1:0"]);
    let new_game = |_: &GameSettings| Flags::boxed(0, Arc::default());
    let error = tickwire_server::start(config.unwrap(), Arc::new(new_game)).err();
    let sentence = error.unwrap().to_string();
    assert!(
        sentence.starts_with("the game flags can't be played: the grid needs"),
        "{sentence}"
    );
}
