//! A request to end, as a value that is passed: made once, seen by everyone who holds it.

use tokio::sync::watch;

/// A request to end. Clones share the same request.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Sender<bool>);

impl Shutdown {
    /// No request yet.
    #[must_use]
    pub fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Asks everyone to end. Further calls have no effect.
    pub fn request(&self) {
        self.0.send_replace(true);
    }

    /// Whether the end was requested.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits for the request.
    pub async fn requested(&self) {
        // The wait cannot fail: `self` holds the sender.
        let _ = self
            .0
            .subscribe()
            .wait_for(|is_requested| *is_requested)
            .await;
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}
