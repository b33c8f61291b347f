//! Bytes per row update in a world of 800 turning ships (x, y and heading change every tick; 1/16 unit, 1/1024 turn), everything
//! in the payload counted, and an FNV-1a hash of all snapshots, for several sizes of view and cell; the first two are those of the load bench: `cargo run --release -p tickwire-benches --bin bytes`. Counts, no times: the same on every machine.

use glam::IVec2;
use prost::Message as _;
use tickwire_benches::World;
use tickwire_proto::v1;
use tickwire_sync::client::Replica;
use tickwire_sync::encode::{BlockCache, Encoding, Header, HeaderDecoder};
use tickwire_sync::interest::{ClientView, InterestArea};
use tickwire_sync::snapshot::SnapshotBuilder;
use tickwire_sync::{LayerSet, Seq};

const SHIPS: usize = 800;
const CLIENTS: usize = 40;
const TICKS: u32 = 1200;
/// The tick from which bytes are counted; the room has tuned its codebooks by then.
const SETTLED: u32 = 600;

fn main() {
    println!(
        "{:>10} {:>9} {:>10} {:>12} {:>14} {:>14} {:>18}",
        "encoding", "cell", "rows seen", "bytes each", "bytes/row", "blocks/view", "wire hash"
    );
    for (half_units, cell_units) in [
        (220, 384),
        (480, 384),
        (300, 256),
        (550, 256),
        (400, 256),
        (400, 384),
        (400, 512),
        (650, 256),
        (650, 512),
    ] {
        for encoding in [Encoding::Plain, Encoding::Packed] {
            measure(encoding, half_units, cell_units);
        }
    }
}

fn measure(encoding: Encoding, half_units: i32, cell_units: u32) {
    let mut world = World::new(SHIPS, 0, cell_units);
    let schema = world.history.schema().clone();
    let mut block_cache = BlockCache::new(&schema);
    let mut snapshot = SnapshotBuilder::default();
    let mut clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            (
                ClientView::default(),
                Replica::new(schema.clone()),
                HeaderDecoder::default(),
            )
        })
        .collect();
    let (mut bytes, mut rows, mut snapshots, mut blocks) = (0, 0, 0_u64, 0);
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for tick in 1..=TICKS {
        world.step();
        let changes = match tick % 120 {
            0 => block_cache.tune_codebooks(2_000, block_cache.share_per_client(clients.len())),
            _ => None,
        };
        for (index, (view, replica, headers)) in clients.iter_mut().enumerate() {
            if let Some(Err(error)) = changes.as_ref().map(|it| replica.update_codebooks(it)) {
                eprintln!("the codebooks cannot be read: {error}");
                return;
            }
            let area = InterestArea {
                focus: world.position(index * 17),
                half_extent: IVec2::splat(half_units * 16),
                layers: LayerSet::default(),
            };
            view.update_interest(&schema.grid, area);
            let header = Header {
                applied_seq: Seq(tick),
                input_margin: Some(8),
                with_view_hash: tick % 60 == 0,
                ..Header::default()
            };
            snapshot.build(
                view,
                &world.history,
                &mut block_cache,
                encoding,
                header,
                |_| false,
            );
            view.mark_sent(&world.history);
            let message = snapshot.message(&block_cache);
            for byte in &message[..] {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
            let before = replica.row_updates();
            let Ok(v1::ServerMessage {
                body: Some(v1::server_message::Body::Snapshot(mut decoded)),
            }) = v1::ServerMessage::decode(&message[..])
            else {
                eprintln!("a snapshot cannot be read");
                return;
            };
            if encoding == Encoding::Packed {
                headers.decode(&mut decoded);
            }
            if let Err(error) = replica.apply(&decoded, &mut ()) {
                eprintln!("a snapshot cannot be applied: {error}");
                return;
            }
            if tick > SETTLED {
                bytes += message.len() as u64;
                rows += replica.row_updates() - before;
                snapshots += 1;
                blocks += snapshot.block_count() as u64;
            }
        }
    }
    let each = |count: u64| count as f64 / snapshots as f64;
    println!(
        "{:>10} {cell_units:>9} {:>10.1} {:>12.1} {:>14.2} {:>14.1} {hash:>18x}",
        format!("{encoding:?}").to_lowercase(),
        each(rows),
        each(bytes),
        bytes as f64 / rows as f64,
        each(blocks),
    );
}
