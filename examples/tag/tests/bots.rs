//! Bots that know tag play it: they see its entities and events in its own types.

#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing has failed")]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tag::{Runner, TagEvent, Wish};
use tag_bots::TagBots;
use tickwire_bot::{Behaviour, BehaviourName, Options, Playbook, Player, Screen, played_by};

/// The program on a free port, ended with the test.
struct Server(Child);

impl Server {
    fn start() -> (Self, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tag"));
        command.args(["--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"]);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        let output = child.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut ready).unwrap();
        let url = ready.split(' ').nth(2).unwrap().to_owned();
        (Self(child), url)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Stands still, and counts what it sees.
struct Watcher(Arc<Seen>);

#[derive(Default)]
struct Seen {
    touches: AtomicU32,
    runners: AtomicU32,
}

impl Player for Watcher {
    type Input = Wish;
    type Event = TagEvent;

    fn input(&mut self, screen: &Screen<'_>) -> Wish {
        let runners = screen.all::<Runner>().len() as u32;
        self.0.runners.fetch_max(runners, Ordering::Relaxed);
        Wish::default()
    }

    fn event(&mut self, _: &Screen<'_>, event: TagEvent) {
        let TagEvent::Touched { who } = event;
        assert!(who.0 > 0);
        self.0.touches.fetch_add(1, Ordering::Relaxed);
    }
}

/// The bots of tag, and a watcher for each that idles.
struct Watched(Arc<Seen>);

impl Playbook for Watched {
    fn game(&self) -> &'static str {
        "tag"
    }

    fn behaviour(&self, name: BehaviourName, seed: u64) -> Box<dyn Behaviour> {
        match name {
            BehaviourName::Idle => played_by(Watcher(Arc::clone(&self.0))),
            _ => TagBots.behaviour(name, seed),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bots_catch_each_other() {
    let (_server, url) = Server::start();
    let seen = Arc::new(Seen::default());
    let flags = [
        "tag-bots",
        "--url",
        &url,
        "--bots",
        "10",
        "--duration",
        "6s",
    ];
    let options = Options::load(flags).unwrap();
    let playbook = Arc::new(Watched(Arc::clone(&seen)));
    let report = tickwire_bot::run(&options, Some(playbook)).await.unwrap();
    assert!(report.is_good(), "{report:?}");
    // Of ten bots of the mix one spectates, and nine run or watch.
    assert_eq!(seen.runners.load(Ordering::Relaxed), 9);
    assert!(seen.touches.load(Ordering::Relaxed) > 0);
    assert!(report.prediction.inputs > 0 && report.prediction.lacking.is_empty());
}
