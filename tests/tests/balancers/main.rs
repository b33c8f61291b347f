//! The balancers of deploy/ in front of three independent nodes: each room on one node, the players' true addresses, nodes that go.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed unwrap fails the test"
)]

mod balancer;

use balancer::{
    Balancer, Certificate, FRIEND, HAPROXY, Io, Kind, NGINX, PLAYER, Way, changed, home_of, node,
    rooms_of,
};
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use tickwire::prelude::*;
use tickwire::{Game, RoomGame};
use tickwire_client::SessionEvent;
use tickwire_proto::v1::{self, client_message, server_message};
use tickwire_server::config::Config;
use tickwire_tests::{Player, RawClient, TestServer, http_from, http_post, within};

/// What a player claims to be.
const FORGED: (&str, &str) = ("x-forwarded-for", "203.0.113.9");

fn three_nodes(flags: &[&str]) -> Vec<TestServer> {
    (0..3).map(|_| node(flags)).collect()
}

/// Joins by ws and by wss, from two hosts.
async fn two_friends(balancer: &Balancer, room: &str) -> [(RawClient<Io>, v1::Welcome); 2] {
    let mut one = balancer.enter(Way::Plain, PLAYER, room).await;
    let mut two = balancer.enter(Way::Tls, FRIEND, room).await;
    let welcomes = (
        one.join(v1::Hello::default()).await,
        two.join(v1::Hello::default()).await,
    );
    [(one, welcomes.0), (two, welcomes.1)]
}

async fn a_room_is_on_one_node(kind: Kind) {
    const ROOMS: usize = 40;
    let nodes = three_nodes(&[]);
    let balancer = Balancer::start(kind, "rooms", &nodes).await;
    let mut players = Vec::new();
    let mut homes = [0; 3];
    for number in 0..ROOMS {
        let room = format!("room-{number}");
        players.push(two_friends(&balancer, &room).await);
        homes[home_of(&nodes, &room, 2).await] += 1;
        // The room's own node answers, as the others have no such room.
        let (status, state) = balancer.get(&format!("/rooms/{room}/state")).await;
        assert_eq!(status, 200, "{state}");
    }
    let rooms = rooms_of(&nodes).await;
    assert_eq!(rooms.iter().map(Vec::len).sum::<usize>(), ROOMS);
    assert!(homes.iter().all(|rooms| *rooms > 0), "{homes:?}");

    // A player who comes back the other way finds the session.
    let [(one, welcome), _friend] = players.swap_remove(0);
    drop(one);
    let mut again = balancer.enter(Way::Tls, FRIEND, "room-0").await;
    let resumed = again
        .join(v1::Hello {
            resume_token: welcome.resume_token,
            ..v1::Hello::default()
        })
        .await;
    assert_eq!((resumed.resumed, resumed.session), (true, welcome.session));
    // The client core comes back by itself.
    let mut player = Player::joined(&balancer.url("room-1"), "Ada").await;
    home_of(&nodes, "room-1", 3).await;
    player.cut();
    player
        .until("the session again", |player| {
            (player.events.iter())
                .any(|event| matches!(event, SessionEvent::Joined { resumed: true }))
        })
        .await;

    // A socket that names no room is in the room `main`; pages are anybody's.
    let mut one = balancer.open(Way::Plain, PLAYER, "/ws", &[], None).await;
    one.as_mut().unwrap().join(v1::Hello::default()).await;
    let mut two = balancer.enter(Way::Plain, FRIEND, "main").await;
    two.join(v1::Hello::default()).await;
    home_of(&nodes, "main", 2).await;
    assert_eq!(balancer.get("/sdk/index.js").await.0, 200);
    // A match would be in a room of whatever node answers.
    assert_eq!(balancer.get("/match").await.0, 501);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_is_on_one_node_behind_haproxy() {
    a_room_is_on_one_node(Kind::HaProxy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_is_on_one_node_behind_nginx() {
    a_room_is_on_one_node(Kind::Nginx).await;
}

/// The address that a node has of a session.
async fn address_of(node: &TestServer, room: &str, session: u32) -> String {
    let whom = json!({ "room": room, "session": session });
    let (status, entry) = http_post(node.ops, "/mute", &whom.to_string()).await;
    assert_eq!(status, 200, "{entry}");
    let entry: Value = serde_json::from_str(&entry).unwrap();
    entry["address"].as_str().unwrap().to_owned()
}

async fn nodes_know_the_true_addresses(kind: Kind) {
    let nodes = three_nodes(&[]);
    let balancer = Balancer::start(kind, "addresses", &nodes).await;
    for (way, room) in [(Way::Plain, "a"), (Way::Tls, "b")] {
        let path = format!("/ws?room={room}");
        let opened = balancer.open(way, PLAYER, &path, &[FORGED], None).await;
        let mut client = opened.unwrap();
        let welcome = client.join(v1::Hello::default()).await;
        let home = &nodes[home_of(&nodes, room, 1).await];
        let address = address_of(home, room, welcome.session).await;
        assert_eq!(address, PLAYER.to_string(), "{way:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_know_the_true_addresses_behind_haproxy() {
    nodes_know_the_true_addresses(Kind::HaProxy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_know_the_true_addresses_behind_nginx() {
    nodes_know_the_true_addresses(Kind::Nginx).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_believes_nobody_but_its_balancer() {
    let stranger = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 66));
    let node = node(&[]);
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((stranger, 0).into()).unwrap();
    let stream = socket.connect(node.addr).await.unwrap();
    let url = node.url("a");
    let mut client = RawClient::over(stream, &url, &[FORGED]).await.unwrap();
    let welcome = client.join(v1::Hello::default()).await;
    let address = address_of(&node, "a", welcome.session).await;
    assert_eq!(address, stranger.to_string());
    // The PROXY protocol of a stranger is no HTTP.
    let request = "PROXY TCP4 203.0.113.9 127.0.0.1 1 2\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n";
    let (head, _) = http_from(stranger, node.addr, request).await;
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
}

/// Whether a client hears its own chat: its session goes on.
async fn plays_on(client: &mut RawClient<Io>) {
    let text = "still here".to_owned();
    client
        .send(client_message::Body::Chat(v1::Chat { text }))
        .await;
    let pick = |body| match body {
        server_message::Body::Message(message) => match message.content {
            Some(v1::message::Content::Chat(text)) => Some(text),
            _ => None,
        },
        _ => None,
    };
    assert_eq!(client.wait_for(pick).await, "still here");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draining_node_behind_haproxy_gets_no_new_players() {
    let nodes = three_nodes(&["--drain-delay", "1h"]);
    let balancer = Balancer::start(Kind::HaProxy, "drain", &nodes).await;
    let mut old = balancer.enter(Way::Plain, PLAYER, "r").await;
    old.join(v1::Hello::default()).await;
    let home = home_of(&nodes, "r", 1).await;
    assert_eq!(http_post(nodes[home].ops, "/drain", "").await.0, 202);
    // Until the health checks have seen it: another node has no such room.
    within("the move of the room", async {
        while balancer.get("/rooms/r/state").await.0 != 404 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let mut new = balancer.enter(Way::Plain, FRIEND, "r").await;
    new.join(v1::Hello::default()).await;
    let rooms = rooms_of(&nodes).await;
    let with_one = rooms
        .iter()
        .filter(|rooms| rooms.contains(&("r".into(), 1)));
    assert_eq!(with_one.count(), 2, "{rooms:?}");
    plays_on(&mut old).await;
    plays_on(&mut new).await;
}

/// A player at the fire.
#[derive(Entity, Clone, PartialEq, Debug, Default)]
#[entity(placed)]
struct Guest {
    pos: Pos<16>,
}

#[derive(Input, Clone, PartialEq, Debug, Default)]
struct Wish {
    dx: i8,
}

/// A game that saves its state.
#[derive(World)]
struct Camp {
    guests: Players<Guest>,
}

impl Game for Camp {
    const NAME: &str = "camp";
    const SPACE: Space = Space::new(16, 1000, 1000);
    type Input = Wish;
    type Event = Nothing;
    type Command = Nothing;
    type Message = Nothing;
    type RoomMessage = Nothing;
    type Rules = NoRules;

    fn new(_: &Setup) -> Self {
        Self {
            guests: Players::new(),
        }
    }

    fn join(&mut self, player: PlayerId, _: &Identity) -> Result<(), Refusal> {
        self.guests.insert(player, Guest::default());
        Ok(())
    }

    fn step(&mut self, _: &mut Step<'_, Self>) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_behind_haproxy_waits_for_a_node_that_restarts() {
    let folder = std::env::temp_dir().join(format!("tickwire-camp-{}", std::process::id()));
    let start = |number: usize, listen: &str| {
        let folder = folder.join(number.to_string());
        let folder = ["--data-dir", folder.to_str().unwrap(), "--listen", listen];
        let flags = [&balancer::NODE[..], &folder].concat();
        TestServer::start_with(&flags, |settings| Box::new(RoomGame::<Camp>::new(settings)))
    };
    // An address of its own: nobody else takes the port meanwhile.
    let mut nodes: Vec<_> = (0..3).map(|node| start(node, "127.0.0.31:0")).collect();
    // The restart is over before the health checks have noticed it, also on a busy machine.
    let patient = |text: &str| changed(text, "check port 9777 inter 1s fall 3 rise 2 ", "");
    let balancer = Balancer::start_changed(Kind::HaProxy, "restart", &nodes, patient).await;
    let mut player = Player::joined(&balancer.url("r"), "Ada").await;
    let home = home_of(&nodes, "r", 1).await;
    let (session, entity) = (player.client.session(), player.client.entity());

    let node = nodes.remove(home);
    let addr = node.addr;
    let draining = tokio::spawn(node.drain());
    player
        .until("the goodbye", |player| !player.is_playing())
        .await;
    within("the drain", draining).await.unwrap();
    let refused = balancer.open(Way::Plain, FRIEND, "/ws?room=r", &[], None);
    assert_eq!(refused.await.err(), Some(503));
    nodes.insert(home, start(home, &addr.to_string()));
    player
        .until("the session again", |player| player.is_playing())
        .await;
    assert_eq!(home_of(&nodes, "r", 1).await, home);
    assert_eq!(
        (player.client.session(), player.client.entity()),
        (session, entity)
    );
    drop(nodes);
    let _ = std::fs::remove_dir_all(folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_passes_over_a_node_that_is_gone() {
    let mut nodes = three_nodes(&[]);
    let balancer = Balancer::start(Kind::Nginx, "gone", &nodes).await;
    let mut players = Vec::new();
    for room in ["r0", "r1", "r2", "r3", "r4", "r5"] {
        let mut player = balancer.enter(Way::Plain, PLAYER, room).await;
        player.join(v1::Hello::default()).await;
        players.push((room, player, home_of(&nodes, room, 1).await));
    }
    let lost = players[0].2;
    nodes.remove(lost).drain().await;
    for (room, player, home) in players {
        let mut friend = balancer.enter(Way::Plain, FRIEND, room).await;
        friend.join(v1::Hello::default()).await;
        if home == lost {
            // The first is told, and comes again where the second is.
            assert_eq!(player.end().await.code, Some(1001));
            let mut again = balancer.enter(Way::Plain, PLAYER, room).await;
            assert!(!again.join(v1::Hello::default()).await.resumed);
        }
        let now = home_of(&nodes, room, 2).await;
        let moved = now + usize::from(now >= lost) != home;
        assert_eq!(moved, home == lost, "{room}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn balancers_leave_the_same_origin_rule_in_force() {
    let nodes = three_nodes(&[]);
    for kind in [Kind::HaProxy, Kind::Nginx] {
        let balancer = &Balancer::start(kind, "origins", &nodes).await;
        // What the handshake of a page of this origin gets, which names the server so.
        let status = async |way: Way, host: &str, origin: &str| {
            let headers = [("host", host), ("origin", origin)];
            let opened = balancer.open(way, PLAYER, "/ws?room=r", &headers, None);
            opened.await.err().unwrap_or(101)
        };
        for (way, scheme) in [(Way::Plain, "http"), (Way::Tls, "https")] {
            let own = format!("{scheme}://game.example");
            let own_port = format!("{own}:8443");
            let evil = format!("{scheme}://evil.example");
            let evil_port = format!("{evil}:8443");
            assert_eq!(status(way, "game.example", &own).await, 101);
            assert_eq!(status(way, "game.example:8443", &own_port).await, 101);
            // Another proxy in front may have dropped the port.
            assert_eq!(status(way, "game.example", &own_port).await, 101);
            assert_eq!(status(way, "game.example:8443", &evil_port).await, 403);
            assert_eq!(status(way, "game.example", &evil).await, 403);
            assert_eq!(status(way, "game.example:8443", &own).await, 403);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_passed_through_leads_to_the_node_of_its_name() {
    let names = ["node1.game.example", "node2.game.example", "game.example"];
    let certificate = Certificate::new("passed-through", &names);
    let [chain, key, _] = &certificate.files;
    let nodes = three_nodes(&["--tls-cert", chain, "--tls-key", key]);
    let balancer = Balancer::start(Kind::HaProxy, "tls", &nodes).await;
    let join = async |name, source, room: &str| {
        let path = format!("/ws?room={room}");
        let way = Way::PassedThrough(name);
        let nodes = Some(&certificate);
        let opened = balancer.open(way, source, &path, &[FORGED], nodes).await;
        let mut client = opened.unwrap();
        let welcome = client.join(v1::Hello::default()).await;
        (client, welcome)
    };
    // Friends share the node that they name, whatever their addresses.
    for (home, (name, room)) in [(names[0], "a"), (names[1], "b")].into_iter().enumerate() {
        let (_one, welcome) = join(name, PLAYER, room).await;
        let _two = join(name, FRIEND, room).await;
        assert_eq!(home_of(&nodes, room, 2).await, home);
        let address = address_of(&nodes[home], room, welcome.session).await;
        assert_eq!(address, PLAYER.to_string());
    }
    // By another name each address has its node.
    let _one = join("game.example", PLAYER, "r").await;
    let _two = join("game.example", PLAYER, "r").await;
    home_of(&nodes, "r", 2).await;
}

/// The value of a setting that the file has once, in seconds.
fn seconds(file: &str, setting: &str) -> Duration {
    let mut lines = file.lines().map(str::trim);
    let value = lines.find_map(|line| line.strip_prefix(setting)).unwrap();
    let value = value.trim().trim_end_matches(';').strip_suffix('s');
    Duration::from_secs(value.unwrap().parse().unwrap())
}

#[test]
fn sockets_outlast_a_heartbeat_behind_both_balancers() {
    let config = Config::load(["test"]).unwrap();
    let heartbeat = config.heartbeat_interval + config.heartbeat_timeout;
    for (file, setting) in [
        (HAPROXY, "timeout tunnel"),
        (NGINX, "proxy_read_timeout"),
        (NGINX, "proxy_send_timeout"),
    ] {
        assert!(seconds(file, setting) > heartbeat, "{setting}");
    }
    // A question for a newer state waits 25 s.
    assert!(seconds(HAPROXY, "timeout server") > Duration::from_secs(25));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_socket_outlasts_haproxys_times_for_pages() {
    const FOR_PAGES: Duration = Duration::from_millis(300);
    let flags = ["--rtt-interval", "0s", "--handshake-timeout", "1h"];
    let nodes = three_nodes(&flags);
    let impatient = |text: &str| {
        let text = changed(text, "timeout client 30s", "timeout client 300ms");
        changed(&text, "timeout server 30s", "timeout server 300ms")
    };
    let balancer = Balancer::start_changed(Kind::HaProxy, "silent", &nodes, impatient).await;
    // On a busy machine the handshake may take longer than that.
    let mut client = within("a handshake", async {
        loop {
            let opened = balancer.open(Way::Plain, PLAYER, "/ws", &[], None).await;
            if let Ok(client) = opened {
                break client;
            }
        }
    })
    .await;
    tokio::time::sleep(2 * FOR_PAGES).await;
    client.join(v1::Hello::default()).await;
}
