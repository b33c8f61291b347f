//! The receiving half of a stream: which envelope is the next one, and what the other side is to be told.

use tickwire_sync::Micros;

/// An ack waits this long for frames that it can travel with.
const ACK_WITHIN: Micros = Micros::from_millis(10);
/// A gap is asked for again after this time, while later envelopes come.
const ASK_EVERY: Micros = Micros::from_millis(20);

/// What was received of one generation.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    /// The next sequence number.
    expected: u64,
    /// When the one before it came.
    received_at: Micros,
    /// When an ack must have gone out.
    ack_at: Option<Micros>,
    asks_again: bool,
    asked_at: Option<Micros>,
}

impl Incoming {
    /// Whether the envelope of this number is the next one, and its frames count.
    pub fn accept(&mut self, now: Micros, seq: u64) -> bool {
        if seq == self.expected {
            self.expected += 1;
            self.received_at = now;
            self.asked_at = None;
            self.asks_again = false;
            self.answer_by(now.plus(ACK_WITHIN));
            return true;
        }
        if seq < self.expected {
            // Its ack was lost.
            self.answer_by(now);
        } else if self.asked_at.is_none_or(|at| now.since(at) >= ASK_EVERY) {
            self.ask_again(now);
        }
        false
    }

    /// The next envelope asks for everything that is missing.
    pub fn ask_again(&mut self, now: Micros) {
        self.asks_again = true;
        self.asked_at = Some(now);
        self.answer_by(now);
    }

    /// The other side hears of this one by then.
    pub fn answer_by(&mut self, at: Micros) {
        self.ack_at = Some(self.ack_at.map_or(at, |earlier| earlier.min(at)));
    }

    pub fn answer_at(&self) -> Option<Micros> {
        self.ack_at
    }

    /// What the envelope that goes out now says: ack, how long it was held, whether it asks for what is missing.
    pub fn answer(&mut self, now: Micros) -> (u64, Micros, bool) {
        self.ack_at = None;
        (
            self.expected,
            now.since(self.received_at),
            std::mem::take(&mut self.asks_again),
        )
    }

    /// Something came since the generation began.
    pub fn is_used(&self) -> bool {
        self.expected > 0
    }
}
