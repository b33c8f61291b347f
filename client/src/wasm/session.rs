//! One session for JavaScript: [`Client`] with numbers and strings for its types.
//!
//! In and out as the parent module says. Knows no game, and holds no rule: the arena's part is in `arena`.

use super::arena::Arena;
use super::news::{News, NewsKind, NewsQueue};
use super::rows::Texts;
use crate::MAX_COMMAND_BYTES;
use crate::client::{Action, Client, Incoming, Options};
use crate::link::LinkId;
use std::collections::VecDeque;
use tickwire_proto::v1::Encoding;
use tickwire_sync::input_buffer::MAX_INPUT_BYTES;
use tickwire_sync::{Micros, ViewTick};
use wasm_bindgen::prelude::wasm_bindgen;

/// As many inputs of one tick each may wait for theirs.
const MAX_WAITING_INPUTS: usize = 64;

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
    /// Inputs of one tick each that go before it, oldest first.
    once: VecDeque<Vec<u8>>,
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
            once: VecDeque::new(),
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
            let once = self.once.pop_front();
            if self.client.is_spectator() {
                self.client.input(&[]);
            } else if let Some(payload) = once {
                self.client.input(&payload);
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

    /// The input of one tick, the next one; then what [`Self::input`] or the buttons said goes on. Several wait for one tick each, in order.
    /// What is longer than [`MAX_INPUT_BYTES`], or one too many (64 wait at most), is not taken: then `false`. What has found no tick when the
    /// session joins, for the first time or again, is dropped.
    pub fn input_once(&mut self, payload: &[u8]) -> bool {
        let is_taken = payload.len() <= MAX_INPUT_BYTES && self.once.len() < MAX_WAITING_INPUTS;
        if is_taken {
            self.once.push_back(payload.to_vec());
        }
        is_taken
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
                self.once.clear();
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

    /// Another ticket, for the connections to come.
    #[wasm_bindgen(setter)]
    pub fn set_ticket(&mut self, ticket: &str) {
        self.client.set_ticket(ticket);
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

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message as _;
    use tickwire_game::{GameSettings, arena::ArenaInput};
    use tickwire_proto::v1::{self, client_message, server_message};

    const TICK_MS: f64 = 1000.0 / 60.0;
    const FIRE: u8 = 16;
    const UP: u8 = 1;

    fn welcome() -> Vec<u8> {
        let settings = GameSettings {
            seed: 1,
            tick_rate: 60,
            ..GameSettings::default()
        };
        let game = tickwire_game::shipped("arena").unwrap()(&settings);
        let welcome = v1::Welcome {
            session: 7,
            tick_rate: 60,
            schema: Some(game.schema().to_proto()),
            game: game.name().to_owned(),
            map: game.map(),
            rules_hash: game.rules_hash(),
            ..v1::Welcome::default()
        };
        let body = Some(server_message::Body::Welcome(welcome));
        v1::ServerMessage { body }.encode_to_vec()
    }

    /// A session in the arena, and the time.
    struct Page {
        client: WasmClient,
        now_ms: f64,
    }

    impl Page {
        fn in_the_room() -> Self {
            let nothing = String::new;
            let client = WasmClient::new(nothing(), nothing(), nothing(), false, 1, 0.0);
            let mut page = Self {
                client,
                now_ms: 0.0,
            };
            page.client.pump(0.0);
            page.join();
            page.ticks(1);
            page
        }

        /// On the link that the core wants next.
        fn join(&mut self) {
            while self.client.next_action() != ActionKind::Open {}
            let link = self.client.action_link();
            self.client.opened(link, self.now_ms);
            self.client.received(link, &welcome(), self.now_ms);
        }

        /// The inputs of so many ticks more.
        fn ticks(&mut self, count: usize) -> Vec<Vec<u8>> {
            let mut inputs = Vec::new();
            while inputs.len() < count {
                self.now_ms += TICK_MS;
                self.client.pump(self.now_ms);
                inputs.extend(self.sent().into_iter().filter_map(|body| match body {
                    client_message::Body::Inputs(inputs) => Some(inputs.payload),
                    _ => None,
                }));
            }
            inputs
        }

        fn sent(&mut self) -> Vec<client_message::Body> {
            let mut sent = Vec::new();
            loop {
                match self.client.next_action() {
                    ActionKind::None => return sent,
                    ActionKind::Send => {
                        let message = self.client.take_message();
                        sent.extend(v1::ClientMessage::decode(&message[..]).unwrap().body);
                    }
                    _ => {}
                }
            }
        }

        /// Which of so many ticks more fire.
        fn fires(&mut self, count: usize) -> Vec<bool> {
            let inputs = self.ticks(count);
            inputs
                .iter()
                .map(|input| ArenaInput::decode(input).fire)
                .collect()
        }
    }

    #[test]
    fn a_click_that_is_over_before_a_tick_comes_fires_in_one_input() {
        let mut page = Page::in_the_room();
        page.client.buttons(FIRE);
        page.client.buttons(0);
        assert_eq!(page.fires(3), [true, false, false]);
    }

    #[test]
    fn a_click_that_a_tick_has_seen_fires_no_longer_than_it_is_held() {
        let mut page = Page::in_the_room();
        page.client.buttons(FIRE);
        assert_eq!(page.fires(2), [true, true]);
        page.client.buttons(FIRE);
        page.client.buttons(0);
        assert_eq!(page.fires(2), [false, false]);
    }

    #[test]
    fn of_inputs_that_were_held_up_the_newest_carries_the_click() {
        let mut page = Page::in_the_room();
        page.client.buttons(FIRE);
        page.client.buttons(0);
        page.now_ms += 3.0 * TICK_MS;
        assert_eq!(page.fires(5), [false, false, false, true, false]);
    }

    #[test]
    fn a_click_goes_along_with_what_is_held() {
        let mut page = Page::in_the_room();
        page.client.buttons(UP | FIRE);
        page.client.buttons(UP);
        let inputs: Vec<_> = page.ticks(2);
        assert_eq!([inputs[0][0], inputs[1][0]], [UP | FIRE, UP]);
    }

    #[test]
    fn a_click_without_a_connection_does_not_fire_when_the_session_is_back() {
        let mut page = Page::in_the_room();
        page.client.buttons(0);
        let link = page.client.action_link();
        page.client.closed(link, None, "lost", page.now_ms);
        page.client.buttons(FIRE);
        page.client.buttons(0);
        page.client.input_once(&[FIRE, 0, 0]);
        page.now_ms += 10_000.0;
        page.client.pump(page.now_ms);
        page.join();
        assert_eq!(page.fires(2), [false, false]);
    }

    #[test]
    fn an_input_of_one_tick_goes_before_the_lasting_one_and_each_has_a_tick_of_its_own() {
        let mut page = Page::in_the_room();
        page.client.input(&[1]);
        assert!(page.client.input_once(&[2]));
        assert!(page.client.input_once(&[3]));
        assert_eq!(page.ticks(4), [[2], [3], [1], [1]]);
    }

    #[test]
    fn the_buttons_go_on_after_an_input_of_one_tick_and_lose_no_click_by_it() {
        let mut page = Page::in_the_room();
        page.client.buttons(FIRE);
        page.client.buttons(0);
        assert!(page.client.input_once(&[UP, 0, 0]));
        assert_eq!(page.fires(3), [false, true, false]);
    }

    #[test]
    fn an_input_of_one_tick_that_is_too_long_or_one_too_many_is_not_taken() {
        let mut page = Page::in_the_room();
        assert!(!page.client.input_once(&[0; MAX_INPUT_BYTES + 1]));
        let taken = (0..100).filter(|_| page.client.input_once(&[2]));
        assert_eq!(taken.count(), MAX_WAITING_INPUTS);
        page.client.input(&[1]);
        let inputs = page.ticks(MAX_WAITING_INPUTS + 1);
        assert_eq!(inputs[MAX_WAITING_INPUTS - 1..], [[2], [1]]);
    }
}
