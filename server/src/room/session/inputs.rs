//! The sessions of a room as its game sees them: one input per player and tick.

use super::Session;
use crate::room::link::Link;
use std::cell::Cell;
use tickwire_game::{PlayerInput, PlayerInputs};
use tickwire_prefetch as prefetch;
use tickwire_sync::PlayerId;
use tickwire_sync::input_buffer::TickInput;
use tickwire_sync::lagcomp::ResolvedView;

/// Looks up players' inputs in the sessions.
pub(in crate::room) struct SessionInputs<'a, L> {
    sessions: &'a [Session<L>],
    /// The index after the one that was asked for last: games ask for one player after the other.
    next_index: Cell<usize>,
}

impl<'a, L> SessionInputs<'a, L> {
    pub fn new(sessions: &'a [Session<L>]) -> Self {
        Self {
            sessions,
            next_index: Cell::new(0),
        }
    }

    fn find(&self, player: PlayerId) -> Option<&'a Session<L>> {
        let next_index = self.next_index.get();
        let index = match self.sessions.get(next_index) {
            Some(session) if session.player == player => next_index,
            _ => self
                .sessions
                .binary_search_by_key(&player, |session| session.player)
                .ok()?,
        };
        self.next_index.set(index + 1);
        prefetch::ahead(
            self.sessions,
            index,
            |session| prefetch::value(&session.inputs),
            |_| (),
        );
        self.sessions.get(index)
    }
}

impl<L: Link> PlayerInputs for SessionInputs<'_, L> {
    fn of(&self, player: PlayerId) -> Option<PlayerInput<'_>> {
        let session = self.find(player)?;
        let input = session.inputs.current();
        let view = match input {
            TickInput::Fresh(input) | TickInput::Repeated(input) => input.view,
            TickInput::Neutral => ResolvedView::default(),
        };
        Some(PlayerInput {
            player,
            input,
            view,
            client_view: &session.view,
        })
    }
}
