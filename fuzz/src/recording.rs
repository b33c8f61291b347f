//! A recording of any bytes: it is refused, or read to its end in bounded memory, and never panics.
//!
//! Input: a first byte that chooses, and a file. 0: the file as it is. Others: a payload of one chunk, which is given the head and the checksums
//! of a real file, so that what reads ticks is reached.

use std::io::Cursor;
use std::sync::{Arc, LazyLock};
use tickwire_game::glam::IVec2;
use tickwire_recording::{
    AppliedInput, ChunkEncoder, Head, Info, InputSource, Note, Participant, ReadError,
    RecordedTick, Recording, RecordingFile, Sending, SessionTick, ShotNote, cut, sealed_chunk,
    verify,
};
use tickwire_sync::frame::{Events, History};
use tickwire_sync::lagcomp::ResolvedView;
use tickwire_sync::{
    CellId, EntityId, Grid, Kind, KindId, Lane, Layer, PlayerId, Schema, Scope, Seq, Tick, ViewTick,
};

/// A head with a kind of each sort.
static HEAD: LazyLock<Head> = LazyLock::new(|| {
    let ship = Kind {
        name: "ship".into(),
        lanes: vec![
            Lane::continuous("x", ""),
            Lane::continuous("y", ""),
            Lane::angle("heading", "", 1024),
        ],
        private_lanes: vec![Lane::discrete("ammo", "")],
        texts: vec!["name".into()],
        placed: true,
        ..Kind::default()
    };
    let schema = Schema {
        kinds: vec![ship, Kind::default()],
        events: vec!["bell".into()],
        grid: Grid::covering(IVec2::ZERO, IVec2::splat(1_000), 100),
        ..Schema::default()
    };
    Head {
        game: "fuzz".into(),
        schema: prost::Message::encode_to_vec(&schema.to_proto()),
        rules_hash: 1,
        room: "main".into(),
        tick_rate: 60,
        tick: Tick(0),
        unix_ms: 0,
        tick_zero_us: 0,
        map: Vec::new(),
    }
});

/// One run of the target.
///
/// # Panics
/// If a recording that is in memory cannot be read, or a part of it is none.
pub fn run(input: &[u8]) {
    let Some((choice, rest)) = input.split_first() else {
        return;
    };
    let file = match choice {
        0 => rest.to_vec(),
        _ => sealed_chunk(&HEAD, rest),
    };
    let _ = Recording::open(Cursor::new(&file[..]));
    let Ok(mut scanned) = Recording::scan(Cursor::new(&file[..])) else {
        return;
    };
    let verdict = verify(&mut scanned).expect("memory can be read");
    let _ = Info::of(&mut scanned).expect("memory can be read");
    let _ = scanned.marks().expect("memory can be read");
    if let Some((first, last)) = scanned.ticks() {
        let mut smaller = Vec::new();
        let done = cut(&mut scanned, first, last, &mut smaller).expect("memory can be read");
        assert!(done.is_some() && Recording::open(Cursor::new(smaller)).is_ok());
        let middle = Tick(first.0 + last.since(first) / 2);
        let mut playback = scanned.play();
        match playback.seek(middle) {
            Ok(_) | Err(ReadError::Damaged(_)) => {}
            Err(error) => panic!("memory can be read: {error}"),
        }
    }
    assert!(verdict.ticks == 0 || verdict.chunks > 0 || !verdict.damages.is_empty());
}

/// A recording of some ticks: a ship that flies, fires and goes, and a player who joins.
///
/// # Panics
/// If memory cannot be written.
#[must_use]
pub fn sample() -> (Vec<u8>, Vec<u8>) {
    let schema = <tickwire_proto::v1::Schema as prost::Message>::decode(&HEAD.schema[..])
        .expect("the schema is one");
    let schema = Arc::new(Schema::from_proto(&schema).expect("the schema is valid"));
    let mut history = History::new(Arc::clone(&schema), 0);
    let mut events = Events::default();
    let mut encoder = ChunkEncoder::new(Arc::clone(&schema), 60);
    let mut recorded = RecordedTick::new(&schema);
    let (player, ship) = (PlayerId(1), id(0, 70));
    for tick in 1..20 {
        recorded.clear();
        recorded.begins = tick == 1;
        if tick == 2 {
            recorded.facts.notes.push(Note::Joined(Participant {
                player,
                name: "Ada".to_owned(),
                entity: Some(ship),
                is_spectator: false,
                is_connected: true,
            }));
        }
        if tick % 5 == 0 {
            events.emit(0, b"ding", [CellId(3), CellId(4)]);
        }
        history.publish(Tick(tick), &mut events, |out| {
            if tick < 15 {
                let lanes = [tick as i32 * 9, 500, 1000 + tick as i32 * 4];
                out.put(ship, Scope::Layer(Layer(0)), &lanes, &["Ada's".into()]);
                out.own(player, ship, &[tick as i32 / 3]);
            }
            out.put(id(1, 0), Scope::Global, &[], &[]);
        });
        let frame = history.newest().expect("a frame was published");
        recorded.frame.share(frame);
        recorded.owned.copy_from(history.owned());
        let facts = &mut recorded.facts;
        facts.payloads.extend_from_slice(&[tick as u8 / 4]);
        facts.cells.extend([CellId(0), CellId(7)]);
        let at = ViewTick::new(Tick(tick), 9);
        let view = ResolvedView {
            at,
            received: Some(Tick(tick)),
            claimed: ViewTick(at.0 + u64::from(tick / 9)),
            was_clamped: tick >= 9,
            ..ResolvedView::default()
        };
        facts.sessions.push(SessionTick {
            player,
            input: AppliedInput {
                source: InputSource::Fresh,
                seq: Seq(tick),
                view,
                payload: 0..1,
            },
            sending: Sending::Sent,
            bytes: 100 + tick,
            cells: 0..2,
            acked: Tick(tick),
            margin: Some(4),
            starved: 0,
            view_hash: (tick == 7).then_some(12_345),
        });
        if tick == 12 {
            facts.shots.push(ShotNote {
                player,
                seq: Seq(tick),
                is_hit: true,
                rewound: 300,
                view,
            });
        }
        encoder.push(&mut recorded);
    }
    let chunk = encoder.finish().expect("there are ticks");
    let mut file = RecordingFile::begin(Vec::new(), &HEAD).expect("memory can be written");
    file.append(&chunk).expect("memory can be written");
    let file = file.finish().expect("memory can be written").0;
    (file, chunk.payload().to_vec())
}

fn id(kind: u8, slot: u32) -> EntityId {
    EntityId {
        kind: KindId(kind),
        slot,
        generation: 1,
    }
}
