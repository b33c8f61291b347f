//! One call of a game's rules, natively and by its module, and what a module that loops for ever costs:
//! `cargo bench -p tickwire-benches --bench rules`.

#![allow(clippy::unwrap_used, missing_docs)] // a bench that unwraps nothing measures nothing

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use glam::IVec2;
use std::hint::black_box;
use tickwire_rules::{
    ByKindName, ModuleRules, NearbyCollector, NearbyRows, RuleContext, RuleInput, Rules,
};
use tickwire_rules_wasm::WasmRules;
use tickwire_sync::{EntityId, KindId, Tick};
use tickwire_tests::modules::{Bad, Walker};

const KIND: KindId = KindId(0);

/// Rules natively and as a module, for a schema of one kind.
fn both<R: ModuleRules + 'static>(kind: &str) -> [(&'static str, Box<dyn Rules>); 2] {
    let native = ByKindName::<R>::new([kind], &[]).unwrap();
    let module = WasmRules::load(R::MODULE, &[kind], &[], R::HASH).unwrap();
    [
        ("natively", Box::new(native)),
        ("by the module", Box::new(module)),
    ]
}

fn measure(
    c: &mut Criterion,
    name: &str,
    rules: &dyn Rules,
    row: [i32; 4],
    nearby: NearbyRows<'_>,
) {
    // Two private lanes at most; what a kind does not have is cut off below.
    c.bench_function(name, |b| {
        let context = RuleContext {
            tick: Tick(1),
            input: RuleInput::Fresh(&[0b0101]),
            nearby,
        };
        b.iter(|| {
            let mut lanes = black_box(row);
            let public = if nearby == NearbyRows::NONE { 3 } else { 4 };
            rules.advance(KIND, &mut lanes[..public], &mut [0], &context);
            lanes
        });
    });
}

fn advance(c: &mut Criterion) {
    for (how, rules) in both::<tag::Rules>("runner") {
        let name = format!("tag: a runner {how}");
        measure(c, &name, &*rules, [8000, 8000, 0, 0], NearbyRows::NONE);
    }
    for (how, rules) in both::<push::Rules>("body") {
        for count in [1_i32, 8, 32] {
            let mut near = NearbyCollector::default();
            near.begin(IVec2::splat(8000), rules.nearby_reach(KIND));
            for at in 0..count {
                let id = EntityId {
                    kind: rules.nearby_kind(KIND).unwrap(),
                    slot: at as u32,
                    generation: 1,
                };
                near.offer(id, [8000 + 15 * at, 8100, 3, -3]);
            }
            let name = format!("push: a body with {count} near by {how}");
            measure(c, &name, &*rules, [8000, 8000, 0, 0], near.finish());
        }
    }
}

fn load(c: &mut Criterion) {
    for (name, module, hash) in [
        ("load tag's module", tag::Rules::MODULE, tag::Rules::HASH),
        ("load push's module", push::Rules::MODULE, push::Rules::HASH),
    ] {
        c.bench_function(name, |b| {
            b.iter(|| WasmRules::load(module, &["runner", "body"], &[], hash).unwrap());
        });
    }
}

fn loop_for_ever(c: &mut Criterion) {
    let module = Bad::LoopsForEver.bytes();
    let new = || WasmRules::load(&module, &[Walker::KIND], &Walker::MAP, Walker::HASH).unwrap();
    c.bench_function("a loop for ever until its fuel is used up", |b| {
        b.iter_batched(
            new,
            |rules| {
                let context = RuleContext::alone(Tick(1), RuleInput::Neutral);
                rules.advance(KIND, &mut [0, 0], &mut [0], &context);
                assert!(rules.failure().is_some());
                rules
            },
            BatchSize::PerIteration,
        );
    });
}

criterion_group!(benches, advance, load, loop_for_ever);
criterion_main!(benches);
