//! Systems without io_uring.

use crate::{Received, Send, Socket};
use std::convert::Infallible;
use std::io;

/// There is none on this system.
#[derive(Debug)]
pub struct Batch(Infallible);

impl Batch {
    /// `None`.
    #[must_use]
    pub fn new() -> Option<Self> {
        None
    }

    /// See the Linux version.
    pub fn send<'a>(
        &mut self,
        _: impl IntoIterator<Item = Send<'a>>,
        _: impl FnMut(usize, io::Result<usize>),
    ) {
        match self.0 {}
    }

    /// See the Linux version.
    pub fn receive<'a>(&mut self, _: impl IntoIterator<Item = Socket<'a>>) {
        match self.0 {}
    }

    /// See the Linux version.
    pub fn received(&mut self, _: usize) -> Received<'_> {
        match self.0 {}
    }
}
