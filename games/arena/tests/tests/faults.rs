//! Faults outside the server: a client that stops, a network that is cut silently, a slow reader.
//!
//! The bot runs as a process of its own, so that it can be stopped, or run in another network namespace. Tests wait for the server's
//! state, never for time to pass. The namespace test needs root and `ip`, and says so where it is skipped.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use serde_json::Value;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tickwire_arena_bots::ArenaPlaybook;
use tickwire_arena_tests::{arena_server, program};
use tickwire_bot::Options;
use tickwire_tests::{TestServer, http_get, within};

/// A client counts as dead after two seconds without a pong.
const QUICK_HEARTBEAT: [&str; 8] = [
    "--heartbeat-interval",
    "1s",
    "--heartbeat-timeout",
    "1s",
    "--rtt-interval",
    "500ms",
    "--npcs",
    "0",
];
const POLL: Duration = Duration::from_millis(50);

/// A bot in a process of its own, which is killed on drop.
struct Bot {
    child: Child,
    report: PathBuf,
}

impl Bot {
    fn start(mut command: Command, url: &str, name: &str) -> Self {
        let report =
            std::env::temp_dir().join(format!("tickwire-{name}-{}.json", std::process::id()));
        command
            .args([
                "--url",
                url,
                "--bots",
                "1",
                "--behaviour",
                "wander",
                "--duration",
                "300s",
                "--report",
            ])
            .arg(&report);
        let child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, report }
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Makes the bot leave, and reads its report.
    async fn finish(&mut self) -> Value {
        self.signal("-INT");
        within("the bot's end", async {
            while self.child.try_wait().unwrap().is_none() {
                tokio::time::sleep(POLL).await;
            }
        })
        .await;
        serde_json::from_str(&std::fs::read_to_string(&self.report).unwrap()).unwrap()
    }
}

impl Drop for Bot {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.report);
    }
}

async fn only_player(server: &TestServer, room: &str) -> Option<Value> {
    let (status, body) = http_get(server.addr, &format!("/rooms/{room}/state")).await;
    if status != 200 {
        return None;
    }
    let state: Value = serde_json::from_str(&body).unwrap();
    state["players"].get(0).cloned()
}

async fn until_connected(server: &TestServer, room: &str, is_connected: bool) -> Value {
    within("the player's state", async {
        loop {
            let player = only_player(server, room).await;
            if let Some(player) = player.filter(|player| player["connected"] == is_connected) {
                return player;
            }
            tokio::time::sleep(POLL).await;
        }
    })
    .await
}

/// Asserts that a bot that is `cut` off is noticed by the heartbeat, keeps its session, and resumes it when `mended`.
async fn assert_resumes(
    server: &TestServer,
    mut bot: Bot,
    cut: impl FnOnce(&Bot),
    mended: impl FnOnce(&Bot),
) {
    let before = until_connected(server, "r", true).await;
    cut(&bot);
    let away = until_connected(server, "r", false).await;
    assert_eq!(
        (&away["session"], &away["entity"]),
        (&before["session"], &before["entity"])
    );
    server
        .until_metric(
            r#"tickwire_disconnects_total{reason="heartbeat_timeout"}"#,
            1.0,
        )
        .await;
    server.until_metric("tickwire_sessions", 1.0).await;
    mended(&bot);
    let after = until_connected(server, "r", true).await;
    assert_eq!(
        (&after["session"], &after["entity"]),
        (&before["session"], &before["entity"])
    );
    server
        .until_metric(r#"tickwire_resumes_total{outcome="resumed"}"#, 1.0)
        .await;
    let report = bot.finish().await;
    assert!(report["resumes"].as_u64().unwrap() >= 1, "{report}");
    assert_eq!(
        (&report["view_mismatches"], &report["protocol_errors"]),
        (&0.into(), &0.into())
    );
    assert_eq!(report["per_bot"][0]["session"], before["session"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_client_is_noticed_and_resumes_its_session() {
    let server = arena_server(&QUICK_HEARTBEAT);
    let bot = Bot::start(
        Command::new(program("tickwire-bot")),
        &server.url("r"),
        "stop",
    );
    assert_resumes(
        &server,
        bot,
        |bot| bot.signal("-STOP"),
        |bot| bot.signal("-CONT"),
    )
    .await;
}

/// A network namespace, connected to this one by a pair of interfaces; removed on drop.
struct Namespace {
    name: String,
    near: String,
    far: String,
}

impl Namespace {
    const NEAR: &'static str = "10.213.77.1";
    const FAR: &'static str = "10.213.77.2/30";

    /// Creates the namespace. `None` where that is impossible, with a line that says why.
    fn create() -> Option<Self> {
        let id = std::process::id() % 100_000;
        let namespace = Self {
            name: format!("tickwire{id}"),
            near: format!("tw{id}a"),
            far: format!("tw{id}b"),
        };
        let steps: [&[&str]; 7] = [
            &["netns", "add", &namespace.name],
            &[
                "link",
                "add",
                &namespace.near,
                "type",
                "veth",
                "peer",
                "name",
                &namespace.far,
            ],
            &["link", "set", &namespace.far, "netns", &namespace.name],
            &[
                "addr",
                "add",
                &format!("{}/30", Self::NEAR),
                "dev",
                &namespace.near,
            ],
            &["link", "set", &namespace.near, "up"],
            &[
                "-n",
                &namespace.name,
                "addr",
                "add",
                Self::FAR,
                "dev",
                &namespace.far,
            ],
            &["-n", &namespace.name, "link", "set", &namespace.far, "up"],
        ];
        let is_created = steps.iter().all(|step| ip(step));
        if !is_created {
            eprintln!("skipped: network namespaces need root and the command ip");
        }
        is_created.then_some(namespace)
    }

    fn set_link(&self, state: &str) {
        assert!(ip(&["-n", &self.name, "link", "set", &self.far, state]));
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        ip(&["link", "del", &self.near]);
        ip(&["netns", "del", &self.name]);
    }
}

fn ip(arguments: &[&str]) -> bool {
    let status = Command::new("ip")
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_network_cut_is_noticed_and_the_client_resumes() {
    let Some(namespace) = Namespace::create() else {
        return;
    };
    let listen = format!("{}:0", Namespace::NEAR);
    let flags: Vec<&str> = QUICK_HEARTBEAT
        .into_iter()
        .chain(["--listen", &listen])
        .collect();
    let server = arena_server(&flags);
    let mut command = Command::new("ip");
    command
        .args(["netns", "exec", &namespace.name])
        .arg(program("tickwire-bot"));
    let bot = Bot::start(command, &server.url("r"), "cut");
    assert_resumes(
        &server,
        bot,
        |_| namespace.set_link("down"),
        |_| namespace.set_link("up"),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_stays_in_sync_and_slows_nobody_down() {
    let server = arena_server(&["--npcs", "8"]);
    let url = server.url("slow");
    let swarm = |flags: &[&str]| {
        let fixed = [
            "tickwire-bot",
            "--url",
            &url,
            "--duration",
            "6s",
            "--encoding",
            "plain",
        ];
        let options = Options::load(fixed.iter().chain(flags)).unwrap();
        async move {
            tickwire_bot::run(&options, Some(Arc::new(ArenaPlaybook)))
                .await
                .unwrap()
        }
    };
    let (slow, others) = tokio::join!(
        swarm(&[
            "--behaviour",
            "slow-reader",
            "--bots",
            "1",
            "--name",
            "slow"
        ]),
        swarm(&["--behaviour", "wander", "--bots", "10", "--name", "quick"]),
    );
    assert!(slow.is_good() && others.is_good(), "{slow:?} {others:?}");
    let deferred = server
        .metric(r#"tickwire_snapshots_deferred_total{reason="window"}"#)
        .await;
    assert!(
        deferred > 0.0,
        "no snapshot was deferred for the slow reader"
    );
    // The others got every snapshot: equally many, and far more than the slow reader.
    let rates = others.snapshots_per_second;
    assert!(rates.min > rates.max * 0.9, "{rates:?}");
    assert!(
        slow.per_bot[0].snapshots_per_second < rates.min * 0.9,
        "{:?}",
        slow.per_bot[0]
    );
}
