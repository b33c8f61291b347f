//! Policies that the benches compare with the default ones. Production code never chooses another than the default.

/// How the lag compensator resolves a claimed view.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ViewPolicy {
    /// The default: claims are clamped to what the server holds possible.
    #[default]
    Clamped,
    /// Shots are judged in the present.
    NoCompensation,
    /// Shots are judged half the round trip ago, whatever the client claims.
    HalfRoundTrip,
    /// Shots are judged at the claimed view, as far as the history goes.
    TrustClaim,
}

/// When the congestion window lets a snapshot go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum WindowPolicy {
    /// The default: a snapshot goes when the path will take it without queueing.
    #[default]
    FollowPath,
    /// Every snapshot goes as soon as the socket takes it; what the path does not carry waits in queues.
    Open,
}
