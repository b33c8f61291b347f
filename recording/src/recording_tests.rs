//! What is written is read again, and damage costs no more than its chunk.

use super::*;
use crate::test_world::{TestWorld, file, head, schema};
use crate::tick::{RecordedTick, TickFacts};
use crate::{ChunkEncoder, Info, Note, RecordingFile, cut, verify};
use proptest::prelude::*;
use std::io::Cursor;
use tickwire_sync::KindId;
use tickwire_sync::frame::Frame;

fn opened(bytes: &[u8]) -> Recording<Cursor<Vec<u8>>> {
    Recording::open(Cursor::new(bytes.to_vec())).unwrap()
}

fn assert_same_world(now: &Playing, frame: &Frame, schema: &Schema) {
    let mut count = 0;
    for kind in 0..schema.kinds.len() {
        let kind = KindId(kind as u8);
        let ids: Vec<_> = frame.entities(kind).collect();
        let rows: Vec<_> = now.world().rows(kind).collect();
        assert_eq!(ids, rows.iter().map(|(id, _)| *id).collect::<Vec<_>>());
        for (id, row) in rows {
            assert_eq!(row.lanes, frame.row(id.key()));
            assert_eq!(Some(row.cell), frame.cell_of(id.key()));
            assert!(
                frame
                    .texts(id.key())
                    .eq(row.texts.iter().map(|text| &**text))
            );
            count += 1;
        }
    }
    assert_eq!(count, now.world().row_count());
    assert!(now.is_hash_right(), "tick {}", now.tick());
}

/// Records a world with a break before every `break_at`th tick, and compares every tick that is read with what was recorded.
fn round_trip(seed: u64, ticks: usize, break_at: usize) {
    let mut world = TestWorld::new(seed);
    let schema = Arc::clone(&world.schema);
    let mut encoder = ChunkEncoder::new(Arc::clone(&schema), 10);
    let mut recorded = RecordedTick::new(&schema);
    let mut out = RecordingFile::begin(Vec::new(), &head(&schema)).unwrap();
    let mut expected: Vec<(Frame, tickwire_sync::frame::OwnedRows, TickFacts)> = Vec::new();
    let mut roster = crate::tick::Roster::new();
    for tick in 0..ticks {
        recorded.clear();
        recorded.begins = tick % break_at == 0;
        if recorded.begins {
            if let Some(chunk) = encoder.finish() {
                out.append(&chunk).unwrap();
            }
            let present = roster.values().cloned().map(Note::Present);
            recorded.facts.notes.extend(present);
        }
        world.step(&mut recorded);
        (recorded.facts.notes.iter()).for_each(|note| note.apply(&mut roster));
        expected.push((
            recorded.frame.clone(),
            recorded.owned.clone(),
            recorded.facts.clone(),
        ));
        encoder.push(&mut recorded);
        if encoder.is_full() {
            out.append(&encoder.finish().unwrap()).unwrap();
        }
    }
    if let Some(chunk) = encoder.finish() {
        out.append(&chunk).unwrap();
    }
    let (bytes, length) = out.finish().unwrap();
    assert_eq!(bytes.len() as u64, length);
    let mut recording = opened(&bytes);
    assert_eq!(recording.damages(), []);
    assert_eq!(recording.head(), &head(&schema));
    let mut playback = recording.play();
    for (frame, owned, facts) in &mut expected {
        assert!(playback.advance().unwrap());
        let now = playback.now().unwrap();
        assert_eq!(now.tick(), frame.tick());
        assert_same_world(now, frame, &schema);
        assert!(now.world().owned().eq(owned.all(&schema)));
        facts.notes.retain(|note| !matches!(note, Note::Present(_)));
        assert_eq!(now.facts(), facts);
        let events: Vec<_> = frame.events().all().collect();
        assert_eq!(events.len(), now.events().len());
        for (event, read) in events.iter().zip(now.events()) {
            assert_eq!((event.number, event.kind), (read.number, read.kind));
            assert_eq!(event.payload, read.payload);
        }
        for (cell, event) in frame.events().touched() {
            assert!(now.events()[event].cells.contains(&cell));
        }
    }
    assert!(playback.now().unwrap().roster().eq(roster.values()));
    assert!(!playback.advance().unwrap());
    // Any tick can be reached, from any other.
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..20 {
        let (frame, _, facts) = &expected[random.usize(0..expected.len())];
        assert!(playback.seek(frame.tick()).unwrap());
        let now = playback.now().unwrap();
        assert_eq!(now.tick(), frame.tick());
        assert_same_world(now, frame, &schema);
        assert_eq!(now.facts(), facts);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_recorded_is_read_again(seed: u64, ticks in 1..220_usize, break_at in 1..100_usize) {
        round_trip(seed, ticks, break_at);
    }

    #[test]
    fn a_flipped_bit_costs_one_chunk_and_is_found(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let mut bytes = file(5, 160);
        let whole = verify(&mut Recording::scan(Cursor::new(bytes.clone())).unwrap()).unwrap();
        prop_assert!(whole.is_good());
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let mut recording = Recording::scan(Cursor::new(bytes.clone())).unwrap();
        let verdict = verify(&mut recording).unwrap();
        prop_assert!(!verdict.is_good(), "byte {} of {}", at, bytes.len());
        prop_assert!(verdict.damages[0].offset <= at as u64, "{:?}", verdict);
        prop_assert!(verdict.chunks + 1 >= whole.chunks, "{:?}", verdict);
        prop_assert!(verdict.mismatches == 0 && verdict.ticks + 51 > whole.ticks, "{:?}", verdict);
        // The index may lead to the damage, which is then found on the way.
        prop_assert!(verify(&mut opened(&bytes)).unwrap().ticks == verdict.ticks);
    }

    #[test]
    fn a_torn_file_plays_up_to_the_tear(at in any::<prop::sample::Index>()) {
        let bytes = file(6, 160);
        let at = at.index(bytes.len());
        match Recording::open(Cursor::new(bytes[..at].to_vec())) {
            Ok(mut recording) => {
                let verdict = verify(&mut recording).unwrap();
                prop_assert!(!verdict.is_good() && verdict.mismatches == 0);
                let whole = opened(&bytes);
                let before = whole.chunks().iter().filter(|chunk| chunk.offset + chunk.bytes <= at as u64);
                prop_assert_eq!(verdict.chunks, before.count());
                prop_assert!(verdict.damages[0].offset <= at as u64);
            }
            // The head is torn.
            Err(error) => prop_assert!(matches!(error, ReadError::NoHead) && at < 1_000),
        }
    }
}

#[test]
fn a_changed_row_is_found_by_its_hash() {
    // Rows are changed behind the checksum: by a writer whose encoder has forgotten one.
    let mut world = TestWorld::new(3);
    let mut encoder = ChunkEncoder::new(Arc::clone(&world.schema), 10);
    let mut recorded = RecordedTick::new(&world.schema);
    for tick in 0..30 {
        recorded.clear();
        recorded.begins = tick == 0;
        world.step(&mut recorded);
        encoder.push(&mut recorded);
        if tick == 20 {
            encoder.spoil();
        }
    }
    let mut out = RecordingFile::begin(Vec::new(), &head(&schema())).unwrap();
    let place = out.append(&encoder.finish().unwrap()).unwrap();
    let bytes = out.finish().unwrap().0;
    let verdict = verify(&mut opened(&bytes)).unwrap();
    let (tick, offset) = verdict.mismatch.unwrap();
    assert_eq!(offset, place.offset);
    assert!(tick > place.first && verdict.ticks >= 20, "{verdict:?}");
}

#[test]
fn a_cut_is_a_whole_recording() {
    let bytes = file(8, 400);
    let mut recording = opened(&bytes);
    let (first, last) = recording.ticks().unwrap();
    let (from, to) = (Tick(first.0 + 120), Tick(last.0 - 150));
    let mut smaller = Vec::new();
    let done = cut(&mut recording, from, to, &mut smaller)
        .unwrap()
        .unwrap();
    assert!(done.first <= from && to <= done.last && done.left_out == 0);
    assert!(from.since(done.first) < 50 && smaller.len() < bytes.len());
    assert_eq!(done.bytes, smaller.len() as u64);
    let verdict = verify(&mut opened(&smaller)).unwrap();
    assert!(verdict.is_good());
    let marks = opened(&smaller).marks().unwrap().to_vec();
    let mut scanned = Recording::scan(Cursor::new(smaller)).unwrap();
    assert_eq!(scanned.marks().unwrap(), marks);
    assert_eq!(scanned.damages(), []);
    let nothing = cut(&mut recording, Tick(0), Tick(1), Vec::new()).unwrap();
    assert_eq!(nothing, None);
}

#[test]
fn info_adds_up() {
    let bytes = file(9, 230);
    let mut recording = opened(&bytes);
    let info = Info::of(&mut recording).unwrap();
    let mut expected: (u64, u64, Vec<_>) = (0, 0, Vec::new());
    let mut playback = recording.play();
    while playback.advance().unwrap() {
        let now = playback.now().unwrap();
        expected.0 += 1;
        let here = |one: &&crate::SessionTick| one.sending != crate::Sending::Away;
        expected.1 += now.facts().sessions.iter().filter(here).count() as u64;
        expected.2.extend(now.roster().map(|one| one.player));
    }
    expected.2.sort_unstable();
    expected.2.dedup();
    assert_eq!(
        (info.tick_count, info.player_ticks),
        (expected.0, expected.1)
    );
    let players: Vec<_> = info.players.iter().map(|one| one.player).collect();
    assert_eq!(players, expected.2);
    let parts: u64 = info.part_bytes.values().sum();
    assert!(parts <= info.chunk_bytes && parts * 2 > info.chunk_bytes);
}

#[test]
fn an_index_beyond_the_file_is_not_followed() {
    let whole = file(7, 60);
    let folder = std::env::temp_dir();
    for offset in [whole.len() as u64, u64::MAX, i64::MAX as u64 + 1] {
        let mut bytes = whole.clone();
        let at = bytes.len() - crate::file::FOOTER_BYTES;
        bytes[at..at + 8].copy_from_slice(&offset.to_le_bytes());
        // A file refuses a seek that a Cursor takes.
        let path = folder.join(format!("tickwire-{}-{offset}", std::process::id()));
        std::fs::write(&path, &bytes).unwrap();
        let opened = Recording::open(std::fs::File::open(&path).unwrap());
        std::fs::remove_file(&path).unwrap();
        assert_eq!(opened.unwrap().ticks(), self::opened(&whole).ticks());
    }
}

/// A source that counts the bytes that are read.
struct Counted<S>(S, u64);

impl<S: Read> Read for Counted<S> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(out)?;
        self.1 += read as u64;
        Ok(read)
    }
}

impl<S: Seek> Seek for Counted<S> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

#[test]
fn blocks_that_end_beyond_the_file_are_not_read() {
    // Headers of long blocks, one after the other.
    let header = &crate::block::seal(BlockKind::Chunk, &vec![0; 1 << 20])[..HEADER_BYTES];
    let mut bytes = file(7, 60);
    let length = bytes.len() as u64;
    for _ in 0..2_000 {
        bytes.extend_from_slice(header);
    }
    let recording = Recording::scan(Counted(Cursor::new(bytes), 0)).unwrap();
    assert!(recording.damages().len() >= 2_000);
    let read = recording.source.1;
    assert!(read < 3 * length + (1 << 20), "{read}");
}

#[test]
fn a_roster_that_no_room_has_is_refused() {
    let check = |players: u32| {
        let mut column = Vec::new();
        crate::column::put(&mut column, players.into());
        for player in 0..players {
            let one = crate::test_world::participant(tickwire_sync::PlayerId(player));
            crate::column::put_value(&mut column, &Note::Present(one));
        }
        let mut roster = crate::tick::Roster::new();
        read_notes(&mut ColumnReader::new(column), |note| {
            note.apply(&mut roster);
            check_roster(&roster)
        })
    };
    assert!(check(1 << 16).is_ok());
    assert!(check((1 << 16) + 1).is_err());
}
