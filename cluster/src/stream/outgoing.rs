//! The sending half of a stream: frames that wait for their first transmission or for their ack.

use std::collections::VecDeque;
use tickwire_sync::Micros;

/// An envelope that is not acked goes out again after this time without any progress.
const RETRANSMIT_AFTER: Micros = Micros::from_millis(200);
/// What is sent at once after silence: nobody may be listening.
const WINDOW_AFTER_SILENCE: usize = 64 * 1024;
/// What is sent at once when the other side asks: it listens, but so much at once could cut it off again.
const WINDOW_WHEN_ASKED: usize = 256 * 1024;
/// Requests to send again that come sooner after a first one are for the same gap.
const SAME_GAP: Micros = Micros::from_millis(10);
/// Emptied buffers that are kept for the next batches, by their capacity in bytes: what a stream that keeps up has in flight.
const MAX_SPARE_BYTES: usize = 1024 * 1024;

/// One envelope's frames, until they are acked.
#[derive(Debug)]
struct Kept {
    frames: Vec<u8>,
    pushed_at: Micros,
    sent_at: Micros,
    /// It was sent more than once: its ack says nothing about the hop.
    is_repeated: bool,
}

/// Frames that are not acked yet, in order.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    kept: VecDeque<Kept>,
    /// Sequence number of the first of `kept`.
    first: u64,
    /// Sequence number of the next that goes out: at least `first`, at most the one behind `kept`.
    next: u64,
    /// One more than the largest that ever went out.
    sent_end: u64,
    /// Bytes of `kept`.
    bytes: usize,
    /// Bytes of `kept` in front of `next`.
    in_flight: usize,
    /// Bytes that may be in flight while lost envelopes are sent again; `None`: everything goes out at once.
    window: Option<usize>,
    /// When something was last acked, sent again, or sent with nothing else in flight.
    progress_at: Micros,
    /// When the other side's request was last followed.
    asked_at: Option<Micros>,
    spare: Vec<Vec<u8>>,
    /// Capacity of `spare`.
    spare_bytes: usize,
}

impl Outgoing {
    pub fn push(&mut self, now: Micros, frames: Vec<u8>) {
        if frames.is_empty() {
            return;
        }
        self.bytes += frames.len();
        self.kept.push_back(Kept {
            frames,
            pushed_at: now,
            sent_at: now,
            is_repeated: false,
        });
    }

    /// Sequence number and frames of the envelope that goes out now.
    pub fn next(&mut self, now: Micros) -> Option<(u64, &[u8])> {
        if !self.has_next() {
            return None;
        }
        let index = (self.next - self.first) as usize;
        let is_last = index + 1 == self.kept.len();
        let kept = &mut self.kept[index];
        kept.is_repeated = self.next < self.sent_end;
        kept.sent_at = now;
        if index == 0 {
            self.progress_at = now;
        }
        self.in_flight += kept.frames.len();
        let seq = self.next;
        self.next += 1;
        self.sent_end = self.sent_end.max(self.next);
        if is_last {
            self.window = None;
        }
        Some((seq, &kept.frames))
    }

    /// An envelope can go out now.
    pub fn has_next(&self) -> bool {
        let index = (self.next - self.first) as usize;
        let may_send = index == 0 || self.window.is_none_or(|window| self.in_flight < window);
        may_send && index < self.kept.len()
    }

    /// Forgets what the other side has. Returns the hop's round trip if this ack tells it; `Err` if it acks what was never sent.
    pub fn acked(
        &mut self,
        now: Micros,
        ack: u64,
        held: Micros,
    ) -> Result<Option<Micros>, AckOfUnsent> {
        if ack > self.sent_end {
            return Err(AckOfUnsent);
        }
        let mut round_trip = None;
        while self.first < ack {
            let Some(mut kept) = self.kept.pop_front() else {
                break;
            };
            let len = kept.frames.len();
            self.bytes -= len;
            if self.first < self.next {
                self.in_flight -= len;
            }
            self.window = self.window.map(|window| window + len);
            self.first += 1;
            self.progress_at = now;
            round_trip = (!kept.is_repeated).then(|| now.since(kept.sent_at).since(held));
            let spare_bytes = self.spare_bytes + kept.frames.capacity();
            if spare_bytes <= MAX_SPARE_BYTES {
                self.spare_bytes = spare_bytes;
                kept.frames.clear();
                self.spare.push(kept.frames);
            }
        }
        self.next = self.next.max(self.first);
        if self.next - self.first == self.kept.len() as u64 {
            self.window = None;
        }
        Ok(round_trip)
    }

    /// The other side asks for everything from `first` on.
    pub fn asked_again(&mut self, now: Micros, hop: Option<Micros>) {
        let same_gap = hop.unwrap_or_default().max(SAME_GAP);
        let is_same_gap = self.asked_at.is_some_and(|at| now.since(at) < same_gap);
        if self.next > self.first && !is_same_gap {
            self.asked_at = Some(now);
            self.go_back(now, WINDOW_WHEN_ASKED);
        }
    }

    /// What is in flight is probably lost: it goes out again at once.
    pub fn carrier_lost(&mut self, now: Micros) {
        self.go_back(now, WINDOW_WHEN_ASKED);
    }

    /// The last envelope could not be handed to its carrier: all of them wait for the next attempt.
    pub fn carrier_refused(&mut self, now: Micros) {
        if self.next > self.first {
            self.progress_at = now;
            self.window = Some(0);
        }
    }

    /// Starts again from the first that is not acked, if nothing was acked for long.
    pub fn retransmit_if_due(&mut self, now: Micros) {
        if self.retransmit_at().is_some_and(|at| at <= now) {
            self.go_back(now, WINDOW_AFTER_SILENCE);
        }
    }

    fn go_back(&mut self, now: Micros, window: usize) {
        self.next = self.first;
        self.in_flight = 0;
        self.window = Some(window);
        self.progress_at = now;
    }

    pub fn retransmit_at(&self) -> Option<Micros> {
        (self.next > self.first).then(|| self.progress_at.plus(RETRANSMIT_AFTER))
    }

    /// When the oldest frames that are not acked were pushed.
    pub fn oldest(&self) -> Option<Micros> {
        self.kept.front().map(|kept| kept.pushed_at)
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Something was pushed since the generation began.
    pub fn is_used(&self) -> bool {
        self.first > 0 || !self.kept.is_empty()
    }

    /// An emptied buffer for the next batch.
    pub fn spare(&mut self) -> Vec<u8> {
        let spare = self.spare.pop().unwrap_or_default();
        self.spare_bytes -= spare.capacity();
        spare
    }
}

/// An ack of an envelope that was never sent: the bytes are no envelope of this stream.
#[derive(Debug)]
pub(super) struct AckOfUnsent;
