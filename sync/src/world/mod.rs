//! What the replicated world is made of.
//!
//! In: a game's declaration of its kinds and lanes, and positions. Out: identifiers, cell numbers, lane arithmetic and row
//! hashes that server and client compute alike. Nothing here knows of bytes on the wire.

#[cfg_attr(
    not(feature = "wire"),
    allow(dead_code, reason = "frames and interest use all of the grid")
)]
mod cell_part;
#[cfg_attr(
    not(feature = "wire"),
    allow(dead_code, reason = "frames and interest use all of the grid")
)]
mod grid;
pub mod hash;
mod ids;
mod lane;
mod payload_schema;
mod schema;
#[cfg(feature = "wire")]
mod schema_messages;
mod tick_clock;
mod value_type;

pub use cell_part::CellPart;
pub use grid::{CellId, Grid, Layer, LayerSet, Scope};
pub use ids::{EntityId, KindId, Micros, PlayerId, RowKey, Seq, Tick, ViewTick};
pub use lane::Lane;
pub use payload_schema::{Field, FieldType, InputField, PayloadKind};
pub use schema::{Kind, MAX_KINDS, MAX_LANES, Priority, Schema, SchemaError};
pub use tick_clock::TickClock;
pub use value_type::ValueType;
