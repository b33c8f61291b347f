//! The rules of a game: what the server and every client compute alike.
//!
//! In: a row, an input, and the rows near by. Out: the row one tick later. Everything here is pure, compiles to
//! WebAssembly without an import, and gives the same integers on every machine. No module here knows of sockets, rooms or frames.
//!
//! `raw` is the lower layer: [`Rules`] over integers and bytes, `nearby_rows` and `module_rules` beside it. Above it stand the types
//! that authors write: `value` (field types), `entity` and `entity_id`, `input`, `payload` (events, commands, messages), and `predict` (typed
//! rules).

mod entity;
mod entity_id;
mod input;
mod module_rules;
mod nearby_rows;
mod payload;
mod predict;
mod raw;
mod value;

pub use entity::Entity;
#[doc(hidden)]
pub use entity::{
    LaneOptions, Position, declare_lanes, name_position, teleport_lane, text_at, wrap,
};
pub use entity_id::Id;
/// The vectors that rules compute with, the same on every machine.
pub use glam;
pub use input::{BitReader, BitWriter, Input, InputRange, InputValue, encode_fields};
#[doc(hidden)]
pub use input::{describe_input, describe_lane};
pub use module_rules::{ByKindName, ModuleRules, NoRules};
pub use nearby_rows::{MAX_NEARBY_ROWS, NearbyCollector, NearbyRow, NearbyRows};
pub use payload::{Command, Event, FieldValue, Message, Nothing, Payload, PayloadError};
#[doc(hidden)]
pub use payload::{declare_field, declare_fixed, decode_fixed, encode_fixed};
pub use predict::{Map, Nearby, Predict, TypedRules, advance_row, parse_hash, reach_in_steps};
pub use raw::{RuleContext, RuleInput, Rules, hash_of_sources};
/// Identifiers that rules use, re-exported for the macros.
pub use tickwire_sync::{
    Field, InputField, Kind, KindId, Lane, PayloadKind, PlayerId, Priority, Tick, ValueType,
};
pub use value::{Angle, Fixed, LaneValue, Pos, Teleport, Text};
