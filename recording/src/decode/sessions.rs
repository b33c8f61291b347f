//! Columns to sessions: each player's input, and what became of the player's snapshot.

use super::{MAX_PLAYERS, Malformed, check_length};
use crate::column::{ColumnReader, Named};
use crate::encode::{SessionState, input_flags, send_flags};
use crate::tick::{AppliedInput, InputSource, Sending, SessionTick, TickFacts};
use tickwire_sync::input_buffer::MAX_INPUT_BYTES;
use tickwire_sync::lagcomp::{ClampedBy, ResolvedView};
use tickwire_sync::{CellId, PlayerId, Seq, Tick, ViewTick};

/// Cells and payloads of one tick, at most: a damaged file can repeat long lists at a byte for each.
const MAX_REPEATED: usize = 1 << 24;

/// Decodes sessions, each tick against the one before.
#[derive(Clone, Default, Debug)]
pub(super) struct SessionDecoder {
    sessions: Vec<(PlayerId, SessionState)>,
}

impl SessionDecoder {
    pub fn read_tick(
        &mut self,
        tick: Tick,
        columns: &mut [ColumnReader],
        facts: &mut TickFacts,
    ) -> Result<(), Malformed> {
        self.read_list(&mut columns[Named::Sessions as usize])?;
        for (player, state) in &mut self.sessions {
            let input = read_input(tick, state, columns, &mut facts.payloads)?;
            let session = read_sending(*player, input, tick, state, columns, &mut facts.cells)?;
            facts.sessions.push(session);
        }
        Ok(())
    }

    fn read_list(&mut self, list: &mut ColumnReader) -> Result<(), Malformed> {
        let Some(count) = list.count_plus_one()? else {
            return Ok(());
        };
        check_length(count, MAX_PLAYERS)?;
        let mut old = std::mem::take(&mut self.sessions);
        let mut player = 0_u32;
        for index in 0..count {
            let gap = list.word()?;
            player = player.checked_add(gap).ok_or(Malformed)?;
            if index > 0 && gap == 0 {
                return Err(Malformed);
            }
            let key = PlayerId(player);
            let state = match old.binary_search_by_key(&key, |(player, _)| *player) {
                Ok(at) => std::mem::take(&mut old[at].1),
                Err(_) => SessionState::default(),
            };
            self.sessions.push((key, state));
        }
        Ok(())
    }
}

fn read_input(
    tick: Tick,
    state: &mut SessionState,
    columns: &mut [ColumnReader],
    payloads: &mut Vec<u8>,
) -> Result<AppliedInput, Malformed> {
    let flags = columns[Named::InputFlags as usize].byte()?;
    let source = match flags & 3 {
        0 => InputSource::Fresh,
        1 => InputSource::Repeated,
        2 => InputSource::Neutral,
        _ => return Err(Malformed),
    };
    let seq = match flags & input_flags::EXPECTED_SEQ {
        0 => Seq(columns[Named::Seqs as usize].word()?),
        _ => state.expected_seq(source),
    };
    state.seq = seq;
    if source == InputSource::Neutral {
        return Ok(AppliedInput {
            source,
            seq,
            view: ResolvedView::default(),
            payload: 0..0,
        });
    }
    if flags & input_flags::SAME_PAYLOAD == 0 {
        let column = &mut columns[Named::Payloads as usize];
        let length = column.count()?;
        if length > MAX_INPUT_BYTES {
            return Err(Malformed);
        }
        state.payload = column.bytes(length)?.to_vec();
    }
    if flags & input_flags::SAME_VIEW == 0 {
        state.view = read_view(flags, tick, state, columns)?;
        state.view_at = tick;
    }
    let start = payloads.len();
    payloads.extend_from_slice(&state.payload);
    check_length(payloads.len(), MAX_REPEATED)?;
    Ok(AppliedInput {
        source,
        seq,
        view: state.view,
        payload: start..payloads.len(),
    })
}

fn read_view(
    flags: u8,
    tick: Tick,
    state: &SessionState,
    columns: &mut [ColumnReader],
) -> Result<ResolvedView, Malformed> {
    let (at, received) = state.expected_view(tick);
    let difference = columns[Named::Views as usize].signed()?;
    let at = ViewTick(at.0.wrapping_add(difference as u64));
    // Views are of ticks that there can be; sums of them do not overflow.
    if at.0 > u64::from(u32::MAX) << 16 {
        return Err(Malformed);
    }
    let received = match flags & input_flags::HAS_RECEIVED {
        0 => None,
        _ => {
            let difference = columns[Named::Received as usize].signed()?;
            Some(Tick(received.0.wrapping_add(difference as u32)))
        }
    };
    let as_claimed = ResolvedView {
        at,
        received,
        claimed: at,
        ..ResolvedView::default()
    };
    if flags & input_flags::AS_CLAIMED != 0 {
        return Ok(as_claimed);
    }
    let column = &mut columns[Named::Claims as usize];
    let byte = column.byte()?;
    let clamped_by = match byte & 0x7F {
        0 => ClampedBy::Nothing,
        1 => ClampedBy::Received,
        2 => ClampedBy::Due,
        3 => ClampedBy::Extrapolation,
        4 => ClampedBy::MaxRewind,
        5 => ClampedBy::Present,
        _ => return Err(Malformed),
    };
    Ok(ResolvedView {
        claimed: ViewTick(at.0.wrapping_add(column.signed()? as u64)),
        was_clamped: byte & 0x80 != 0,
        clamped_by,
        ..as_claimed
    })
}

fn read_sending(
    player: PlayerId,
    input: AppliedInput,
    tick: Tick,
    state: &mut SessionState,
    columns: &mut [ColumnReader],
    cells: &mut Vec<CellId>,
) -> Result<SessionTick, Malformed> {
    let flags = columns[Named::SendFlags as usize].byte()?;
    let mut session = SessionTick {
        player,
        input,
        sending: sending(flags & 7).ok_or(Malformed)?,
        bytes: 0,
        cells: 0..0,
        acked: Tick(0),
        margin: None,
        starved: 0,
        view_hash: None,
    };
    if session.sending == Sending::Sent {
        session.bytes = columns[Named::Bytes as usize].word()?;
        if flags & send_flags::SAME_CELLS == 0 {
            read_cells(&mut columns[Named::Cells as usize], &mut state.cells)?;
        }
        let start = cells.len();
        cells.extend_from_slice(&state.cells);
        check_length(cells.len(), MAX_REPEATED)?;
        session.cells = start..cells.len();
        if flags & send_flags::HAS_HASH != 0 {
            let bytes = columns[Named::Hashes as usize].bytes(8)?;
            session.view_hash = bytes.try_into().ok().map(u64::from_le_bytes);
        }
    }
    if session.sending != Sending::Away {
        let difference = columns[Named::Acks as usize].signed()?;
        session.acked = Tick(state.expected_ack(tick).0.wrapping_add(difference as u32));
        (state.acked, state.acked_at) = (session.acked, tick);
        let difference = columns[Named::Starved as usize].signed()?;
        session.starved = state.starved.wrapping_add(difference as u32);
        state.starved = session.starved;
        if flags & send_flags::HAS_MARGIN != 0 {
            let difference = columns[Named::Margins as usize].signed()?;
            state.margin = state.margin.wrapping_add(difference as i32);
            session.margin = Some(state.margin);
        }
    }
    Ok(session)
}

fn sending(number: u8) -> Option<Sending> {
    let all = [
        Sending::Sent,
        Sending::Window,
        Sending::Socket,
        Sending::Late,
        Sending::Map,
        Sending::Closed,
        Sending::Away,
    ];
    all.into_iter().find(|sending| *sending as u8 == number)
}

fn read_cells(column: &mut ColumnReader, cells: &mut Vec<CellId>) -> Result<(), Malformed> {
    let count = column.count()?;
    cells.clear();
    let mut cell = 0_i64;
    for _ in 0..count {
        cell = cell.checked_add(column.signed()?).ok_or(Malformed)?;
        cells.push(CellId(u32::try_from(cell).map_err(|_| Malformed)?));
    }
    Ok(())
}
