//! What the typed layer costs beside raw lanes: `cargo bench -p tickwire-benches --bench typed`.

#![allow(missing_docs)] // criterion's macros write undocumented functions

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use tickwire_benches::typed::{Ticks, plain, raw};

fn typed_and_raw(c: &mut Criterion) {
    let mut group = c.benchmark_group("1,000 ships");
    let mut games = [
        ("raw lanes", Ticks::new(raw::game(), raw::payload)),
        ("plain types", Ticks::new(plain::game(), plain::payload)),
    ];
    for (name, ticks) in &mut games {
        group.bench_function(format!("step, {name}"), |b| b.iter(|| ticks.step()));
        group.bench_function(format!("step and publish, {name}"), |b| {
            b.iter(|| {
                ticks.step();
                ticks.publish();
            });
        });
        group.bench_function(format!("step, publish and encode, {name}"), |b| {
            b.iter(|| {
                ticks.step();
                ticks.publish();
                black_box(ticks.encode());
            });
        });
    }
}

criterion_group!(benches, typed_and_raw);
criterion_main!(benches);
