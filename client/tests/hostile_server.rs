//! A client survives any server: whatever messages come, it neither panics nor hangs, and what it asks for is bounded.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use proptest::prelude::*;
use prost::Message as _;
use tickwire_client::{Action, Client, LinkId, Options, Phase};
use tickwire_proto::v1::{self, server_message::Body};
use tickwire_sync::{Grid, Kind, Lane, Micros, Schema};

/// Inputs that a client makes at most when it is asked: those of a stall, and no more.
const MAX_INPUTS_AT_ONCE: u32 = 8;

fn schema() -> v1::Schema {
    let ship = Kind {
        name: "ship".into(),
        lanes: vec![Lane::continuous("x", "unit"), Lane::continuous("y", "unit")],
        placed: true,
        ..Kind::default()
    };
    let schema = Schema {
        kinds: vec![ship],
        grid: Grid::covering(glam::IVec2::ZERO, glam::IVec2::splat(1_000), 500),
        ..Schema::default()
    };
    schema.to_proto()
}

/// Numbers at the edges of their type, and any others.
fn wild<T: Arbitrary + Clone + std::fmt::Debug + 'static>(edges: Vec<T>) -> BoxedStrategy<T> {
    prop_oneof![2 => proptest::sample::select(edges), 1 => any::<T>()].boxed()
}

fn wild_u32() -> BoxedStrategy<u32> {
    wild(vec![0, 1, 2, 60, 61, 240, 241, u32::MAX - 1, u32::MAX])
}

fn wild_i64() -> BoxedStrategy<i64> {
    let edges = [
        0,
        1,
        -1,
        1_000_000,
        i64::MAX,
        i64::MIN,
        i64::MIN / 2,
        i64::MAX / 2,
    ];
    wild(edges.to_vec())
}

fn wild_u64() -> BoxedStrategy<u64> {
    wild(vec![0, 1, 1_000_000, u64::MAX / 2, u64::MAX - 1, u64::MAX])
}

fn welcome() -> impl Strategy<Value = Body> {
    let tick_rate = prop_oneof![3 => Just(60), 1 => wild_u32()];
    let numbers = (wild_i64(), wild_u64(), tick_rate, wild_u32(), wild_u32());
    let map = prop_oneof![2 => Just(None), 1 => wild_u32().prop_map(Some)];
    (numbers, map, any::<bool>()).prop_map(
        |((tick_zero_us, clock_us, tick_rate, session, last_seq), map, resumed)| {
            Body::Welcome(v1::Welcome {
                session,
                last_seq,
                tick_zero_us,
                clock_us,
                tick_rate,
                resumed,
                resume_token: vec![7; 20],
                schema: Some(schema()),
                map_id: map.map(|_| vec![1]).unwrap_or_default(),
                map_bytes: map.unwrap_or_default(),
                ..v1::Welcome::default()
            })
        },
    )
}

fn snapshot() -> impl Strategy<Value = Body> {
    let cells = || proptest::collection::vec(wild_u32(), 0..4);
    let lists = (cells(), cells(), cells(), cells());
    let bytes = proptest::collection::vec(any::<u8>(), 0..60);
    let numbers = (
        wild_u32(),
        wild_u32(),
        any::<i32>(),
        any::<i32>(),
        wild_u32(),
    );
    (numbers, lists, bytes, any::<bool>()).prop_map(
        |((tick, applied_seq, margin, advance, starved), lists, packed, full_snapshot)| {
            Body::Snapshot(v1::Snapshot {
                tick,
                applied_seq,
                input_margin: Some(margin),
                added_cells: lists.0,
                dropped_cells: lists.1,
                deferred_cells: lists.2,
                cell_parts: lists.3,
                starved_inputs: starved,
                full_snapshot,
                applied_advance: advance,
                packed: packed.into(),
                ..v1::Snapshot::default()
            })
        },
    )
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    let pong = (wild_u64(), wild_u64(), wild_u32(), wild_u32()).prop_map(
        |(stamp, clock_us, held_us, tick)| {
            Body::Pong(v1::Pong {
                stamp,
                clock_us,
                held_us,
                tick,
            })
        },
    );
    let goodbye = wild_u32().prop_map(|reconnect_after_ms| {
        Body::Goodbye(v1::Goodbye {
            reconnect_after_ms,
            ..v1::Goodbye::default()
        })
    });
    let part = proptest::collection::vec(any::<u8>(), 0..200)
        .prop_map(|bytes| Body::MapPart(v1::MapPart { bytes }));
    let codebooks = proptest::collection::vec(any::<u8>(), 0..100).prop_map(|code_lengths| {
        Body::Codebooks(v1::Codebooks {
            code_lengths,
            ..v1::Codebooks::default()
        })
    });
    let body = prop_oneof![3 => welcome(), 4 => snapshot(), 3 => pong, 1 => goodbye, 1 => part, 1 => codebooks];
    let whole = body.prop_map(|body| v1::ServerMessage { body: Some(body) }.encode_to_vec());
    prop_oneof![8 => whole, 1 => proptest::collection::vec(any::<u8>(), 0..80)]
}

/// Does what a shell does: opens links, makes the inputs that are due, and takes what comes of it.
fn turn(client: &mut Client, link: &mut Option<LinkId>, now: Micros) {
    client.poll(now);
    let mut inputs = 0;
    while client.next_due_tick(now).is_some() {
        client.input(&[1]);
        inputs += 1;
        assert!(
            inputs <= MAX_INPUTS_AT_ONCE,
            "more inputs than a stall brings"
        );
    }
    while let Some(action) = client.next_action() {
        if let Action::Open(id) = action {
            *link = Some(id);
            client.opened(id, now);
        }
    }
    while client.next_event().is_some() {}
    let _ = (
        client.predicted(),
        client.own_on_screen(now),
        client.due_ticks(),
    );
    assert!(client.wake_at(now) >= now);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_server_makes_a_client_panic_or_hang(
        steps in proptest::collection::vec((message(), 0_u64..3_000_000), 1..40),
        hello_first in any::<bool>(),
    ) {
        let mut now = Micros(1_000_000);
        let mut client = Client::new(Options { seed: 1, ..Options::default() }, now);
        let mut link = None;
        turn(&mut client, &mut link, now);
        if hello_first {
            let body = Body::Welcome(v1::Welcome {
                session: 1,
                tick_rate: 60,
                schema: Some(schema()),
                ..v1::Welcome::default()
            });
            let bytes = v1::ServerMessage { body: Some(body) }.encode_to_vec();
            client.received(link.unwrap(), &bytes, now);
            prop_assert!(matches!(client.phase(), Phase::Playing));
        }
        for (message, pause) in steps {
            now = now.plus(Micros(pause));
            if let Some(link) = link {
                client.received(link, &message, now);
            }
            turn(&mut client, &mut link, now);
        }
    }
}

#[test]
fn a_clock_at_its_end_is_no_endless_loop() {
    for (tick_zero_us, tick_rate) in [(i64::MIN, 60), (i64::MIN / 2, 240), (i64::MAX, 60), (0, 1)] {
        let mut now = Micros(1_000_000);
        let mut client = Client::new(
            Options {
                seed: 1,
                ..Options::default()
            },
            now,
        );
        let mut link = None;
        turn(&mut client, &mut link, now);
        let body = Body::Welcome(v1::Welcome {
            tick_zero_us,
            tick_rate,
            schema: Some(schema()),
            ..v1::Welcome::default()
        });
        let bytes = v1::ServerMessage { body: Some(body) }.encode_to_vec();
        client.received(link.unwrap(), &bytes, now);
        for _ in 0..200 {
            now = now.plus(Micros(16_667));
            turn(&mut client, &mut link, now);
        }
    }
}

#[test]
fn rooms_that_no_client_can_play_are_left_with_a_sentence() {
    for (tick_rate, map_bytes) in [(0, 0), (241, 0), (u32::MAX, 0), (60, u32::MAX)] {
        let now = Micros(0);
        let mut client = Client::new(
            Options {
                seed: 1,
                ..Options::default()
            },
            now,
        );
        let mut link = None;
        turn(&mut client, &mut link, now);
        let body = Body::Welcome(v1::Welcome {
            tick_rate,
            map_bytes,
            map_id: vec![1],
            schema: Some(schema()),
            ..v1::Welcome::default()
        });
        let bytes = v1::ServerMessage { body: Some(body) }.encode_to_vec();
        client.received(link.unwrap(), &bytes, now);
        let Phase::Closed { reason, .. } = client.phase() else {
            panic!("{:?}", client.phase());
        };
        assert!(reason.contains("cannot be used"), "{reason}");
    }
}
