//! Behaviours in a game's own types: what authors write.
//!
//! In: what a bot's screen shows, as entities and events of the game. Out: inputs of the game. [`Player`] is a behaviour in these types, and
//! [`played_by`] makes the raw [`Behaviour`] of it that a swarm runs.

use crate::behaviour::Behaviour;
use tickwire_client::Client;
use tickwire_rules::{Entity, Event, Id, Input, Map, Payload as _, PlayerId};
use tickwire_sync::client::ReceivedEvent;
use tickwire_sync::{KindId, Tick, ViewTick};

/// Plays a typed game for one bot.
pub trait Player: Send {
    /// The game's inputs.
    type Input: Input;
    /// The game's events.
    type Event: Event;

    /// What the bot wants in the next tick. The neutral input is not acknowledged, so a bot that makes no other measures no times to an
    /// acknowledgement.
    fn input(&mut self, screen: &Screen<'_>) -> Self::Input;

    /// The bot has joined a room, for the first time or again. `is_resumed`: as the same player as before.
    fn joined(&mut self, screen: &Screen<'_>, is_resumed: bool) {
        let _ = (screen, is_resumed);
    }

    /// Something happened.
    fn event(&mut self, screen: &Screen<'_>, event: Self::Event) {
        let _ = (screen, event);
    }

    /// Cheat: by how many ticks the view tick that the latest input claims is older than the true one. `None` leaves the bot's setting.
    fn view_forgery_ticks(&self) -> Option<f64> {
        None
    }
}

/// The behaviour of a player.
#[must_use]
pub fn played_by<P: Player + 'static>(player: P) -> Box<dyn Behaviour> {
    Box::new(Played(player))
}

struct Played<P>(P);

impl<P: Player> Behaviour for Played<P> {
    fn joined(&mut self, client: &Client, is_resumed: bool) {
        self.0.joined(&Screen::of(client), is_resumed);
    }

    fn input(&mut self, client: &Client) -> Vec<u8> {
        self.0.input(&Screen::of(client)).to_payload()
    }

    fn view_forgery_ticks(&self) -> Option<f64> {
        self.0.view_forgery_ticks()
    }

    fn event(&mut self, client: &Client, event: &ReceivedEvent) {
        // A server of another version may have other events.
        if let Ok(event) = P::Event::decode_fields(event.kind, &event.payload) {
            self.0.event(&Screen::of(client), event);
        }
    }
}

/// What a bot's screen shows, in a game's own types.
#[derive(Clone, Copy)]
pub struct Screen<'a> {
    client: &'a Client,
}

/// The bot's own entity.
#[derive(Clone, PartialEq, Debug)]
pub struct Own<T> {
    /// Which one.
    pub id: Id<T>,
    /// The tick of the newest input, for which it is predicted.
    pub tick: Tick,
    /// Its fields, private ones included, as they are after that input.
    pub entity: T,
}

impl<'a> Screen<'a> {
    /// The screen of a client.
    #[must_use]
    pub fn of(client: &'a Client) -> Self {
        Self { client }
    }

    /// What the screen belongs to: for what no method here says.
    #[must_use]
    pub fn client(&self) -> &'a Client {
        self.client
    }

    /// The bot's own number in the room.
    #[must_use]
    pub fn player(&self) -> PlayerId {
        PlayerId(self.client.session())
    }

    /// The room's map; `None` before the bot has joined, or if it cannot be read.
    #[must_use]
    pub fn map<M: Map>(&self) -> Option<M> {
        self.client.replica()?;
        M::from_bytes(self.client.map())
    }

    /// The bot's own entity, as predicted for its newest input. `None` while it has none, or if it is of another kind.
    #[must_use]
    pub fn own<T: Entity>(&self) -> Option<Own<T>> {
        let kind = self.kind::<T>()?;
        let own = self.client.predicted().filter(|own| {
            own.id.kind == kind
                && own.lanes.len() == T::LANES
                && own.private_lanes.len() == T::PRIVATE_LANES
        })?;
        let row = self.client.replica()?.find(own.id.key());
        let texts = row.map_or(&[][..], |row| &row.texts);
        Some(Own {
            id: Id::new(own.id.slot, own.id.generation),
            tick: own.tick,
            entity: T::from_row(&own.lanes, &own.private_lanes, texts),
        })
    }

    /// The entities of a kind that the screen shows. The bot's own one is among them, as old as all others. Private fields are 0.
    #[must_use]
    pub fn all<T: Entity>(&self) -> Vec<(Id<T>, T)> {
        let mut all = Vec::new();
        self.for_each_at(self.client.view_tick(), |id, entity| all.push((id, entity)));
        all
    }

    /// As [`Self::all`], without a list, and at another moment of the last second: what a cheat would shoot at.
    pub fn for_each_at<T: Entity>(&self, view: ViewTick, mut show: impl FnMut(Id<T>, T)) {
        let Some(kind) = self.kind::<T>() else { return };
        let private_lanes = vec![0; T::PRIVATE_LANES];
        self.client.for_each_shown_at(view, Some(kind), |shown| {
            if shown.lanes.len() == T::LANES {
                let id = Id::new(shown.id.slot, shown.id.generation);
                show(
                    id,
                    T::from_row(shown.lanes, &private_lanes, &shown.row.texts),
                );
            }
        });
    }

    /// The kind in the room's schema; `None` before the bot has joined, or if the game has no such kind.
    #[must_use]
    pub fn kind<T: Entity>(&self) -> Option<KindId> {
        let kinds = &self.client.replica()?.schema().kinds;
        let index = kinds.iter().position(|kind| kind.name == T::NAME)?;
        Some(KindId(u8::try_from(index).ok()?))
    }
}
