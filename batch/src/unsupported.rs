//! The [`Batch`] of systems without io_uring, which can never be made.

use crate::{Received, Send, Socket};
use std::convert::Infallible;
use std::io;

/// Sends and receives on many sockets with one system call. No value of this type exists on this system.
#[derive(Debug)]
pub struct Batch(Infallible);

impl Batch {
    /// `None`: this system has no io_uring.
    #[must_use]
    pub fn new() -> Option<Self> {
        None
    }

    /// Never called on this system.
    pub fn send<'a>(
        &mut self,
        _: impl IntoIterator<Item = Send<'a>>,
        _: impl FnMut(usize, io::Result<usize>),
    ) {
        match self.0 {}
    }

    /// Never called on this system.
    pub fn receive<'a>(&mut self, _: impl IntoIterator<Item = Socket<'a>>) {
        match self.0 {}
    }

    /// Never called on this system.
    pub fn received(&mut self, _: usize) -> Received<'_> {
        match self.0 {}
    }
}

/// How far the bytes of a TCP connection have got.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TcpProgress {
    /// Bytes that the peer's system has acknowledged since the connection began.
    pub acked_bytes: u64,
    /// Whether bytes that the kernel has taken are not acknowledged yet.
    pub has_unacked: bool,
    /// The round trip that the kernel measures by acknowledgements, smoothed, and its mean deviation on top.
    pub round_trip: std::time::Duration,
}

/// How far the bytes of a TCP connection have got: here nobody knows.
#[must_use]
pub fn tcp_progress(_: crate::Socket<'_>) -> Option<TcpProgress> {
    None
}
