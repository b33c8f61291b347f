//! The arena in the browser: its controls, and what is drawn of it.
//!
//! In: keys, mouse and touch, beams and kills. Out: inputs, and once a frame flat lists of entities ([`scene`]) and effects
//! ([`effects`]) in the arena's units, the player's own ship as predicted. Decides nothing but one thing: the player's own shot is
//! drawn at once. Does nothing in a room of another game.

mod controls;
mod effects;
mod scene;

use crate::client::Client;
use crate::prediction::PredictedState;
use controls::Controls;
use effects::Effects;
use scene::Scene;
pub(super) use scene::{STRIDE, player_rows};
use tickwire_arena::{self as arena, Beam, BeamFired, Kill, Map, kind, ship_lane, ship_private};
use tickwire_sync::client::ReceivedEvent;
use tickwire_sync::{EntityId, Micros, ViewTick};

/// The arena's controls and its latest frame.
#[derive(Debug, Default)]
pub(super) struct Arena {
    /// `None` while the inputs are made elsewhere.
    controls: Option<Controls>,
    map: Option<Map>,
    scene: Scene,
    effects: Effects,
}

impl Arena {
    /// Starts over: the session has joined a room.
    pub fn joined(&mut self, client: &Client) {
        self.scene.clear();
        self.effects.clear();
        if let Some(controls) = &mut self.controls {
            controls.forget_presses();
        }
        self.map = is_arena(client)
            .then(|| Map::decode(client.map()))
            .flatten();
    }

    /// The controls. They make the inputs from now on.
    pub fn controls_mut(&mut self) -> &mut Controls {
        self.controls.get_or_insert_default()
    }

    /// Whether the inputs of this room are made here.
    pub fn is_steering(&self, client: &Client) -> bool {
        self.controls.is_some() && is_arena(client)
    }

    /// Drops the controls: the inputs are made elsewhere from now on.
    pub fn release_controls(&mut self) {
        self.controls = None;
    }

    /// Makes the input that is due, and draws the shot that it fires.
    pub fn input(&mut self, client: &mut Client) {
        let controls = match &mut self.controls {
            // Of several due inputs the newest carries a click, as it is the least likely to arrive too late.
            Some(controls) if client.is_newest_due_tick() => controls.take_with_presses(),
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
            let end = Scene::cast(client, map, ship, beam);
            self.effects
                .own_shot(client.input_seq(), [x, y], end, player.slot);
        }
    }

    /// Takes an event, for the effects that it shows.
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
                    self.effects.kill(event.tick, kill, own_player, &self.scene);
                }
            }
            _ => {}
        }
    }

    /// Fills the lists of the frame at `view`.
    pub fn sample(&mut self, client: &Client, view: ViewTick, now: Micros) {
        if is_arena(client) {
            // Effects first: a ship bursts where the previous frame drew it.
            let own_player = client.entity().map(|id| id.slot);
            self.effects
                .sample(view, own_id(client), own_player, &self.scene);
            self.scene.sample(client, now);
        }
    }
}

impl Arena {
    pub fn scene(&self) -> &Scene {
        &self.scene
    }

    pub fn effects(&self) -> &Effects {
        &self.effects
    }

    pub fn map(&self) -> Option<&Map> {
        self.map.as_ref()
    }
}

fn is_arena(client: &Client) -> bool {
    client.game() == arena::NAME
}

fn own_id(client: &Client) -> Option<EntityId> {
    client.predicted().map(|own| own.id)
}

/// The player's own ship, if it has the arena's lanes.
fn own_ship(client: &Client) -> Option<&PredictedState> {
    client.predicted().filter(|own| {
        own.id.kind == kind::SHIP
            && own.lanes.len() == ship_lane::COUNT
            && own.private_lanes.len() == ship_private::COUNT
    })
}
