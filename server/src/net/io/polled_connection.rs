//! A connection as the thread that polls it sees it: a poller, or the worker of its room.
//!
//! A connection *migrates* when another thread shall poll it from then on; that thread *adopts* it.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use tickwire_batch::Socket;

/// When, or whether, a connection must be polled again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollOutcome {
    /// Poll at this time, if nothing happens before.
    At(Instant),
    /// Poll again once the other connections have been polled: there is more to read.
    Again,
    /// Another thread polls from now on; see [`PolledConnection::migrate`].
    Migrate,
    /// The connection has ended.
    Ended,
}

/// A report of the system about a socket. Each change is reported once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// Bytes may have arrived.
    pub readable: bool,
    /// The kernel may take bytes again.
    pub writable: bool,
    /// The peer may have ended its side, or the connection may have failed. That shows only behind the bytes that have arrived,
    /// and is not reported again.
    pub may_have_ended: bool,
}

impl Readiness {
    /// For a connection that is polled in every tick, whatever the system reports.
    pub const POLLED_EVERY_TICK: Self = Self {
        readable: true,
        writable: true,
        may_have_ended: false,
    };

    /// For a connection that nobody has watched so far.
    pub const UNKNOWN: Self = Self {
        may_have_ended: true,
        ..Self::POLLED_EVERY_TICK
    };
}

/// The result of one read of a connection's socket.
#[derive(Debug)]
pub struct SocketRead<'a> {
    /// The bytes as they came over the wire; none: the peer has ended its side.
    pub bytes: io::Result<&'a mut [u8]>,
    /// More bytes may have arrived already.
    pub may_have_more: bool,
    /// When the newest of the bytes arrived.
    pub arrived: Instant,
}

/// One connection's reading side. Dropping it ends the connection.
pub trait PolledConnection: Send {
    /// Reads, flushes, and does what is due at `now`, the time of the call.
    fn poll(&mut self, now: Instant, readiness: Readiness) -> PollOutcome;

    /// The socket, if a caller may read from it now and pass the result to [`PolledConnection::poll_with`].
    fn socket(&self) -> Option<Socket<'_>> {
        None
    }

    /// Does the work of [`PolledConnection::poll`] with bytes that the caller has read already.
    fn poll_with(&mut self, now: Instant, _: SocketRead<'_>) -> PollOutcome {
        self.poll(now, Readiness::POLLED_EVERY_TICK)
    }

    /// Prefetches what the next poll touches beside the connection itself.
    fn prefetch(&self) {}

    /// Moves to the thread that shall poll it from now on.
    fn migrate(self: Box<Self>);
}

/// Passes a connection on to another thread.
pub type Migration = Box<dyn FnOnce(Box<dyn PolledConnection>) + Send>;

/// Polls a connection. A panic in it (reported by the panic hook) ends that connection alone.
pub(crate) fn poll(
    connection: &mut Box<dyn PolledConnection>,
    now: Instant,
    readiness: Readiness,
) -> PollOutcome {
    let poll = AssertUnwindSafe(|| connection.poll(now, readiness));
    catch_unwind(poll).unwrap_or(PollOutcome::Ended)
}

/// Polls a connection with bytes that were read for it; a panic ends that connection alone.
pub(crate) fn poll_with(
    connection: &mut Box<dyn PolledConnection>,
    now: Instant,
    read: SocketRead<'_>,
) -> PollOutcome {
    let poll = AssertUnwindSafe(|| connection.poll_with(now, read));
    catch_unwind(poll).unwrap_or(PollOutcome::Ended)
}

/// Ends a connection by dropping it; a panic while it is dropped harms nothing else.
pub(crate) fn end(connection: Box<dyn PolledConnection>) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(connection)));
}
