//! An ordered, reliable stream between two nodes, over carriers that lose, repeat and reorder.
//!
//! In: batches of frames, and envelopes of the other side. Out: envelopes, and the other side's frames, in order and each once. Time is
//! an argument, and the stream never does IO. What is lost is sent again from the first gap on (go-back-N): carriers lose seldom, and
//! then all of a moment, so that a receiver which keeps later envelopes would gain nothing.
//!
//! A stream lives in *generations*. Each side enters a generation at most once, with both halves empty, and only ever moves to a later
//! one: because too much is unacked, because its owner says so, or because the other side did. Whatever was in flight in an earlier
//! generation is lost, and both sides learn of that. Within one, what a side delivers is a prefix of what the other pushed.

mod envelope;
mod generations;
mod incoming;
mod outgoing;

pub use generations::Generations;

use envelope::Head;
use incoming::Incoming;
use outgoing::Outgoing;
use tickwire_sync::Micros;

/// Frames that are kept until they are acked, in bytes. Beyond, the stream resets.
pub const MAX_UNACKED_BYTES: usize = 8 * 1024 * 1024;
/// How long frames may wait for their ack. Beyond, the stream resets.
pub const MAX_UNACKED_AGE: Micros = Micros::from_millis(10_000);
/// A stream with more unacked bytes is congested.
pub const CONGESTED_BYTES: usize = 1024 * 1024;
/// A stream whose oldest unacked frames are older is congested.
pub const CONGESTED_AGE: Micros = Micros::from_millis(150);

/// A new generation is announced this often until the other side has answered.
const ANNOUNCE_EVERY: Micros = Micros::from_millis(200);
/// Weight of the last measurement in the smoothed hop: one eighth (RFC 6298).
const HOP_WEIGHT: u64 = 8;

/// Whether the other side is known to have this generation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Agreement {
    /// No envelope of this generation has come. An envelope goes out at this time at the latest.
    Announcing {
        at: Micros,
    },
    Agreed,
}

/// What an envelope brought.
#[derive(PartialEq, Eq, Debug)]
#[must_use]
pub struct Received<'a> {
    /// The other side began a new generation: whatever was in flight before this envelope, both ways, is lost.
    pub is_reset: bool,
    /// The frames that come next; `None`: nothing, or nothing new.
    pub frames: Option<&'a [u8]>,
}

/// Bytes that are no envelope of this stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("these bytes are no envelope of this stream: do both nodes run the same version?")]
pub struct NotAnEnvelope;

/// One side of a stream between two nodes.
#[derive(Debug)]
pub struct PeerStream {
    generation: u64,
    agreement: Agreement,
    outgoing: Outgoing,
    incoming: Incoming,
    hop: Option<Micros>,
}

impl PeerStream {
    /// A stream that begins with this generation, which this side never had with this node before: see [`Generations`].
    #[must_use]
    pub fn new(now: Micros, generation: u64) -> Self {
        Self {
            generation,
            agreement: Agreement::Announcing { at: now },
            outgoing: Outgoing::default(),
            incoming: Incoming::default(),
            hop: None,
        }
    }

    /// The present generation.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Queues one envelope's frames. They are kept until they are acked.
    pub fn push(&mut self, now: Micros, frames: Vec<u8>) {
        self.outgoing.push(now, frames);
    }

    /// Appends the envelope that goes out now to `out`; false if there is none.
    pub fn next_envelope(&mut self, now: Micros, out: &mut Vec<u8>) -> bool {
        self.outgoing.retransmit_if_due(now);
        let must_announce = matches!(self.agreement, Agreement::Announcing { at } if at <= now);
        let must_answer = self.incoming.answer_at().is_some_and(|at| at <= now);
        let next = self.outgoing.next(now);
        out.reserve(envelope::MAX_HEAD_BYTES + next.as_ref().map_or(0, |(_, frames)| frames.len()));
        if next.is_none() && !must_announce && !must_answer {
            return false;
        }
        let (ack, ack_held, asks_again) = self.incoming.answer(now);
        let wants_answer = self.agreement != Agreement::Agreed;
        if wants_answer {
            self.agreement = Agreement::Announcing {
                at: now.plus(ANNOUNCE_EVERY),
            };
        }
        let head = Head {
            generation: self.generation,
            ack,
            ack_held,
            asks_again,
            wants_answer,
            seq: next.as_ref().map(|(seq, _)| *seq),
        };
        head.write(out);
        if let Some((_, frames)) = next {
            out.extend_from_slice(frames);
        }
        true
    }

    /// Takes an envelope of the other side.
    ///
    /// # Errors
    /// If the bytes are no envelope of this stream; nothing has changed then.
    pub fn receive<'a>(
        &mut self,
        now: Micros,
        envelope: &'a [u8],
    ) -> Result<Received<'a>, NotAnEnvelope> {
        let (head, frames) = Head::read(envelope).ok_or(NotAnEnvelope)?;
        let mut received = Received {
            is_reset: false,
            frames: None,
        };
        if head.generation < self.generation {
            // Sent before the other side knew of this generation.
            self.incoming.answer_by(now);
            return Ok(received);
        }
        if head.generation > self.generation {
            if head.ack > 0 {
                // This side has sent nothing in that generation.
                return Err(NotAnEnvelope);
            }
            received.is_reset = self.outgoing.is_used() || self.incoming.is_used();
            self.begin(head.generation, Agreement::Agreed);
            self.incoming.answer_by(now);
        }
        let round_trip = self
            .outgoing
            .acked(now, head.ack, head.ack_held)
            .map_err(|_| NotAnEnvelope)?;
        self.agreement = Agreement::Agreed;
        if let Some(round_trip) = round_trip {
            let smoothed =
                |hop: Micros| Micros((hop.0 * (HOP_WEIGHT - 1) + round_trip.0) / HOP_WEIGHT);
            self.hop = Some(self.hop.map_or(round_trip, smoothed));
        }
        if head.asks_again {
            self.outgoing.asked_again(now, self.hop);
        }
        if head.wants_answer {
            self.incoming.answer_by(now);
        }
        if let Some(seq) = head.seq {
            received.frames = self.incoming.accept(now, seq).then_some(frames);
        }
        Ok(received)
    }

    /// Too much is unacked, or for too long: the stream must be reset before anything else is sent.
    #[must_use]
    pub fn is_overdue(&self, now: Micros) -> bool {
        let is_old = self
            .outgoing
            .oldest()
            .is_some_and(|at| now.since(at) > MAX_UNACKED_AGE);
        is_old || self.outgoing.bytes() > MAX_UNACKED_BYTES
    }

    /// Begins a new generation: whatever is in flight, both ways, is lost.
    pub fn reset(&mut self, now: Micros) {
        self.begin(self.generation + 1, Agreement::Announcing { at: now });
    }

    fn begin(&mut self, generation: u64, agreement: Agreement) {
        self.generation = generation;
        self.agreement = agreement;
        self.outgoing = Outgoing::default();
        self.incoming = Incoming::default();
    }

    /// What was sent over the last carrier is probably lost: it goes out again at once, and the other side is asked to do likewise.
    pub fn carrier_lost(&mut self, now: Micros) {
        self.outgoing.carrier_lost(now);
        self.incoming.ask_again(now);
    }

    /// The last envelope could not be handed to its carrier. The next attempt is after the retransmission time.
    pub fn carrier_refused(&mut self, now: Micros) {
        self.outgoing.carrier_refused(now);
    }

    /// When (zero: at once) [`PeerStream::next_envelope`] or [`PeerStream::is_overdue`] has something to do at the latest, if nothing else happens.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Micros> {
        let announce_at = match self.agreement {
            Agreement::Announcing { at } => Some(at),
            Agreement::Agreed => None,
        };
        let overdue_at = self
            .outgoing
            .oldest()
            .map(|at| at.plus(MAX_UNACKED_AGE).plus(Micros(1)));
        let send_at = self.outgoing.has_next().then_some(Micros(0));
        let times = [
            send_at,
            announce_at,
            self.incoming.answer_at(),
            self.outgoing.retransmit_at(),
            overdue_at,
        ];
        times.into_iter().flatten().min()
    }

    /// Frames that are not acked yet, in bytes.
    #[must_use]
    pub fn unacked_bytes(&self) -> usize {
        self.outgoing.bytes()
    }

    /// When the oldest of the unacked frames were pushed.
    #[must_use]
    pub fn oldest_unacked(&self) -> Option<Micros> {
        self.outgoing.oldest()
    }

    /// More is unacked, or for longer, than a stream has that keeps up: what can be left out should be.
    #[must_use]
    pub fn is_congested(&self, now: Micros) -> bool {
        let is_old = self
            .oldest_unacked()
            .is_some_and(|at| now.since(at) > CONGESTED_AGE);
        is_old || self.unacked_bytes() > CONGESTED_BYTES
    }

    /// The smoothed round trip of this hop, from an envelope to its ack, without the time that the ack was held.
    #[must_use]
    pub fn hop(&self) -> Option<Micros> {
        self.hop
    }

    /// An emptied buffer for the next batch, so that no batch allocates in the steady state.
    #[must_use]
    pub fn spare_buffer(&mut self) -> Vec<u8> {
        self.outgoing.spare()
    }
}

#[cfg(test)]
mod tests;
