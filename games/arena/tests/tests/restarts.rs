//! Rooms that outlive their process, by the checkpoints in `--data-dir`: after `kill -9`, after a drain, after a panic of the game.
//!
//! `TICKWIRE_KILLS=20 TICKWIRE_BOTS=200 TICKWIRE_ROOMS=20 cargo test --release -p tickwire-arena-tests --test restarts -- --nocapture`
//! is the long form of the first test.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tickwire::RoomGame;
use tickwire_arena::Arena;
use tickwire_arena_tests::{arena_server, program};
use tickwire_client::SessionEvent;
use tickwire_game::{Game, GameSettings, Identity, Refusal, SaveError, Step};
use tickwire_proto::v1::{self, client_message::Body};
use tickwire_sync::frame::Publisher;
use tickwire_sync::interest::InterestArea;
use tickwire_sync::{EntityId, PlayerId, Schema};
use tickwire_tests::{Player, RawClient, TestServer, http_get, within};

const POLL: Duration = Duration::from_millis(20);

fn number(variable: &str, default: usize) -> usize {
    let value = std::env::var(variable).ok();
    value.map_or(default, |value| value.parse().unwrap())
}

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("tickwire-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&folder);
        Self(folder)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A server in a process of its own, which is killed on drop.
struct ServerProcess {
    child: Child,
    addr: SocketAddr,
    ops: SocketAddr,
}

impl ServerProcess {
    /// Starts a server on these ports, and waits until it is ready.
    fn start(addr: SocketAddr, ops: SocketAddr, folder: &Folder) -> Self {
        let mut command = Command::new(program("tickwire-server"));
        let (listen, ops_listen) = (addr.to_string(), ops.to_string());
        command.args(["--listen", &listen, "--ops-listen", &ops_listen]);
        command.args(["--data-dir", folder.path(), "--npcs", "2"]);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        assert!(line.starts_with("tickwire ready"), "{line}");
        Self { child, addr, ops }
    }

    async fn metric(&self, series: &str) -> f64 {
        let (_, text) = http_get(self.ops, "/metrics").await;
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value
            .unwrap_or_else(|| panic!("no {series}"))
            .parse()
            .unwrap()
    }

    async fn until_metric(&self, series: &str, is_enough: impl Fn(f64) -> bool) {
        within(series, async {
            while !is_enough(self.metric(series).await) {
                tokio::time::sleep(POLL).await;
            }
        })
        .await;
    }

    /// The entity and the score of each player, by room and session.
    async fn players(&self, rooms: usize) -> BTreeMap<(usize, u64), (Value, i64)> {
        let mut players = BTreeMap::new();
        for room in 0..rooms {
            let path = format!("/rooms/r-{room}/state");
            let (status, body) = http_get(self.addr, &path).await;
            assert_eq!(status, 200, "{path}: {body}");
            let state: Value = serde_json::from_str(&body).unwrap();
            for player in state["players"].as_array().unwrap() {
                let entity = player["entity"].clone();
                let mut rows = state["entities"].as_array().unwrap().iter();
                let own = rows.find(|row| row["kind"] == "player" && row["slot"] == entity["slot"]);
                let score = own.and_then(|row| row["lanes"]["score"].as_i64());
                let session = player["session"].as_u64().unwrap();
                players.insert((room, session), (entity, score.unwrap_or(0)));
            }
        }
        players
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Bots in a process of their own, which is killed on drop.
struct Bots(Child);

impl Drop for Bots {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_player_plays_on_after_kill_9() {
    let kills = number("TICKWIRE_KILLS", 3);
    let bot_count = number("TICKWIRE_BOTS", 24);
    let rooms = number("TICKWIRE_ROOMS", 4);
    let folder = Folder::new("kill");
    let report = std::env::temp_dir().join(format!("tickwire-kill-{}.json", std::process::id()));
    let (addr, ops) = (free_port(), free_port());
    let mut server = ServerProcess::start(addr, ops, &folder);
    let mut bots = Command::new(program("tickwire-bot"));
    bots.args(["--url", &format!("ws://{addr}/ws"), "--duration", "3600s"]);
    bots.args(["--room", "r", "--rooms", &rooms.to_string()]);
    bots.args([
        "--bots",
        &bot_count.to_string(),
        "--behaviour",
        "duel",
        "--report",
    ]);
    bots.arg(&report);
    bots.stdout(Stdio::null()).stderr(Stdio::null());
    let mut bots = Bots(bots.spawn().unwrap());
    let everybody = bot_count as f64;
    let seed = std::process::id().into();
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut slowest = Duration::ZERO;
    for kill in 0..kills {
        server
            .until_metric("tickwire_players", |players| players >= everybody)
            .await;
        let before = server.players(rooms).await;
        let seen = Instant::now();
        assert_eq!(before.len(), bot_count);
        // Each room has been saved since.
        let age = "tickwire_checkpoint_age_seconds";
        within("a checkpoint of every room", async {
            while server.metric(age).await >= seen.elapsed().as_secs_f64() {
                tokio::time::sleep(POLL).await;
            }
        })
        .await;
        // At any moment between two checkpoints, or in the midst of one.
        tokio::time::sleep(Duration::from_millis(random.u64(0..600))).await;
        server.child.kill().unwrap();
        server.child.wait().unwrap();
        let killed = Instant::now();
        server = ServerProcess::start(addr, ops, &folder);
        let ready = killed.elapsed();
        slowest = slowest.max(ready);
        server
            .until_metric("tickwire_players", |players| players >= everybody)
            .await;
        let restored = r#"tickwire_rooms_restored_total{outcome="restored"}"#;
        assert_eq!(server.metric(restored).await, rooms as f64);
        let after = server.players(rooms).await;
        assert_eq!(after.len(), bot_count, "somebody has come as somebody else");
        for (who, (entity, score)) in &before {
            let (entity_after, score_after) = &after[who];
            assert_eq!(entity, entity_after, "kill {kill}, {who:?}");
            assert!(
                score_after >= score,
                "kill {kill}, {who:?}: {score} became {score_after}"
            );
        }
        println!("kill {}: ready after {ready:?}", kill + 1);
    }
    let stop = Command::new("kill")
        .args(["-INT", &bots.0.id().to_string()])
        .status();
    assert!(stop.unwrap().success());
    within("the bots' end", async {
        while bots.0.try_wait().unwrap().is_none() {
            tokio::time::sleep(POLL).await;
        }
    })
    .await;
    let text = std::fs::read_to_string(&report).unwrap();
    let _ = std::fs::remove_file(&report);
    let report: Value = serde_json::from_str(&text).unwrap();
    println!(
        "{kills} kills of {bot_count} bots in {rooms} rooms: ready after {slowest:?} at most, {} resumes, {} view checks",
        report["resumes"], report["view_checks"]
    );
    let harm = (&report["view_mismatches"], &report["protocol_errors"]);
    assert_eq!(harm, (&0.into(), &0.into()));
    assert!(report["resumes"].as_u64().unwrap() >= (kills * bot_count) as u64);
}

/// A server that plays the arena on a port, with this folder.
fn server_at(addr: Option<SocketAddr>, folder: &Folder) -> TestServer {
    let listen = addr.map_or("127.0.0.1:0".to_owned(), |addr| addr.to_string());
    arena_server(&[
        "--npcs",
        "0",
        "--listen",
        &listen,
        "--data-dir",
        folder.path(),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graceful_restart_loses_nothing() {
    let folder = Folder::new("drain");
    let server = server_at(None, &folder);
    let addr = server.addr;
    let mut ada = Player::joined(&server.url("a"), "Ada").await;
    // Bob is away when the line is said, so the room keeps it for him.
    let mut bob = RawClient::connect(addr, "/ws?room=a").await;
    let welcome = bob.join(v1::Hello::default()).await;
    drop(bob);
    within("Bob to be away", async {
        while server.metric("tickwire_players").await > 1.0 {
            tokio::time::sleep(POLL).await;
        }
    })
    .await;
    let (session, entity) = (ada.client.session(), ada.client.entity());
    ada.client.chat("the last line");
    let has_line = |events: &[SessionEvent]| {
        let is_line = |event: &&SessionEvent| matches!(event, SessionEvent::Chat { text, .. } if &**text == "the last line");
        events.iter().filter(is_line).count()
    };
    ada.until("the line", |ada| has_line(&ada.events) == 1)
        .await;
    let position = |player: &Player| player.client.predicted().map(|own| own.lanes.to_vec());
    ada.until("the own ship", |ada| position(ada).is_some())
        .await;
    let before = position(&ada).unwrap();
    let tick = ada.client.newest_snapshot().0;
    let draining = tokio::spawn(server.drain());
    ada.until("the goodbye", |ada| !ada.is_playing()).await;
    within("the drain", draining).await.unwrap();
    let server = server_at(Some(addr), &folder);
    ada.until("Ada to be back", |ada| {
        ada.is_playing() && ada.client.newest_snapshot().0 > tick
    })
    .await;
    assert_eq!(
        (ada.client.session(), ada.client.entity()),
        (session, entity)
    );
    // Nobody has pushed her.
    assert_eq!(position(&ada).unwrap()[..2], before[..2]);
    let mut bob = RawClient::connect(addr, "/ws?room=a").await;
    let again = bob
        .join(v1::Hello {
            resume_token: welcome.resume_token.clone(),
            ..v1::Hello::default()
        })
        .await;
    assert!(again.resumed);
    assert_eq!(
        (again.session, again.entity),
        (welcome.session, welcome.entity)
    );
    let line = bob
        .wait_for(|body| match body {
            v1::server_message::Body::Message(message) => Some(message),
            _ => None,
        })
        .await;
    let content = v1::message::Content::Chat("the last line".into());
    assert_eq!((line.content, line.number), (Some(content), 1));
    ada.until("three view checks", |ada| {
        ada.client.counters().view_checks >= 3
    })
    .await;
    let counters = ada.client.counters();
    assert_eq!((counters.view_mismatches, counters.protocol_errors), (0, 0));
    assert_eq!(has_line(&ada.events), 1, "the line came twice");
    let restored = r#"tickwire_rooms_restored_total{outcome="restored"}"#;
    assert_eq!(server.metric(restored).await, 1.0);
}

/// The arena, which panics at the line "panic", and whose saved states may be unreadable.
struct Fragile {
    arena: RoomGame<Arena>,
    reads: bool,
}

impl Game for Fragile {
    fn name(&self) -> &'static str {
        self.arena.name()
    }

    fn schema(&self) -> Arc<Schema> {
        self.arena.schema()
    }

    fn map(&self) -> Vec<u8> {
        self.arena.map()
    }

    fn rules_hash(&self) -> u64 {
        self.arena.rules_hash()
    }

    fn skip_ids(&mut self) {
        self.arena.skip_ids();
    }

    fn join(&mut self, player: PlayerId, identity: &Identity) -> Result<Option<EntityId>, Refusal> {
        self.arena.join(player, identity)
    }

    fn away(&mut self, player: PlayerId) {
        self.arena.away(player);
    }

    fn resume(&mut self, player: PlayerId) {
        self.arena.resume(player);
    }

    fn chat(&mut self, _: PlayerId, line: &str) -> bool {
        assert!(line != "panic", "the panic that the test wants");
        true
    }

    fn leave(&mut self, player: PlayerId) {
        self.arena.leave(player);
    }

    fn step(&mut self, step: &mut Step<'_>) {
        self.arena.step(step);
    }

    fn publish(&self, out: &mut Publisher<'_>) {
        self.arena.publish(out);
    }

    fn interest_area(&self, player: PlayerId) -> InterestArea {
        self.arena.interest_area(player)
    }

    fn save(&self, out: &mut Vec<u8>) -> Result<(), SaveError> {
        self.arena.save(out)
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), SaveError> {
        if self.reads {
            self.arena.restore(state)
        } else {
            Err(SaveError::Unreadable("the test wants it so".to_owned()))
        }
    }
}

fn fragile_server(folder: &Folder, reads: bool) -> TestServer {
    let flags = ["--npcs", "0", "--workers", "1", "--data-dir", folder.path()];
    TestServer::start_with(&flags, move |settings: &GameSettings| {
        Box::new(Fragile {
            arena: RoomGame::new(settings),
            reads,
        })
    })
}

fn say(text: &str) -> Body {
    Body::Chat(v1::Chat { text: text.into() })
}

/// Waits until each room has a checkpoint that is newer than this moment.
async fn until_saved(server: &TestServer) {
    let began = Instant::now();
    within("a checkpoint", async {
        loop {
            let written = server
                .metric(r#"tickwire_checkpoints_total{outcome="written"}"#)
                .await;
            let age = server.metric("tickwire_checkpoint_age_seconds").await;
            if written > 0.0 && age < began.elapsed().as_secs_f64() {
                return;
            }
            tokio::time::sleep(POLL).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_whose_game_panics_goes_on_from_its_checkpoint_three_times_a_minute() {
    let folder = Folder::new("panic");
    let server = fragile_server(&folder, true);
    let mut calm = RawClient::connect(server.addr, "/ws?room=calm").await;
    calm.join(v1::Hello::default()).await;
    let mut client = RawClient::connect(server.addr, "/ws?room=fragile").await;
    let welcome = client.join(v1::Hello::default()).await;
    let mut newest_tick = welcome.tick;
    for restart in 1..=4 {
        until_saved(&server).await;
        client.send(say("panic")).await;
        assert_eq!(client.end().await.code, Some(1001));
        client = RawClient::connect(server.addr, "/ws?room=fragile").await;
        let again = client
            .join(v1::Hello {
                resume_token: welcome.resume_token.clone(),
                ..v1::Hello::default()
            })
            .await;
        let goes_on = restart <= 3;
        assert_eq!(again.resumed, goes_on, "restart {restart}");
        if goes_on {
            assert_eq!(
                (again.session, again.entity),
                (welcome.session, welcome.entity)
            );
            assert!(
                again.tick >= newest_tick,
                "{} after {newest_tick}",
                again.tick
            );
            newest_tick = again.tick;
        }
    }
    let restarted = r#"tickwire_rooms_restored_total{outcome="restarted"}"#;
    assert_eq!(server.metric(restarted).await, 3.0);
    assert_eq!(server.metric("tickwire_rooms_failed_total").await, 4.0);
    // The room beside it on the same worker has noticed nothing.
    calm.send(say("all is well")).await;
    calm.wait_for(|body| matches!(body, v1::server_message::Body::Message(_)).then_some(()))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_the_game_cannot_read_is_set_aside() {
    let folder = Folder::new("unreadable");
    let server = fragile_server(&folder, true);
    let mut client = RawClient::connect(server.addr, "/ws?room=a").await;
    let welcome = client.join(v1::Hello::default()).await;
    until_saved(&server).await;
    server.drain().await;
    let server = fragile_server(&folder, false);
    let mut client = RawClient::connect(server.addr, "/ws?room=a").await;
    let again = client
        .join(v1::Hello {
            resume_token: welcome.resume_token,
            ..v1::Hello::default()
        })
        .await;
    assert!(!again.resumed);
    let set_aside = r#"tickwire_rooms_restored_total{outcome="set_aside"}"#;
    assert_eq!(server.metric(set_aside).await, 1.0);
    until_saved(&server).await;
    server.drain().await;
    // What was set aside is not tried again.
    let server = fragile_server(&folder, true);
    assert_eq!(server.metric(set_aside).await, 0.0);
    let restored = r#"tickwire_rooms_restored_total{outcome="restored"}"#;
    server.until_metric(restored, 1.0).await;
}
