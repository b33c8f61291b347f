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
