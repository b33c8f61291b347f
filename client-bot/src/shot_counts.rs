//! What became of a bot's shots, in games with shots that are judged by what the shooter's screen showed.

use serde::{Deserialize, Serialize};

/// Outcomes of a bot's shots. `fired` is the sum of `judged`, `shooter_gone`, `unmatched` and `pending`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ShotCounts {
    /// Shots fired, by the prediction of the bot's own ship.
    pub fired: u64,
    /// Of the fired shots: those that the server reported.
    pub judged: u64,
    /// Of the judged shots: the screen showed a hit, and the target was alive on the server.
    pub hit_on_screen: u64,
    /// Of the hits on screen: the server reported a hit of the same ship.
    pub confirmed: u64,
    /// Of the judged shots: the server reported a hit, and the screen showed a miss or another (living) target.
    pub false_hits: u64,
    /// Of the judged shots: the screen showed a hit, but the target was dead or had left before the shot's tick.
    pub target_gone: u64,
    /// Of the judged shots: the server's beam did not start where the predicted one did.
    pub from_elsewhere: u64,
    /// Shots that the server never reported because the shooter was dead before their tick.
    pub shooter_gone: u64,
    /// Shots that the server never reported for another reason: e.g. the input arrived too late.
    pub unmatched: u64,
    /// Of the unmatched shots: the screen showed a hit.
    pub unmatched_hits: u64,
    /// Shots whose report could not arrive before the run ended.
    pub pending: u64,
    /// Shots of the bot's own ship that the server reported and the bot had not predicted. Not among the fired ones.
    pub unpredicted: u64,
}

impl std::ops::AddAssign for ShotCounts {
    fn add_assign(&mut self, other: Self) {
        self.fired += other.fired;
        self.judged += other.judged;
        self.hit_on_screen += other.hit_on_screen;
        self.confirmed += other.confirmed;
        self.false_hits += other.false_hits;
        self.target_gone += other.target_gone;
        self.from_elsewhere += other.from_elsewhere;
        self.shooter_gone += other.shooter_gone;
        self.unmatched += other.unmatched;
        self.unmatched_hits += other.unmatched_hits;
        self.pending += other.pending;
        self.unpredicted += other.unpredicted;
    }
}
