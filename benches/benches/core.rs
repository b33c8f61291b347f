//! The parts of a tick, one by one: `cargo bench -p tickwire-benches`. How to read it: benches/README.md.

#![allow(clippy::unwrap_used, missing_docs)] // a bench that unwraps nothing measures nothing

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use glam::IVec2;
use prost::Message as _;
use std::hint::black_box;
use std::time::Duration;
use tickwire_benches::World;
use tickwire_proto::v1;
use tickwire_sync::client::Replica;
use tickwire_sync::congestion::CongestionWindow;
use tickwire_sync::encode::{BlockCache, Encoding, Header, HeaderDecoder};
use tickwire_sync::interest::{ClientView, InterestArea};
use tickwire_sync::snapshot::SnapshotBuilder;
use tickwire_sync::{Grid, LayerSet, Micros, Tick};

fn look_at(view: &mut ClientView, grid: &Grid, focus: IVec2) {
    view.update_interest(
        grid,
        InterestArea {
            focus,
            half_extent: IVec2::splat(400 * 16),
            layers: LayerSet::default(),
        },
    );
}

fn whole_world(grid: &Grid) -> ClientView {
    let mut view = ClientView::default();
    view.update_interest(
        grid,
        InterestArea {
            focus: IVec2::splat(2048 * 16),
            half_extent: IVec2::splat(2048 * 16),
            layers: LayerSet::default(),
        },
    );
    view
}

fn publish_diff_encode(c: &mut Criterion) {
    let mut group = c.benchmark_group("tick of 1,000 moving entities");
    group.throughput(Throughput::Elements(1000));
    let mut world = World::new(1000, 0, 512);
    group.bench_function("step and publish", |b| b.iter(|| world.step()));
    let (mut block_cache, mut snapshot) = (
        BlockCache::new(world.history.schema()),
        SnapshotBuilder::default(),
    );
    let mut view = whole_world(&world.history.schema().grid);
    let mut message = Vec::new();
    let mut tick = |world: &mut World| {
        world.step();
        snapshot.build(
            &mut view,
            &world.history,
            &mut block_cache,
            Encoding::Packed,
            Header::default(),
            |_| false,
        );
        view.mark_sent(&world.history);
        message.clear();
        snapshot.append_to(&block_cache, &mut message);
        message.len()
    };
    tick(&mut world);
    group.bench_function("step, publish, diff and encode", |b| {
        b.iter(|| tick(&mut world));
    });
    group.finish();
    let mut group = c.benchmark_group("tick of 10,000 resting entities");
    group.throughput(Throughput::Elements(10_000));
    let mut world = World::new(0, 10_000, 512);
    group.bench_function("publish", |b| b.iter(|| world.step()));
    let mut world = World::new(1000, 10_000, 512);
    group.bench_function("publish, with 1,000 more that move", |b| {
        b.iter(|| world.step());
    });
    group.finish();
}

fn assembly(c: &mut Criterion) {
    let mut group = c.benchmark_group("snapshots of 1,000 clients");
    group.throughput(Throughput::Elements(1000));
    let mut world = World::new(1000, 0, 512);
    let (mut block_cache, mut snapshot) = (
        BlockCache::new(world.history.schema()),
        SnapshotBuilder::default(),
    );
    let grid = world.history.schema().grid;
    let mut views = vec![ClientView::default(); 1000];
    let mut messages = Vec::new();
    let mut all = |world: &World| {
        messages.clear();
        for (index, view) in views.iter_mut().enumerate() {
            look_at(view, &grid, world.position(index));
            snapshot.build(
                view,
                &world.history,
                &mut block_cache,
                Encoding::Packed,
                Header::default(),
                |_| false,
            );
            view.mark_sent(&world.history);
            snapshot.append_to(&block_cache, &mut messages);
        }
        messages.len()
    };
    world.step();
    all(&world);
    group.bench_function("update interest, build and mark sent", |b| {
        b.iter_custom(|rounds| {
            let mut spent = Duration::ZERO;
            for _ in 0..rounds {
                world.step();
                let start = std::time::Instant::now();
                black_box(all(&world));
                spent += start.elapsed();
            }
            spent
        });
    });
    group.finish();
}

fn replica_apply(c: &mut Criterion) {
    let mut world = World::new(1000, 0, 512);
    let (mut block_cache, mut snapshot, mut view) = (
        BlockCache::new(world.history.schema()),
        SnapshotBuilder::default(),
        ClientView::default(),
    );
    let mut next = |world: &mut World| {
        world.step();
        look_at(&mut view, &world.history.schema().grid, world.position(500));
        snapshot.build(
            &mut view,
            &world.history,
            &mut block_cache,
            Encoding::Packed,
            Header::default(),
            |_| false,
        );
        view.mark_sent(&world.history);
        snapshot.message(&block_cache)
    };
    let mut replica = Replica::new(world.history.schema().clone());
    let mut headers = HeaderDecoder::default();
    for _ in 0..3 {
        let first = next(&mut world);
        let mut message = decode(&first);
        headers.decode(&mut message);
        replica.apply(&message, &mut ()).unwrap();
    }
    let bytes = next(&mut world);
    let mut group = c.benchmark_group("replica");
    let updates = |replica: &mut Replica, headers: HeaderDecoder| {
        let before = replica.row_updates();
        let mut message = decode(&bytes);
        let mut headers = headers;
        headers.decode(&mut message);
        replica.apply(&message, &mut ()).unwrap();
        replica.row_updates() - before
    };
    group.throughput(Throughput::Elements(updates(&mut replica.clone(), headers)));
    group.bench_function("decode and apply one packed snapshot", |b| {
        b.iter_batched_ref(
            || replica.clone(),
            |replica| updates(replica, headers),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

/// The congestion window on a path that carries everything: one ack and one snapshot per client and tick.
fn windows(c: &mut Criterion) {
    const CLIENTS: usize = 1000;
    let mut windows: Vec<CongestionWindow> = (0..CLIENTS)
        .map(|_| CongestionWindow::new(Micros(0), 60))
        .collect();
    let mut tick = 0_u32;
    let mut one_tick = || {
        tick += 1;
        let now = Micros(u64::from(tick) * 16_667);
        let named = tick.saturating_sub(3);
        for window in &mut windows {
            window.on_ack(Tick(named), named.wrapping_mul(16_667), now);
            if window.request_send(now) {
                black_box(window.byte_budget());
                window.on_sent(Tick(tick), 300, now);
            }
        }
    };
    // Until the paths count as unlimited.
    (0..600).for_each(|_| one_tick());
    let mut group = c.benchmark_group("windows of 1,000 clients");
    group.throughput(Throughput::Elements(CLIENTS as u64));
    group.bench_function("an input and a snapshot", |b| b.iter(&mut one_tick));
    group.finish();
}

fn decode(bytes: &[u8]) -> v1::Snapshot {
    match v1::ServerMessage::decode(bytes).unwrap().body {
        Some(v1::server_message::Body::Snapshot(snapshot)) => snapshot,
        other => panic!("not a snapshot: {other:?}"),
    }
}

fn input_decode(c: &mut Criterion) {
    let inputs = v1::Inputs {
        seq: 70_000,
        target_tick: 90_000,
        received_tick: 89_990,
        received_at_us: 7,
        view_tick: 89_988,
        view_fraction: 77,
        payload: vec![1, 2, 3],
    };
    let message = v1::ClientMessage {
        body: Some(v1::client_message::Body::Inputs(inputs)),
    }
    .encode_to_vec();
    let mut group = c.benchmark_group("input");
    group.bench_function("read and validate", |b| {
        b.iter(|| {
            tickwire_server::internals::ReceivedInput::decode(black_box(&message), Micros(5))
        });
    });
    group.bench_function("decode whole and validate (the control)", |b| {
        b.iter(|| {
            let message = v1::ClientMessage::decode(black_box(&message[..])).unwrap();
            match message.body {
                Some(v1::client_message::Body::Inputs(inputs)) => {
                    tickwire_server::internals::ReceivedInput::new(&inputs, Micros(5))
                }
                _ => None,
            }
        });
    });
    group.finish();
}

fn short() -> Criterion {
    // Together they take less than two minutes.
    Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(4))
        .sample_size(40)
}

criterion_group!(name = core; config = short(); targets = publish_diff_encode, assembly, windows, replica_apply, input_decode);
criterion_main!(core);
