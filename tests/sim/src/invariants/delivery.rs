//! Commands, chat, messages and events: each once and in order, and only to whom they are for.

use super::Verdict;
use super::replica::SentSnapshot;
use crate::game::Ask;
use crate::model::{Letter, Peer, SessionModel};
use std::collections::BTreeMap;
use tickwire::Payload as _;
use tickwire_sync::client::ReceivedEvent;
use tickwire_sync::frame::{Frame, MAX_EVENT_AGE_TICKS, MIN_HISTORY_FRAMES};
use tickwire_sync::{CellId, Tick};

/// The game gets each command of an honest client once, in order, and none is left out.
pub fn commands_come_once_in_order(model: &mut SessionModel, payload: &[u8]) -> Verdict {
    if matches!(model.owner, Peer::Hostile(_)) {
        return Ok(());
    }
    let command =
        Ask::decode(payload).map_err(|error| format!("a command came damaged: {error:?}"))?;
    let number = command.number();
    let before = model.newest_command.replace(number);
    match before {
        None => Ok(()),
        Some(before) if number == before + 1 => Ok(()),
        Some(before) if number > before && number <= model.lost_commands_below => Ok(()),
        Some(before) => Err(format!("command {number} came after command {before}")),
    }
}

/// A client gets the lines of chat and the messages that are for it, each once and in order. Only those that waited over a resume, and
/// were too many to be kept, may be missing.
pub fn letters_come_once_in_order(model: &mut SessionModel, letter: &Letter) -> Verdict {
    let waiting = &model.letters[model.received..];
    let Some(skipped) = waiting.iter().position(|(one, _)| one == letter) else {
        let was_before = model.letters[..model.received]
            .iter()
            .any(|(one, _)| one == letter);
        let why = if was_before {
            "again, or out of order"
        } else {
            "and it is not for this session"
        };
        return Err(format!(
            "{letter:?} was received {why}; number {} was due",
            model.received
        ));
    };
    let lost = model.received..model.received + skipped;
    if lost.end > lost.start && lost.end > model.lost_letters_below {
        return Err(format!(
            "{letter:?} was received before {:?}, which may not be lost (only those below {} may)",
            &model.letters[lost], model.lost_letters_below
        ));
    }
    model.received += skipped + 1;
    Ok(())
}

/// A client is told of an event once, while it has a cell that the event touches, and of all events in the cells that it follows.
pub fn events_reach_their_audience_once<'f>(
    model: &mut SessionModel,
    received: &[ReceivedEvent],
    before: Option<&SentSnapshot>,
    now: &SentSnapshot,
    frame_of: impl Fn(Tick) -> Option<&'f Frame>,
) -> Verdict {
    for event in received {
        if !model.events.insert(event.number) {
            return Err(format!("{event:?} was received twice"));
        }
        let Some(frame) = frame_of(event.tick) else {
            return Err(format!(
                "{event:?} is of a tick that has no frame, or an old one"
            ));
        };
        let is_heard = now.cells.iter().any(|(cell, _)| {
            let mut events = frame.events().in_cell(*cell);
            events.any(|one| {
                one.number == event.number && one.kind == event.kind && one.payload == event.payload
            })
        });
        if !is_heard {
            return Err(format!(
                "{event:?} happened in no cell of the view {:?}",
                now.cells
            ));
        }
    }
    let Some(before) = before.filter(|_| !now.is_full) else {
        return Ok(());
    };
    let old: BTreeMap<CellId, Tick> = before.cells.iter().copied().collect();
    for (cell, at) in &now.cells {
        // Against a baseline that the history has lost, the cell comes whole and without events.
        let goes_on = *at == now.tick
            && !now.added.contains(cell)
            && (old.get(cell)).is_some_and(|since| at.since(*since) < MIN_HISTORY_FRAMES as u32);
        let Some(since) = old.get(cell).filter(|_| goes_on) else {
            continue;
        };
        let oldest = since.0.max(at.0.saturating_sub(MAX_EVENT_AGE_TICKS - 1)) + 1;
        for frame in (oldest..=at.0).filter_map(|tick| frame_of(Tick(tick))) {
            let mut events = frame.events().in_cell(*cell);
            if let Some(missing) = events.find(|one| !model.events.contains(&one.number)) {
                return Err(format!(
                    "{missing:?} happened in {cell:?} in tick {}, between the snapshots of ticks {} and {}, and was not received",
                    frame.tick(),
                    before.tick,
                    now.tick
                ));
            }
        }
    }
    Ok(())
}
