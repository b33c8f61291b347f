//! What the kernel knows of the bytes on their way to a peer.

use crate::Socket;
use std::os::fd::AsRawFd as _;
use std::time::Duration;

/// How far the bytes of a TCP connection have got.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TcpProgress {
    /// Bytes that the peer's system has acknowledged since the connection began.
    pub acked_bytes: u64,
    /// Whether bytes that the kernel has taken are not acknowledged yet.
    pub has_unacked: bool,
    /// The round trip that the kernel measures by acknowledgements, smoothed, and its mean deviation on top. No program of the peer
    /// has a part in it.
    pub round_trip: Duration,
}

/// Bytes of `struct tcp_info` that are read here; older kernels fill fewer.
const INFO_BYTES: usize = 148;
/// Where in it the fields are: `tcpi_unacked` (segments), `tcpi_rtt` and `tcpi_rttvar` (microseconds), `tcpi_bytes_acked`,
/// `tcpi_notsent_bytes`.
const UNACKED_AT: usize = 24;
const RTT_AT: usize = 68;
const RTTVAR_AT: usize = 72;
const BYTES_ACKED_AT: usize = 120;
const NOTSENT_AT: usize = 144;

/// How far the bytes of a TCP connection have got; `None` where the system does not say.
#[must_use]
pub fn tcp_progress(socket: Socket<'_>) -> Option<TcpProgress> {
    let mut info = [0_u8; INFO_BYTES];
    let mut length = INFO_BYTES as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to `info`, which has as many, and `length` itself; both outlive the call. The
    // descriptor is open, as it is borrowed.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result != 0 || (length as usize) < INFO_BYTES {
        return None;
    }
    let word = |at: usize| u32::from_ne_bytes([info[at], info[at + 1], info[at + 2], info[at + 3]]);
    let mut acked = [0; 8];
    acked.copy_from_slice(&info[BYTES_ACKED_AT..BYTES_ACKED_AT + 8]);
    Some(TcpProgress {
        acked_bytes: u64::from_ne_bytes(acked),
        has_unacked: word(UNACKED_AT) > 0 || word(NOTSENT_AT) > 0,
        round_trip: Duration::from_micros(u64::from(word(RTT_AT)) + u64::from(word(RTTVAR_AT))),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "this is a test")]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd as _;

    #[test]
    fn bytes_count_once_the_peer_has_them() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut receiver, _) = listener.accept().unwrap();
        let before = tcp_progress(sender.as_fd()).unwrap();
        sender.write_all(&[7; 1000]).unwrap();
        receiver.read_exact(&mut [0; 1000]).unwrap();
        // The ack may come a moment later.
        let after = loop {
            let now = tcp_progress(sender.as_fd()).unwrap();
            if !now.has_unacked {
                break now;
            }
            std::thread::yield_now();
        };
        assert_eq!(after.acked_bytes - before.acked_bytes, 1000);
        assert!(after.round_trip > Duration::ZERO);
        // What the peer does not read fills its window, and is not acknowledged.
        sender.set_nonblocking(true).unwrap();
        while sender.write(&[7; 65536]).is_ok() {}
        assert!(tcp_progress(sender.as_fd()).unwrap().has_unacked);
    }
}
