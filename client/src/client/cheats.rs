//! Cheats for bots and benches: they measure what a dishonest client gains. Behind the feature `cheats`, so that no game ships them.

use super::Client;
use tickwire_sync::ViewTick;

impl Client {
    /// Claims in every input a view tick that is older than the true one by this many ticks.
    pub fn forge_view(&mut self, ticks: f64) {
        self.view_forgery = ViewTick::from_ticks(ticks);
    }

    pub(super) fn claimed_view_tick(&self) -> ViewTick {
        let view = self.clocks.view_tick;
        ViewTick(view.0.saturating_sub(self.view_forgery.0))
    }
}
