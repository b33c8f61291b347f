//! Tests of the recorder, whose thread is run by the test itself.

use super::folder::CLIP;
use super::*;
use crate::checkpoint::TestFolder;
use crate::room::tests::room;
use crate::worker::PlayerLink;
use std::fs::File;
use std::path::{Path, PathBuf};
use tickwire_recording::{Recording, Verdict, verify};
use tickwire_sync::bench_policies::WindowPolicy;
use tickwire_sync::{Micros, Tick};

type TestRoom = crate::room::Room<PlayerLink>;

fn config(folder: &TestFolder) -> RecordConfig {
    RecordConfig {
        folder: folder.0.clone(),
        max_bytes: 64 << 20,
        max_age: Duration::from_secs(3_600),
        keep_bytes: 1 << 30,
    }
}

fn recorder(ticks: usize, config: &RecordConfig) -> (Arc<Recorder>, RecorderThread) {
    let metrics = RecorderMetrics::register(&Metrics::new().unwrap()).unwrap();
    Recorder::with_room_for(ticks, Folder::open(config).unwrap(), metrics)
}

fn make_tick(room: &mut TestRoom) {
    let tick = room.tick_now().next();
    let now = Micros(u64::from(tick.0) * 16_667);
    room.tick(tick, now, || now);
    room.replicate(now, || now);
}

/// Makes so many ticks of a room that somebody is connected to.
fn make_ticks(room: &mut TestRoom, recording: &mut RoomRecording, count: u32) {
    for _ in 0..count {
        make_tick(room);
        recording.after_tick(room, 1);
    }
}

fn files(folder: &TestFolder) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(&folder.0).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|one| one == "tickwire"));
    // In the order in which they were made.
    files.sort_by_key(|path| {
        let name = path
            .file_stem()
            .unwrap()
            .to_string_lossy()
            .replace(CLIP, "");
        name.rsplit('-').next().unwrap().parse::<u64>().unwrap()
    });
    files
}

fn verified(path: &Path) -> Verdict {
    let mut recording = Recording::scan(File::open(path).unwrap()).unwrap();
    let verdict = verify(&mut recording).unwrap();
    assert!(verdict.is_good(), "{verdict:?}");
    verdict
}

fn test_room() -> TestRoom {
    room(0, WindowPolicy::default())
}

#[test]
fn a_recorder_that_falls_behind_leaves_out_a_chunk() {
    let folder = TestFolder::new();
    let (recorder, mut thread) = recorder(10, &config(&folder));
    let (mut room, mut recording) = (test_room(), recorder.room());
    // The first tick is the one after the recording began; the channel takes ten.
    make_ticks(&mut room, &mut recording, 100);
    assert_eq!(recorder.metrics.dropped.get(), 1);
    assert!(thread.turn());
    let behind = room.tick_now();
    for _ in 0..60 {
        make_ticks(&mut room, &mut recording, 8);
        assert!(thread.turn());
    }
    assert_eq!(recorder.metrics.dropped.get(), 1);
    drop(recording);
    assert!(thread.turn());
    let files = files(&folder);
    let verdict = verified(&files[0]);
    assert_eq!((files.len(), verdict.missing.len()), (1, 1));
    let (first, last) = verdict.missing[0];
    assert_eq!(first, Tick(12));
    assert!(last > behind && last < room.tick_now(), "{verdict:?}");
    assert!(last.since(first) <= 5 * 60 + 1 + 1, "{verdict:?}");
    let bytes = std::fs::metadata(&files[0]).unwrap().len();
    assert!(recorder.metrics.bytes.get() <= bytes && bytes > 1_000);
}

#[test]
fn files_are_bounded_one_by_one_and_together() {
    let folder = TestFolder::new();
    let config = RecordConfig {
        max_bytes: 1,
        keep_bytes: 150_000,
        ..config(&folder)
    };
    std::fs::write(folder.0.join("notes.txt"), vec![b'x'; 100_000]).unwrap();
    let (recorder, mut thread) = recorder(1_000, &config);
    let (mut room, mut recording) = (test_room(), recorder.room());
    for _ in 0..12 {
        make_ticks(&mut room, &mut recording, 300);
        assert!(thread.turn());
    }
    drop(recording);
    assert!(thread.turn());
    assert!(folder.0.join("notes.txt").exists());
    let files = files(&folder);
    let sizes: Vec<u64> = (files.iter())
        .map(|path| std::fs::metadata(path).unwrap().len())
        .collect();
    assert!(sizes.iter().sum::<u64>() <= 150_000, "{sizes:?}");
    let written = recorder.metrics.bytes.get();
    assert!(written > 200_000 && files.len() > 1, "{written} {sizes:?}");
    // The newest are left, each with one chunk.
    assert!(files.iter().all(|path| verified(path).chunks == 1));
    let newest = Recording::open(File::open(files.last().unwrap()).unwrap()).unwrap();
    assert_eq!(newest.ticks().unwrap().1, room.tick_now());
}

#[tokio::test]
async fn a_clip_has_the_newest_minute() {
    let folder = TestFolder::new();
    let (recorder, mut thread) = recorder(10_000, &config(&folder));
    let (mut room, mut recording) = (test_room(), recorder.room());
    let clip = |recorder: &Arc<Recorder>| {
        let recorder = Arc::clone(recorder);
        tokio::spawn(async move { recorder.clip("tested").await })
    };
    let none = clip(&recorder);
    tokio::task::yield_now().await;
    assert!(thread.turn());
    assert!(matches!(none.await.unwrap(), Err(ClipError::Nothing)));
    make_ticks(&mut room, &mut recording, 75 * 60);
    let saved = clip(&recorder);
    tokio::task::yield_now().await;
    assert!(thread.turn());
    let saved = saved.await.unwrap().unwrap();
    assert_eq!(saved.to_tick, room.tick_now().0);
    let ticks = saved.to_tick + 1 - saved.from_tick;
    assert!((55 * 60..=65 * 60).contains(&ticks), "{ticks}");
    assert_eq!(verified(&saved.file).ticks, u64::from(ticks));
    assert_eq!(std::fs::metadata(&saved.file).unwrap().len(), saved.bytes);
    // The recording goes on.
    make_ticks(&mut room, &mut recording, 60);
    let closed = {
        let recorder = Arc::clone(&recorder);
        tokio::spawn(async move { recorder.close().await })
    };
    tokio::task::yield_now().await;
    thread.run();
    closed.await.unwrap();
    assert_eq!(verified(&files(&folder)[0]).ticks, 75 * 60 + 60 - 1);
    assert!(matches!(
        recorder.clip("tested").await,
        Err(ClipError::Ended)
    ));
    drop(recording);
}

#[test]
fn a_room_that_nobody_is_connected_to_is_not_recorded() {
    let folder = TestFolder::new();
    let (recorder, mut thread) = recorder(1_000, &config(&folder));
    let (mut room, mut recording) = (test_room(), recorder.room());
    recording.after_tick(&mut room, 0);
    assert!(room.take_recorded().is_none());
    make_ticks(&mut room, &mut recording, 10);
    make_tick(&mut room);
    recording.after_tick(&mut room, 0);
    make_tick(&mut room);
    recording.after_tick(&mut room, 0);
    assert!(room.take_recorded().is_none());
    assert!(thread.turn());
    make_ticks(&mut room, &mut recording, 10);
    drop(recording);
    assert!(thread.turn());
    let verdict = verified(&files(&folder)[0]);
    assert_eq!((verdict.chunks, verdict.missing.len()), (2, 1));
}

#[tokio::test]
async fn a_full_disk_leaves_no_empty_files() {
    let folder = TestFolder::new();
    let (recorder, mut thread) = recorder(1_000, &config(&folder));
    let (mut room, mut recording) = (test_room(), recorder.room());
    thread.folder.is_full = true;
    make_ticks(&mut room, &mut recording, 650);
    assert!(thread.turn());
    assert_eq!(recorder.metrics.dropped.get(), 2);
    assert_eq!(files(&folder), [] as [PathBuf; 0]);
    thread.folder.is_full = false;
    make_ticks(&mut room, &mut recording, 300);
    assert!(thread.turn());
    assert_eq!(chunks_of(&files(&folder)), [1]);
    // A clip that cannot be written is removed, too.
    thread.folder.is_full = true;
    let clip = {
        let recorder = Arc::clone(&recorder);
        tokio::spawn(async move { recorder.clip("tested").await })
    };
    tokio::task::yield_now().await;
    assert!(thread.turn());
    assert!(matches!(clip.await.unwrap(), Err(ClipError::Io(_))));
    assert_eq!(files(&folder).len(), 1);
}

/// How many chunks each file has. They need not be closed.
fn chunks_of(files: &[PathBuf]) -> Vec<usize> {
    let chunks = files.iter().map(|path| {
        let recording = Recording::open(File::open(path).unwrap());
        recording.unwrap().chunks().len()
    });
    chunks.collect()
}

#[tokio::test]
async fn what_is_told_does_not_wait_for_all_ticks() {
    let folder = TestFolder::new();
    let (recorder, mut thread) = recorder(1_000, &config(&folder));
    let (mut room, mut recording) = (test_room(), recorder.room());
    make_ticks(&mut room, &mut recording, 100);
    let clip = {
        let recorder = Arc::clone(&recorder);
        tokio::spawn(async move { recorder.clip("tested").await })
    };
    tokio::task::yield_now().await;
    thread.waiting.max_ticks = 30;
    assert!(thread.turn());
    let clip = clip.await.unwrap().unwrap();
    assert_eq!(clip.to_tick - clip.from_tick + 1, 30);
    // The room ends, and keeps its other ticks.
    thread.waiting.max_ticks = 1_000;
    drop(recording);
    assert!(thread.turn());
    assert_eq!(verified(&files(&folder)[0]).ticks, 99);
}

#[tokio::test(start_paused = true)]
async fn a_clip_is_not_waited_for_for_ever() {
    let folder = TestFolder::new();
    let (recorder, mut thread) = recorder(1_000, &config(&folder));
    let (mut room, mut recording) = (test_room(), recorder.room());
    make_ticks(&mut room, &mut recording, 100);
    let clip = recorder.clip("tested").await;
    assert!(matches!(clip, Err(ClipError::Behind)));
    // Nor is it made later.
    assert!(thread.turn());
    assert_eq!(files(&folder), [] as [PathBuf; 0]);
}

#[tokio::test]
async fn a_clip_outlives_a_long_recording() {
    let folder = TestFolder::new();
    let config = RecordConfig {
        keep_bytes: 300_000,
        ..config(&folder)
    };
    let (recorder, mut thread) = recorder(1_000, &config);
    let (mut room, mut recording) = (test_room(), recorder.room());
    make_ticks(&mut room, &mut recording, 300);
    let clip = {
        let recorder = Arc::clone(&recorder);
        tokio::spawn(async move { recorder.clip("tested").await })
    };
    tokio::task::yield_now().await;
    assert!(thread.turn());
    let clip = clip.await.unwrap().unwrap();
    for _ in 0..40 {
        make_ticks(&mut room, &mut recording, 300);
        assert!(thread.turn());
    }
    drop(recording);
    assert!(thread.turn());
    assert_eq!(verified(&clip.file).chunks, 1);
    let files = files(&folder);
    let sizes = files.iter().map(|path| std::fs::metadata(path).unwrap());
    assert!(sizes.map(|file| file.len()).sum::<u64>() <= 300_000);
    // Removing one file has left the newest of the recording.
    assert!(recorder.metrics.bytes.get() > 600_000 && files.len() > 2);
    let newest = Recording::open(File::open(files.last().unwrap()).unwrap()).unwrap();
    assert_eq!(newest.ticks().unwrap().1, room.tick_now());
}

#[test]
fn ticks_that_wait_are_bounded_by_their_memory() {
    let folder = TestFolder::new();
    let (recorder, mut thread) = recorder(1_000, &config(&folder));
    let (mut room, mut recording) = (test_room(), recorder.room());
    make_ticks(&mut room, &mut recording, 11);
    let ten = recorder.waiting_bytes.load(Ordering::Relaxed);
    assert!((1_000..1 << 20).contains(&ten), "{ten}");
    recorder
        .waiting_bytes
        .fetch_add(MAX_WAITING_BYTES - ten, Ordering::Relaxed);
    make_ticks(&mut room, &mut recording, 10);
    assert_eq!(recorder.metrics.dropped.get(), 1);
    assert!(thread.turn());
    recorder
        .waiting_bytes
        .fetch_sub(MAX_WAITING_BYTES - ten, Ordering::Relaxed);
    assert_eq!(recorder.waiting_bytes.load(Ordering::Relaxed), 0);
    make_ticks(&mut room, &mut recording, 310);
    assert!(recorder.waiting_bytes.load(Ordering::Relaxed) > 0);
    assert_eq!(recorder.metrics.dropped.get(), 1);
}
