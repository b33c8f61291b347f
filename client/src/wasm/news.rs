//! News for the page that are text: chat, notices, kills, and having joined.

use std::collections::VecDeque;
use wasm_bindgen::prelude::wasm_bindgen;

/// News that wait for a page that does not ask; beyond that the oldest are forgotten.
const CAPACITY: usize = 256;

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
    /// `name` shot down `text`. `number` and `other`: their player slots.
    Kill = 4,
}

/// One piece of news. What the fields mean, [`NewsKind`] says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct News {
    pub kind: NewsKind,
    pub name: String,
    pub text: String,
    pub number: u32,
    pub other: u32,
}

impl News {
    pub const NONE: Self = Self {
        kind: NewsKind::None,
        name: String::new(),
        text: String::new(),
        number: 0,
        other: 0,
    };
}

/// News that the page has not seen yet.
#[derive(Debug, Default)]
pub(super) struct NewsQueue(VecDeque<News>);

impl NewsQueue {
    pub fn push(&mut self, news: News) {
        if self.0.len() == CAPACITY {
            self.0.pop_front();
        }
        self.0.push_back(news);
    }

    pub fn next(&mut self) -> News {
        self.0.pop_front().unwrap_or(News::NONE)
    }
}
