//! The world of a game: tables of entities, one per kind, and whatever else the game keeps.
//!
//! In: what a game inserts, changes and removes. Out: rows for the frame, and the world's state as bytes. The ids of entities come
//! from here, so that no slot is ever used again under the same id.

mod entities;
mod players;
mod save;

pub use entities::Entities;
pub use players::Players;
pub use save::{restore_field, save_field};

use tickwire_game::SaveError;
use tickwire_game::glam::IVec2;
use tickwire_sync::frame::Publisher;
use tickwire_sync::{EntityId, Kind, KindId, PlayerId, Tick};

/// The world of a game. `#[derive(World)]` implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a world",
    label = "write `#[derive(World)]` on it",
    note = "a world is a struct with a field `Entities<T>` or `Players<T>` for each kind of entity"
)]
pub trait World {
    /// The kinds of the tables, in their order.
    fn kinds() -> Vec<Kind>;

    /// Calls `visit` for each table.
    fn for_each_table(&self, visit: &mut dyn FnMut(KindId, &dyn Table));

    /// Calls `visit` for each table.
    fn for_each_table_mut(&mut self, visit: &mut dyn FnMut(KindId, &mut dyn Table));

    /// The player's own entity: that in the first table of players.
    fn own_entity(&self, player: PlayerId) -> Option<EntityId>;

    /// The position of the player's own entity, in steps; `None` without one, or if its kind has no position.
    fn own_position(&self, player: PlayerId) -> Option<IVec2>;

    /// Appends the world's state to `out`.
    ///
    /// # Errors
    /// If a field cannot be saved.
    fn save(&self, out: &mut Vec<u8>) -> Result<(), SaveError>;

    /// Takes the world's state from the beginning of `state`.
    ///
    /// # Errors
    /// If the bytes are not such a state.
    fn restore(&mut self, state: &mut &[u8]) -> Result<(), SaveError>;
}

/// A world that has entities of kind `T`. `#[derive(World)]` implements it for the kind of each table.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no table of `{T}`",
    label = "`{Self}` holds no such entities",
    note = "a world has a field `Entities<T>` or `Players<T>` for each kind of entity"
)]
pub trait HasKind<T> {
    /// The kind's number in the schema.
    const KIND: KindId;
}

/// A table of entities of one kind.
pub trait Table {
    /// Publishes every entity.
    fn publish(&self, kind: KindId, out: &mut Publisher<'_>);

    /// Takes note of a tick that is over, for kinds that are not published every tick.
    fn end_tick(&mut self, tick: Tick);

    /// Gives no id that an entity could have had after the table was saved.
    fn skip_ids(&mut self);

    /// A player is gone for good: a table of players loses the player's entity, and other entities lose their owner.
    fn remove_player(&mut self, player: PlayerId);

    /// The player's entity in a table of players.
    fn entity_of(&self, kind: KindId, player: PlayerId) -> Option<EntityId>;

    /// The position of the player's entity in a table of players, in steps.
    fn position_of(&self, player: PlayerId) -> Option<IVec2>;
}
