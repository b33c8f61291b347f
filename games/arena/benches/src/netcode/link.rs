//! The server's end of a simulated connection. Keeps what the room sends until the simulator takes it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tickwire_server::internals::{Close, Link, RttEstimator, SendOutcome, SendRequest};
use tickwire_sync::Micros;

/// The server's end of a simulated connection.
#[derive(Debug)]
pub struct SimLink {
    state: Mutex<State>,
    /// The estimator takes instants, of which only the differences count.
    start: Instant,
}

#[derive(Debug, Default)]
struct State {
    sent: Vec<Vec<u8>>,
    rtt: RttEstimator,
}

impl Default for SimLink {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            start: Instant::now(),
        }
    }
}

impl SimLink {
    /// Takes the messages that were sent since the last call.
    pub fn take(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.lock().sent)
    }

    /// A WebSocket ping that was sent at `sent` is answered. `held`: for how long the client kept it; its kernel acknowledged it at
    /// once.
    pub fn pong(&self, sent: Micros, held: Micros, now: Micros) {
        let at = self.start + Duration::from_micros(now.0);
        let mut state = self.lock();
        let sample = Duration::from_micros(now.since(sent).0);
        let kernel = sample.saturating_sub(Duration::from_micros(held.0));
        state.rtt.sample(at, sample, Some(kernel));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Link for SimLink {
    fn try_send(requests: &mut [SendRequest<'_, Self>]) {
        for one in requests {
            let messages = one.messages.iter().map(|message| message.to_vec());
            one.link.lock().sent.extend(messages);
            one.outcome = SendOutcome::Sent;
        }
    }

    fn send(&self, message: &[u8]) {
        self.lock().sent.push(message.to_vec());
    }

    fn close(&self, _: &Close) {}

    fn round_trip(&self) -> Option<Micros> {
        let estimate = self.lock().rtt.estimate()?;
        Some(Micros(estimate.plausible.as_micros() as u64))
    }

    fn pending_bytes(&self) -> usize {
        0
    }
}
