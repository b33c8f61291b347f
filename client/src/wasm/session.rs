//! One session for JavaScript: [`Client`] with numbers and strings for its types.
//!
//! In and out as the parent module says. Knows no game, and holds no rule: the arena's part is in `arena`.

use super::arena::Arena;
use super::news::{News, NewsKind, NewsQueue};
use super::rows::Texts;
use crate::MAX_COMMAND_BYTES;
use crate::client::{Action, Client, Incoming, Options};
use crate::link::LinkId;
use tickwire_proto::v1::Encoding;
use tickwire_sync::input_buffer::MAX_INPUT_BYTES;
use tickwire_sync::{Micros, ViewTick};
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
    /// The input of the ticks to come, where the arena's controls do not make one.
    payload: Vec<u8>,
    pub(super) arena: Arena,
    /// When the latest frame was made, and the moment that it shows.
    pub(super) looked_at: Micros,
    pub(super) view: ViewTick,
    pub(super) texts: Texts,
    pub(super) queue: NewsQueue,
    pub(super) news: News,
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
            payload: Vec::new(),
            arena: Arena::default(),
            looked_at: Micros(0),
            view: ViewTick::default(),
            texts: Texts::default(),
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
            if self.client.is_spectator() {
                self.client.input(&[]);
            } else if self.arena.is_steering(&self.client) {
                self.arena.input(&mut self.client);
            } else {
                self.client.input(&self.payload);
            }
        }
    }

    /// The input of every tick from the next one on, in the game's own encoding, until another is set. What is longer than [`MAX_INPUT_BYTES`] is not taken.
    pub fn input(&mut self, payload: &[u8]) {
        if payload.len() <= MAX_INPUT_BYTES {
            payload.clone_into(&mut self.payload);
            self.arena.let_go();
        }
    }

    /// Tells the game something that is no input of a tick, in its own encoding. What is longer than [`MAX_COMMAND_BYTES`] is not taken.
    pub fn command(&mut self, payload: &[u8]) {
        if payload.len() <= MAX_COMMAND_BYTES {
            self.client.command(payload);
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
        let news = match incoming {
            Incoming::Event(event) => {
                self.arena.event(&self.client, &event);
                News {
                    kind: NewsKind::Event,
                    number: event.kind,
                    tick: event.tick.0,
                    payload: event.payload,
                    ..News::NONE
                }
            }
            Incoming::Game(payload) => News {
                kind: NewsKind::Message,
                payload,
                ..News::NONE
            },
            Incoming::Chat { from, name, text } => News {
                kind: NewsKind::Chat,
                name,
                text,
                number: from,
                ..News::NONE
            },
            Incoming::Notice(text) => News {
                kind: NewsKind::Notice,
                text,
                ..News::NONE
            },
            Incoming::Joined { resumed } => {
                self.arena.joined(&self.client);
                News {
                    kind: NewsKind::Joined,
                    number: u32::from(resumed),
                    ..News::NONE
                }
            }
        };
        self.queue.push(news);
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
