//! A session: one player's place in a room. It outlives its connection for the resume window.
//!
//! In: the player's inputs, and changes of its connection. Out: the player's input for each tick, and what a snapshot needs to
//! know of its receiver. The session holds everything of one player that is not the game's: link, view, input buffer, congestion
//! window, and the reliable messages that may have to be sent again.

pub(super) mod footprint;
pub(super) mod inputs;
pub(super) mod reliable_messages;
pub(super) mod resume_token;
mod resync;
pub(super) mod saved;

use super::chat::ChatLimits;
use super::inbox::{Inbox, InboxMessage, ReceivedInput};
use super::link::Link;
use super::map_transfer::{MapTransfer, RoomMap};
use super::messages;
use super::settings::RoomSettings;
use reliable_messages::{MessageBody, ReliableMessages};
use resume_token::ResumeToken;
use resync::Resync;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tickwire_game::Identity;
use tickwire_prefetch as prefetch;
use tickwire_sync::congestion::CongestionWindow;
use tickwire_sync::encode::{Encoding, Header};
use tickwire_sync::frame::History;
use tickwire_sync::input_buffer::{InputBuffer, InsertOutcome, max_repeats};
use tickwire_sync::interest::ClientView;
use tickwire_sync::lagcomp::LagCompensator;
use tickwire_sync::{CellId, EntityId, Micros, PlayerId, Tick, TickClock};

/// Notices are kept for a player whose connection was lost this short a time ago, so many of them: those of a room that has just moved
/// to another node come back within it.
const KEEPS_NOTICES_FOR: Micros = Micros::from_millis(10_000);
const MAX_KEPT_NOTICES: usize = 16;
/// Ticks from one look at the link to the next.
const LINK_INTERVAL_TICKS: u32 = 8;

/// One player's session.
pub struct Session<L> {
    /// The session's number, which is the player's.
    pub player: PlayerId,
    /// The name that other players see.
    pub name: String,
    /// The player's own entity.
    pub entity: Option<EntityId>,
    /// Whether the player only watches.
    pub is_spectator: bool,
    /// The player's id at the login service (the `sub` of a ticket), if there are tickets.
    pub(super) subject: Option<String>,
    /// The address that the session counts under; `None`: it counts under none.
    pub(super) address: Option<IpAddr>,
    /// The address that the player comes from, for bans and mutes.
    pub(super) peer: Option<IpAddr>,
    /// When the newest connection was opened.
    pub(super) opened_at: Micros,
    /// The mute that was pronounced on this session.
    pub(super) mute: Option<u64>,
    /// When the player's ticket ends the session.
    pub(super) ticket_ends: Option<Micros>,
    pub(super) token: ResumeToken,
    pub(super) presence: Presence<L>,
    pub(super) view: ClientView,
    pub(super) encoding: Encoding,
    /// The version of the codebooks that the client has, as the room's `CodebookSchedule` counts them.
    pub(super) codebooks_version: u32,
    pub(super) inputs: InputBuffer,
    pub(super) window: CongestionWindow,
    pub(super) chat_limits: ChatLimits,
    pub(super) resync: Resync,
    /// The client's replica has disagreed at least once.
    has_mismatched: bool,
    /// Clamps the client's claims about its screen.
    lag_compensator: LagCompensator,
    /// The link's round trip, as it was a few ticks ago.
    round_trip: Option<Micros>,
    /// The longest rewind, in ticks.
    max_rewind_ticks: f64,
    pending_header: PendingHeader,
    pub(super) reliable: ReliableMessages,
    /// The map on its way to the client; nothing else goes before it but heartbeats.
    pub(super) map_transfer: Option<MapTransfer>,
    /// The newest numbered command that the game has got.
    pub(super) newest_command: u32,
    /// Notices that came while the player was away.
    kept_notices: Vec<String>,
}

/// Whether the player is connected, away or gone: a session without a connection waits for its player for the resume window.
pub(super) enum Presence<L> {
    /// Messages flow over `link`, and arrive in `inbox`.
    Connected { link: Arc<L>, inbox: Arc<Inbox> },
    /// The connection ended at `since`, or has not come yet. A player who left for a while has said how long the session waits.
    Away {
        since: Micros,
        grace: Option<Duration>,
    },
    /// The player has left, was kicked, or stayed away for too long: the session ends in this tick. `link` is still to be closed.
    Over { link: Option<Arc<L>> },
}

/// What the next snapshot's header reports, collected since the last snapshot that was sent.
#[derive(Clone, Copy, Debug, Default)]
struct PendingHeader {
    /// The smallest margin of the inputs since the last snapshot, in sixteenths of a tick: how early each arrived.
    min_margin: Option<i32>,
    /// The view hash is due, and stays due until a snapshot goes.
    is_view_hash_due: bool,
    /// The newest snapshot that the client says it has.
    newest_ack: Tick,
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
            address: None,
            peer: None,
            opened_at: now,
            mute: None,
            ticket_ends: None,
            token,
            presence: Presence::Away {
                since: now,
                grace: None,
            },
            view: ClientView::default(),
            encoding: Encoding::default(),
            codebooks_version: 0,
            inputs: InputBuffer::new(tick, max_repeats(tick_rate)),
            window: CongestionWindow::with_policy(now, tick_rate, settings.window_policy),
            chat_limits: ChatLimits::new(now),
            resync: Resync::new(now),
            has_mismatched: false,
            lag_compensator: LagCompensator::with_policy(tick_rate, settings.view_policy),
            round_trip: None,
            max_rewind_ticks: settings.max_rewind.as_secs_f64() * f64::from(tick_rate),
            pending_header: PendingHeader::default(),
            reliable: ReliableMessages::default(),
            map_transfer: None,
            newest_command: 0,
            kept_notices: Vec::new(),
        }
    }

    /// Prefetches what taking an input touches beside the session itself.
    pub(super) fn prefetch_inputs(&self) {
        if let Presence::Connected { inbox, .. } = &self.presence {
            prefetch::value(&**inbox);
        }
        self.inputs.prefetch();
        self.view.prefetch_global_cell();
        self.window.prefetch();
    }

    /// Prefetches the parts of the session itself that a snapshot touches.
    pub(super) fn prefetch_for_snapshot(&self) {
        prefetch::value(&self.presence);
        prefetch::value(&self.view);
        prefetch::value(&self.window);
        prefetch::value(&self.inputs);
        prefetch::value(&self.pending_header);
    }

    /// Prefetches what a snapshot touches beside the session itself.
    pub(super) fn prefetch_snapshot_pointees(&self) {
        if let Presence::Connected { link, .. } = &self.presence {
            link.prefetch();
        }
        self.view.prefetch_cells();
        self.window.prefetch();
    }

    /// Prefetches what recording a sent snapshot touches.
    pub(super) fn prefetch_for_sent(&self) {
        prefetch::value(&self.view);
        prefetch::value(&self.window);
        self.view.prefetch_cells();
    }

    /// The client's connection, if the player is connected.
    pub(super) fn link(&self) -> Option<&Arc<L>> {
        match &self.presence {
            Presence::Connected { link, .. } => Some(link),
            Presence::Away { .. } => None,
            Presence::Over { link } => link.as_ref(),
        }
    }

    /// Whether the player is connected.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.link().is_some()
    }

    /// The cells that the player sees, with what the client has of each.
    #[must_use]
    pub fn view(&self) -> &ClientView {
        &self.view
    }

    /// The link's steady round trip, as it was a few ticks ago.
    #[must_use]
    pub fn round_trip(&self) -> Option<Micros> {
        self.round_trip
    }

    /// Moves the messages that have arrived to the end of `messages`.
    pub(super) fn take_messages(&self, messages: &mut Vec<InboxMessage>) {
        if let Presence::Connected { inbox, .. } = &self.presence {
            inbox.take(messages);
        }
    }

    /// Does what need not be done in every tick: reads the link's round trip, whose memory is far from the session's, and forgets
    /// messages that the client has.
    pub(super) fn follow_link(&mut self, tick: Tick, tick_rate: u32) {
        if self.is_due_once_in(tick, LINK_INTERVAL_TICKS) {
            self.round_trip = self.link().and_then(|link| link.round_trip());
            let received = self.pending_header.newest_ack;
            self.reliable.acknowledge(received, tick, tick_rate);
        }
    }

    /// Whether the player's ticket has ended, as is looked at every few ticks.
    pub(super) fn ticket_has_ended(&self, tick: Tick, now: Micros) -> bool {
        self.is_due_once_in(tick, LINK_INTERVAL_TICKS)
            && self.ticket_ends.is_some_and(|ends| now >= ends)
    }

    /// Whether the session is connected over a connection that was opened later than `opened_at`.
    pub(super) fn is_newer_than(&self, opened_at: Micros) -> bool {
        self.is_connected() && self.opened_at > opened_at
    }

    /// Takes over a new link, and forgets everything about the old path. Returns the old link, if there was one.
    pub(super) fn attach(
        &mut self,
        link: Arc<L>,
        inbox: Arc<Inbox>,
        encoding: Encoding,
        now: Micros,
    ) -> Option<Arc<L>> {
        self.view.request_full_snapshot();
        self.resync.cancel();
        self.window.reset(now);
        // Those of the old connection are for ticks that the new one, over a quicker path, has inputs of its own for.
        self.inputs.clear();
        self.encoding = encoding;
        self.pending_header.min_margin = None;
        self.pending_header.newest_ack = Tick(0);
        self.lag_compensator.reset();
        self.round_trip = None;
        match std::mem::replace(&mut self.presence, Presence::Connected { link, inbox }) {
            Presence::Connected { link, .. } => Some(link),
            Presence::Away { .. } => None,
            Presence::Over { link } => link,
        }
    }

    /// Sends what the link takes of the map, if that is still on its way. Returns whether snapshots have to wait for it.
    pub(super) fn awaits_map(&mut self, map: &RoomMap, now: Micros) -> bool {
        let Presence::Connected { link, .. } = &self.presence else {
            return false;
        };
        let Some(transfer) = &mut self.map_transfer else {
            return false;
        };
        if !transfer.go_on(map, link, now, !self.window.is_silent(now)) {
            return true;
        }
        self.map_transfer = None;
        // Nothing is known of the path yet, and the client was silent for good reason.
        self.window.reset(now);
        false
    }

    /// Whether the game has not got the command of this number yet; from now on it has.
    pub(super) fn is_new_command(&mut self, number: u32) -> bool {
        let is_new = number == 0 || number > self.newest_command;
        self.newest_command = self.newest_command.max(number);
        is_new
    }

    /// Records that the client's replica has disagreed. Returns whether that is the first time.
    pub(super) fn record_mismatch(&mut self) -> bool {
        !std::mem::replace(&mut self.has_mismatched, true)
    }

    /// Makes the next snapshot a full one, at most once a second, if the client asked for it.
    pub(super) fn grant_resync(&mut self, now: Micros) {
        if self.resync.take(now) {
            self.view.request_full_snapshot();
            self.window.forget_in_flight();
        }
    }

    /// Ends the session if its player has been away for longer than the resume window, or than the player said. Returns whether it
    /// ended.
    pub(super) fn expire(&mut self, now: Micros, resume_window: Duration) -> bool {
        let expires = match self.presence {
            Presence::Connected { .. } | Presence::Over { .. } => false,
            Presence::Away { since, grace } => {
                let wait = grace.map_or(resume_window, |grace| grace.min(resume_window));
                now.since(since) >= Micros(wait.as_micros() as u64)
            }
        };
        if expires {
            self.end();
        }
        expires
    }

    /// If the player is away: the session waits so much longer.
    pub(super) fn wait_longer(&mut self, pause: Micros) {
        if let Presence::Away { since, .. } = &mut self.presence {
            *since = since.plus(pause);
        }
    }

    /// Makes the session end in this tick.
    pub(super) fn end(&mut self) {
        let link = self.link().cloned();
        self.presence = Presence::Over { link };
    }

    /// Whether the session ends in this tick.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.presence, Presence::Over { .. })
    }

    /// Whether the session waits for its player.
    pub(super) fn is_away(&self) -> bool {
        matches!(self.presence, Presence::Away { .. })
    }

    /// The connection has ended: the session waits for its player, with a `grace` no longer than that.
    pub(super) fn detach(&mut self, grace: Option<Duration>, now: Micros) {
        self.presence = Presence::Away { since: now, grace };
        self.inputs.clear();
    }

    /// The player leaves for a while: the session waits as after a lost connection, but no longer than `grace`. Returns the link,
    /// which is still to be closed.
    pub(super) fn leave_for(&mut self, grace: Duration, now: Micros) -> Option<Arc<L>> {
        let link = self.link().cloned();
        self.detach(Some(grace), now);
        link
    }

    /// Puts an input into the buffer, with its claimed view resolved, and learns from it about the path.
    pub(super) fn take_input(
        &mut self,
        input: &ReceivedInput,
        tick_clock: TickClock,
    ) -> InsertOutcome {
        self.window
            .on_ack(input.received, input.received_at_us, input.arrived);
        let margin = (tick_clock.due_us(input.target) - input.arrived.0 as f64)
            / tick_clock.tick_us()
            * 16.0;
        let margin = margin.clamp(-1e6, 1e6) as i32;
        let min_margin = &mut self.pending_header.min_margin;
        *min_margin = Some(min_margin.map_or(margin, |least| least.min(margin)));
        self.pending_header.newest_ack = self.pending_header.newest_ack.max(input.received);
        let arrived_tick = tick_clock.ticks_at(input.arrived.0 as f64);
        // The global cell is in every snapshot.
        let sent = self.view.sent_ticks(CellId::GLOBAL).unwrap_or_default();
        let claim = input.claim(arrived_tick, sent);
        let view = self
            .lag_compensator
            .resolve(&claim, self.round_trip, self.max_rewind_ticks);
        self.inputs.insert(input.target, input.as_input(view))
    }

    /// Whether packed snapshots go to this session.
    pub(super) fn reads_packed(&self) -> bool {
        self.is_connected() && self.encoding == Encoding::Packed
    }

    /// Whether the client lacks the newest codebooks, without which it cannot read a snapshot.
    pub(super) fn needs_codebooks(&self, newest_version: u32) -> bool {
        self.encoding == Encoding::Packed && self.codebooks_version != newest_version
    }

    /// The header of the next snapshot.
    pub(super) fn header(&self) -> Header {
        Header {
            owner: self.player,
            applied_seq: self.inputs.applied_seq(),
            input_margin: self.pending_header.min_margin,
            starved_inputs: self.inputs.starved_count(),
            with_view_hash: self.pending_header.is_view_hash_due,
        }
    }

    /// The newest snapshot that the client says it has.
    pub(super) fn newest_ack(&self) -> Tick {
        self.pending_header.newest_ack
    }

    /// Whether something that every session does once in `interval` ticks is due for this session at this tick. The sessions'
    /// ticks differ, so that the work is spread.
    fn is_due_once_in(&self, tick: Tick, interval: u32) -> bool {
        tick.0.wrapping_add(self.player.0).is_multiple_of(interval)
    }

    /// Whether the `Heartbeat` goes with this tick: once a second.
    pub(super) fn is_heartbeat_due(&self, tick: Tick, tick_rate: u32) -> bool {
        self.is_due_once_in(tick, tick_rate)
    }

    /// Makes the view hash due once a second, half a second after the `Heartbeat`, or in every tick where the settings say so. The
    /// hash stays due until a snapshot has gone: where most snapshots are deferred, the one of that tick seldom finds the window open.
    pub(super) fn schedule_view_hash(&mut self, tick: Tick, settings: &RoomSettings) {
        let tick_rate = settings.tick_rate;
        let half_a_second_on = Tick(tick.0.wrapping_add(tick_rate / 2));
        self.pending_header.is_view_hash_due |=
            settings.hash_every_snapshot || self.is_due_once_in(half_a_second_on, tick_rate);
    }

    /// Records that the link took a snapshot.
    pub(super) fn snapshot_sent(
        &mut self,
        history: &History,
        bytes: usize,
        header: Header,
        now: Micros,
    ) {
        self.view.mark_sent(history);
        if header.input_margin.is_some() {
            self.pending_header.min_margin = None;
        }
        self.pending_header.is_view_hash_due &= !header.with_view_hash;
        if let Some(frame) = history.newest() {
            self.window.on_sent(frame.tick(), bytes, now);
        }
    }

    /// Adds a reliable message, which goes with the tick's batch and is kept until the client has it.
    pub(super) fn push_reliable(&mut self, body: MessageBody, tick: Tick) {
        let overflow = self.reliable.push(body, tick);
        for message in &overflow {
            self.send(message);
        }
    }

    /// Sends the reliable messages that wait, because no batch comes before the connection ends.
    pub(super) fn send_waiting_now(&mut self) {
        let Some(link) = self.link().filter(|_| self.reliable.has_waiting()) else {
            return;
        };
        let mut newest = 0;
        self.reliable
            .append_waiting(&mut Vec::new(), |number, message| {
                link.send(message);
                newest = number;
                true
            });
        self.reliable.mark_sent(newest, Tick(u32::MAX));
    }

    /// Since when the session waits for its player; `None`: it does not wait.
    pub(super) fn away_since(&self) -> Option<Micros> {
        match self.presence {
            Presence::Away { since, .. } => Some(since),
            Presence::Connected { .. } | Presence::Over { .. } => None,
        }
    }

    /// Sends a notice, or keeps it for a player who lost their connection a moment ago. Returns whether the player is connected.
    pub(super) fn notice_or_keep(&mut self, text: &str, now: Micros) -> bool {
        if let Presence::Away { since, .. } = self.presence
            && now.since(since) < KEEPS_NOTICES_FOR
            && self.kept_notices.len() < MAX_KEPT_NOTICES
        {
            self.kept_notices.push(text.to_owned());
        }
        self.notice(text)
    }

    /// Sends the notices that came while the player was away.
    pub(super) fn send_kept_notices(&mut self) {
        for text in std::mem::take(&mut self.kept_notices) {
            self.notice(&text);
        }
    }

    /// Sends a notice. Returns whether the player is connected.
    pub(super) fn notice(&self, text: &str) -> bool {
        self.send(&messages::notice(text));
        self.is_connected()
    }

    /// Sends a message if the player is connected. It is not kept for a resume.
    pub(super) fn send(&self, message: &[u8]) {
        if let Some(link) = self.link() {
            link.send(message);
        }
    }
}
