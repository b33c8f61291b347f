//! The connections of one session: the one in use, and one that may be about to take its place.
//!
//! In: what the shell reports of its sockets. Out: which of them counts. While a link seems dead, another is opened beside
//! it, and the old one is kept until the new one is welcome: whichever speaks first wins.

use tickwire_sync::Micros;

/// Which of the shell's sockets; never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LinkId(pub u32);

/// Where one socket stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Link {
    pub id: LinkId,
    pub state: LinkState,
    /// When the attempt began, or the last message came.
    pub heard: Micros,
    /// How many links in a row were given up before this one because they were open and showed nothing.
    pub slow_before: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LinkState {
    /// The shell was told to connect.
    Opening,
    /// Open; `Hello` is sent.
    Greeting {
        /// When `Hello` was sent.
        since: Micros,
    },
    /// `Welcome` came.
    Joined,
}
