//! A session: one player's place in a room. It outlives its connection for the resume window.
//!
//! Holds everything of one player that is not the game's: the link, the view, the input buffer, the window, and the
//! reliable messages that may have to be sent again.

use super::allowance::Allowance;
use super::inbox::{Inbox, InputsArrived};
use super::link::Link;
use super::{RoomSettings, messages};
use crate::metrics::InputOutcome;
use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tickwire_game::{Identity, PlayerTurn, Turns};
use tickwire_prefetch as prefetch;
use tickwire_proto::v1;
use tickwire_sync::claim::{Claims, Seen};
use tickwire_sync::clock::TickClock;
use tickwire_sync::history::History;
use tickwire_sync::input_buffer::{Arrival, InputBuffer, Taken};
use tickwire_sync::memo::Encoding;
use tickwire_sync::snapshot::Header;
use tickwire_sync::view::View;
use tickwire_sync::window::Window;
use tickwire_sync::{CellId, EntityId, Micros, PlayerId, Tick};

/// Ticks between two looks at the link.
const LINK_INTERVAL: u32 = 8;
/// While more bytes than these wait for a link, messages wait in the session.
const MOST_WAITING: usize = 64 * 1024;
/// Reliable messages that are kept to be sent again over a resume.
const KEPT_MESSAGES: usize = 128;

/// By what a client proves whose session it resumes: the session's number, the room's own number, and a secret of 16 bytes.
pub(super) type ResumeToken = [u8; 28];

/// See the module's head.
pub struct Session<L> {
    /// The session's number, which is the player's.
    pub player: PlayerId,
    /// The name that others see.
    pub name: String,
    /// The entity that stands for the player.
    pub entity: Option<EntityId>,
    /// Whether the player only watches.
    pub is_spectator: bool,
    /// Whose it is beyond this server, if tickets say so.
    pub(super) subject: Option<String>,
    pub(super) token: ResumeToken,
    pub(super) link: Option<Arc<L>>,
    pub(super) inbox: Option<Arc<Inbox>>,
    /// Since when there is no link.
    pub(super) away_since: Option<Micros>,
    /// The player has left, or stayed away for too long: the session ends in this tick.
    pub(super) is_over: bool,
    pub(super) view: View,
    pub(super) encoding: Encoding,
    /// Which coding tables the client has; see [`CodingTables::version`](super::tables::CodingTables::version).
    pub(super) tables_version: u32,
    pub(super) inputs: InputBuffer,
    pub(super) window: Window,
    pub(super) allowances: Allowances,
    /// The client waits for a snapshot that starts over.
    wants_restart: bool,
    /// Its replica has disagreed at least once.
    pub(super) has_mismatched: bool,
    /// What is believed of the client's claims.
    claims: Claims,
    /// The link's round trip, as it was a few ticks ago.
    round_trip: Option<Micros>,
    /// The longest rewind, in ticks.
    max_rewind: f64,
    margin: Option<i32>,
    /// The view hash is due with the next snapshot, whenever that may go.
    owes_view_hash: bool,
    newest_message: u32,
    /// The newest that was sent over this link: those after it wait in `kept`.
    sent_message: u32,
    kept: VecDeque<(u32, Vec<u8>)>,
    /// The newest numbered command that the game was given.
    pub(super) newest_command: u32,
}

/// What one player may have: lines of chat, answers to those that were too many, and views that start over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowances {
    pub lines: Allowance,
    pub refusals: Allowance,
    pub restarts: Allowance,
}

impl Allowances {
    fn new(now: Micros) -> Self {
        Self {
            lines: Allowance::new(5.0, 1.0, now),
            refusals: Allowance::new(1.0, 1.0, now),
            restarts: Allowance::new(1.0, 1.0, now),
        }
    }
}

impl<L: Link> Session<L> {
    pub(super) fn new(
        player: PlayerId,
        identity: Identity,
        token: ResumeToken,
        tick: Tick,
        settings: &RoomSettings,
        now: Micros,
    ) -> Self {
        let tick_rate = settings.tick_rate;
        Self {
            player,
            name: identity.name,
            entity: None,
            is_spectator: identity.is_spectator,
            subject: identity.subject,
            token,
            link: None,
            inbox: None,
            away_since: Some(now),
            is_over: false,
            view: View::default(),
            encoding: Encoding::default(),
            tables_version: 0,
            inputs: InputBuffer::new(tick, tick_rate / 4),
            window: Window::new(now, tick_rate, settings.window_policy),
            allowances: Allowances::new(now),
            wants_restart: false,
            has_mismatched: false,
            claims: Claims::new(tick_rate, settings.view_policy),
            round_trip: None,
            max_rewind: settings.max_rewind.as_secs_f64() * f64::from(tick_rate),
            margin: None,
            owes_view_hash: false,
            newest_message: 0,
            sent_message: 0,
            kept: VecDeque::new(),
            newest_command: 0,
        }
    }

    /// Asks for what of the session itself a snapshot will touch: not the claims.
    pub(super) fn prefetch_own_for_snapshot(&self) {
        prefetch::near(&self.view);
        prefetch::near(&self.window);
        prefetch::near(&self.inputs);
        prefetch::near(&self.link);
        prefetch::near(&self.margin);
    }

    /// Asks for what taking inputs will touch beside the session itself.
    pub(super) fn prefetch_inputs(&self) {
        if let Some(inbox) = &self.inbox {
            prefetch::near(&**inbox);
        }
        self.inputs.prefetch();
        self.view.prefetch_first();
        self.window.prefetch();
    }

    /// The same for sending a snapshot.
    pub(super) fn prefetch_snapshot(&self) {
        if let Some(link) = &self.link {
            prefetch::near(&**link);
        }
        self.view.prefetch();
        self.window.prefetch();
    }

    /// The same for noting it as sent: many were sent in between.
    pub(super) fn prefetch_sent(&self) {
        prefetch::near(&self.view);
        prefetch::near(&self.window);
        self.view.prefetch();
    }

    /// Whether the player is connected.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.link.is_some()
    }

    /// The link's steady round trip, as it was a few ticks ago.
    #[must_use]
    pub fn round_trip(&self) -> Option<Micros> {
        self.round_trip
    }

    /// Looks after the link, now and then, as its memory is far from the session's: its round trip, and whether messages that wait can go.
    pub(super) fn follow_link(&mut self, tick: Tick) {
        if self.comes_up(tick, LINK_INTERVAL) {
            self.round_trip = self.link.as_ref().and_then(|link| link.round_trip());
            self.send_kept();
        }
    }

    /// Takes over a new link: everything that is known of the old path is forgotten.
    pub(super) fn attach(
        &mut self,
        link: Arc<L>,
        inbox: Arc<Inbox>,
        encoding: Encoding,
        now: Micros,
    ) -> Option<Arc<L>> {
        self.away_since = None;
        self.view.start_over();
        self.wants_restart = false;
        self.window.start_over(now);
        self.encoding = encoding;
        self.margin = None;
        self.claims.forget();
        self.round_trip = None;
        self.inbox = Some(inbox);
        self.link.replace(link)
    }

    /// Whether the game has not had the command of this number, and has it from now on.
    pub(super) fn is_new_command(&mut self, number: u32) -> bool {
        let is_new = number == 0 || number > self.newest_command;
        self.newest_command = self.newest_command.max(number);
        is_new
    }

    /// The client's view is wrong or lost. `false`: it said so before, and waits already.
    pub(super) fn ask_for_restart(&mut self) -> bool {
        !std::mem::replace(&mut self.wants_restart, true)
    }

    /// Has the next snapshot start over if the client waits for that: once a second, as it costs a whole view.
    pub(super) fn restart(&mut self, now: Micros) {
        if self.wants_restart && self.allowances.restarts.take(now) {
            self.wants_restart = false;
            self.view.start_over();
            self.window.forget_sent();
        }
    }

    /// Ends the session if it has had no link for longer than it is kept without one.
    /// Whether its player did not come back in time: then it is over.
    pub(super) fn expire(&mut self, now: Micros, resume_window: Duration) -> bool {
        let window = Micros(resume_window.as_micros() as u64);
        let is_late = |since: Micros| now.since(since) >= window;
        let expires = !self.is_over && self.away_since.is_some_and(is_late);
        self.is_over |= expires;
        expires
    }

    pub(super) fn lose_link(&mut self, now: Micros) {
        self.link = None;
        self.inbox = None;
        self.away_since = Some(now);
        self.inputs.pause();
    }

    pub(super) fn take_input(&mut self, inputs: &InputsArrived, ticks: TickClock) -> InputOutcome {
        self.window
            .received(inputs.received, inputs.received_at_us, inputs.arrived);
        let margin =
            (ticks.due_us(inputs.target) - inputs.arrived.0 as f64) / ticks.tick_us() * 16.0;
        let margin = margin.clamp(-1e6, 1e6) as i32;
        self.margin = Some(self.margin.map_or(margin, |least| least.min(margin)));
        let arrived = ticks.ticks_at(inputs.arrived.0 as f64);
        // The global cell is in every snapshot.
        let sent = self.view.sent_ticks(CellId::GLOBAL).unwrap_or_default();
        let claim = inputs.claim(arrived, sent);
        let seen = self.claims.take(&claim, self.round_trip, self.max_rewind);
        match self.inputs.arrived(inputs.target, inputs.input(seen)) {
            Arrival::Accepted => InputOutcome::Applied,
            Arrival::Late => InputOutcome::Late,
            Arrival::Flooded => InputOutcome::Flooded,
        }
    }

    /// Whether snapshots go to it, and packed ones.
    pub(super) fn reads_packed(&self) -> bool {
        self.is_connected() && self.encoding == Encoding::Packed
    }

    /// Whether the client cannot read a snapshot without the newest coding tables, which it has not.
    pub(super) fn needs_tables(&self, newest: u32) -> bool {
        self.encoding == Encoding::Packed && self.tables_version != newest
    }

    pub(super) fn header(&self) -> Header {
        Header {
            owner: self.player,
            applied_seq: self.inputs.applied_seq(),
            input_margin: self.margin,
            starved_inputs: self.inputs.starved(),
            with_view_hash: self.owes_view_hash,
        }
    }

    /// Whether it is this session's turn with what each has once in so many ticks: not all have it in the same one.
    fn comes_up(&self, tick: Tick, interval: u32) -> bool {
        tick.0.wrapping_add(self.player.0).is_multiple_of(interval)
    }

    /// Whether the beat goes with this tick: once a second.
    pub(super) fn beat_is_due(&self, tick: Tick, tick_rate: u32) -> bool {
        self.comes_up(tick, tick_rate)
    }

    /// The same for the view hash, half a second apart. It stays due until a snapshot has gone: where most ticks are deferred, the one of the second seldom finds the window open.
    pub(super) fn owe_view_hash(&mut self, tick: Tick, tick_rate: u32) {
        let half_a_second_on = Tick(tick.0.wrapping_add(tick_rate / 2));
        self.owes_view_hash |= self.comes_up(half_a_second_on, tick_rate);
    }

    pub(super) fn sent(&mut self, history: &History, bytes: usize, header: Header, now: Micros) {
        self.view.sent(history);
        if header.input_margin.is_some() {
            self.margin = None;
        }
        self.owes_view_hash &= !header.with_view_hash;
        if let Some(frame) = history.newest() {
            self.window.sent(frame.tick(), bytes, now);
        }
    }

    /// Numbers a reliable message, keeps it for a resume, and sends it.
    pub(super) fn send_message(&mut self, message: v1::Message) {
        self.newest_message += 1;
        let message = v1::Message {
            number: self.newest_message,
            ..message
        };
        let bytes = messages::encode(v1::server_message::Body::Message(message));
        if self.kept.len() == KEPT_MESSAGES
            && let Some((oldest, bytes)) = self.kept.pop_front()
            && oldest > self.sent_message
            && let Some(link) = &self.link
        {
            // It can't wait any longer.
            link.send(&bytes);
            self.sent_message = oldest;
        }
        self.kept.push_back((self.newest_message, bytes));
        self.send_kept();
    }

    /// Sends again what came after message `number`, at once or by and by.
    pub(super) fn send_messages_after(&mut self, number: u32) {
        self.sent_message = number.min(self.newest_message);
        self.send_kept();
    }

    /// Sends messages in their order, as far as the link takes them: all at once could be more than may wait for it.
    fn send_kept(&mut self) {
        let Some(link) = &self.link else { return };
        let unsent = (self.newest_message - self.sent_message) as usize;
        let first = self.kept.len().saturating_sub(unsent);
        for (number, bytes) in self.kept.iter().skip(first) {
            if link.pending_bytes() > MOST_WAITING {
                return;
            }
            link.send(bytes);
            self.sent_message = *number;
        }
    }

    pub(super) fn notice(&self, text: &str) -> bool {
        self.send(&messages::notice(text));
        self.link.is_some()
    }

    /// Sends a message, if there is a link: it isn't kept for a resume.
    pub(super) fn send(&self, message: &[u8]) {
        if let Some(link) = &self.link {
            link.send(message);
        }
    }
}

/// The sessions as a game sees them.
pub(super) struct SessionTurns<'a, L> {
    sessions: &'a [Session<L>],
    /// The one after that which was asked for last: games ask for one after the other.
    next: Cell<usize>,
}

impl<'a, L> SessionTurns<'a, L> {
    pub fn new(sessions: &'a [Session<L>]) -> Self {
        Self {
            sessions,
            next: Cell::new(0),
        }
    }

    fn find(&self, player: PlayerId) -> Option<&'a Session<L>> {
        let next = self.next.get();
        let index = match self.sessions.get(next) {
            Some(session) if session.player == player => next,
            _ => self
                .sessions
                .binary_search_by_key(&player, |session| session.player)
                .ok()?,
        };
        self.next.set(index + 1);
        prefetch::ahead(
            self.sessions,
            index,
            |session| prefetch::near(&session.inputs),
            |_| (),
        );
        self.sessions.get(index)
    }
}

impl<L: Link> Turns for SessionTurns<'_, L> {
    fn of(&self, player: PlayerId) -> Option<PlayerTurn<'_>> {
        let session = self.find(player)?;
        let input = session.inputs.current();
        let seen = match input {
            Taken::Fresh(input) | Taken::Repeated(input) => input.seen,
            Taken::Neutral => Seen::default(),
        };
        Some(PlayerTurn {
            player,
            input,
            seen,
            sent: &session.view,
        })
    }
}
