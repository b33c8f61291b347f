//! Nodes of a cluster in processes of their own, and bots that play on them.

use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tickwire_arena_tests::program;
use tickwire_tests::{http_get, within};

pub const POLL: Duration = Duration::from_millis(20);

/// A node in a process of its own, which is killed on drop.
pub struct Node {
    child: Child,
    /// What the node logs, for whoever looks into a failure.
    log: PathBuf,
    pub name: String,
    pub addr: SocketAddr,
    pub ops: SocketAddr,
}

impl Node {
    /// Starts a node, and waits until it is ready. Its log stays where a test fails.
    pub fn start(redis: &str, name: &str, flags: &[&str]) -> Self {
        Self::start_at(redis, name, "127.0.0.1:0", flags)
    }

    /// Starts a node on a port.
    pub fn start_at(redis: &str, name: &str, listen: &str, flags: &[&str]) -> Self {
        let mut command = Command::new(program("tickwire-server"));
        command.args(["--listen", listen, "--ops-listen", "127.0.0.1:0"]);
        command.args(["--redis", redis, "--node-name", name, "--workers", "1"]);
        command.args(["--npcs", "0"]).args(flags);
        let log = format!("tickwire-node-{}-{name}.log", std::process::id());
        let log = std::env::temp_dir().join(log);
        let file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(file).spawn().unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["tickwire", "ready", ws, "ops", ops] = words[..] else {
            panic!("{name} is not ready: {line}");
        };
        let addr = ws.trim_start_matches("ws://").trim_end_matches("/ws");
        Self {
            child,
            log,
            name: name.to_owned(),
            addr: addr.parse().unwrap(),
            ops: ops.trim_start_matches("http://").parse().unwrap(),
        }
    }

    pub fn url(&self, room: &str) -> String {
        format!("ws://{}/ws?room={room}", self.addr)
    }

    pub async fn metric(&self, series: &str) -> f64 {
        let (_, text) = http_get(self.ops, "/metrics").await;
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value
            .unwrap_or_else(|| panic!("no {series}"))
            .parse()
            .unwrap()
    }

    pub async fn until_metric(&self, series: &str, is_enough: impl Fn(f64) -> bool) {
        within(series, async {
            while !is_enough(self.metric(series).await) {
                tokio::time::sleep(POLL).await;
            }
        })
        .await;
    }

    /// The answer of the operations port, as JSON.
    pub async fn ops_json(&self, path: &str) -> Value {
        let (status, body) = http_get(self.ops, path).await;
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    pub fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Ends the process as a crash does.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Drains, and returns once the process has ended.
    pub async fn drain(&mut self) {
        self.signal("-TERM");
        within("the drain", async {
            while self.child.try_wait().unwrap().is_none() {
                tokio::time::sleep(POLL).await;
            }
        })
        .await;
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !std::thread::panicking() {
            let _ = std::fs::remove_file(&self.log);
        }
    }
}

/// Waits until each node knows so many.
pub async fn until_all_know(nodes: &[Node], count: usize) {
    for node in nodes {
        within("all nodes to know each other", async {
            while node.ops_json("/nodes").await.as_array().unwrap().len() != count {
                tokio::time::sleep(POLL).await;
            }
        })
        .await;
    }
}

/// How many players are connected to rooms of these nodes.
pub async fn players(nodes: &[Node]) -> f64 {
    let mut players = 0.0;
    for node in nodes {
        players += node.metric("tickwire_players").await;
    }
    players
}

pub async fn until_players(nodes: &[Node], count: usize) {
    within("all players", async {
        while players(nodes).await < count as f64 {
            tokio::time::sleep(POLL).await;
        }
    })
    .await;
}

/// Bots in a process of their own, which is killed on drop.
pub struct Bots {
    child: Child,
    report: PathBuf,
}

impl Bots {
    /// Starts duelling bots that are spread over the nodes, in the rooms `PREFIX-0` ...
    pub fn start(nodes: &[Node], prefix: &str, rooms: usize, count: usize) -> Self {
        static REPORTS: AtomicU32 = AtomicU32::new(0);
        let number = REPORTS.fetch_add(1, Ordering::Relaxed);
        let report = format!("tickwire-cluster-{}-{number}.json", std::process::id());
        let report = std::env::temp_dir().join(report);
        let mut command = Command::new(program("tickwire-bot"));
        for node in nodes {
            command.args(["--url", &format!("ws://{}/ws", node.addr)]);
        }
        command.args(["--room", prefix, "--rooms", &rooms.to_string()]);
        command.args(["--bots", &count.to_string(), "--behaviour", "duel"]);
        command
            .args(["--duration", "3600s", "--report"])
            .arg(&report);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Self {
            child: command.spawn().unwrap(),
            report,
        }
    }

    /// Ends the bots, and returns their report.
    pub async fn end(mut self) -> Value {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-INT", &id]).status().unwrap();
        assert!(sent.success());
        within("the bots' end", async {
            while self.child.try_wait().unwrap().is_none() {
                tokio::time::sleep(POLL).await;
            }
        })
        .await;
        let text = std::fs::read_to_string(&self.report).unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

impl Drop for Bots {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.report);
    }
}
