//! The input buffer: hands the game exactly one input per player and tick.
//!
//! In: inputs, each for a tick. Out: for each tick the input that came for it; else the last one again, for a quarter of a
//! second; else the neutral input. An input counts only for its own tick, the first one for a tick wins, one that comes
//! after its tick was consumed is late, and the game gets inputs in the order in which they were made. A client gains nothing by sending more inputs or bursts of them.

use crate::lagcomp::ResolvedView;
use crate::world::{Seq, Tick};

/// How many ticks ahead of the last consumed tick an input may be.
pub const MAX_INPUT_LEAD_TICKS: u32 = 64;
/// The longest encoded input of a game, in bytes.
pub const MAX_INPUT_BYTES: usize = 64;
/// Inputs that the buffer has memory for at first; few lines need more.
const USUAL_LEAD: usize = 4;

/// How many ticks in a row a missing input is replaced by the last one: a quarter of a second. The server's buffer and the
/// client's prediction both call this function. `tick_rate` is in ticks per second.
#[must_use]
pub const fn max_repeats(tick_rate: u32) -> u32 {
    tick_rate / 4
}

/// What the buffer did with an input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InsertOutcome {
    /// The input waits for its tick.
    Accepted,
    /// The input's tick was consumed already.
    Late,
    /// The tick has an input already, the sequence number is not newer, the tick is too far ahead, or the payload is longer than
    /// [`MAX_INPUT_BYTES`].
    Refused,
}

/// The input that the game is handed for one tick.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TickInput<'a> {
    /// The input that came for this tick.
    Fresh(Input<'a>),
    /// No input came, so this is the last one again. It must not fire a second shot.
    Repeated(Input<'a>),
    /// No input came for too long, or ever: nothing is pressed.
    Neutral,
}

/// One input of a player.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Input<'a> {
    /// The input's sequence number.
    pub seq: Seq,
    /// What the player's screen showed, as far as the server accepts the claim.
    pub view: ResolvedView,
    /// The game's own encoding.
    pub payload: &'a [u8],
}

/// The inputs of one player that wait for their ticks.
///
/// A short sorted list rather than a slot per future tick: the memory that a tick touches stays together, so it stays in the
/// processor's cache.
#[derive(Clone, Debug)]
pub struct InputBuffer {
    /// Ascending by tick.
    waiting: Vec<BufferedInput>,
    /// The input that was handed out last.
    last: BufferedInput,
    consumed_tick: Tick,
    newest_seq: Seq,
    applied_seq: Seq,
    max_repeats: u32,
    starved_count: u32,
    current: Current,
}

/// Where the current tick's input comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Current {
    /// No input came yet, or none since [`InputBuffer::clear`]: neutral.
    NeverHad,
    /// The input for this very tick.
    Fresh,
    /// The last input, for the `count`th tick in a row.
    Repeated { count: u32 },
    /// The last input was repeated long enough: neutral.
    Expired,
}

#[derive(Clone, Copy, Debug)]
struct BufferedInput {
    tick: Tick,
    seq: Seq,
    view: ResolvedView,
    length: u8,
    payload: [u8; MAX_INPUT_BYTES],
}

impl InputBuffer {
    /// An empty buffer for a player who joins after tick `now`. A missing input is replaced by the last one for `max_repeats`
    /// ticks; see [`max_repeats`].
    #[must_use]
    pub fn new(now: Tick, max_repeats: u32) -> Self {
        Self {
            waiting: Vec::with_capacity(USUAL_LEAD),
            last: BufferedInput::default(),
            consumed_tick: now,
            newest_seq: Seq(0),
            applied_seq: Seq(0),
            max_repeats,
            starved_count: 0,
            current: Current::NeverHad,
        }
    }

    /// Prefetches what [`Self::insert`] and [`Self::advance`] touch beside the buffer itself.
    pub fn prefetch(&self) {
        if let [first, ..] = &self.waiting[..] {
            tickwire_prefetch::value(first);
        }
        tickwire_prefetch::next_place(&self.waiting);
    }

    /// Inserts an input for a tick.
    pub fn insert(&mut self, tick: Tick, input: Input<'_>) -> InsertOutcome {
        if input.seq <= self.newest_seq || tick.since(self.consumed_tick) > MAX_INPUT_LEAD_TICKS {
            return InsertOutcome::Refused;
        }
        if tick <= self.consumed_tick {
            self.newest_seq = input.seq;
            return InsertOutcome::Late;
        }
        // Nearly always behind all others.
        let index = self
            .waiting
            .iter()
            .rposition(|other| other.tick <= tick)
            .map_or(0, |before| before + 1);
        let has_input = index > 0 && self.waiting[index - 1].tick == tick;
        let Some(waiting) = BufferedInput::new(tick, input).filter(|_| !has_input) else {
            return InsertOutcome::Refused;
        };
        self.newest_seq = input.seq;
        // A client whose clock went back makes the ticks behind this one anew. In order of their ticks, its older inputs for these
        // would come after newer ones.
        self.waiting.truncate(index);
        self.waiting.push(waiting);
        InsertOutcome::Accepted
    }

    /// Advances to `tick`, which must be later than all before. [`Self::current`] is its input then.
    pub fn advance(&mut self, tick: Tick) {
        self.consumed_tick = tick;
        // Inputs for skipped ticks are dropped.
        let over = self
            .waiting
            .iter()
            .take_while(|one| one.tick < tick)
            .count();
        self.waiting.drain(..over);
        if self.waiting.first().is_some_and(|first| first.tick == tick) {
            self.last = self.waiting.remove(0);
            self.applied_seq = self.last.seq;
            self.current = Current::Fresh;
            return;
        }
        let repeats = match self.current {
            Current::NeverHad => return,
            Current::Fresh => 0,
            Current::Repeated { count } => count,
            Current::Expired => self.max_repeats,
        };
        self.starved_count = self.starved_count.saturating_add(1);
        self.current = if repeats < self.max_repeats {
            Current::Repeated { count: repeats + 1 }
        } else {
            Current::Expired
        };
    }

    /// The input of the tick that [`Self::advance`] was called with last.
    #[must_use]
    pub fn current(&self) -> TickInput<'_> {
        match self.current {
            Current::Fresh => TickInput::Fresh(self.last.input()),
            Current::Repeated { .. } => TickInput::Repeated(self.last.input()),
            Current::NeverHad | Current::Expired => TickInput::Neutral,
        }
    }

    /// The newest sequence number that was accepted or late.
    #[must_use]
    pub fn newest_seq(&self) -> Seq {
        self.newest_seq
    }

    /// Refuses inputs up to this sequence number: an earlier process that ran the same room has had them.
    pub fn count_from(&mut self, seq: Seq) {
        self.newest_seq = seq;
    }

    /// The newest sequence number that was handed to the game.
    #[must_use]
    pub fn applied_seq(&self) -> Seq {
        self.applied_seq
    }

    /// How many inputs wait for their ticks.
    #[must_use]
    pub fn waiting_count(&self) -> usize {
        self.waiting.len()
    }

    /// How many ticks had no input of their own, since the first input came.
    #[must_use]
    pub fn starved_count(&self) -> u32 {
        self.starved_count
    }

    /// Drops all waiting inputs and releases what is pressed, as the player is away.
    pub fn clear(&mut self) {
        self.waiting.clear();
        self.current = Current::NeverHad;
    }
}

impl BufferedInput {
    /// `None` if the payload is too long.
    fn new(tick: Tick, input: Input<'_>) -> Option<Self> {
        let mut payload = [0; MAX_INPUT_BYTES];
        payload
            .get_mut(..input.payload.len())?
            .copy_from_slice(input.payload);
        Some(Self {
            tick,
            seq: input.seq,
            view: input.view,
            length: input.payload.len() as u8,
            payload,
        })
    }

    fn input(&self) -> Input<'_> {
        Input {
            seq: self.seq,
            view: self.view,
            payload: &self.payload[..usize::from(self.length)],
        }
    }
}

impl Default for BufferedInput {
    fn default() -> Self {
        Self {
            tick: Tick(0),
            seq: Seq(0),
            view: ResolvedView::default(),
            length: 0,
            payload: [0; MAX_INPUT_BYTES],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(buffer: &mut InputBuffer, tick: u32) -> TickInput<'_> {
        buffer.advance(Tick(tick));
        buffer.current()
    }

    fn input(seq: u32) -> Input<'static> {
        Input {
            seq: Seq(seq),
            view: ResolvedView::default(),
            payload: b"x",
        }
    }

    #[test]
    fn every_tick_gets_exactly_one_input() {
        let mut buffer = InputBuffer::new(Tick(100), 15);
        assert_eq!(take(&mut buffer, 101), TickInput::Neutral);
        assert_eq!(buffer.insert(Tick(102), input(1)), InsertOutcome::Accepted);
        assert_eq!(buffer.insert(Tick(104), input(2)), InsertOutcome::Accepted);
        assert!(matches!(
            take(&mut buffer, 102),
            TickInput::Fresh(Input { seq: Seq(1), .. })
        ));
        assert!(matches!(
            take(&mut buffer, 103),
            TickInput::Repeated(Input { seq: Seq(1), .. })
        ));
        assert_eq!(buffer.insert(Tick(103), input(3)), InsertOutcome::Late);
        assert!(matches!(
            take(&mut buffer, 104),
            TickInput::Fresh(Input { seq: Seq(2), .. })
        ));
        for tick in 105..120 {
            assert!(
                matches!(take(&mut buffer, tick), TickInput::Repeated(_)),
                "tick {tick}"
            );
        }
        assert_eq!(take(&mut buffer, 120), TickInput::Neutral);
        assert_eq!(buffer.starved_count(), 17);
    }

    #[test]
    fn inputs_are_handed_out_in_the_order_in_which_they_were_made() {
        let mut buffer = InputBuffer::new(Tick(0), 15);
        for (tick, seq) in [(1, 1), (5, 2), (6, 3), (2, 4), (3, 5)] {
            assert_eq!(
                buffer.insert(Tick(tick), input(seq)),
                InsertOutcome::Accepted
            );
        }
        let mut handed_out = Vec::new();
        for tick in 1..=6 {
            if let TickInput::Fresh(input) = take(&mut buffer, tick) {
                handed_out.push(input.seq.0);
            }
        }
        assert_eq!(handed_out, [1, 4, 5]);
    }

    #[test]
    fn a_flood_moves_nobody_faster() {
        let mut buffer = InputBuffer::new(Tick(0), 15);
        let (mut seq, mut accepted, mut fresh) = (0, 0, 0);
        for tick in 1..=600_u32 {
            for copy in 0..20 {
                seq += 1;
                let target = Tick(tick + copy % 3);
                accepted += u32::from(buffer.insert(target, input(seq)) == InsertOutcome::Accepted);
            }
            fresh += u32::from(matches!(take(&mut buffer, tick), TickInput::Fresh(_)));
        }
        assert_eq!(fresh, 600);
        assert!(accepted <= 602);
    }

    #[test]
    fn an_input_far_ahead_is_refused() {
        let mut buffer = InputBuffer::new(Tick(0), 15);
        assert_eq!(
            buffer.insert(Tick(MAX_INPUT_LEAD_TICKS + 1), input(1)),
            InsertOutcome::Refused
        );
        assert_eq!(
            buffer.insert(Tick(MAX_INPUT_LEAD_TICKS), input(1)),
            InsertOutcome::Accepted
        );
    }
}
