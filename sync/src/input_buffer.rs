//! The input buffer: hands the game exactly one input per player and tick.
//!
//! In: inputs, each for a tick. Out: for each tick the input that came for it; else the last one again, for a quarter of a
//! second; else the neutral input. The rule for bursts and floods: an input counts only for its own tick, the first one for
//! a tick wins, and one that comes after its tick was taken is late. So nobody moves faster by sending more.

use crate::claim::Seen;
use crate::ids::{Seq, Tick};

/// How far ahead of the last taken tick an input may be.
pub const MAX_LEAD: u32 = 64;
/// The longest encoding of a game's input, in bytes.
pub const MAX_INPUT_BYTES: usize = 64;
/// Inputs that there is room for at once; few lines need more.
const USUAL_LEAD: usize = 4;

/// What became of an input that arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// It waits for its tick.
    Accepted,
    /// Its tick was taken already.
    Late,
    /// There is one for that tick, its number is not newer, it is too far ahead, or longer than [`MAX_INPUT_BYTES`].
    Flooded,
}

/// What the game is handed for one tick.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taken<'a> {
    /// The input that came for this tick.
    Fresh(Input<'a>),
    /// None came; the last one again. The game must not fire a second shot for it.
    Repeated(Input<'a>),
    /// None came for too long (or ever): nothing is pressed.
    Neutral,
}

/// One input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Input<'a> {
    /// Its number.
    pub seq: Seq,
    /// What the player's screen showed, as far as that is believed.
    pub seen: Seen,
    /// The game's own encoding.
    pub payload: &'a [u8],
}

/// The inputs of one player that wait for their ticks.
///
/// All of it that is touched in a tick lies together: with a slot for each of the ticks to come, every tick would find another
/// one, gone from the processor's cache since it was used last.
#[derive(Clone, Debug)]
pub struct InputBuffer {
    /// By tick, ascending; few.
    waiting: Vec<Waiting>,
    /// The input that was handed out last.
    last: Waiting,
    taken: Tick,
    newest_seq: Seq,
    applied_seq: Seq,
    repeats: u32,
    max_repeats: u32,
    starved: u32,
    has_had_input: bool,
    current: Source,
}

/// Where the current tick's input comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Source {
    Fresh,
    Repeated,
    Neutral,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    tick: Tick,
    seq: Seq,
    seen: Seen,
    length: u8,
    payload: [u8; MAX_INPUT_BYTES],
}

impl InputBuffer {
    /// An empty buffer for a player who joins after `now`; starving repeats the last input for `max_repeats` ticks (a quarter of a second).
    #[must_use]
    pub fn new(now: Tick, max_repeats: u32) -> Self {
        Self {
            waiting: Vec::with_capacity(USUAL_LEAD),
            last: Waiting::default(),
            taken: now,
            newest_seq: Seq(0),
            applied_seq: Seq(0),
            repeats: 0,
            max_repeats,
            starved: 0,
            has_had_input: false,
            current: Source::Neutral,
        }
    }

    /// Asks for the input that has waited longest, and for the place of the next; see `tickwire_prefetch`.
    pub fn prefetch(&self) {
        if let [first, ..] = &self.waiting[..] {
            tickwire_prefetch::near(first);
        }
        tickwire_prefetch::end(&self.waiting);
    }

    /// Takes an input that arrived.
    pub fn arrived(&mut self, tick: Tick, input: Input<'_>) -> Arrival {
        if input.seq <= self.newest_seq || tick.since(self.taken) > MAX_LEAD {
            return Arrival::Flooded;
        }
        if tick <= self.taken {
            self.newest_seq = input.seq;
            return Arrival::Late;
        }
        // Nearly always after all others.
        let place = self
            .waiting
            .iter()
            .rposition(|other| other.tick <= tick)
            .map_or(0, |before| before + 1);
        let is_taken = place > 0 && self.waiting[place - 1].tick == tick;
        let Some(waiting) = Waiting::new(tick, input).filter(|_| !is_taken) else {
            return Arrival::Flooded;
        };
        self.newest_seq = input.seq;
        self.waiting.insert(place, waiting);
        Arrival::Accepted
    }

    /// Goes on to `tick`, which must be later than all before; [`Self::current`] then is its input.
    pub fn advance(&mut self, tick: Tick) {
        self.taken = tick;
        // Ticks that were skipped are over, and so are their inputs.
        let over = self
            .waiting
            .iter()
            .take_while(|one| one.tick < tick)
            .count();
        self.waiting.drain(..over);
        if self.waiting.first().is_some_and(|first| first.tick == tick) {
            self.last = self.waiting.remove(0);
            self.repeats = 0;
            self.has_had_input = true;
            self.applied_seq = self.last.seq;
            self.current = Source::Fresh;
            return;
        }
        self.starved = self.starved.saturating_add(u32::from(self.has_had_input));
        if self.has_had_input && self.repeats < self.max_repeats {
            self.repeats += 1;
            self.current = Source::Repeated;
        } else {
            self.current = Source::Neutral;
        }
    }

    /// The input of the tick that [`Self::advance`] went to.
    #[must_use]
    pub fn current(&self) -> Taken<'_> {
        match self.current {
            Source::Fresh => Taken::Fresh(self.last.input()),
            Source::Repeated => Taken::Repeated(self.last.input()),
            Source::Neutral => Taken::Neutral,
        }
    }

    /// The newest number that arrived.
    #[must_use]
    pub fn newest_seq(&self) -> Seq {
        self.newest_seq
    }

    /// The newest number that was handed out.
    #[must_use]
    pub fn applied_seq(&self) -> Seq {
        self.applied_seq
    }

    /// How often the game had to do without, once there had been a first input.
    #[must_use]
    pub fn starved(&self) -> u32 {
        self.starved
    }

    /// Forgets what waits and what is pressed: the player is away.
    pub fn pause(&mut self) {
        self.waiting.clear();
        self.has_had_input = false;
        self.repeats = 0;
        self.current = Source::Neutral;
    }
}

impl Waiting {
    /// `None`: its payload is too long.
    fn new(tick: Tick, input: Input<'_>) -> Option<Self> {
        let mut payload = [0; MAX_INPUT_BYTES];
        payload
            .get_mut(..input.payload.len())?
            .copy_from_slice(input.payload);
        Some(Self {
            tick,
            seq: input.seq,
            seen: input.seen,
            length: input.payload.len() as u8,
            payload,
        })
    }

    fn input(&self) -> Input<'_> {
        Input {
            seq: self.seq,
            seen: self.seen,
            payload: &self.payload[..usize::from(self.length)],
        }
    }
}

impl Default for Waiting {
    fn default() -> Self {
        Self {
            tick: Tick(0),
            seq: Seq(0),
            seen: Seen::default(),
            length: 0,
            payload: [0; MAX_INPUT_BYTES],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(buffer: &mut InputBuffer, tick: u32) -> Taken<'_> {
        buffer.advance(Tick(tick));
        buffer.current()
    }

    fn input(seq: u32) -> Input<'static> {
        Input {
            seq: Seq(seq),
            seen: Seen::default(),
            payload: b"x",
        }
    }

    #[test]
    fn every_tick_gets_exactly_one_input() {
        let mut buffer = InputBuffer::new(Tick(100), 15);
        assert_eq!(take(&mut buffer, 101), Taken::Neutral);
        assert_eq!(buffer.arrived(Tick(102), input(1)), Arrival::Accepted);
        assert_eq!(buffer.arrived(Tick(104), input(2)), Arrival::Accepted);
        assert!(matches!(
            take(&mut buffer, 102),
            Taken::Fresh(Input { seq: Seq(1), .. })
        ));
        assert!(matches!(
            take(&mut buffer, 103),
            Taken::Repeated(Input { seq: Seq(1), .. })
        ));
        assert_eq!(buffer.arrived(Tick(103), input(3)), Arrival::Late);
        assert!(matches!(
            take(&mut buffer, 104),
            Taken::Fresh(Input { seq: Seq(2), .. })
        ));
        for tick in 105..120 {
            assert!(
                matches!(take(&mut buffer, tick), Taken::Repeated(_)),
                "tick {tick}"
            );
        }
        assert_eq!(take(&mut buffer, 120), Taken::Neutral);
        assert_eq!(buffer.starved(), 17);
    }

    #[test]
    fn a_flood_moves_nobody_faster() {
        let mut buffer = InputBuffer::new(Tick(0), 15);
        let (mut seq, mut accepted, mut fresh) = (0, 0, 0);
        for tick in 1..=600_u32 {
            for copy in 0..20 {
                seq += 1;
                let target = Tick(tick + copy % 3);
                accepted += u32::from(buffer.arrived(target, input(seq)) == Arrival::Accepted);
            }
            fresh += u32::from(matches!(take(&mut buffer, tick), Taken::Fresh(_)));
        }
        assert_eq!(fresh, 600);
        assert!(accepted <= 602);
    }

    #[test]
    fn an_input_far_ahead_is_refused() {
        let mut buffer = InputBuffer::new(Tick(0), 15);
        assert_eq!(
            buffer.arrived(Tick(MAX_LEAD + 1), input(1)),
            Arrival::Flooded
        );
        assert_eq!(buffer.arrived(Tick(MAX_LEAD), input(1)), Arrival::Accepted);
    }
}
