//! The rules of a game: what the server and every client compute alike.
//!
//! In: a row's integers, an input, and the rows near by. Out: the row one tick later. Everything here is pure, compiles to
//! WebAssembly without an import, and gives the same integers on every machine. No module here knows of sockets, rooms or frames.
//!
//! [`Rules`] is the raw layer: integers and bytes.

mod module_rules;
mod nearby_rows;
mod raw;

pub use module_rules::{ByKindName, ModuleRules};
pub use nearby_rows::{MAX_NEARBY_ROWS, NearbyCollector, NearbyRow, NearbyRows};
pub use raw::{RuleContext, RuleInput, Rules, hash_of_sources};
