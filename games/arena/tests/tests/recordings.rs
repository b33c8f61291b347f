//! Recordings of a real server: what bots and the server say of a match, and what its recording says.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tickwire_arena_bots::ArenaPlaybook;
use tickwire_arena_tests::arena_server;
use tickwire_bot::{Options, Report};
use tickwire_recording::{Info, InputSource, MarkKind, Recording, Sending, verify};
use tickwire_tests::{Player, TestServer, http_get, http_post, within};

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("tickwire-{name}-{}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn flag(&self) -> String {
        format!("--record={}", self.0.display())
    }

    /// The recordings, without the folder's lock.
    fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let is_recording = |path: &PathBuf| path.extension().is_some_and(|it| it == "tickwire");
        paths.filter(is_recording).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn duel(server: &TestServer, flags: &[&str]) -> Report {
    let url = format!("ws://{}/ws", server.addr);
    let fixed = ["tickwire-bot", "--url", &url, "--behaviour", "duel"];
    let options = Options::load(fixed.iter().chain(flags)).unwrap();
    tickwire_bot::run(&options, Some(Arc::new(ArenaPlaybook)))
        .await
        .unwrap()
}

async fn until_nobody_is_there(server: &TestServer) {
    within("everybody has gone", async {
        while server.metric("tickwire_players").await > 0.0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_duel_is_what_was_played() {
    let folder = Folder::new("duel");
    let server = arena_server(&["--npcs", "2", &folder.flag()]);
    let honest = ["--bots", "6", "--room", "duel", "--duration", "8s"];
    let forging = [
        "--bots",
        "2",
        "--room",
        "duel",
        "--duration",
        "8s",
        "--name",
        "Mallory",
    ];
    let forging = [&forging[..], &["--forge-view", "250ms"]].concat();
    let (honest, forging) = tokio::join!(duel(&server, &honest), duel(&server, &forging));
    assert!(honest.is_good(), "{honest:?}");
    until_nobody_is_there(&server).await;
    let mut counted = Vec::new();
    for outcome in ["hit", "miss", "clamped"] {
        let series = format!("tickwire_shots_total{{outcome=\"{outcome}\"}}");
        counted.push(server.metric(&series).await as usize);
    }
    let dropped = server.metric("tickwire_recording_dropped_total").await;
    assert!(
        dropped == 0.0,
        "the machine is too busy: {dropped} chunks dropped"
    );
    server.drain().await;

    let files = folder.files();
    assert_eq!(files.len(), 1, "{files:?}");
    let mut recording = Recording::open(File::open(&files[0]).unwrap()).unwrap();
    let verdict = verify(&mut recording).unwrap();
    assert!(verdict.is_good() && verdict.chunks >= 2, "{verdict:?}");

    let info = Info::of(&mut recording).unwrap();
    let mut recorded: Vec<_> = info.players.iter().map(|one| one.name.clone()).collect();
    let bots = honest.per_bot.iter().chain(&forging.per_bot);
    let mut played: Vec<_> = bots.map(|bot| bot.name.clone()).collect();
    recorded.sort();
    played.sort();
    assert_eq!(recorded, played);
    assert_eq!(
        (info.head.game.as_str(), info.head.room.as_str()),
        ("arena", "duel")
    );

    let marks = recording.marks().unwrap().to_vec();
    let marked = |kind| marks.iter().filter(|mark| mark.kind == kind).count();
    // The first have joined before the first tick that is recorded.
    assert!((1..=8).contains(&marked(MarkKind::Joined)));
    let (mut hits, mut misses, mut clamped, mut traced) = (0, 0, 0, 0);
    let (mut sent, mut fresh) = (0, 0);
    let mut playback = recording.play();
    while playback.advance().unwrap() {
        let now = playback.now().unwrap();
        let facts = now.facts();
        for shot in &facts.shots {
            hits += usize::from(shot.is_hit);
            misses += usize::from(!shot.is_hit);
            clamped += usize::from(shot.view.was_clamped);
            let mut traces = facts.traces.iter();
            let trace = traces.find(|trace| trace.player == shot.player);
            let trace = trace.expect("every shot has its trace");
            traced += 1;
            assert_eq!((trace.seq, trace.view), (shot.seq, shot.view));
            assert_eq!(trace.test.hit.is_some(), shot.is_hit);
            assert_eq!(shot.view.was_clamped, shot.view.at != shot.view.claimed);
            if let Some(hit) = trace.test.hit {
                let target = trace.targets.iter().find(|target| target.id == hit);
                let target = target.expect("what was hit was tested");
                // To a sixteenth of a unit, in which positions are.
                assert!(target.margin <= 1, "{trace:?}");
                let (older, newer) = target.drawn_from;
                assert!(older <= newer && newer < now.tick(), "{trace:?}");
            }
        }
        for session in &facts.sessions {
            fresh += usize::from(session.input.source == InputSource::Fresh);
            if session.sending == Sending::Sent {
                sent += 1;
                assert!(session.bytes > 0);
            }
        }
    }
    assert_eq!(vec![hits, misses, clamped], counted);
    assert_eq!(
        (marked(MarkKind::Hit), marked(MarkKind::Miss)),
        (hits, misses)
    );
    assert!(
        hits + misses == traced && misses > 0 && clamped > 0,
        "{counted:?}"
    );
    assert!(sent > 1_000 && fresh > 1_000, "{sent} {fresh}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_minute_is_saved_while_it_is_played() {
    let folder = Folder::new("clip");
    let server = arena_server(&["--npcs", "0", &folder.flag()]);
    let mut player = Player::joined(&server.url("main"), "Ada").await;
    player.for_snapshots(60).await;
    let (status, body) = http_post(server.ops, "/rooms/main/clip", "").await;
    assert_eq!(status, 200, "{body}");
    let clip: serde_json::Value = serde_json::from_str(&body).unwrap();
    let file = File::open(clip["file"].as_str().unwrap()).unwrap();
    assert_eq!(
        file.metadata().unwrap().len(),
        clip["bytes"].as_u64().unwrap()
    );
    let mut recording = Recording::scan(file).unwrap();
    let (first, last) = recording.ticks().unwrap();
    assert_eq!(
        (clip["from_tick"].as_u64(), clip["to_tick"].as_u64()),
        (Some(first.0.into()), Some(last.0.into()))
    );
    let verdict = verify(&mut recording).unwrap();
    assert!(verdict.is_good() && verdict.ticks >= 30, "{verdict:?}");
    // Play goes on, and so does the recording.
    player.for_snapshots(30).await;
    let (status, _) = http_post(server.ops, "/rooms/none/clip", "").await;
    assert_eq!(status, 404);
    drop(player);
    server.drain().await;
    for path in folder.files() {
        let mut recording = Recording::scan(File::open(path).unwrap()).unwrap();
        assert!(verify(&mut recording).unwrap().is_good());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_records_nothing_says_which_flag_would() {
    let server = arena_server(&["--npcs", "0"]);
    let mut player = Player::joined(&server.url("main"), "Ada").await;
    player.for_snapshots(3).await;
    let (status, body) = http_post(server.ops, "/rooms/main/clip", "").await;
    assert_eq!(status, 409);
    assert!(body.contains("--record DIR"), "{body}");
    let (_, metrics) = http_get(server.ops, "/metrics").await;
    assert!(!metrics.contains("tickwire_recording"));
    server.drain().await;
}
