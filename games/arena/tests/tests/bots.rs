//! Bots against a real server: the promised fields of a report, and bots of every behaviour in sync.
//!
//! Rates and times are not asserted here: `tickwire-bot` reports them, with a control beside them.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use serde_json::Value;
use std::sync::Arc;
use tickwire_arena_bots::ArenaPlaybook;
use tickwire_arena_tests::arena_server;
use tickwire_bot::{Options, Report};
use tickwire_tests::walkers::Walkers;
use tickwire_tests::{TestServer, modules};

async fn swarm(server: &TestServer, flags: &[&str]) -> Report {
    let url = format!("ws://{}/ws", server.addr);
    let fixed = ["tickwire-bot", "--url", &url, "--duration", "1500ms"];
    let options = Options::load(fixed.iter().chain(flags)).unwrap();
    tickwire_bot::run(&options, Some(Arc::new(ArenaPlaybook)))
        .await
        .unwrap()
}

/// What the contract promises of a report, in its own words: names in backticks, with the parts of some in braces.
const PROMISED: &str = "`bots`, `connected`, `connect_failures`, `reconnects`, `resumes`, `snapshots_per_second {min,p50,max}`, \
    `snapshot_gap_ms {p50,p99,max}`, `snapshot_age_ms {p50,p99,max}`, `bytes_per_second_per_bot`, `bytes_per_row_update`, \
    `rtt_ms {p50,p99}`, `input_to_ack_ms {p50,p99}`, `view_checks`, `view_mismatches`, \
    `shots {fired, hit_on_screen, confirmed, false_hits}`, `prediction {inputs, corrections, max_error_units}`, \
    `interpolation_delay_ms {p50,p99}`, `starved_inputs`, `notices`, `protocol_errors`, `cpu_seconds`, and `per_bot`";
/// Of each bot.
const PROMISED_PER_BOT: &str = "`name`, `behaviour`, `session`, `entity`, `score`, `snapshots_per_second`, `snapshot_gap_ms`, \
    `snapshot_age_ms`, `reconnects`, `resumes`, `longest_gap_ms`";

/// Checks that a part of the report has everything that is promised of it.
fn assert_has(value: &Value, promised: &str) {
    let names: Vec<&str> = promised.split('`').skip(1).step_by(2).collect();
    assert!(names.len() > 10);
    for name in names {
        let (name, parts) = name.split_once(" {").unwrap_or((name, ""));
        let field = &value[name];
        assert!(value.get(name).is_some(), "no {name} in {value}");
        for part in parts.trim_end_matches('}').split(',').map(str::trim) {
            assert!(
                part.is_empty() || field[part].is_number(),
                "no {part} in {name}: {field}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mixed_bots_stay_in_sync_and_report_all_fields() {
    let server = arena_server(&["--npcs", "2"]);
    let report = swarm(&server, &["--bots", "20", "--room", "mixed"]).await;
    assert!(report.is_good(), "{report:?}");
    let json = serde_json::to_value(&report).unwrap();
    assert_has(&json, PROMISED);
    assert!(json["timer_control"]["per_second"].is_number());
    assert_eq!(report.per_bot.len(), 20);
    for bot in json["per_bot"].as_array().unwrap() {
        assert_has(bot, PROMISED_PER_BOT);
        assert_eq!(bot["entity"].is_null(), bot["behaviour"] == "spectate");
        assert!(bot["snapshots_per_second"].as_f64().unwrap() > 1.0);
        let longest = bot["longest_gap_ms"].as_f64().unwrap();
        // The histogram rounds by a hundredth.
        assert!(longest >= bot["snapshot_gap_ms"]["max"].as_f64().unwrap() * 0.98);
    }
    let shots = report.shots;
    let sum = shots.judged + shots.shooter_gone + shots.unmatched + shots.pending;
    assert_eq!(shots.fired, sum);
    assert!(report.view_checks > 0 && report.prediction.inputs > 0);
    let page = tickwire_bot::html_page(&report);
    assert!(page.contains("uPlot") && page.contains("bot-19"));
    // The phases and the seconds add up to the whole.
    let phases: Vec<_> = report
        .phases
        .iter()
        .map(|phase| phase.name.as_str())
        .collect();
    assert_eq!(phases, ["ramp", "hold"]);
    let in_phases: u64 = report
        .phases
        .iter()
        .map(|phase| phase.snapshot_gap_ms.samples)
        .sum();
    assert_eq!(in_phases, report.snapshot_gap_ms.samples);
    let bytes: u64 = report
        .timeline
        .iter()
        .map(|slice| slice.counts.bytes_in)
        .sum();
    assert_eq!(bytes, report.totals.bytes_in);
}

#[tokio::test(flavor = "multi_thread")]
async fn random_bots_play_a_game_that_they_know_nothing_of() {
    let module: &[u8] = modules::good().leak();
    let server = TestServer::start_with(&[], move |_| Box::new(Walkers::new(module)));
    let flags = ["--bots", "4", "--behaviour", "random", "--duration", "4s"];
    let report = swarm(&server, &flags).await;
    assert!(report.is_good(), "{report:?}");
    assert!(report.prediction.inputs > 0, "{:?}", report.prediction);
    assert!(
        report.prediction.lacking.is_empty(),
        "{:?}",
        report.prediction
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bots_without_rules_play_on_and_report_why() {
    let server = TestServer::start_with(&[], |_| Box::new(Walkers::new(&[])));
    let report = swarm(&server, &["--bots", "3", "--behaviour", "random"]).await;
    assert!(report.is_good(), "{report:?}");
    let lacking: Vec<_> = report.prediction.lacking.iter().collect();
    assert!(
        matches!(&lacking[..], [(reason, 3)] if reason.contains("offers no module")),
        "{lacking:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flapper_comes_back_as_the_same_session() {
    let server = arena_server(&["--npcs", "0"]);
    let flags = ["--bots", "3", "--behaviour", "flapper", "--duration", "6s"];
    let report = swarm(&server, &flags).await;
    assert!(report.is_good(), "{report:?}");
    assert!(report.resumes > 0 && report.resumes <= report.reconnects);
    server.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bots_on_bad_networks_and_slow_readers_stay_in_sync() {
    let server = arena_server(&["--npcs", "4"]);
    let duel = [
        "--behaviour",
        "duel",
        "--bots",
        "6",
        "--latency",
        "40ms",
        "--jitter",
        "10ms",
        "--stall",
        "0.3",
    ];
    let report = swarm(&server, &duel);
    let slow = swarm(&server, &["--bots", "4", "--behaviour", "slow-reader"]);
    let (report, slow) = tokio::join!(report, slow);
    assert!(report.is_good(), "{report:?}");
    assert!(report.rtt_ms.p50 > 60.0, "{:?}", report.rtt_ms);
    assert!(slow.is_good(), "{slow:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bots_spread_over_rooms() {
    let server = arena_server(&["--npcs", "0"]);
    let report = swarm(&server, &["--bots", "9", "--rooms", "3", "--room", "r"]).await;
    assert!(report.is_good(), "{report:?}");
    for room in ["r-0", "r-1", "r-2"] {
        let in_room = report.per_bot.iter().filter(|bot| bot.room == room);
        assert_eq!(in_room.count(), 3);
    }
}
