//! The bots program as a gate: exit codes, thresholds, scenarios and merged reports, against a real server.
//!
//! No bound here is one of speed, as these tests also run on slow and busy machines.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tickwire_arena_tests::{arena_server, program};
use tickwire_tests::TestServer;

/// A folder that is gone after the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("tickwire-gate-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// The path of a file in it, as text.
    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.text(name)).unwrap()
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn bots(flags: &[&str]) -> Command {
    let mut command = Command::new(program("tickwire-bot"));
    command.args(flags);
    command
}

fn against(server: &TestServer, flags: &[&str]) -> Command {
    let mut command = bots(&["--url", &format!("ws://{}/ws", server.addr)]);
    command.args(flags);
    command
}

/// The exit code, and what was written to standard error.
fn ended(output: &Output) -> (i32, String) {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap(), text)
}

fn run(mut command: Command) -> (i32, String) {
    ended(&command.output().unwrap())
}

/// The lines that are no progress.
fn complaints(text: &str) -> Vec<&str> {
    let lines = text
        .lines()
        .filter(|line| line.starts_with("tickwire-bot: "));
    lines.collect()
}

fn scenario(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(3)
        .unwrap();
    let path = root.join("client-bot/scenarios").join(name);
    path.to_str().unwrap().to_owned()
}

const BRIEF: [&str; 4] = ["--bots", "4", "--duration", "1s"];

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_say_how_a_run_went() {
    let server = arena_server(&["--npcs", "0"]);
    let folder = Folder::new("codes");
    let (json, html) = (folder.file("report.json"), folder.file("report.html"));
    let files = ["--report", &json, "--report-html", &html];

    // 0: all thresholds hold.
    let mut good = against(&server, &BRIEF);
    good.args(files)
        .args(["--fail-if", "bots<4", "--fail-if", "view_mismatches != 0"])
        .args(["--fail-if", "phases.hold.snapshot_gap_ms.samples == 0"]);
    let (code, text) = run(good);
    assert_eq!((code, complaints(&text)), (0, vec![]), "{text}");
    let verdicts = folder.json("report.json")["thresholds"].clone();
    assert_eq!(verdicts[0]["fail_if"], "bots<4");
    assert_eq!(verdicts[0]["failed"], false);
    assert_eq!(verdicts[0]["value"], 4.0);
    assert!(folder.text("report.html").contains("passed"));

    // 3: two of three fail, and each has its line.
    let mut failing = against(&server, &BRIEF);
    failing.args(files).args([
        "--fail-if=bots>=4",
        "--fail-if=connected<4",
        "--fail-if=per_bot.longest_gap_ms.max>0.001",
    ]);
    let (code, text) = run(failing);
    assert_eq!(code, 3, "{text}");
    let lines = complaints(&text);
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].contains("failed: bots>=4 (it is 4)"), "{text}");
    assert!(
        lines[1].contains("longest_gap_ms.max>0.001 (it is "),
        "{text}"
    );
    assert!(folder.text("report.html").contains("2 thresholds failed."));
    assert_eq!(folder.json("report.json")["thresholds"][1]["failed"], false);
    server.drain().await;
}

#[test]
fn no_connection_goes_before_a_threshold() {
    // A port that was free a moment ago: nobody listens there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/ws", listener.local_addr().unwrap());
    drop(listener);
    let (code, text) = run(bots(&[
        "--url",
        &url,
        "--bots",
        "1",
        "--duration",
        "100ms",
        "--fail-if",
        "connected<1",
    ]));
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("failed: connected<1 (it is 0)"), "{text}");
    assert!(text.contains("0 of 1 connected"), "{text}");
}

#[test]
fn what_cannot_be_meant_ends_with_2_before_anything_starts() {
    let folder = Folder::new("wrong");
    let file = folder.file("scenario.toml");
    std::fs::write(&file, "[[phase]]\nkind = \"ramp\"\nbots = 2\nspeed = 3\n").unwrap();
    let scenario: &[&str] = &["--scenario", &file];
    for (flags, parts) in [
        (scenario, ["--scenario", "line 4, column 1", "speed"]),
        (&["--link", "5g"], ["--link", "wifi", "transatlantic"]),
        (
            &["--fail-if", "snapshot_gap_ms.p99"],
            ["--fail-if", "is no threshold", "p99>25"],
        ),
        (
            &["--fail-if", "snapshot_gap.p99>25"],
            ["--fail-if", "no figure snapshot_gap.p99", "snapshot_gap_ms"],
        ),
        (
            &["--fail-if", "url>25"],
            ["--fail-if", "url", "is no number"],
        ),
        (
            &["merge", "/no/such/report.json"],
            ["/no/such/report.json", "No such file", ""],
        ),
        (&["merge"], ["required", "", ""]),
    ] {
        // Should a swarm start after all, this is where it would find nobody, and end with 1.
        let output = bots(flags)
            .env("TICKWIRE_URL", "ws://127.0.0.1:1/ws")
            .output()
            .unwrap();
        let (code, text) = ended(&output);
        assert_eq!((code, text.lines().count()), (2, 1), "{flags:?}: {text}");
        assert!(
            parts.iter().all(|part| text.contains(part)),
            "{flags:?}: {text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scenario_gates_and_its_phases_have_their_own_figures() {
    let server = arena_server(&["--npcs", "0"]);
    let folder = Folder::new("smoke");
    let json = folder.file("report.json");
    let (code, text) = run(against(
        &server,
        &["--scenario", &scenario("smoke.toml"), "--report", &json],
    ));
    assert_eq!((code, complaints(&text)), (0, vec![]), "{text}");
    let report = folder.json("report.json");
    let phases = report["phases"].as_array().unwrap();
    let names: Vec<_> = phases
        .iter()
        .map(|phase| phase["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["arrive", "play", "leave"]);
    assert_eq!(
        (&report["bots"], &phases[1]["bots"]),
        (&8.into(), &8.into())
    );
    assert_eq!(phases[2]["bots"], 0, "all have left");
    assert!(phases[1]["seconds"].as_f64().unwrap() > 2.99);
    assert!(phases[1]["snapshots"].as_u64() > phases[0]["snapshots"].as_u64());
    assert!(report["timeline"].as_array().unwrap().len() >= 5);
    server.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn storms_and_cuts_cost_connections_and_no_session() {
    let server = arena_server(&["--npcs", "0"]);
    let folder = Folder::new("reconnects");
    let json = folder.file("report.json");
    let (code, text) = run(against(
        &server,
        &[
            "--scenario",
            &scenario("reconnects.toml"),
            "--report",
            &json,
        ],
    ));
    assert_eq!((code, complaints(&text)), (0, vec![]), "{text}");
    let report = folder.json("report.json");
    let of = |phase: usize, field: &str| report["phases"][phase][field].as_u64().unwrap();
    // Twelve drops; four bots in the tunnel.
    assert!(of(1, "reconnects") >= 10, "{}", report["phases"][1]);
    // They come back when it ends, which is when the next phase begins.
    let back = of(2, "resumes") + of(3, "resumes");
    assert!(back >= 4, "{}", report["phases"]);
    let longest = report["per_bot"].as_array().unwrap().iter();
    let longest: Vec<f64> = longest
        .map(|bot| bot["longest_gap_ms"].as_f64().unwrap())
        .collect();
    let cut = longest.iter().filter(|gap| **gap >= 1500.0).count();
    assert!(cut >= 4, "{longest:?}");
    server.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_and_behaviours_are_mixed_by_share() {
    let server = arena_server(&["--npcs", "0"]);
    let folder = Folder::new("mixed");
    let (file, json) = (folder.file("scenario.toml"), folder.file("report.json"));
    let text = r#"
        rooms = 2
        fail-if = ["per_bot.rtt_ms.p50.max < 60"]
        [[link]]
        name = "lan"
        share = 2
        [[link]]
        name = "transatlantic"
        share = 1
        [[behaviour]]
        name = "wander"
        [[behaviour]]
        name = "duel"
        [[phase]]
        kind = "ramp"
        bots = 6
        [[phase]]
        kind = "hold"
        for = "2s"
    "#;
    std::fs::write(&file, text).unwrap();
    let flags = ["--scenario", &file, "--room", "mix", "--report", &json];
    let (code, text) = run(against(&server, &flags));
    assert_eq!(code, 0, "{text}");
    let report = folder.json("report.json");
    let count = |field: &str, value: &str| {
        let bots = report["per_bot"].as_array().unwrap().iter();
        bots.filter(|bot| bot[field] == value).count()
    };
    assert_eq!(
        (count("link", "lan"), count("link", "transatlantic")),
        (4, 2)
    );
    assert_eq!(
        (count("behaviour", "wander"), count("behaviour", "duel")),
        (3, 3)
    );
    assert_eq!((count("room", "mix-0"), count("room", "mix-1")), (3, 3));
    // The same mix with a bound that cannot hold.
    let mut failing = against(&server, &flags);
    failing.args(["--fail-if", "per_bot.rtt_ms.p50.max >= 60"]);
    let (code, text) = run(failing);
    assert_eq!(code, 3, "{text}");
    assert_eq!(folder.json("report.json")["thresholds"][1]["failed"], true);
    server.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_of_two_processes_merge() {
    let server = arena_server(&["--npcs", "0"]);
    let folder = Folder::new("merge");
    let files = ["a.json", "b.json"].map(|name| folder.file(name));
    let start = |name: &str, report: &str| {
        let mut command = against(&server, &BRIEF);
        command.args(["--name", name, "--report", report, "--fail-if", "bots<4"]);
        command
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    let processes = [start("left", &files[0]), start("right", &files[1])];
    for process in processes {
        let (code, text) = ended(&process.wait_with_output().unwrap());
        assert_eq!(code, 0, "{text}");
    }
    let (json, html) = (folder.file("all.json"), folder.file("all.html"));
    let merge = |more: &[&str]| {
        let mut command = bots(&[
            "merge",
            &files[0],
            &files[1],
            "--report",
            &json,
            "--report-html",
            &html,
        ]);
        command.args(more);
        run(command)
    };
    assert_eq!(merge(&["--fail-if", "bots<8"]).0, 0);
    let (a, b, all) = (
        folder.json("a.json"),
        folder.json("b.json"),
        folder.json("all.json"),
    );
    let samples = |report: &Value| report["snapshot_gap_ms"]["samples"].as_u64().unwrap();
    assert_eq!(samples(&all), samples(&a) + samples(&b));
    assert_eq!(
        (&all["bots"], all["per_bot"].as_array().unwrap().len()),
        (&8.into(), 8)
    );
    // Those of the parts, judged anew, and that of the flag.
    let verdicts = all["thresholds"].as_array().unwrap();
    assert_eq!(verdicts.len(), 2);
    assert!(
        verdicts
            .iter()
            .all(|verdict| verdict["failed"] == false && verdict["value"] == 8.0)
    );
    assert!(folder.text("all.html").contains("right-3"));
    assert_eq!(merge(&["--fail-if", "bots>=8"]).0, 3);
    let (code, text) = merge(&["--fail-if", "bot>=8"]);
    assert_eq!((code, text.lines().count()), (2, 1), "{text}");
    std::fs::write(&files[1], "{\"bots\": 3}").unwrap();
    let (code, text) = merge(&[]);
    assert_eq!((code, text.lines().count()), (2, 1), "{text}");
    assert!(text.contains("b.json: this is no report"), "{text}");
    server.drain().await;
}
