//! Three nodes and a Redis: rooms that players of any node share, nodes that end, a Redis that goes.
//!
//! `TICKWIRE_BOTS=300 cargo test --release -p tickwire-arena-tests --test cluster -- --nocapture` is the long form.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed unwrap fails the test"
)]

mod nodes;
#[path = "../../../../../cluster/tests/redis_server/mod.rs"]
mod redis_server;

use nodes::{Bots, Node, POLL, until_all_know, until_players};
use redis_server::RedisServer;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tickwire_client::SessionEvent;
use tickwire_tests::{Player, http_get, http_post, within};
use tokio::sync::{Mutex, MutexGuard};

/// With direct links between the nodes.
const LINKED: &[&str] = &["--node-listen", "127.0.0.1:0"];

/// Each test has the machine to itself: it runs five processes.
static ALONE: Mutex<()> = Mutex::const_new(());

async fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().await
}

fn number(variable: &str, default: usize) -> usize {
    let value = std::env::var(variable).ok();
    value.map_or(default, |value| value.parse().unwrap())
}

/// A Redis in which rooms may be claimed at once.
fn redis() -> RedisServer {
    let redis = RedisServer::start();
    redis.settle("arena");
    redis
}

async fn three_nodes(redis: &RedisServer, flags: &[&str]) -> Vec<Node> {
    let start = |name: &str| Node::start(&redis.url(), name, flags);
    let nodes: Vec<Node> = ["a", "b", "c"].map(start).into_iter().collect();
    until_all_know(&nodes, 3).await;
    nodes
}

fn assert_unharmed(report: &Value) {
    let harm = (&report["view_mismatches"], &report["protocol_errors"]);
    assert_eq!(harm, (&json!(0), &json!(0)), "{report}");
    assert!(report["view_checks"].as_u64().unwrap() > 0);
}

fn notices(player: &Player) -> usize {
    let is_notice = |event: &&SessionEvent| matches!(event, SessionEvent::Notice(_));
    player.events.iter().filter(is_notice).count()
}

async fn players_of_three_nodes_share_a_room(flags: &[&str]) {
    let _alone = alone().await;
    let redis = redis();
    let nodes = three_nodes(&redis, flags).await;
    let mut players = Vec::new();
    for (node, name) in nodes.iter().zip(["Ada", "Bob", "Eve"]) {
        players.push(Player::joined(&node.url("shared"), name).await);
    }
    // One room, at the first node, and each node shows it.
    for node in &nodes {
        let rooms = node.ops_json("/rooms").await;
        let [room] = &rooms.as_array().unwrap()[..] else {
            panic!("{rooms}");
        };
        assert_eq!(
            (&room["room"], &room["node"]),
            (&json!("shared"), &json!("a"))
        );
        let (status, state) = http_get(node.addr, "/rooms/shared/state").await;
        assert_eq!(status, 200, "{state}");
        let state: Value = serde_json::from_str(&state).unwrap();
        assert_eq!(state["players"].as_array().unwrap().len(), 3);
    }
    nodes[0]
        .until_metric("tickwire_cluster_relayed_players", |players| players == 2.0)
        .await;
    nodes[1]
        .until_metric("tickwire_cluster_relaying_players", |players| {
            players == 1.0
        })
        .await;
    let links = if flags.is_empty() { 0.0 } else { 2.0 };
    nodes[2]
        .until_metric("tickwire_cluster_links", |count| count == links)
        .await;
    for player in &mut players {
        player.for_snapshots(120).await;
        assert_eq!(player.client.counters().view_mismatches, 0);
    }
    // A line of chat reaches everybody, whoever's node it comes from.
    let said = "hello from the third node";
    players[2].client.chat(said);
    players[2].for_snapshots(1).await;
    for player in &mut players {
        player
            .until("the line", |player| {
                let is_line = |event: &SessionEvent| matches!(event, SessionEvent::Chat { text, .. } if text == said);
                player.events.iter().any(is_line)
            })
            .await;
    }
    // A notice of any node reaches each player once.
    let (status, answer) = http_post(nodes[1].ops, "/notice", r#"{"text": "soon"}"#).await;
    assert_eq!(
        (status, &*answer.replace([' ', '\n'], "")),
        (200, r#"{"players":3}"#)
    );
    for player in &mut players {
        player
            .until("the notice", |player| notices(player) > 0)
            .await;
        player.for_snapshots(30).await;
        assert_eq!(notices(player), 1);
    }
    let (status, answer) =
        http_post(nodes[1].ops, "/notice", r#"{"text": "x", "room": "none"}"#).await;
    assert_eq!(status, 404, "{answer}");
    // A kick of any node.
    let session = players[1].client.session();
    let whom = json!({ "room": "shared", "session": session, "reason": "test" });
    let (status, answer) = http_post(nodes[2].ops, "/kick", &whom.to_string()).await;
    assert_eq!(status, 200, "{answer}");
    players[1]
        .until("the end", |player| !player.is_playing())
        .await;
    // A ban of one node holds at all of them.
    let (status, entry) = http_post(nodes[2].ops, "/ban", r#"{"sub": "eve"}"#).await;
    assert_eq!(status, 200, "{entry}");
    for node in &nodes {
        within("the ban", async {
            while node.ops_json("/bans").await.as_array().unwrap().is_empty() {
                tokio::time::sleep(POLL).await;
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn players_of_three_nodes_share_a_room_over_redis() {
    players_of_three_nodes_share_a_room(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn players_of_three_nodes_share_a_room_over_links() {
    players_of_three_nodes_share_a_room(LINKED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_plays_on_when_a_node_is_killed() {
    let (bots, rooms) = (number("TICKWIRE_BOTS", 24), number("TICKWIRE_ROOMS", 6));
    let _alone = alone().await;
    let redis = redis();
    let mut nodes = three_nodes(&redis, LINKED).await;
    let swarm = Bots::start(&nodes, "kill", rooms, bots);
    until_players(&nodes, bots).await;
    // Each room has been saved.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let mut killed = nodes.remove(0);
    killed.kill();
    let at = Instant::now();
    until_players(&nodes, bots).await;
    let back = at.elapsed();
    let report = swarm.end().await;
    println!(
        "killed one of three nodes under {bots} bots in {rooms} rooms: all back after {back:?}; {} reconnects, {} resumes, longest gaps {}",
        report["reconnects"], report["resumes"], report["snapshot_gap_ms"]
    );
    assert_unharmed(&report);
    // Nobody has come as somebody new.
    assert_eq!(report["resumes"], report["reconnects"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_lost_in_a_rolling_restart() {
    let (bots, rooms) = (number("TICKWIRE_BOTS", 24), number("TICKWIRE_ROOMS", 6));
    let _alone = alone().await;
    let redis = redis();
    let mut nodes = three_nodes(&redis, LINKED).await;
    let swarm = Bots::start(&nodes, "roll", rooms, bots);
    until_players(&nodes, bots).await;
    for index in 0..nodes.len() {
        let (name, addr) = (nodes[index].name.clone(), nodes[index].addr.to_string());
        nodes[index].drain().await;
        nodes[index] = Node::start_at(&redis.url(), &name, &addr, LINKED);
        until_all_know(&nodes, 3).await;
        until_players(&nodes, bots).await;
    }
    let report = swarm.end().await;
    println!(
        "restarted three nodes under {bots} bots in {rooms} rooms: {} reconnects, {} resumes, gaps {}",
        report["reconnects"], report["resumes"], report["snapshot_gap_ms"]
    );
    assert_unharmed(&report);
    assert_eq!(report["resumes"], report["reconnects"]);
}

/// All bots get snapshots: each node's count grows by a second's worth for its players.
async fn until_all_get_snapshots(nodes: &[Node], count: usize) {
    let sent = async || {
        let mut sent = 0.0;
        for node in nodes {
            sent += node.metric("tickwire_snapshots_sent_total").await;
        }
        sent
    };
    within("snapshots for everybody", async {
        loop {
            let (before, began) = (sent().await, Instant::now());
            tokio::time::sleep(Duration::from_millis(500)).await;
            let per_second = (sent().await - before) / began.elapsed().as_secs_f64();
            // A part of 60 for each: the machine may be busy.
            if nodes::players(nodes).await >= count as f64 && per_second > 20.0 * count as f64 {
                return;
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_was_paused_shows_nobody_another_tick() {
    const BOTS: usize = 12;
    let _alone = alone().await;
    let redis = redis();
    let nodes = three_nodes(&redis, LINKED).await;
    let swarm = Bots::start(&nodes, "pause", 3, BOTS);
    until_players(&nodes, BOTS).await;
    until_all_get_snapshots(&nodes, BOTS).await;
    let (paused, others) = nodes.split_first().unwrap();
    paused.signal("-STOP");
    until_players(others, BOTS).await;
    paused.signal("-CONT");
    // The others had its rooms by then.
    let lost = r#"tickwire_rooms_moved_total{outcome="lost"}"#;
    paused.until_metric(lost, |rooms| rooms >= 1.0).await;
    until_all_get_snapshots(&nodes, BOTS).await;
    for room in 0..3 {
        let rooms = others[0].ops_json("/rooms").await;
        let name = format!("pause-{room}");
        let owners = rooms.as_array().unwrap().iter();
        assert_eq!(
            owners.filter(|one| one["room"] == *name).count(),
            1,
            "{rooms}"
        );
    }
    let report = swarm.end().await;
    assert_unharmed(&report);
    assert_eq!(report["resumes"], report["reconnects"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_with_links_play_on_while_redis_is_away() {
    const BOTS: usize = 12;
    let _alone = alone().await;
    let mut redis = redis();
    let nodes = three_nodes(&redis, LINKED).await;
    let swarm = Bots::start(&nodes, "away", 4, BOTS);
    until_players(&nodes, BOTS).await;
    until_all_get_snapshots(&nodes, BOTS).await;
    redis.kill();
    for node in &nodes {
        node.until_metric("tickwire_cluster_redis_up", |up| up == 0.0)
            .await;
    }
    // Longer than a lease.
    tokio::time::sleep(Duration::from_secs(3)).await;
    until_all_get_snapshots(&nodes, BOTS).await;
    for node in &nodes {
        assert_eq!(
            node.metric("tickwire_cluster_lease_lapses_total").await,
            0.0
        );
    }
    // It comes back empty, and knows the rooms again.
    redis.run();
    for node in &nodes {
        node.until_metric("tickwire_cluster_redis_up", |up| up == 1.0)
            .await;
    }
    until_all_know(&nodes, 3).await;
    let mut late = Player::joined(&nodes[2].url("away-0"), "late").await;
    late.for_snapshots(60).await;
    until_all_get_snapshots(&nodes, BOTS + 1).await;
    let report = swarm.end().await;
    assert_unharmed(&report);
    // On a quiet machine nobody reconnects; on a busy one a bot may stall.
    println!(
        "Redis was away and came back empty: {} reconnects",
        report["reconnects"]
    );
    assert_eq!(report["resumes"], report["reconnects"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_without_links_stand_still_while_redis_is_away() {
    const BOTS: usize = 12;
    let _alone = alone().await;
    let redis = redis();
    let nodes = three_nodes(&redis, &[]).await;
    let swarm = Bots::start(&nodes, "still", 4, BOTS);
    until_players(&nodes, BOTS).await;
    until_all_get_snapshots(&nodes, BOTS).await;
    redis.pause();
    for node in &nodes {
        node.until_metric("tickwire_cluster_lease_lapses_total", |lapses| {
            lapses == 1.0
        })
        .await;
        let (status, why) = http_get(node.ops, "/readyz").await;
        assert_eq!((status, why.trim()), (503, "out of touch with the cluster"));
    }
    redis.resume();
    until_all_get_snapshots(&nodes, BOTS).await;
    let report = swarm.end().await;
    assert_unharmed(&report);
    assert_eq!(report["resumes"], report["reconnects"]);
}
