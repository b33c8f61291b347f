//! What came for one session between two ticks.
//!
//! In: validated messages, from the connection's reading task. Out: the same, to the room's worker, once a tick. The lock is
//! held for a push or a swap, never over anything else; the two sides exchange buffers, so nothing is allocated in the
//! steady state.

use std::sync::{Mutex, PoisonError};
use tickwire_sync::claim::{Claim, Seen};
use tickwire_sync::input_buffer::Input;
use tickwire_sync::{Micros, SentTicks, Seq, Tick, ViewTick};

/// Messages that may wait for one tick. The reading side ends floods long before.
const MAX_WAITING: usize = 1024;
/// Bytes of a game's input that are kept; a longer one is refused.
const MAX_INPUT_BYTES: usize = 64;

/// One message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Arrived {
    /// An input, and what it says of the path.
    Inputs(InputsArrived),
    /// A line of chat, as it came.
    Chat(String),
    /// The replica starts over.
    Resync {
        /// Because its hash did not agree.
        view_mismatch: bool,
    },
    /// The player leaves for good.
    Leave,
    /// The connection is gone.
    Gone,
}

/// One `Inputs` message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InputsArrived {
    /// The input's number.
    pub seq: Seq,
    /// The tick that it is for.
    pub target: Tick,
    /// The newest snapshot received by the client.
    pub received: Tick,
    /// When that came, by the client's clock; wraps.
    pub received_at_us: u32,
    /// What the screen showed.
    pub view: ViewTick,
    /// When this message came, by the server's clock.
    pub arrived: Micros,
    payload: [u8; MAX_INPUT_BYTES],
    length: u8,
}

impl InputsArrived {
    /// `None` if the payload is longer than 64 bytes.
    #[must_use]
    pub fn new(message: &tickwire_proto::v1::Inputs, arrived: Micros) -> Option<Self> {
        let mut payload = [0; MAX_INPUT_BYTES];
        payload
            .get_mut(..message.payload.len())?
            .copy_from_slice(&message.payload);
        Some(Self {
            seq: Seq(message.seq),
            target: Tick(message.target_tick),
            received: Tick(message.received_tick),
            received_at_us: message.received_at_us,
            view: ViewTick::new(Tick(message.view_tick), message.view_fraction.min(255)),
            arrived,
            payload,
            length: message.payload.len() as u8,
        })
    }

    /// What it says of the screen. `arrived` is the tick axis when it came, `sent` which snapshots were sent.
    #[must_use]
    pub fn claim(&self, arrived: f64, sent: SentTicks) -> Claim {
        let pair = sent.up_to(self.received).newest_pair();
        Claim {
            target: self.target,
            view: self.view,
            received: self.received,
            sent_before: pair.map_or(self.received, |(before, _)| before),
            received_at_us: self.received_at_us,
            arrived,
        }
    }

    /// The input for the buffer, with what is believed of its claim.
    #[must_use]
    pub fn input(&self, seen: Seen) -> Input<'_> {
        Input {
            seq: self.seq,
            seen,
            payload: &self.payload[..usize::from(self.length)],
        }
    }
}

/// See the module's head.
#[derive(Debug, Default)]
pub struct Inbox {
    waiting: Mutex<Vec<Arrived>>,
}

impl Inbox {
    /// Adds a message. `false`: too many wait, and it was dropped.
    pub fn put(&self, message: Arrived) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // The end must always find its place.
        if waiting.len() >= MAX_WAITING && message != Arrived::Gone {
            return false;
        }
        waiting.push(message);
        true
    }

    /// Moves all messages into `into`, which must be empty and whose buffer is used from now on.
    pub fn take(&self, into: &mut Vec<Arrived>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut *waiting, into);
    }
}
