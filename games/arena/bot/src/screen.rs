//! What a bot's screen shows, in the arena's types.

use tickwire::{Entity as _, Id};
use tickwire_arena::Ship;
use tickwire_client::Client;
use tickwire_sync::{KindId, Tick, ViewTick};

/// The kind of ships in the schema.
const SHIP: KindId = KindId(0);
/// The kind of players in the schema.
pub(crate) const PLAYER: KindId = KindId(2);

/// The bot's own ship, as predicted for its newest input.
pub(crate) struct OwnShip {
    pub id: Id<Ship>,
    pub tick: Tick,
    pub ship: Ship,
}

/// The bot's own ship; `None` while it has none.
pub(crate) fn own_ship(client: &Client) -> Option<OwnShip> {
    let own = client.predicted().filter(|own| {
        own.id.kind == SHIP
            && own.lanes.len() == Ship::LANES
            && own.private_lanes.len() == Ship::PRIVATE_LANES
    })?;
    Some(OwnShip {
        id: Id::new(own.id.slot, own.id.generation),
        tick: own.tick,
        ship: Ship::from_row(&own.lanes, &own.private_lanes, &[]),
    })
}

/// Calls `show` for each ship on the screen at a view tick. The own one is shown in the past too. Private fields are 0.
pub(crate) fn ships_at(client: &Client, view: ViewTick, mut show: impl FnMut(Id<Ship>, Ship)) {
    client.for_each_shown_at(view, Some(SHIP), |shown| {
        if shown.lanes.len() == Ship::LANES {
            let id = Id::new(shown.id.slot, shown.id.generation);
            show(
                id,
                Ship::from_row(shown.lanes, &[0; Ship::PRIVATE_LANES], &[]),
            );
        }
    });
}
