//! Non-blocking sends and receives on many sockets with one system call, by io_uring.
//!
//! In: sockets and bytes, lent for the call. Out: for each what `send(2)` or `recvmsg(2)` would have said. A call returns only when
//! the kernel is through with every entry, so nothing that was lent is in the kernel's hands afterwards; entries never wait
//! (`MSG_DONTWAIT`), so that is at once. Saves the way into the kernel and back for each socket, which is an eighth of what a small
//! send costs there (measured in docs/PERFORMANCE.md).
//!
//! Where the system has no io_uring, or forbids it (containers do so often), there is no [`Batch`], and sockets are served one by
//! one. No allocation after [`Batch::new`].
//!
//! One of two crates with `unsafe`: io_uring lends memory to the kernel, which no safe interface can express.

#[cfg(target_os = "linux")]
mod uring;
#[cfg(target_os = "linux")]
pub use uring::Batch;

#[cfg(not(target_os = "linux"))]
mod nowhere;
#[cfg(not(target_os = "linux"))]
pub use nowhere::Batch;

#[cfg(unix)]
pub use std::os::fd::BorrowedFd as Socket;
#[cfg(windows)]
pub use std::os::windows::io::BorrowedSocket as Socket;

use std::io;
use std::time::Duration;

/// Entries of one call.
pub const MOST: usize = 64;

/// Bytes for one socket.
#[derive(Clone, Copy, Debug)]
pub struct Send<'a> {
    /// Where to.
    pub socket: Socket<'a>,
    /// What.
    pub bytes: &'a [u8],
}

/// What a receive gave.
#[derive(Debug)]
pub struct Received<'a> {
    /// The bytes; none: the peer has ended its side. Or why there are none, `WouldBlock` among others.
    pub bytes: io::Result<&'a mut [u8]>,
    /// There may be more at once: the bytes fill all the space that they had.
    pub is_full: bool,
    /// When the newest of them came, by the wall's clock since 1970, if the socket stamps (`SO_TIMESTAMPNS`).
    pub stamp: Option<Duration>,
}
