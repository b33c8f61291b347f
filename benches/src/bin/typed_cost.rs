//! Runs 1,000 ships over raw lanes, or as plain types, for an instruction counter: `typed-cost raw|plain TICKS`.

use anyhow::{Context as _, bail};
use std::hint::black_box;
use tickwire_benches::typed::{Ticks, plain, raw};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: typed-cost raw|plain TICKS";
    let mut ticks = match arguments.next().as_deref() {
        Some("raw") => Ticks::new(raw::game(), raw::payload),
        Some("plain") => Ticks::new(plain::game(), plain::payload),
        _ => bail!(usage),
    };
    let count: u32 = arguments.next().context(usage)?.parse().context(usage)?;
    for _ in 0..count {
        ticks.step();
        ticks.publish();
        black_box(ticks.encode());
    }
    Ok(())
}
