//! Claimed view ticks over a real socket. The rule itself has its tests beside it, in the sync crate.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use tickwire::Input as _;
use tickwire_arena::{ArenaInput, Heading};
use tickwire_arena_tests::arena_server;
use tickwire_tests::Player;

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_claim_is_clamped_and_counted() {
    let server = arena_server(&["--npcs", "0"]);
    let mut player = Player::joined(&server.url("a"), "Mallory").await;
    player.client.forge_view(15.0);
    let fire = ArenaInput {
        fire: true,
        ..ArenaInput::default()
    };
    player.payload = fire.pointing(Heading::default()).to_payload();
    let has_fired = |player: &mut Player| {
        let own = player.client.predicted();
        own.is_some_and(|own| own.private_lanes.get(2).is_some_and(|ticks| *ticks > 0))
    };
    player.until("a shot", has_fired).await;
    player.for_snapshots(120).await;
    let clamped = server
        .metric(r#"tickwire_shots_total{outcome="clamped"}"#)
        .await;
    let missed = server
        .metric(r#"tickwire_shots_total{outcome="miss"}"#)
        .await;
    assert!(clamped >= 3.0, "{clamped} clamped");
    assert!(
        missed >= clamped,
        "a clamped shot must count as a hit or a miss too"
    );
    server.drain().await;
}
