//! Messages between rooms, and notices, on one node and over a cluster with a real Redis: each comes once, in order, and also while the room
//! that it is for moves to another node.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed unwrap fails the test"
)]

#[path = "../../cluster/tests/redis_server/mod.rs"]
mod redis_server;

use redis_server::RedisServer;
use std::time::Duration;
use tickwire::prelude::*;
use tickwire::{Payload as _, RoomGame};
use tickwire_client::SessionEvent;
use tickwire_tests::{Player, TestServer, http_post};

/// A ringer of a tower.
#[derive(Entity, Clone, PartialEq, Debug, Default)]
#[entity(placed)]
struct Ringer {
    pos: Pos<16>,
}

#[derive(Input, Clone, PartialEq, Debug, Default)]
struct Pull {
    dx: i8,
}

/// Asks the tower to ring another one, or all others.
#[derive(Command, PartialEq, Debug)]
enum Ask {
    Ring { tower: u8, bell: u32 },
    RingAll { bell: u32 },
}

/// From tower to tower.
#[derive(Message, PartialEq, Debug)]
enum Ring {
    Bell { number: u32 },
}

/// What a tower's ringers hear.
#[derive(Message, PartialEq, Debug)]
enum Heard {
    Bell { number: u32, tower: u8 },
}

/// Towers are rooms called `tower-0`, `tower-1`, and so on.
#[derive(World, Default)]
struct Tower {
    ringers: Players<Ringer>,
    asked: Vec<(Option<u8>, u32)>,
    heard: Vec<(u8, u32)>,
}

fn room(tower: u8) -> String {
    format!("tower-{tower}")
}

#[game]
impl Game for Tower {
    const NAME: &str = "towers";
    const SPACE: Space = Space::new(16, 1000, 1000);
    type Input = Pull;
    type Command = Ask;
    type Message = Heard;
    type RoomMessage = Ring;

    fn join(&mut self, player: PlayerId, _: &Identity) -> Result<(), Refusal> {
        self.ringers.insert(player, Ringer::default());
        Ok(())
    }

    fn command(&mut self, _: PlayerId, command: Ask) {
        self.asked.push(match command {
            Ask::Ring { tower, bell } => (Some(tower), bell),
            Ask::RingAll { bell } => (None, bell),
        });
    }

    fn room_message(&mut self, from: &str, message: Ring) {
        let Ring::Bell { number } = message;
        let tower = from.strip_prefix("tower-").unwrap().parse().unwrap();
        assert!(number != 666, "the test wants a panic");
        self.heard.push((tower, number));
    }

    fn step(&mut self, step: &mut Step<'_, Self>) {
        for (tower, number) in self.asked.drain(..) {
            let ring = Ring::Bell { number };
            match tower {
                Some(tower) => step.tell_room(room(tower), &ring),
                None => step.tell_other_rooms(&ring),
            }
        }
        for (tower, number) in self.heard.drain(..) {
            step.send(Recipient::Everyone, &Heard::Bell { number, tower });
        }
    }
}

fn new_game(settings: &Setup) -> Box<dyn tickwire_game::Game> {
    Box::new(RoomGame::<Tower>::new(settings))
}

fn server(flags: &[&str]) -> TestServer {
    TestServer::start_with(flags, new_game)
}

fn ask(player: &mut Player, ask: &Ask) {
    let mut payload = Vec::new();
    ask.encode(&mut payload);
    player.client.command(&payload);
}

/// What a player has heard so far: towers and bells.
fn heard(player: &Player) -> Vec<(u8, u32)> {
    let bell = |event: &SessionEvent| match event {
        SessionEvent::GameMessage(payload) => {
            let Heard::Bell { number, tower } = Heard::decode(payload).ok()?;
            Some((tower, number))
        }
        _ => None,
    };
    player.events.iter().filter_map(bell).collect()
}

fn notices(player: &Player) -> Vec<&str> {
    let mut texts = Vec::new();
    for event in &player.events {
        if let SessionEvent::Notice(text) = event {
            texts.push(text.as_str());
        }
    }
    texts
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_of_one_node_tell_each_other() {
    let server = server(&["--workers", "2"]);
    let mut players = Vec::new();
    for tower in 0..3 {
        players.push(Player::joined(&server.url(&room(tower)), "ringer").await);
    }
    for bell in 1..=20 {
        ask(&mut players[0], &Ask::Ring { tower: 1, bell });
    }
    ask(&mut players[0], &Ask::RingAll { bell: 21 });
    // Nobody is there, so nobody hears it, and no room is opened.
    let nobody = Ask::Ring { tower: 9, bell: 22 };
    ask(&mut players[0], &nobody);
    let [first, second, third] = &mut players[..] else {
        panic!("three players");
    };
    let expected: Vec<(u8, u32)> = (1..=21).map(|bell| (0, bell)).collect();
    let sent = r#"tickwire_room_messages_total{outcome="sent"}"#;
    let listening = async {
        tokio::join!(
            second.until("all bells", |player| heard(player).len() >= 21),
            third.until("the last bell", |player| !heard(player).is_empty()),
        )
    };
    tokio::select! {
        _ = listening => {}
        () = first.until("nothing", |_| false) => {}
    }
    assert_eq!(heard(second), expected);
    assert_eq!(heard(third), [(0, 21)]);
    first.until("an answer", |_| true).await;
    assert!(heard(first).is_empty(), "no room tells itself of others");
    assert_eq!(server.metric(sent).await, 22.0);
    let delivered = r#"tickwire_room_messages_total{outcome="delivered"}"#;
    assert_eq!(server.metric(delivered).await, 22.0);
    assert_eq!(server.metric("tickwire_rooms").await, 3.0);
    server.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_sends_only_so_much_and_a_message_that_breaks_a_room_breaks_that_alone() {
    let server = server(&[]);
    let mut first = Player::joined(&server.url(&room(0)), "first").await;
    let mut second = Player::joined(&server.url(&room(1)), "second").await;
    let mut third = Player::joined(&server.url(&room(2)), "third").await;
    // The limit of commands is another one, so several players share the work.
    let mut helpers = Vec::new();
    for _ in 0..8 {
        helpers.push(Player::joined(&server.url(&room(0)), "helper").await);
    }
    for helper in &mut helpers {
        for bell in 0..60 {
            ask(helper, &Ask::Ring { tower: 2, bell });
        }
    }
    let dropped = r#"tickwire_room_messages_total{outcome="dropped"}"#;
    let mut polled = 0;
    while server.metric(dropped).await == 0.0 {
        polled += 1;
        assert!(polled < 3_000, "nothing was dropped");
        for helper in &mut helpers {
            helper.step().await;
        }
    }
    ask(
        &mut first,
        &Ask::Ring {
            tower: 1,
            bell: 666,
        },
    );
    let failed = async {
        server
            .until_metric("tickwire_rooms_failed_total", 1.0)
            .await;
    };
    tokio::select! {
        () = failed => {}
        () = first.until("nothing", |_| false) => {}
    }
    let mut joins = 0;
    second
        .until("a new room", |player| {
            joins = player
                .events
                .iter()
                .filter(|event| matches!(event, SessionEvent::Joined { .. }))
                .count();
            joins >= 2
        })
        .await;
    third.for_snapshots(10).await;
    assert_eq!(third.client.counters().reconnects, 0);
    server.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_and_notices_come_once_while_their_room_moves_to_another_node() {
    const BEFORE: u32 = 40;
    const DURING: u32 = 116;
    let redis = RedisServer::start();
    redis.settle("towers");
    let url = redis.url();
    let node = async |name: &str| {
        let flags = ["--redis", &url, "--node-name", name, "--workers", "1"];
        let flags = [&flags[..], &["--node-listen", "127.0.0.1:0"]].concat();
        TestServer::start_in_cluster(&flags, new_game).await
    };
    let (one, two) = (node("one").await, node("two").await);
    let mut teller = Player::joined(&one.url(&room(0)), "teller").await;
    let listener_urls = [two.url(&room(1)), one.url(&room(1))];
    let mut listener = Player::joined_at(&listener_urls, "listener").await;
    for bell in 1..=BEFORE {
        ask(&mut teller, &Ask::Ring { tower: 1, bell });
    }
    let ops = one.ops;
    let telling = async {
        teller
            .until("the bells to go out", |player| {
                player.client.counters().snapshots > 60
            })
            .await;
        let drain = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            two.drain().await;
        };
        let bells = async {
            for bell in BEFORE + 1..=BEFORE + DURING {
                ask(&mut teller, &Ask::Ring { tower: 1, bell });
                if bell % 6 == 0 {
                    let notice = format!(r#"{{"text": "notice {bell}"}}"#);
                    let (status, body) = http_post(ops, "/notice", &notice).await;
                    assert_eq!(status, 200, "{body}");
                }
                teller.for_snapshots(1).await;
            }
            teller.until("nothing more", |_| false).await;
        };
        tokio::join!(drain, bells)
    };
    let last = format!("notice {}", BEFORE + DURING);
    tokio::select! {
        _ = telling => {}
        () = listener.until("everything", |player| {
            heard(player).len() as u32 >= BEFORE + DURING && notices(player).contains(&&*last)
        }) => {}
    }
    let expected: Vec<(u8, u32)> = (1..=BEFORE + DURING).map(|bell| (0, bell)).collect();
    assert_eq!(heard(&listener), expected);
    let expected: Vec<String> = (BEFORE + 1..=BEFORE + DURING)
        .filter(|bell| bell % 6 == 0)
        .map(|bell| format!("notice {bell}"))
        .collect();
    assert_eq!(notices(&listener), expected);
    let resumed = SessionEvent::Joined { resumed: true };
    assert!(listener.events.contains(&resumed), "the room did not move");
    one.drain().await;
}
