//! Non-blocking sends and receives on many sockets with one system call, by io_uring.
//!
//! In: sockets and bytes, borrowed for the call. Out: for each socket what `send(2)` or `recvmsg(2)` would have returned. A call
//! returns only when the kernel is done with every entry, so the kernel holds nothing that was borrowed afterwards; entries never
//! wait (`MSG_DONTWAIT`), so that is at once. One call saves the way into the kernel and back for each socket, which is about
//! an eighth of the cost of a small send.
//!
//! Where the system has no io_uring, or forbids it (containers often do), there is no [`Batch`], and callers serve sockets one by
//! one. Nothing is allocated after [`Batch::new`].
//!
//! Beside that it asks the kernel how far the bytes of a connection have got ([`tcp_progress`]), and gives memory back to the system
//! ([`give_back_free_memory`]).
//!
//! This is one of two crates with `unsafe` (the other is `prefetch`): io_uring lends memory to the kernel, which no safe interface can express.

#[cfg(target_os = "linux")]
mod uring;
#[cfg(target_os = "linux")]
pub use uring::Batch;

#[cfg(not(target_os = "linux"))]
mod unsupported;
#[cfg(not(target_os = "linux"))]
pub use unsupported::{Batch, TcpProgress, tcp_progress};

#[cfg(target_os = "linux")]
mod progress;
#[cfg(target_os = "linux")]
pub use progress::{TcpProgress, tcp_progress};

mod memory;
pub use memory::give_back_free_memory;

#[cfg(unix)]
pub use std::os::fd::BorrowedFd as Socket;
#[cfg(windows)]
pub use std::os::windows::io::BorrowedSocket as Socket;

use std::io;
use std::time::Duration;

/// The most sockets of one call.
pub const MAX_ENTRIES: usize = 64;

/// Bytes for one socket.
#[derive(Clone, Copy, Debug)]
pub struct Send<'a> {
    /// The socket to send on.
    pub socket: Socket<'a>,
    /// The bytes to send.
    pub bytes: &'a [u8],
}

/// The result of a receive on one socket.
#[derive(Debug)]
pub struct Received<'a> {
    /// The bytes; none: the peer has ended its side. An error says why nothing was received, `WouldBlock` among others.
    pub bytes: io::Result<&'a mut [u8]>,
    /// The bytes fill all the space that they had, so more may have arrived.
    pub is_full: bool,
    /// When the newest of the bytes arrived, by the wall clock since 1970, if the socket stamps arrivals (`SO_TIMESTAMPNS`).
    pub stamp: Option<Duration>,
}
