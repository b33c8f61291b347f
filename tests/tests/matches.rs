//! Rooms and matches over real sockets: the list, reservations, private rooms, and what one host can take of them.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use tickwire::prelude::*;
use tickwire::{Game, RoomGame};
use tickwire_proto::v1::{self, client_message::Body, server_message};
use tickwire_tests::{RawClient, TestServer, http_from, http_get, within};

/// A player at the table.
#[derive(Entity, Clone, PartialEq, Debug, Default)]
#[entity(placed)]
struct Guest {
    pos: Pos<16>,
}

#[derive(Input, Clone, PartialEq, Debug, Default)]
struct Wish {
    dx: i8,
}

/// One table. The match that opens it chooses the mode.
#[derive(World)]
struct Table {
    guests: Players<Guest>,
    mode: String,
    seats: u32,
}

impl Game for Table {
    const NAME: &str = "table";
    const SPACE: Space = Space::new(16, 1000, 1000);
    type Input = Wish;
    type Event = Nothing;
    type Command = Nothing;
    type Message = Nothing;
    type RoomMessage = Nothing;
    type Rules = NoRules;

    fn new(setup: &Setup) -> Self {
        let mode = setup.tags.get("mode").map_or("any", String::as_str);
        Self {
            guests: Players::new(),
            mode: mode.to_owned(),
            seats: setup.max_players,
        }
    }

    fn metadata(&self) -> Tags {
        let is_broken = self.mode == "broken" && !self.guests.is_empty();
        assert!(!is_broken, "the test wants a panic");
        let free = self.seats as usize - self.guests.len();
        Tags::from([
            ("title".to_owned(), format!("A table of {}", self.mode)),
            ("free".to_owned(), free.to_string()),
        ])
    }

    fn join(&mut self, player: PlayerId, _: &Identity) -> Result<(), Refusal> {
        self.guests.insert(player, Guest::default());
        Ok(())
    }

    fn step(&mut self, _: &mut Step<'_, Self>) {}
}

const ATTACKER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 66));
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 7));
const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn server(flags: &[&str]) -> TestServer {
    let flags = [flags, &["--room-list", "on"]].concat();
    TestServer::start_with(&flags, |settings| {
        Box::new(RoomGame::<Table>::new(settings))
    })
}

/// What `POST /match` answers: the status, and the seat or a sentence.
async fn ask_from(source: IpAddr, server: &TestServer, wanted: &Value) -> (u16, Value) {
    let (addr, body) = (server.addr, wanted.to_string());
    let length = body.len();
    let request = format!(
        "POST /match HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    let (head, body) = http_from(source, addr, &request).await;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(&body).unwrap_or(json!(body)))
}

async fn ask(server: &TestServer, wanted: Value) -> (u16, Value) {
    ask_from(LOCAL, server, &wanted).await
}

/// A seat that must be given.
async fn seat(server: &TestServer, wanted: Value) -> Value {
    let (status, seat) = ask(server, wanted).await;
    assert_eq!(status, 200, "{seat}");
    seat
}

async fn list(server: &TestServer, query: &str) -> Value {
    let (status, body) = http_get(server.addr, &format!("/rooms{query}")).await;
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

fn name_of(seat: &Value) -> &str {
    seat["room"].as_str().unwrap()
}

fn reservation_of(seat: &Value) -> Vec<u8> {
    let text = seat["reservation"].as_str().unwrap();
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// Joins a room; the close code and the reason if that is refused.
async fn join(
    server: &TestServer,
    room: &str,
    reservation: Vec<u8>,
    resume_token: Vec<u8>,
) -> Result<(RawClient, v1::Welcome), (u16, String)> {
    let mut client = RawClient::connect(server.addr, &format!("/ws?room={room}")).await;
    client
        .send(Body::Hello(v1::Hello {
            version: 1,
            reservation,
            resume_token,
            ..v1::Hello::default()
        }))
        .await;
    match client.next().await {
        Ok(server_message::Body::Welcome(welcome)) => Ok((client, welcome)),
        Ok(other) => panic!("{other:?}"),
        Err(end) => Err((end.code.unwrap_or_default(), end.reason)),
    }
}

/// Takes a reserved seat, which must be there.
async fn sit(server: &TestServer, seat: &Value) -> (RawClient, v1::Welcome) {
    let joined = join(server, name_of(seat), reservation_of(seat), Vec::new()).await;
    joined.unwrap_or_else(|refusal| panic!("{seat}: {refusal:?}"))
}

fn refusal<T>(joined: Result<T, (u16, String)>) -> (u16, String) {
    joined.err().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_holds_a_seat_in_a_full_room() {
    let server = server(&[]);
    let first = seat(&server, json!({ "mode": "create", "max": 3 })).await;
    let room = name_of(&first);
    let _one = sit(&server, &first).await;
    let named = || json!({ "mode": "join", "room": room });
    let second = seat(&server, named()).await;
    let _by_name = join(&server, room, Vec::new(), Vec::new()).await.unwrap();
    // Two players, and a seat that is held.
    let (code, reason) = refusal(join(&server, room, Vec::new(), Vec::new()).await);
    assert_eq!((code, reason.contains("full")), (1013, true), "{reason}");
    let (status, sentence) = ask(&server, named()).await;
    assert_eq!(status, 409, "{sentence}");
    let _two = sit(&server, &second).await;
    assert_eq!(
        server
            .metric(r#"tickwire_reservations_total{outcome="used"}"#)
            .await,
        2.0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_is_used_once() {
    let server = server(&[]);
    let given = seat(&server, json!({})).await;
    let _first = sit(&server, &given).await;
    for reservation in [reservation_of(&given), vec![1; 16], vec![1]] {
        let refused = join(&server, name_of(&given), reservation, Vec::new()).await;
        let (code, reason) = refusal(refused);
        assert_eq!(code, 1008, "{reason}");
        assert!(reason.contains("ask for a new one"), "{reason}");
    }
    assert_eq!(
        server
            .metric(r#"tickwire_reservations_total{outcome="refused"}"#)
            .await,
        3.0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seat_that_nobody_takes_is_free_again() {
    let server = server(&[]);
    let first = seat(&server, json!({ "mode": "create", "max": 2 })).await;
    let _one = sit(&server, &first).await;
    let named = || json!({ "mode": "join", "room": name_of(&first) });
    let late = seat(&server, named()).await;
    let empty = seat(&server, json!({ "mode": "create", "max": 1 })).await;
    within("the end of the reservation", async {
        while ask(&server, named()).await.0 != 200 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    let refused = join(&server, name_of(&late), reservation_of(&late), Vec::new()).await;
    assert_eq!(refusal(refused).0, 1008);
    // A room that nobody has come to is gone with its only reservation.
    within("the end of the room", async {
        let wanted = || json!({ "mode": "join", "room": name_of(&empty) });
        while ask(&server, wanted()).await.0 != 404 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_room_is_entered_by_invitation_only() {
    let server = server(&[]);
    let host = seat(
        &server,
        json!({ "mode": "create", "private": true, "max": 2 }),
    )
    .await;
    let (room, key) = (name_of(&host), host["key"].as_str().unwrap());
    let (one, welcome) = sit(&server, &host).await;
    // Its name opens nothing.
    let (code, reason) = refusal(join(&server, room, Vec::new(), Vec::new()).await);
    assert_eq!((code, reason.contains("private")), (1008, true), "{reason}");
    let (code, _) = refusal(join(&server, room, Vec::new(), vec![7; 28]).await);
    assert_eq!(code, 1008);
    assert_eq!(list(&server, "").await["rooms"], json!([]));
    let state = http_get(server.addr, &format!("/rooms/{room}/state")).await;
    assert_eq!(state.0, 404);
    for key in [
        json!(null),
        json!("AAAAAAAAAAAAAAAAAAAAAA"),
        json!("no key"),
    ] {
        let wanted = json!({ "mode": "join", "room": room, "key": key });
        assert_eq!(ask(&server, wanted).await.0, 404);
    }
    // No match leads there.
    let elsewhere = seat(&server, json!({})).await;
    assert_ne!(name_of(&elsewhere), room);
    let guest = seat(&server, json!({ "mode": "join", "room": room, "key": key })).await;
    let _two = sit(&server, &guest).await;
    // Who comes back needs no reservation.
    drop(one);
    let back = join(&server, room, Vec::new(), welcome.resume_token).await;
    assert!(back.unwrap().1.resumed);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_of_a_private_room_opens_no_public_one() {
    let server = server(&[]);
    let gone = "private-AAAAAAAAAAAAAAAAAAAAAA";
    let (code, reason) = refusal(join(&server, gone, Vec::new(), Vec::new()).await);
    assert_eq!(
        (code, reason.contains("has ended")),
        (4002, true),
        "{reason}"
    );
    let _other = join(&server, "private-lounge", Vec::new(), Vec::new())
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn players_with_the_same_wish_meet() {
    let server = server(&[]);
    let wanted = || json!({ "tags": { "mode": "duel" }, "max": 2 });
    let one = seat(&server, wanted()).await;
    let two = seat(&server, wanted()).await;
    let three = seat(&server, wanted()).await;
    assert_eq!(name_of(&one), name_of(&two));
    assert_ne!(name_of(&one), name_of(&three));
    // Fewer tags fit more rooms, and the fullest with a free seat is the first.
    let any = seat(&server, json!({ "mode": "join" })).await;
    assert_eq!(name_of(&any), name_of(&three));
    let (status, sentence) = ask(
        &server,
        json!({ "mode": "join", "tags": { "mode": "race" } }),
    )
    .await;
    assert_eq!(
        (status, sentence.as_str().unwrap().contains("no such room")),
        (404, true)
    );
    let alone = seat(
        &server,
        json!({ "mode": "create", "tags": { "mode": "duel" } }),
    )
    .await;
    assert_ne!(name_of(&alone), name_of(&three));
    // Nobody has come, so no worker has had anything to do.
    assert_eq!(server.metric("tickwire_rooms").await, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_reach_the_game_and_its_metadata_the_list() {
    let server = server(&["--max-players", "9"]);
    let duel = seat(
        &server,
        json!({ "tags": { "mode": "duel", "level": 3 }, "max": 2 }),
    )
    .await;
    assert_eq!(
        list(&server, "").await["rooms"],
        json!([]),
        "a room that nobody has opened"
    );
    let _one = sit(&server, &duel).await;
    let _main = join(&server, "main", Vec::new(), Vec::new()).await.unwrap();
    let expected = json!([{
        "room": name_of(&duel), "players": 1, "max": 2,
        "tags": { "mode": "duel", "level": "3" }, "metadata": { "title": "A table of duel", "free": "1" },
    }]);
    within("the metadata", async {
        while list(&server, "?tag.mode=duel&tag.level=3").await["rooms"] != expected {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let all = list(&server, "?limit=1").await;
    let rest = list(
        &server,
        &format!("?after={}", all["next"].as_str().unwrap()),
    )
    .await;
    let mut names =
        [&all["rooms"][0]["room"], &rest["rooms"][0]["room"]].map(|name| name.as_str().unwrap());
    names.sort_unstable();
    let mut expected = [name_of(&duel), "main"];
    expected.sort_unstable();
    assert_eq!((names, &rest["next"]), (expected, &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_that_panics_ends_its_room_alone() {
    let server = server(&[]);
    let (mut other, _) = join(&server, "main", Vec::new(), Vec::new()).await.unwrap();
    let broken = seat(&server, json!({ "tags": { "mode": "broken" } })).await;
    let (one, _) = sit(&server, &broken).await;
    assert_eq!(one.end().await.code, Some(1001));
    server
        .until_metric("tickwire_rooms_failed_total", 1.0)
        .await;
    other
        .wait_for(|body| matches!(body, server_message::Body::Snapshot(_)).then_some(()))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_host_takes_its_share_of_rooms_and_seats() {
    let server = server(&[
        "--fair-share",
        "strict",
        "--join-rate",
        "0",
        "--max-rooms",
        "80",
    ]);
    let create = json!({ "mode": "create" });
    let (mut given, mut refused) = (0, 0);
    for _ in 0..40 {
        match ask_from(ATTACKER, &server, &create).await.0 {
            200 => given += 1,
            429 => refused += 1,
            other => panic!("{other}"),
        }
    }
    assert_eq!((given, refused), (20, 20), "a quarter of the rooms");
    // More hosts, until there are no rooms left: then those of the greediest give way, as nobody is in them.
    for host in 100..112 {
        for _ in 0..16 {
            ask_from(Ipv4Addr::new(127, 0, 0, host).into(), &server, &create).await;
        }
    }
    let (status, own) = ask_from(STRANGER, &server, &json!({ "mode": "create", "max": 64 })).await;
    assert_eq!(status, 200, "{own}");
    let named = json!({ "mode": "join", "room": own["room"] });
    let mut held = 0;
    while ask_from(ATTACKER, &server, &named).await.0 == 200 {
        held += 1;
    }
    assert_eq!(held, 16, "a share of the seats");
    let (status, _) = ask_from(STRANGER, &server, &named).await;
    assert_eq!(status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_room_is_the_same_after_a_restart() {
    let folder = std::env::temp_dir().join(format!("tickwire-private-{}", std::process::id()));
    let flags = ["--data-dir", folder.to_str().unwrap()];
    let first = server(&flags);
    let wanted = json!({ "mode": "create", "private": true, "max": 2, "tags": { "mode": "duel" } });
    let host = seat(&first, wanted).await;
    let (room, key) = (name_of(&host), host["key"].as_str().unwrap());
    let (one, welcome) = sit(&first, &host).await;
    drop(one);
    first.drain().await;
    let again = server(&flags);
    let (code, _) = refusal(join(&again, room, Vec::new(), Vec::new()).await);
    assert_eq!(code, 1008);
    let back = join(&again, room, Vec::new(), welcome.resume_token).await;
    assert!(back.unwrap().1.resumed);
    // The key invites, and the room has as many seats as before.
    let invited = json!({ "mode": "join", "room": room, "key": key });
    let guest = seat(&again, invited.clone()).await;
    let (_two, guest) = sit(&again, &guest).await;
    assert!(!guest.resumed);
    assert_eq!(ask(&again, invited).await.0, 409);
    again.drain().await;
    let _ = std::fs::remove_dir_all(&folder);
}
