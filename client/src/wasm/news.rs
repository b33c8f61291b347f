//! News for the page: chat, notices, a game's events and messages, and having joined.

use super::session::WasmClient;
use std::collections::VecDeque;
use wasm_bindgen::prelude::wasm_bindgen;

/// Events that wait for a page that does not ask, or that came all at once after a gap; beyond that the oldest are forgotten.
const CAPACITY: usize = 1_024;

/// What sort of news.
#[wasm_bindgen]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NewsKind {
    /// Nothing new.
    None = 0,
    /// In the room. `number`: 1 if it is the same session as before.
    Joined = 1,
    /// A line of chat: `name` says `text`. `number`: the player's session, 0 for the server.
    Chat = 2,
    /// A word from the operator: `text`.
    Notice = 3,
    /// An event of the game. `number`: which of the schema's kinds of event; `tick`: when it happened; `payload`.
    Event = 4,
    /// A message of the game: `payload`.
    Message = 5,
}

/// One piece of news. What the fields mean, [`NewsKind`] says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct News {
    pub kind: NewsKind,
    pub name: String,
    pub text: String,
    pub number: u32,
    pub tick: u32,
    pub payload: Vec<u8>,
}

impl News {
    pub const NONE: Self = Self {
        kind: NewsKind::None,
        name: String::new(),
        text: String::new(),
        number: 0,
        tick: 0,
        payload: Vec::new(),
    };
}

/// News that the page has not seen yet.
#[derive(Debug, Default)]
pub(super) struct NewsQueue {
    news: VecDeque<News>,
    /// How many of them are events.
    events: usize,
}

impl NewsQueue {
    pub fn push(&mut self, news: News) {
        if news.kind == NewsKind::Event {
            if self.events == CAPACITY
                && let Some(oldest) = (self.news.iter()).position(|one| one.kind == NewsKind::Event)
            {
                self.news.remove(oldest);
                self.events -= 1;
            }
            self.events += 1;
        }
        self.news.push_back(news);
    }

    fn next(&mut self) -> News {
        let next = self.news.pop_front().unwrap_or(News::NONE);
        self.events -= usize::from(next.kind == NewsKind::Event);
        next
    }
}

/// What came besides the world.
#[wasm_bindgen]
impl WasmClient {
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
    pub fn news_tick(&self) -> u32 {
        self.news.tick
    }

    /// See [`NewsKind`]; can be taken once.
    pub fn take_news_payload(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.news.payload)
    }
}
