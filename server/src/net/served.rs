//! One connection's code, as the thread sees it that calls it: a poller, or the worker of its room.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use tickwire_batch::Socket;

/// What has become of a connection after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Call again at this time, if nothing happens before.
    At(Instant),
    /// Call again in a moment: there is more to do, and others shall have their turn before.
    Soon,
    /// Another thread shall call from now on; see [`Served::move_on`].
    Moves,
    /// It is over.
    Over,
}

/// What the system says of a socket. Of each change it tells once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// Something may have come in.
    pub to_read: bool,
    /// There may be room to send.
    pub to_write: bool,
    /// The peer may have ended its side, or the connection have failed: that comes behind the bytes that are there, and is not told again.
    pub may_have_ended: bool,
}

impl Ready {
    /// For a connection that is looked at again and again, whatever happens.
    pub const TO_LOOK: Self = Self {
        to_read: true,
        to_write: true,
        may_have_ended: false,
    };

    /// Nobody has listened so far: anything may have happened.
    pub const UNKNOWN: Self = Self {
        may_have_ended: true,
        ..Self::TO_LOOK
    };
}

/// What a read of a connection's socket gave.
#[derive(Debug)]
pub struct Read<'a> {
    /// The bytes as they came over the wire; none: the peer has ended its side.
    pub bytes: io::Result<&'a mut [u8]>,
    /// There may be more at once.
    pub more: bool,
    /// When the newest of them came.
    pub arrived: Instant,
}

/// One connection's code. Dropping it ends the connection.
pub trait Served: Send {
    /// Something may have come in, or room to send, or a time has come: `now` is the time of the call.
    fn ready(&mut self, now: Instant, ready: Ready) -> Next;

    /// The socket, if what comes on it may be read for this connection now, for [`Served::ready_with`].
    fn socket(&self) -> Option<Socket<'_>> {
        None
    }

    /// As [`Served::ready`], with what was read first: the bytes, whether there may be more, and when they came.
    fn ready_with(&mut self, now: Instant, _: Read<'_>) -> Next {
        self.ready(now, Ready::TO_LOOK)
    }

    /// Asks for what [`Served::ready`] will touch beside itself; see `tickwire_prefetch`.
    fn prefetch(&self) {}

    /// Goes to the thread that it asked for.
    fn move_on(self: Box<Self>);
}

/// Passes a connection on to another thread.
pub type Move = Box<dyn FnOnce(Box<dyn Served>) + Send>;

/// Calls a connection's code. A panic in it (reported by the hook) ends that connection alone.
pub(crate) fn call(served: &mut Box<dyn Served>, now: Instant, ready: Ready) -> Next {
    let called = AssertUnwindSafe(|| served.ready(now, ready));
    catch_unwind(called).unwrap_or(Next::Over)
}

/// The same, with what was read for it.
pub(crate) fn call_with(served: &mut Box<dyn Served>, now: Instant, read: Read<'_>) -> Next {
    let called = AssertUnwindSafe(|| served.ready_with(now, read));
    catch_unwind(called).unwrap_or(Next::Over)
}

/// Ends a connection whose code has come to its end; see [`call`] for panics.
pub(crate) fn end(served: Box<dyn Served>) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(served)));
}
