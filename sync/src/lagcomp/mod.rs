//! Lag compensation: what a shooter's screen showed, as far as the server accepts the claim.
//!
//! In: the view that each input claims, the round trip, the history of frames and which ticks the client was sent. Out: the
//! resolved view, and the world rewound to it. No claim is trusted: each is bounded by what the server has measured itself.

mod compensator;
mod resolved_view;
mod rewind;
mod trace;

pub use compensator::{
    LagCompensator, MAX_PLAUSIBLE_JITTER_TICKS, MAX_STALL_SHARE, VIEW_SLACK_TICKS, ViewClaim,
};
pub use resolved_view::{ClampedBy, ResolvedView};
pub use rewind::RewoundWorld;
pub use trace::{MAX_TRACED_TARGETS, RayTest, Trace, TracedTarget};
