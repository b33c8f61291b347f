//! A game's schema as a file: what a server prints with `--print-schema`, and `tickwire types --schema` reads.

use crate::v1;
use serde::{Deserialize, Serialize};

/// The members of `Schema` with their names of the protocol, beside the game's name. Enums are numbers, as on the wire; a member that is
/// left out has its default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GameSchema {
    /// The game's name.
    pub game: String,
    /// What its rows, inputs, events, commands and messages are made of.
    #[serde(flatten)]
    pub schema: v1::Schema,
}
