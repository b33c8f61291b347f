//! Where the view is at which tick of the script.
//!
//! In: a tick of the script. Out: the area of interest, the same for every player; and the waves that rows move by.

use std::ops::Range;
use tickwire_game::glam::IVec2;
use tickwire_sync::interest::InterestArea;
use tickwire_sync::{Layer, LayerSet};

/// How many ticks the script has: ten seconds at 60 a second.
pub const SCRIPT_TICKS: u32 = 600;
/// The bytes of the map: more than goes in one piece to a client that takes parts.
pub const MAP_BYTES: usize = 20_000;
/// When the view is far away and comes back. A client that gets no snapshot meanwhile sees cells dropped and added at once.
pub const BLINK: Range<u32> = 400..404;

/// When the view glides to the right, and back.
const GLIDE: Range<u32> = 150..210;
const GLIDE_BACK: Range<u32> = 260..320;
/// When the view leaps every four ticks.
const LEAPS: Range<u32> = 440..480;
/// When the view is outside of the grid.
const OUTSIDE: Range<u32> = 500..505;
/// When players see layer 1, and layer 2.
const SEES_LAYER_1: Range<u32> = 60..420;
const SEES_LAYER_2: [Range<u32>; 2] = [100..130, 330..340];

/// The middle of the crowd's part of the world: near a corner of four cells.
pub const HOME: IVec2 = IVec2::new(230, 230);
/// How far the view glides.
const GLIDE_UNITS: i32 = 512;
const HALF_EXTENT: IVec2 = IVec2::splat(100);

/// A tick of the script, from 0 to below [`SCRIPT_TICKS`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ScriptTick(pub u32);

/// The area that every player is sent.
pub fn interest_area(at: u32) -> InterestArea {
    let layers = LayerSet::default();
    let layers = if SEES_LAYER_1.contains(&at) {
        layers.with(Layer(1))
    } else {
        layers
    };
    let layers = if SEES_LAYER_2.iter().any(|range| range.contains(&at)) {
        layers.with(Layer(2))
    } else {
        layers
    };
    InterestArea {
        focus: focus(at),
        half_extent: HALF_EXTENT,
        layers,
    }
}

fn focus(at: u32) -> IVec2 {
    let glided = |ticks: u32, of: &Range<u32>| GLIDE_UNITS * ticks as i32 / of.len() as i32;
    let x = if GLIDE.contains(&at) {
        glided(at - GLIDE.start, &GLIDE)
    } else if (GLIDE.end..GLIDE_BACK.start).contains(&at) {
        GLIDE_UNITS
    } else if GLIDE_BACK.contains(&at) {
        glided(GLIDE_BACK.end - at, &GLIDE_BACK)
    } else {
        0
    };
    if BLINK.contains(&at) {
        IVec2::splat(900)
    } else if LEAPS.contains(&at) && at / 4 % 2 == 1 {
        IVec2::splat(742)
    } else if OUTSIDE.contains(&at) {
        IVec2::splat(99_999)
    } else {
        HOME + IVec2::new(x, 0)
    }
}

/// A wave that rises from 0 to `height` in half of `period`, and falls again in the other half.
pub fn wave(at: u32, period: u32, height: i32) -> i32 {
    let half = (period / 2).max(1);
    let along = at % (2 * half);
    let rise = along.min(2 * half - along);
    height * rise as i32 / half as i32
}

/// A number from 0 to below `below` that looks random, and is the same for the same arguments.
pub fn scattered(at: u32, which: u32, below: u32) -> i32 {
    let mixed = (at.wrapping_mul(0x9E37_79B9) ^ which.wrapping_mul(0x85EB_CA6B)).wrapping_add(1);
    let mixed = (mixed ^ mixed >> 15).wrapping_mul(0x2C1B_3C6D);
    ((mixed ^ mixed >> 12) % below.max(1)) as i32
}
