//! The arena's part of the browser's shell: what only that game has.
//!
//! In: keys, mouse and touch, beams and kills. Out: inputs, and once a frame flat lists of what is drawn, in the arena's units, with
//! the own ship as it is predicted ([`screen`], [`effects`]; [`picture`] hands them over). Holds no rule of its own but one: an
//! own shot is drawn at once. In a room of another game nothing here does anything.

mod controls;
mod effects;
mod picture;
mod screen;

use crate::client::Client;
use crate::prediction::Own;
use controls::Controls;
use effects::Effects;
use screen::Screen;
use tickwire_game::arena::{self, Beam, BeamFired, Kill, Map, kind, ship_lane, ship_private};
use tickwire_sync::replica::ReceivedEvent;
use tickwire_sync::{EntityId, Micros, ViewTick};

/// What is steered and drawn.
#[derive(Debug, Default)]
pub(super) struct Arena {
    /// None: the inputs are not made here.
    controls: Option<Controls>,
    map: Option<Map>,
    screen: Screen,
    effects: Effects,
}

impl Arena {
    /// The session has a place in a room.
    pub fn joined(&mut self, client: &Client) {
        self.screen.clear();
        self.effects.clear();
        if let Some(controls) = &mut self.controls {
            controls.forget_presses();
        }
        self.map = is_arena(client)
            .then(|| Map::decode(client.map()))
            .flatten();
    }

    /// The controls, which make the inputs from now on.
    fn steer(&mut self) -> &mut Controls {
        self.controls.get_or_insert_default()
    }

    /// Whether the inputs of this room are made here.
    pub fn is_steering(&self, client: &Client) -> bool {
        self.controls.is_some() && is_arena(client)
    }

    /// The inputs are made elsewhere.
    pub fn let_go(&mut self) {
        self.controls = None;
    }

    /// Makes the input that is due.
    pub fn input(&mut self, client: &mut Client) {
        let controls = match &mut self.controls {
            // Of several inputs at once the newest carries a click: it is the least likely to be too late.
            Some(controls) if client.is_newest_due() => controls.with_presses(),
            controls => controls.unwrap_or_default(),
        };
        let before = own_ship(client).map(|own| {
            (
                own.id,
                own.lanes[ship_lane::HEADING],
                own.private_lanes[ship_private::COOLDOWN],
            )
        });
        let heading = before.map_or(0, |(_, heading, _)| heading);
        client.input(&controls.input(heading));
        let (Some((ship, _, before)), Some(own), Some(map)) = (before, own_ship(client), &self.map)
        else {
            return;
        };
        let has_fired = controls.is_firing()
            && own.id == ship
            && own.private_lanes[ship_private::COOLDOWN] > before;
        if let Some(player) = client
            .entity()
            .filter(|_| has_fired && client.is_predicting())
        {
            let [x, y] = [own.lanes[ship_lane::X], own.lanes[ship_lane::Y]];
            let beam = Beam {
                x,
                y,
                heading: own.lanes[ship_lane::HEADING],
            };
            let end = Screen::cast(client, map, ship, beam);
            self.effects
                .own_shot(client.seq(), [x, y], end, player.slot);
        }
    }

    /// Takes an event, for what is drawn of it.
    pub fn event(&mut self, client: &Client, event: &ReceivedEvent) {
        if !is_arena(client) {
            return;
        }
        let own_player = client.entity().map(|id| id.slot);
        match event.kind {
            arena::BEAM => {
                if let Some(beam) = BeamFired::decode(&event.payload) {
                    let is_own = own_id(client) == Some(beam.shooter);
                    self.effects
                        .beam(event.tick, beam, own_player.filter(|_| is_own));
                }
            }
            arena::KILL => {
                if let Some(kill) = Kill::decode(&event.payload) {
                    self.effects
                        .kill(event.tick, kill, own_player, &self.screen);
                }
            }
            _ => {}
        }
    }

    /// Makes the lists of the frame that shows `view`.
    pub fn look(&mut self, client: &Client, view: ViewTick, now: Micros) {
        if is_arena(client) {
            // Before the new places are known: a ship bursts where it was last drawn.
            let own_player = client.entity().map(|id| id.slot);
            self.effects
                .look(view, own_id(client), own_player, &self.screen);
            self.screen.look(client, now);
        }
    }
}

fn is_arena(client: &Client) -> bool {
    client.game() == arena::NAME
}

fn own_id(client: &Client) -> Option<EntityId> {
    client.own().map(|own| own.id)
}

/// The own ship, with as many lanes as it must have.
fn own_ship(client: &Client) -> Option<&Own> {
    client.own().filter(|own| {
        own.id.kind == kind::SHIP
            && own.lanes.len() == ship_lane::COUNT
            && own.private_lanes.len() == ship_private::COUNT
    })
}
