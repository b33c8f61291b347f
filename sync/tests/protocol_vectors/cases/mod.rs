//! The cases: each is one connection that goes where another kind of mistake shows.

mod parts;
mod rows;
mod views;
mod wander;

use crate::connection::Connection;

/// Name, purpose and script of a case.
pub type Case = (&'static str, &'static str, fn(&mut Connection<'_>));

pub const CASES: [Case; 10] = [
    (
        "lanes",
        "Every kind of row and lane, values at the ends of their ranges, private rows, and the header.",
        rows::lanes,
    ),
    (
        "symbols",
        "All 44 symbols of the packed codes, with and without prediction, in the first codebooks and in tuned ones.",
        rows::symbols,
    ),
    (
        "changed rows",
        "All ways to say which rows and lanes of a block changed.",
        rows::changed_rows,
    ),
    (
        "usual lanes",
        "Codebooks that change only the usual lanes.",
        rows::usual_lanes,
    ),
    (
        "texts",
        "Texts that change, alone and with lanes, while other rows come and go.",
        rows::texts,
    ),
    (
        "cells",
        "Rows that cross, leave and return, reused slots, layers, and a view that moves.",
        views::cells,
    ),
    (
        "gaps",
        "Deferred cells, skipped ticks, keyframes after a long gap, a wrong hash and a full snapshot.",
        views::gaps,
    ),
    (
        "parts",
        "A cell in parts: parts at different ticks, rows between them, more parts, a full snapshot, and the whole cell again.",
        parts::parts,
    ),
    (
        "events",
        "Events in one cell and in several, now and ago, too old and too many.",
        views::events,
    ),
    ("wander", "Everything at once, at random.", wander::wander),
];
