//! What the game was given of a client's inputs.

use super::Verdict;
use crate::game::{Act, AppliedInput, Wish};
use crate::model::{Life, Peer, SessionModel};
use tickwire::Input as _;
use tickwire_sync::Seq;

/// An input is applied in its own tick, once, after all with smaller numbers, as its client made it, and while its player is there.
pub fn inputs_apply_once_in_order(model: &mut SessionModel, input: &AppliedInput) -> Verdict {
    let is_honest = matches!(model.owner, Peer::Honest(_));
    // Who numbers inputs against the order of their ticks gets them in the order of the ticks.
    if let Some((seq, tick)) = model.applied.replace((input.seq, input.tick))
        && (input.tick <= tick || input.seq == seq || (is_honest && input.seq < seq))
    {
        return Err(format!(
            "input {:?} was applied in tick {}, after input {seq:?} in tick {tick}",
            input.seq, input.tick
        ));
    }
    if model.life != Life::Connected {
        return Err(format!(
            "{input:?} was applied while its player was {:?}",
            model.life
        ));
    }
    if !is_honest {
        return Ok(());
    }
    let made = model.made.iter().rev().find(|made| made.0 == input.seq.0);
    match made {
        Some((_, tick, payload)) if *tick == input.tick && *payload == input.payload => Ok(()),
        Some(made) => Err(format!(
            "{input:?} was applied, and the client made {made:?}"
        )),
        None => Err(format!(
            "{input:?} was applied, and the client never made it"
        )),
    }
}

/// What a player does once comes with an input of that very tick, which says so.
pub fn acts_are_never_repeated(model: &SessionModel, number: u32, act: &Wish) -> Verdict {
    if number == 0 || model.applied.is_none_or(|(seq, _)| seq != Seq(number)) {
        return Err(format!(
            "{act:?} was done without an input of this tick (number {number}, newest applied {:?})",
            model.applied
        ));
    }
    if matches!(model.owner, Peer::Hostile(_)) {
        return Ok(());
    }
    let made = model.made.iter().rev().find(|made| made.0 == number);
    let said = made.map(|(_, _, payload)| Wish::decode(payload));
    if said.as_ref() == Some(act) && act.act != Act::Nothing {
        return Ok(());
    }
    Err(format!(
        "{act:?} was done by input {number}, which says {said:?}"
    ))
}
