//! Sessions to columns: each player's input, and what became of the player's snapshot.
//!
//! In: the sessions of a tick. Out: numbers that are small where a session goes on as expected: the next input for the next tick, a
//! screen that has moved by one tick, the same cells.

use crate::column::{Named, put, put_signed};
use crate::tick::{AppliedInput, InputSource, Sending, SessionTick, TickFacts};
use tickwire_sync::lagcomp::ResolvedView;
use tickwire_sync::{CellId, PlayerId, Seq, Tick, ViewTick};

/// Bits of the flags of an input, above two bits for its source.
pub(crate) mod input_flags {
    /// The payload is that of the input before.
    pub const SAME_PAYLOAD: u8 = 1 << 2;
    /// The number is that which was expected.
    pub const EXPECTED_SEQ: u8 = 1 << 3;
    /// The view was not moved away from the claim.
    pub const AS_CLAIMED: u8 = 1 << 4;
    /// The view says which snapshot was there.
    pub const HAS_RECEIVED: u8 = 1 << 5;
    /// The view is that of the input before.
    pub const SAME_VIEW: u8 = 1 << 6;
}

/// Bits of the flags of a snapshot, above three bits for what became of it.
pub(crate) mod send_flags {
    /// The cells are those of the snapshot before.
    pub const SAME_CELLS: u8 = 1 << 3;
    /// The header says the margin.
    pub const HAS_MARGIN: u8 = 1 << 4;
    /// The header has a view hash.
    pub const HAS_HASH: u8 = 1 << 5;
}

/// What is remembered of a session, alike by encoder and decoder.
#[derive(Clone, Debug, Default)]
pub(crate) struct SessionState {
    pub seq: Seq,
    pub payload: Vec<u8>,
    pub view: ResolvedView,
    pub view_at: Tick,
    pub acked: Tick,
    pub acked_at: Tick,
    pub margin: i32,
    pub starved: u32,
    pub cells: Vec<CellId>,
}

impl SessionState {
    /// The number that an input of this source is expected to have.
    pub fn expected_seq(&self, source: InputSource) -> Seq {
        match source {
            InputSource::Fresh => Seq(self.seq.0.wrapping_add(1)),
            InputSource::Repeated | InputSource::Neutral => self.seq,
        }
    }

    /// How far a screen is expected to have moved since the last view, and snapshots since the last one that was received.
    pub fn expected_view(&self, tick: Tick) -> (ViewTick, Tick) {
        let ticks = tick.since(self.view_at);
        let received = self.view.received.unwrap_or_default();
        (
            ViewTick(self.view.at.0 + u64::from(ticks) * ViewTick::FRACTIONS),
            Tick(received.0.wrapping_add(ticks)),
        )
    }

    /// The newest snapshot that the client is expected to have.
    pub fn expected_ack(&self, tick: Tick) -> Tick {
        Tick(self.acked.0.wrapping_add(tick.since(self.acked_at)))
    }
}

/// Encodes sessions, each tick against the one before.
#[derive(Default, Debug)]
pub(crate) struct SessionEncoder {
    players: Vec<PlayerId>,
    states: Vec<SessionState>,
}

impl SessionEncoder {
    pub fn begin_chunk(&mut self) {
        self.players.clear();
        self.states.clear();
    }

    pub fn encode(&mut self, tick: Tick, facts: &TickFacts, columns: &mut [Vec<u8>]) {
        self.encode_list(&facts.sessions, &mut columns[Named::Sessions as usize]);
        for (session, state) in facts.sessions.iter().zip(&mut self.states) {
            encode_input(
                &session.input,
                facts.payload_of(session),
                tick,
                state,
                columns,
            );
            encode_sending(session, facts.cells_of(session), tick, state, columns);
        }
    }

    /// 0: the sessions of the tick before. Else one more than their number, and their players.
    fn encode_list(&mut self, sessions: &[SessionTick], list: &mut Vec<u8>) {
        let players = sessions.iter().map(|session| session.player);
        if players.clone().eq(self.players.iter().copied()) {
            return put(list, 0);
        }
        put(list, sessions.len() as u64 + 1);
        let mut before = 0;
        for player in players.clone() {
            put(list, u64::from(player.0.wrapping_sub(before)));
            before = player.0;
        }
        let (old_players, mut old) = (
            std::mem::take(&mut self.players),
            std::mem::take(&mut self.states),
        );
        self.players.extend(players);
        self.states = (self.players.iter())
            .map(|player| match old_players.binary_search(player) {
                Ok(at) => std::mem::take(&mut old[at]),
                Err(_) => SessionState::default(),
            })
            .collect();
    }
}

fn encode_input(
    input: &AppliedInput,
    payload: &[u8],
    tick: Tick,
    state: &mut SessionState,
    columns: &mut [Vec<u8>],
) {
    let mut flags = match input.source {
        InputSource::Fresh => 0,
        InputSource::Repeated => 1,
        InputSource::Neutral => 2,
    };
    if input.seq == state.expected_seq(input.source) {
        flags |= input_flags::EXPECTED_SEQ;
    } else {
        put(&mut columns[Named::Seqs as usize], input.seq.0.into());
    }
    state.seq = input.seq;
    if input.source != InputSource::Neutral {
        if state.payload == payload {
            flags |= input_flags::SAME_PAYLOAD;
        } else {
            let column = &mut columns[Named::Payloads as usize];
            put(column, payload.len() as u64);
            column.extend_from_slice(payload);
            state.payload.clear();
            state.payload.extend_from_slice(payload);
        }
        if state.view == input.view {
            flags |= input_flags::SAME_VIEW;
        } else {
            flags |= encode_view(&input.view, tick, state, columns);
        }
    }
    columns[Named::InputFlags as usize].push(flags);
}

fn encode_view(
    view: &ResolvedView,
    tick: Tick,
    state: &mut SessionState,
    columns: &mut [Vec<u8>],
) -> u8 {
    let (at, received) = state.expected_view(tick);
    let difference = view.at.0.wrapping_sub(at.0) as i64;
    put_signed(&mut columns[Named::Views as usize], difference);
    let mut flags = 0;
    if let Some(own) = view.received {
        flags |= input_flags::HAS_RECEIVED;
        let difference = own.0.wrapping_sub(received.0) as i32;
        put_signed(&mut columns[Named::Received as usize], difference.into());
    }
    let as_claimed = ResolvedView {
        at: view.at,
        received: view.received,
        claimed: view.at,
        ..ResolvedView::default()
    };
    if *view == as_claimed {
        flags |= input_flags::AS_CLAIMED;
    } else {
        let column = &mut columns[Named::Claims as usize];
        column.push(view.clamped_by as u8 | u8::from(view.was_clamped) << 7);
        put_signed(column, view.claimed.0.wrapping_sub(view.at.0) as i64);
    }
    state.view = *view;
    state.view_at = tick;
    flags
}

fn encode_sending(
    session: &SessionTick,
    cells: &[CellId],
    tick: Tick,
    state: &mut SessionState,
    columns: &mut [Vec<u8>],
) {
    let mut flags = session.sending as u8;
    if session.sending == Sending::Sent {
        put(&mut columns[Named::Bytes as usize], session.bytes.into());
        if state.cells == cells {
            flags |= send_flags::SAME_CELLS;
        } else {
            let column = &mut columns[Named::Cells as usize];
            put(column, cells.len() as u64);
            let mut before = 0;
            for cell in cells {
                put_signed(column, i64::from(cell.0) - i64::from(before));
                before = cell.0;
            }
            state.cells.clear();
            state.cells.extend_from_slice(cells);
        }
        if let Some(hash) = session.view_hash {
            flags |= send_flags::HAS_HASH;
            columns[Named::Hashes as usize].extend_from_slice(&hash.to_le_bytes());
        }
    }
    if session.sending != Sending::Away {
        let difference = session.acked.0.wrapping_sub(state.expected_ack(tick).0) as i32;
        put_signed(&mut columns[Named::Acks as usize], difference.into());
        (state.acked, state.acked_at) = (session.acked, tick);
        let starved = session.starved.wrapping_sub(state.starved) as i32;
        put_signed(&mut columns[Named::Starved as usize], starved.into());
        state.starved = session.starved;
        if let Some(margin) = session.margin {
            flags |= send_flags::HAS_MARGIN;
            let difference = i64::from(margin) - i64::from(state.margin);
            put_signed(&mut columns[Named::Margins as usize], difference);
            state.margin = margin;
        }
    }
    columns[Named::SendFlags as usize].push(flags);
}
