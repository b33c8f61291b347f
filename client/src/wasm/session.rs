//! One session for JavaScript: [`Client`] with numbers and strings for its types.
//!
//! In and out as the parent module says. Holds no rule of its own but one: an own shot is drawn at once (see `effects`).

use super::controls::Controls;
use super::effects::Effects;
use super::news::{News, NewsKind, NewsQueue};
use super::screen::Screen;
use crate::client::{Action, Client, Incoming, Options};
use crate::link::LinkId;
use tickwire_game::arena::{self, Beam, BeamFired, Kill, Map, ship_lane, ship_private};
use tickwire_proto::v1::Encoding;
use tickwire_sync::Micros;
use tickwire_sync::replica::ReceivedEvent;
use wasm_bindgen::prelude::wasm_bindgen;

/// What the page has to do with its sockets.
#[wasm_bindgen]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ActionKind {
    /// Nothing.
    None = 0,
    /// Open a WebSocket for `action_link`.
    Open = 1,
    /// Send `action_message` on `action_link`.
    Send = 2,
    /// Close `action_link` with code 1000 and forget it.
    Close = 3,
}

/// One session. Times are milliseconds of a clock that never goes back, and goes on while the device sleeps.
#[wasm_bindgen]
pub struct WasmClient {
    pub(super) client: Client,
    pub(super) map: Option<Map>,
    controls: Controls,
    pub(super) screen: Screen,
    pub(super) effects: Effects,
    /// When the latest frame was made.
    pub(super) looked_at: Micros,
    queue: NewsQueue,
    news: News,
    action_link: u32,
    action_message: Vec<u8>,
}

#[wasm_bindgen]
impl WasmClient {
    /// A session that begins with the first [`Self::pump`]. `seed` makes the reconnection jitter.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(
        room: String,
        name: String,
        ticket: String,
        spectate: bool,
        seed: u32,
        now_ms: f64,
    ) -> Self {
        let options = Options {
            room,
            name,
            ticket,
            encoding: Encoding::Packed,
            is_spectator: spectate,
            seed: u64::from(seed),
        };
        Self {
            client: Client::new(options, micros(now_ms)),
            map: None,
            controls: Controls::default(),
            screen: Screen::default(),
            effects: Effects::default(),
            looked_at: Micros(0),
            queue: NewsQueue::default(),
            news: News::NONE,
            action_link: 0,
            action_message: Vec::new(),
        }
    }

    /// Does what is due: connects, gives up dead links, makes the inputs of the ticks that have come. Then carry out the actions.
    pub fn pump(&mut self, now_ms: f64) {
        let now = micros(now_ms);
        self.client.poll(now);
        while self.client.due(now).is_some() {
            self.input();
        }
    }

    fn input(&mut self) {
        if self.client.is_spectator() {
            self.client.input(&[]);
            return;
        }
        let before = self.client.own().map(|own| {
            (
                own.id,
                own.lanes[ship_lane::HEADING],
                cooldown(&own.private_lanes),
            )
        });
        let heading = before.map_or(0, |(_, heading, _)| heading);
        self.client.input(&self.controls.input(heading));
        let (Some((ship, _, before)), Some(own), Some(map)) =
            (before, self.client.own(), &self.map)
        else {
            return;
        };
        let has_fired =
            self.controls.is_firing() && own.id == ship && cooldown(&own.private_lanes) > before;
        if let Some(player) = self
            .client
            .entity()
            .filter(|_| has_fired && self.client.is_predicting())
        {
            let [x, y] = [own.lanes[ship_lane::X], own.lanes[ship_lane::Y]];
            let beam = Beam {
                x,
                y,
                heading: own.lanes[ship_lane::HEADING],
            };
            let end = Screen::cast(&self.client, map, ship, beam);
            self.effects
                .own_shot(self.client.seq(), [x, y], end, player.slot);
        }
    }

    /// The next thing to do; `action_link` and `action_message` belong to it.
    pub fn next_action(&mut self) -> ActionKind {
        let (kind, LinkId(link)) = match self.client.next_action() {
            None => return ActionKind::None,
            Some(Action::Open(link)) => (ActionKind::Open, link),
            Some(Action::Close(link)) => (ActionKind::Close, link),
            Some(Action::Send(link, message)) => {
                self.action_message = message;
                (ActionKind::Send, link)
            }
        };
        self.action_link = link;
        kind
    }

    /// The socket that the latest action is about.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn action_link(&self) -> u32 {
        self.action_link
    }

    /// The message of the latest [`ActionKind::Send`]; can be taken once.
    pub fn take_message(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.action_message)
    }

    /// A socket is open.
    pub fn opened(&mut self, link: u32, now_ms: f64) {
        self.client.opened(LinkId(link), micros(now_ms));
    }

    /// A message came on a socket.
    pub fn received(&mut self, link: u32, message: &[u8], now_ms: f64) {
        self.client.received(LinkId(link), message, micros(now_ms));
        while let Some(incoming) = self.client.next_incoming() {
            self.incoming(incoming);
        }
    }

    /// A socket is closed, or could not be opened. `code`: none if there was no closing handshake.
    pub fn closed(&mut self, link: u32, code: Option<u16>, reason: &str, now_ms: f64) {
        self.client
            .closed(LinkId(link), code, reason, micros(now_ms));
    }

    fn incoming(&mut self, incoming: Incoming) {
        let simple = |kind, name, text, number| News {
            kind,
            name,
            text,
            number,
            other: 0,
        };
        match incoming {
            Incoming::Event(event) => self.event(&event),
            Incoming::Chat { from, name, text } => {
                self.queue.push(simple(NewsKind::Chat, name, text, from));
            }
            Incoming::Notice(text) => {
                self.queue
                    .push(simple(NewsKind::Notice, String::new(), text, 0));
            }
            Incoming::Joined { resumed } => {
                self.screen.clear();
                self.effects.clear();
                self.map = Map::decode(self.client.map());
                self.queue.push(simple(
                    NewsKind::Joined,
                    String::new(),
                    String::new(),
                    u32::from(resumed),
                ));
            }
            // The arena has no messages of its own.
            Incoming::Game(_) => {}
        }
    }

    fn event(&mut self, event: &ReceivedEvent) {
        let own_player = self.client.entity().map(|id| id.slot);
        match event.kind {
            arena::BEAM => {
                let Some(beam) = BeamFired::decode(&event.payload) else {
                    return;
                };
                let is_own = self.client.own().is_some_and(|own| own.id == beam.shooter);
                self.effects
                    .beam(event.tick, beam, own_player.filter(|_| is_own));
            }
            arena::KILL => {
                let Some(kill) = Kill::decode(&event.payload) else {
                    return;
                };
                self.effects
                    .kill(event.tick, kill, own_player, &self.screen);
                let name = |slot| self.player_name(slot).unwrap_or_default();
                self.queue.push(News {
                    kind: NewsKind::Kill,
                    name: name(kill.killer),
                    text: name(kill.victim),
                    number: kill.killer,
                    other: kill.victim,
                });
            }
            _ => {}
        }
    }

    /// Goes on to the next piece of news; the `news_*` getters belong to it.
    pub fn next_news(&mut self) -> NewsKind {
        self.news = self.queue.next();
        self.news.kind
    }

    /// See [`NewsKind`].
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn news_name(&self) -> String {
        self.news.name.clone()
    }

    /// See [`NewsKind`].
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn news_text(&self) -> String {
        self.news.text.clone()
    }

    /// See [`NewsKind`].
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn news_number(&self) -> u32 {
        self.news.number
    }

    /// See [`NewsKind`].
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn news_other(&self) -> u32 {
        self.news.other
    }

    /// The buttons that are down: up 1, down 2, left 4, right 8, fire 16.
    pub fn buttons(&mut self, buttons: u8) {
        self.controls.set_buttons(buttons);
    }

    /// Where the mouse is, from the own ship, in units.
    pub fn aim(&mut self, x: f32, y: f32) {
        self.controls.aim(x, y);
    }

    /// Says a line to the room.
    pub fn chat(&mut self, text: &str) {
        self.client.chat(text);
    }

    /// Leaves for good.
    pub fn leave(&mut self) {
        self.client.leave();
    }

    /// The page cannot be seen.
    pub fn hide(&mut self) {
        self.client.hide();
    }

    /// The page can be seen again.
    pub fn show(&mut self, now_ms: f64) {
        self.client.show(micros(now_ms));
    }

    /// There is a reason to try at once, e.g. the device is online again.
    pub fn hurry(&mut self, now_ms: f64) {
        self.client.hurry(micros(now_ms));
    }
}

/// A float-to-integer `as` saturates, so every number is a time.
pub(super) fn micros(ms: f64) -> Micros {
    Micros((ms * 1e3) as u64)
}

fn cooldown(private: &[i32]) -> i32 {
    private
        .get(ship_private::COOLDOWN)
        .copied()
        .unwrap_or_default()
}
