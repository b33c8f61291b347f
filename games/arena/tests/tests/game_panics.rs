//! A game that panics, in each method in turn: its room ends alone, and a player beside it on the same thread notices nothing.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod ticket_maker;

use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use ticket_maker::{SECRET, SecretFile, now, ticket};
use tickwire::RoomGame;
use tickwire_arena::Arena;
use tickwire_game::{Game, GameSettings, Identity, Refusal, Step};
use tickwire_proto::v1::{self, client_message::Body};
use tickwire_sync::frame::Publisher;
use tickwire_sync::interest::InterestArea;
use tickwire_sync::{CellId, EntityId, PlayerId, Schema};
use tickwire_tests::{Player, RawClient, TestServer, http_get, http_post, within};

/// The methods that panic, each in a room of this name. Behind a dash stands on which way the method is called.
const FAULTS: [&str; 18] = [
    "name",
    "schema",
    "map",
    "rules_hash",
    "join",
    "away",
    "resume",
    "command",
    "chat",
    "leave",
    "leave-kick",
    "leave-absent",
    "leave-rest",
    "step",
    "publish",
    "events",
    "interest",
    "drop",
];

/// The arena, with one method that panics once the line "arm" was written.
struct Faulty {
    arena: RoomGame<Arena>,
    fault: String,
    is_armed: AtomicBool,
}

impl Faulty {
    fn new(settings: &GameSettings) -> Self {
        Self {
            arena: RoomGame::new(settings),
            fault: method_of(&settings.room).to_owned(),
            is_armed: AtomicBool::new(false),
        }
    }

    fn maybe_panic(&self, method: &str) {
        let is_due = self.fault == method && self.is_armed.load(Ordering::Relaxed);
        assert!(!is_due, "the panic in {method} that the test wants");
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.maybe_panic("drop");
    }
}

impl Game for Faulty {
    fn name(&self) -> &'static str {
        self.maybe_panic("name");
        self.arena.name()
    }

    fn schema(&self) -> Arc<Schema> {
        // A game that cannot even be made: its room never opens.
        assert!(self.fault != "schema", "the panic that the test wants");
        self.arena.schema()
    }

    fn map(&self) -> Vec<u8> {
        assert!(self.fault != "map", "the panic that the test wants");
        self.arena.map()
    }

    fn rules_hash(&self) -> u64 {
        self.maybe_panic("rules_hash");
        self.arena.rules_hash()
    }

    fn join(&mut self, player: PlayerId, identity: &Identity) -> Result<Option<EntityId>, Refusal> {
        self.maybe_panic("join");
        self.arena.join(player, identity)
    }

    fn rename(&mut self, player: PlayerId, name: &str) {
        self.maybe_panic("rename");
        self.arena.rename(player, name);
    }

    fn away(&mut self, player: PlayerId) {
        self.maybe_panic("away");
        self.arena.away(player);
    }

    fn resume(&mut self, player: PlayerId) {
        self.maybe_panic("resume");
        self.arena.resume(player);
    }

    fn command(&mut self, player: PlayerId, payload: &[u8]) {
        self.maybe_panic("command");
        self.arena.command(player, payload);
    }

    fn chat(&mut self, _: PlayerId, line: &str) -> bool {
        self.maybe_panic("chat");
        self.is_armed.fetch_or(line == "arm", Ordering::Relaxed);
        true
    }

    fn leave(&mut self, player: PlayerId) {
        self.maybe_panic("leave");
        self.arena.leave(player);
    }

    fn step(&mut self, step: &mut Step<'_>) {
        self.maybe_panic("step");
        // A game that panics in its drop must end first.
        let is_due = self.fault == "drop" && self.is_armed.load(Ordering::Relaxed);
        assert!(!is_due, "the panic before the drop");
        // An event that cannot be encoded, because the schema does not have it.
        if self.fault == "events" && self.is_armed.load(Ordering::Relaxed) {
            step.events.emit(u32::MAX, b"", [CellId::GLOBAL]);
        }
        self.arena.step(step);
    }

    fn publish(&self, out: &mut Publisher<'_>) {
        self.maybe_panic("publish");
        self.arena.publish(out);
    }

    fn interest_area(&self, player: PlayerId) -> InterestArea {
        self.maybe_panic("interest");
        self.arena.interest_area(player)
    }
}

fn method_of(room: &str) -> &str {
    room.split('-').next().unwrap_or(room)
}

fn chat(text: &str) -> Body {
    Body::Chat(v1::Chat { text: text.into() })
}

/// Arms the fault of a room, and makes it happen.
async fn provoke(server: &TestServer, fault: &str) {
    let path = format!("/ws?room={fault}");
    let hello = v1::Hello::default;
    let mut one = RawClient::connect(server.addr, &path).await;
    if matches!(fault, "schema" | "map") {
        one.send(Body::Hello(v1::Hello {
            version: 1,
            ..hello()
        }))
        .await;
        assert_eq!(one.end().await.code, Some(1013));
        return;
    }
    let mut other = RawClient::connect(server.addr, &path).await;
    let welcome = one.join(hello()).await;
    other.join(hello()).await;
    one.send(chat("arm")).await;
    // The line comes back once the game has it.
    let is_line =
        |body| matches!(body, tickwire_proto::v1::server_message::Body::Message(_)).then_some(());
    if !matches!(fault, "step" | "publish" | "events" | "interest" | "drop") {
        other.wait_for(is_line).await;
    }
    match fault {
        "name" => {
            let _ = http_get(server.addr, "/rooms/name/state").await;
        }
        "join" | "rules_hash" => {
            let mut third = RawClient::connect(server.addr, &path).await;
            third
                .send(Body::Hello(v1::Hello {
                    version: 1,
                    ..hello()
                }))
                .await;
            // For its `Welcome` the third has a session already, which gets the room's goodbye.
            let code = if fault == "join" { 1013 } else { 1001 };
            assert_eq!(third.end().await.code, Some(code));
        }
        "away" => drop(one),
        "resume" => {
            let mut again = RawClient::connect(server.addr, &path).await;
            let resume_token = welcome.resume_token;
            again
                .send(Body::Hello(v1::Hello {
                    version: 1,
                    resume_token,
                    ..hello()
                }))
                .await;
            again.end().await;
        }
        "command" => one.send(Body::Command(v1::Command::default())).await,
        "chat" => one.send(chat("hello")).await,
        "leave" => one.send(Body::Leave(v1::Leave::default())).await,
        "leave-kick" => {
            let body = json!({ "session": welcome.session, "room": fault });
            http_post(server.ops, "/kick", &body.to_string()).await;
        }
        // The resume window ends in a room that makes ticks, and in one that rests.
        "leave-absent" => drop(one),
        "leave-rest" => {
            drop((one, other));
            return;
        }
        _ => {}
    }
    let ended = within(fault, other.end()).await;
    assert_eq!(ended.code, Some(1001), "{fault}: {ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_any_method_ends_that_room_alone() {
    let new_game = |settings: &GameSettings| -> Box<dyn Game> { Box::new(Faulty::new(settings)) };
    let flags = ["--workers", "1", "--npcs", "8", "--resume-window", "1s"];
    let server = TestServer::start_with(&flags, new_game);
    let mut calm = Player::joined(&server.url("calm"), "Ann").await;
    let is_over = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&is_over);
    let playing = tokio::spawn(async move {
        while !over.load(Ordering::Relaxed) {
            calm.step().await;
        }
        calm
    });
    for (number, fault) in FAULTS.into_iter().enumerate() {
        provoke(&server, fault).await;
        server
            .until_metric("tickwire_rooms_failed_total", (number + 1) as f64)
            .await;
        if !matches!(fault, "schema" | "map") {
            // A new room of that name opens.
            let mut again = RawClient::connect(server.addr, &format!("/ws?room={fault}")).await;
            again.join(v1::Hello::default()).await;
        }
        assert_eq!(http_get(server.ops, "/healthz").await.0, 200);
    }
    is_over.store(true, Ordering::Relaxed);
    let mut calm = playing.await.unwrap();
    let checks = calm.client.counters().view_checks;
    calm.until("one more view hash", |calm| {
        calm.client.counters().view_checks > checks
    })
    .await;
    let counters = calm.client.counters();
    let harm = (
        counters.reconnects,
        counters.view_mismatches,
        counters.protocol_errors,
    );
    assert_eq!(harm, (0, 0, 0), "{counters:?}");
}

/// Methods that are called for players with tickets.
#[tokio::test(flavor = "multi_thread")]
async fn a_panic_for_a_ticket_ends_that_room_alone() {
    let new_game = |settings: &GameSettings| -> Box<dyn Game> { Box::new(Faulty::new(settings)) };
    let secret = SecretFile::new("panics");
    let flags = ["--workers", "1", "--ticket-secret-file", secret.path()];
    let server = TestServer::start_with(&flags, new_game);
    let hello = |sub: &str, name: Option<&str>| v1::Hello {
        version: 1,
        name: "Ada".into(),
        ticket: ticket(
            &json!({ "sub": sub, "name": name, "exp": now() + 600 }),
            SECRET,
        ),
        ..v1::Hello::default()
    };
    let is_line = |body| matches!(body, v1::server_message::Body::Message(_)).then_some(());
    let mut calm = RawClient::connect(server.addr, "/ws?room=calm").await;
    calm.join(hello("calm", None)).await;
    for (number, room) in ["rename", "leave-ban"].into_iter().enumerate() {
        let path = format!("/ws?room={room}");
        let mut player = RawClient::connect(server.addr, &path).await;
        player.join(hello("one", None)).await;
        player.send(chat("arm")).await;
        player.wait_for(is_line).await;
        if room == "rename" {
            // The name belongs to this player, so the first one gets another.
            let mut owner = RawClient::connect(server.addr, &path).await;
            owner.send(Body::Hello(hello("two", Some("Ada")))).await;
            assert_eq!(owner.end().await.code, Some(1013));
        } else {
            http_post(server.ops, "/ban", r#"{ "sub": "one" }"#).await;
        }
        let ended = within(room, player.end()).await;
        let codes: &[_] = match room {
            // The session may have ended before its game has failed.
            "leave-ban" => &[Some(1001), Some(1008)],
            _ => &[Some(1001)],
        };
        assert!(codes.contains(&ended.code), "{room}: {ended:?}");
        let failed = "tickwire_rooms_failed_total";
        server.until_metric(failed, (number + 1) as f64).await;
        let mut again = RawClient::connect(server.addr, &path).await;
        again.join(hello("three", None)).await;
    }
    calm.send(chat("all is well")).await;
    calm.wait_for(is_line).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_game_that_is_slow_to_make_blocks_no_other_join() {
    let may_open = Arc::new(AtomicBool::new(false));
    let opens = Arc::clone(&may_open);
    let new_game = move |settings: &GameSettings| -> Box<dyn Game> {
        while settings.room == "slow" && !opens.load(Ordering::Relaxed) {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        Box::new(RoomGame::<Arena>::new(settings))
    };
    let server = TestServer::start_with(&["--workers", "2"], new_game);
    let mut slow = RawClient::connect(server.addr, "/ws?room=slow").await;
    let hello = v1::Hello {
        version: 1,
        ..v1::Hello::default()
    };
    slow.send(Body::Hello(hello)).await;
    for _ in 0..3 {
        // On the other worker, which has fewer rooms. The slow room may be on its way to its worker only.
        let path = "/ws?room=quick";
        let mut quick = RawClient::connect(server.addr, path).await;
        quick.join(v1::Hello::default()).await;
    }
    may_open.store(true, Ordering::Relaxed);
    let welcome =
        |body| matches!(body, tickwire_proto::v1::server_message::Body::Welcome(_)).then_some(());
    slow.wait_for(welcome).await;
}
