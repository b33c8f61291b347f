//! The wish to end, as a value that is passed: asked for once, seen by everyone who holds it.

use tokio::sync::watch;

/// See the module's head. Clones are the same wish.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Sender<bool>);

impl Shutdown {
    /// Nobody wants to end yet.
    #[must_use]
    pub fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Asks everyone to end. Again has no effect.
    pub fn ask(&self) {
        self.0.send_replace(true);
    }

    /// Whether it was asked for.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is asked for.
    pub async fn asked(&self) {
        // It can't fail: the sender is held by `self`.
        let _ = self.0.subscribe().wait_for(|asked| *asked).await;
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}
