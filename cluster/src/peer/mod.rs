//! Another live node, as the rest of the program sees it: frames go in, and leave over the carrier that there is.
//!
//! In: frames of game threads, envelopes of both carriers. Out: envelopes, and the other node's frames for the handler. Game threads
//! copy into a buffer under a lock that is held for the copy alone, and read atomics; everything else happens on the peer's sender task
//! and on the tasks of the carriers.
//!
//! Locks are taken in this order, and the handler is called under the first alone: delivery, stream, what was pushed.

mod push_buffer;

use crate::cluster::{ClusterHandler, Counters};
use crate::lease::LeaseClock;
use crate::link::{LinkId, LinkQueue};
use crate::node::NodeId;
use crate::stream::{CONGESTED_AGE, CONGESTED_BYTES, MAX_UNACKED_BYTES, PeerStream};
use push_buffer::PushBuffer;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tickwire_sync::Micros;
use tokio::sync::Notify;
use tokio::time::timeout;

/// How long after an envelope frames wait that may: as short as the runtime's timers are.
const TOGETHER: Micros = Micros::from_millis(1);
/// In atomics: no such time or span.
const NONE: u64 = u64::MAX;

/// What the carriers' tasks deliver, one envelope at a time.
#[derive(Default)]
struct Delivery {
    /// The peer is lost: nothing is delivered any more.
    has_ended: bool,
    /// The end of the lapse for which the stream was last reset.
    reset_for: Option<Micros>,
}

/// What every peer uses of its cluster.
pub(crate) struct PeerContext {
    pub clock: fn() -> Micros,
    pub lease: Arc<LeaseClock>,
    pub handler: Arc<dyn ClusterHandler>,
    pub counters: Arc<Counters>,
}

/// Another live node. Frames that are pushed arrive in order and each once, or the handler hears that the node was lost.
pub struct Peer {
    node: NodeId,
    context: Arc<PeerContext>,
    delivery: Mutex<Delivery>,
    stream: Mutex<PeerStream>,
    pushed: PushBuffer,
    /// Wakes the sender task.
    wake: Notify,
    /// Wakes it for frames that may wait for others.
    wake_soon: Notify,
    /// When the last envelope went out.
    sent_at: AtomicU64,
    /// When the sender task wakes by itself.
    sleeps_until: AtomicU64,
    /// Bytes that are not acked.
    unacked_bytes: AtomicUsize,
    /// When the oldest of them were pushed, or [`NONE`].
    unacked_since: AtomicU64,
    hop: AtomicU64,
    link: Mutex<Option<LinkQueue>>,
    is_linked: AtomicBool,
    /// When the node last gave a sign of life: in the directory, or by a message.
    seen_at: AtomicU64,
    /// When it last said over the link that it has lost Redis, or [`NONE`] if its last word was that it has not.
    redis_lost_at: AtomicU64,
}

impl Peer {
    pub(crate) fn new(node: NodeId, generation: u64, context: Arc<PeerContext>) -> Self {
        let now = (context.clock)();
        Self {
            node,
            context,
            delivery: Mutex::default(),
            stream: Mutex::new(PeerStream::new(now, generation)),
            pushed: PushBuffer::new(),
            wake: Notify::new(),
            wake_soon: Notify::new(),
            sent_at: AtomicU64::new(0),
            sleeps_until: AtomicU64::new(0),
            unacked_bytes: AtomicUsize::new(0),
            unacked_since: AtomicU64::new(NONE),
            hop: AtomicU64::new(NONE),
            link: Mutex::default(),
            is_linked: AtomicBool::new(false),
            seen_at: AtomicU64::new(now.0),
            redis_lost_at: AtomicU64::new(NONE),
        }
    }

    /// The node.
    #[must_use]
    pub fn node(&self) -> &NodeId {
        &self.node
    }

    /// Appends one or more whole frames to the batch that goes out next. The other node's handler gets the bytes of one batch or of several
    /// at once, never a part of what one call wrote. Under a lock that is held for `write` alone: never blocks on a carrier.
    ///
    /// Where too much is unacked, the frames are lost with all that is in flight, `write` is not called, and the handler hears of it. Frames
    /// that are pushed between that loss and the handler's reaction to it do arrive: they must name what they belong to so that the other
    /// node can tell.
    pub fn push(&self, write: impl FnOnce(&mut Vec<u8>)) {
        let room = MAX_UNACKED_BYTES.saturating_sub(self.unacked_bytes.load(Ordering::Relaxed));
        if self.pushed.push(self.context.clock, room, write) {
            self.wake.notify_one();
        }
    }

    /// Wakes the sender task: what was pushed goes out now. Call it once per batch of frames.
    pub fn flush(&self) {
        if self.pushed.bytes() > 0 {
            self.wake.notify_one();
        }
    }

    /// As [`Self::flush`], but if an envelope has just gone out, what was pushed waits for a millisecond or two, and goes out with what is
    /// pushed meanwhile: for many small frames, each of which would be an envelope, a system call and a wake-up at both ends.
    pub fn flush_soon(&self) {
        if self.pushed.bytes() > 0 {
            self.wake_soon.notify_one();
        }
    }

    /// Frames for this node pile up, or are acked late: what can be left out should be. Reads atomics alone.
    #[must_use]
    pub fn is_congested(&self) -> bool {
        let bytes = self.pushed.bytes() + self.unacked_bytes.load(Ordering::Relaxed);
        let since = self
            .pushed
            .since()
            .min(self.unacked_since.load(Ordering::Relaxed));
        bytes > CONGESTED_BYTES
            || (since != NONE && (self.context.clock)().since(Micros(since)) > CONGESTED_AGE)
    }

    /// The smoothed round trip between the two nodes, without what either held back. `None` before the first ack.
    #[must_use]
    pub fn hop(&self) -> Option<Micros> {
        optional(self.hop.load(Ordering::Relaxed))
    }

    /// Everything that was pushed has been acked.
    pub(crate) fn is_idle(&self) -> bool {
        // In the order in which frames move on, so that none is missed on its way.
        self.pushed.bytes() == 0 && self.unacked_bytes.load(Ordering::Acquire) == 0
    }

    /// A direct link carries the frames now.
    #[must_use]
    pub fn is_linked(&self) -> bool {
        self.is_linked.load(Ordering::Acquire)
    }

    /// Takes an envelope of the node, and delivers what it brings.
    pub(crate) fn receive(self: &Arc<Self>, envelope: &[u8]) {
        let mut delivery = lock(&self.delivery);
        if delivery.has_ended {
            return;
        }
        let now = (self.context.clock)();
        self.seen(now);
        let valid_until = self.context.lease.valid_until();
        if now >= valid_until {
            // Before the lease's own task has noticed: this process may have been paused.
            self.reset_for_lapse_in(&mut delivery, valid_until);
        }
        let mut stream = lock(&self.stream);
        let received = stream.receive(now, envelope);
        if matches!(&received, Ok(received) if received.is_reset) {
            self.pushed.clear();
        }
        self.note(&stream);
        let wakes_at = stream.next_timeout();
        if wakes_at.is_some_and(|at| at.0 < self.sleeps_until.load(Ordering::Relaxed)) {
            self.wake.notify_one();
        }
        drop(stream);
        match received {
            Ok(received) => {
                if received.is_reset {
                    self.lose(&delivery);
                }
                if let Some(frames) = received.frames {
                    self.context.handler.received(self, frames);
                }
            }
            Err(error) => {
                self.context.counters.add_malformed_envelopes(1);
                tracing::debug!(node = %self.node, "an envelope was ignored: {error}");
            }
        }
    }

    /// This node's lease lapsed at this moment: whatever is in flight belongs to a time whose end the other nodes have seen.
    pub(crate) fn reset_for_lapse(&self, lapsed_at: Micros) {
        let mut delivery = lock(&self.delivery);
        if !delivery.has_ended {
            self.reset_for_lapse_in(&mut delivery, lapsed_at);
        }
    }

    fn reset_for_lapse_in(&self, delivery: &mut Delivery, lapsed_at: Micros) {
        if delivery.reset_for != Some(lapsed_at) {
            delivery.reset_for = Some(lapsed_at);
            self.reset_in(delivery, (self.context.clock)());
        }
    }

    fn reset_in(&self, delivery: &Delivery, now: Micros) {
        let mut stream = lock(&self.stream);
        stream.reset(now);
        self.pushed.clear();
        self.note(&stream);
        drop(stream);
        self.lose(delivery);
        self.wake.notify_one();
    }

    /// Tells the handler that whatever was in flight is lost. The argument shows that nothing is delivered meanwhile.
    fn lose(&self, _delivery: &Delivery) {
        self.context.counters.add_stream_resets(1);
        self.context.handler.peer_lost(&self.node);
    }

    fn note(&self, stream: &PeerStream) {
        self.unacked_bytes
            .store(stream.unacked_bytes(), Ordering::Relaxed);
        let since = stream.oldest_unacked().map_or(NONE, |at| at.0);
        self.unacked_since.store(since, Ordering::Relaxed);
        self.hop
            .store(stream.hop().map_or(NONE, |hop| hop.0), Ordering::Relaxed);
    }

    /// The node's lease is gone: nothing is delivered from now on. Returns the last generation of its stream.
    pub(crate) fn end(&self) -> u64 {
        let mut delivery = lock(&self.delivery);
        let has_ended = std::mem::replace(&mut delivery.has_ended, true);
        lock(&self.link).take();
        self.is_linked.store(false, Ordering::Release);
        let mut stream = lock(&self.stream);
        let generation = stream.generation();
        // Whoever still holds this peer pushes into nothing.
        *stream = PeerStream::new((self.context.clock)(), generation);
        self.pushed.close();
        self.note(&stream);
        drop(stream);
        if !has_ended {
            self.context.handler.peer_lost(&self.node);
        }
        generation
    }

    /// Appends the envelope that goes out now; false if there is none. Resets the stream if that is overdue.
    pub(crate) fn next_envelope(&self, out: &mut Vec<u8>) -> bool {
        let now = (self.context.clock)();
        if self.is_overdue(now) {
            let delivery = lock(&self.delivery);
            if delivery.has_ended {
                return false;
            }
            // An ack may have come since.
            if self.is_overdue(now) {
                tracing::warn!(node = %self.node, "too much is unacked: what is in flight to and from this node is lost");
                self.reset_in(&delivery, now);
            }
        }
        let mut stream = lock(&self.stream);
        self.pushed.move_to(&mut stream, |stream| self.note(stream));
        let is_some = stream.next_envelope(now, out);
        self.note(&stream);
        if is_some {
            self.sent_at.store(now.0, Ordering::Relaxed);
        } else {
            let wakes_at = stream.next_timeout().map_or(NONE, |at| at.0);
            self.sleeps_until.store(wakes_at, Ordering::Relaxed);
        }
        is_some
    }

    fn is_overdue(&self, now: Micros) -> bool {
        let is_overdue = lock(&self.stream).is_overdue(now);
        is_overdue || self.pushed.is_overflowing()
    }

    /// Waits until something was pushed and flushed, or a time of the stream has come.
    pub(crate) async fn wait_to_send(&self) {
        let now = (self.context.clock)();
        let woken = async {
            tokio::select! {
                biased;
                () = self.wake.notified() => {}
                () = self.wake_soon.notified() => {
                    let sent_at = Micros(self.sent_at.load(Ordering::Relaxed));
                    let since = (self.context.clock)().since(sent_at);
                    if since < TOGETHER {
                        // Whatever is flushed meanwhile takes them along.
                        let _ = timeout(duration(TOGETHER.since(since)), self.wake.notified()).await;
                    }
                }
            }
        };
        match optional(self.sleeps_until.load(Ordering::Relaxed)) {
            Some(at) => {
                let _ = timeout(duration(at.since(now)), woken).await;
            }
            None => woken.await,
        }
    }

    /// The carrier did not take the last envelope.
    pub(crate) fn carrier_refused(&self) {
        lock(&self.stream).carrier_refused((self.context.clock)());
    }

    /// What was in flight over a carrier, both ways, is probably lost.
    pub(crate) fn carrier_lost(&self) {
        lock(&self.stream).carrier_lost((self.context.clock)());
        self.wake.notify_one();
    }

    /// The link that carries frames now, if there is one.
    pub(crate) fn link(&self) -> Option<LinkQueue> {
        lock(&self.link).clone()
    }

    /// A link stands; it replaces an older one. False if the peer has ended.
    pub(crate) fn link_up(&self, queue: LinkQueue) -> bool {
        let delivery = lock(&self.delivery);
        if delivery.has_ended {
            return false;
        }
        lock(&self.link).replace(queue);
        self.is_linked.store(true, Ordering::Release);
        self.wake.notify_one();
        true
    }

    /// This link has ended. Frames go by Redis until there is another one.
    pub(crate) fn link_down(&self, id: LinkId) {
        let mut link = lock(&self.link);
        if link.as_ref().is_some_and(|link| link.id() == id) {
            *link = None;
            self.is_linked.store(false, Ordering::Release);
            self.redis_lost_at.store(NONE, Ordering::Relaxed);
        }
        drop(link);
        self.carrier_lost();
    }

    /// Ends the link that stands, with all that is on its way.
    #[cfg(test)]
    pub(crate) fn cut_link(&self) {
        let mut link = lock(&self.link);
        *link = None;
        self.is_linked.store(false, Ordering::Release);
    }

    /// Both streams have the same generation.
    #[cfg(test)]
    pub(crate) fn has_met(&self, other: &Self) -> bool {
        let generation = lock(&self.stream).generation();
        generation == lock(&other.stream).generation()
    }

    /// The node said over the link whether it has lost Redis. True: it has it again.
    pub(crate) fn said(&self, has_lost_redis: bool) -> bool {
        let now = (self.context.clock)();
        self.seen(now);
        let lost_at = if has_lost_redis { now.0 } else { NONE };
        let lost_before = self.redis_lost_at.swap(lost_at, Ordering::Relaxed);
        lost_before != NONE && lost_at == NONE
    }

    /// The node gave a sign of life.
    pub(crate) fn seen(&self, now: Micros) {
        self.seen_at.fetch_max(now.0, Ordering::Relaxed);
    }

    /// When the node last gave a sign of life.
    pub(crate) fn seen_at(&self) -> Micros {
        Micros(self.seen_at.load(Ordering::Relaxed))
    }

    /// When the node last said over the link that it has lost Redis, if that was its last word.
    pub(crate) fn redis_lost_at(&self) -> Option<Micros> {
        optional(self.redis_lost_at.load(Ordering::Relaxed))
    }
}

fn duration(span: Micros) -> Duration {
    Duration::from_micros(span.0)
}

fn optional(micros: u64) -> Option<Micros> {
    (micros != NONE).then_some(Micros(micros))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Deaf;

    impl ClusterHandler for Deaf {
        fn received(&self, _from: &Arc<Peer>, _frames: &[u8]) {}
        fn peer_lost(&self, _node: &NodeId) {}
        fn bus_begins(&self, _newest: u64) {}
        fn bus_message(&self, _seq: u64, _payload: &[u8]) {}
        fn bus_lost(&self) {}
        fn load(&self) -> (u32, u32) {
            (0, 0)
        }
        fn owned_rooms(&self) -> Vec<(String, u64)> {
            Vec::new()
        }
        fn rooms_lost(&self, _rooms: &[String]) {}
        fn lease_lapsed(&self) {}
        fn lease_confirmed(&self) {}
    }

    fn peer() -> Peer {
        let context = PeerContext {
            clock: || Micros(1_000_000),
            lease: Arc::default(),
            handler: Arc::new(Deaf),
            counters: Arc::default(),
        };
        Peer::new(NodeId::new("b", 2), 1, Arc::new(context))
    }

    #[test]
    fn an_envelope_carries_whole_frames_and_not_many_more_than_64_kib() {
        let peer = peer();
        for _ in 0..10 {
            peer.push(|out| out.extend_from_slice(&[1; 40_000]));
        }
        let mut lens = Vec::new();
        let mut envelope = Vec::new();
        while peer.next_envelope(&mut envelope) {
            lens.push(envelope.iter().filter(|&&byte| byte == 1).count() / 40_000);
            envelope.clear();
        }
        assert_eq!(lens, [2; 5]);
    }

    #[tokio::test(start_paused = true)]
    async fn frames_that_may_wait_go_together_once_an_envelope_has_gone_out() {
        let peer = peer();
        let mut envelope = Vec::new();
        while peer.next_envelope(&mut envelope) {}
        let wait = async || {
            let began = tokio::time::Instant::now();
            peer.wait_to_send().await;
            began.elapsed().as_millis()
        };
        let push = || peer.push(|out| out.push(1));
        // Nothing has gone out for a while.
        peer.sent_at.store(0, Ordering::Relaxed);
        push();
        peer.flush_soon();
        assert_eq!(wait().await, 0);
        assert!(peer.next_envelope(&mut envelope));
        assert!(!peer.next_envelope(&mut envelope));
        push();
        peer.flush_soon();
        let waited = wait().await;
        assert!((1..=2).contains(&waited), "{waited} ms");
        // What may not wait takes along what may.
        push();
        peer.flush_soon();
        peer.flush();
        assert_eq!(wait().await, 0);
    }

    #[test]
    fn a_peer_that_has_ended_takes_nothing() {
        let peer = peer();
        peer.push(|out| out.extend_from_slice(&[1; 2 * 1024 * 1024]));
        assert!(peer.is_congested() && !peer.is_idle());
        peer.end();
        assert!(!peer.is_congested() && peer.is_idle());
        peer.push(|_| panic!("nobody gets it"));
        assert!(!peer.link_up(crate::link::LinkQueue::unconnected()));
    }
}
