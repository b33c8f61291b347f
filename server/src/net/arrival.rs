//! When bytes came: by the kernel's own stamp, where it has one.
//!
//! A worker reads its connections once a tick, so the moment of reading says little of when an input came; but how early it
//! came is what the client's clock is steered by, and when a pong came is the round trip. Linux notes the time of arrival
//! of each segment and gives it along with the bytes (SO_TIMESTAMPNS, socket(7)); elsewhere it is the time of reading.

use mio::net::TcpStream;
use std::io;
use std::time::Instant;

/// Asks the kernel to stamp what comes on this socket. If it won't, the time of reading is taken.
pub(super) fn ask_for_stamps(socket: &std::net::TcpStream) {
    #[cfg(target_os = "linux")]
    {
        use nix::sys::socket::{setsockopt, sockopt::ReceiveTimestampns};
        if let Err(error) = setsockopt(socket, ReceiveTimestampns, &true) {
            tracing::debug!("arrivals are not stamped: {error}");
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = socket;
}

/// Where the kernel puts stamps; one a thread suffices.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(super) struct Stamps(Vec<u8>);

#[cfg(target_os = "linux")]
impl Stamps {
    pub(super) fn new() -> Self {
        Self(nix::cmsg_space!(nix::sys::time::TimeSpec))
    }

    /// Reads once, without waiting: how many bytes, and when the newest of them came.
    pub(super) fn read(
        &mut self,
        socket: &TcpStream,
        buffer: &mut [u8],
    ) -> io::Result<(usize, Instant)> {
        use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
        use std::io::IoSliceMut;
        use std::os::fd::AsRawFd as _;
        use std::time::{Duration, SystemTime, UNIX_EPOCH};

        let mut into = [IoSliceMut::new(buffer)];
        let flags = MsgFlags::MSG_DONTWAIT;
        let received = recvmsg::<()>(socket.as_raw_fd(), &mut into, Some(&mut self.0), flags)?;
        let now = Instant::now();
        let stamp = received.cmsgs().ok().and_then(|mut stamps| {
            stamps.find_map(|stamp| match stamp {
                ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
                _ => None,
            })
        });
        // The stamp is on the wall clock: how long ago it was is the same on every clock.
        let age = stamp.and_then(|stamp| {
            let wall = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
            wall.checked_sub(stamp)
        });
        let arrived = age.and_then(|age| now.checked_sub(age)).unwrap_or(now);
        Ok((received.bytes, arrived))
    }
}

#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(super) struct Stamps;

#[cfg(not(target_os = "linux"))]
impl Stamps {
    pub(super) fn new() -> Self {
        Self
    }

    /// Reads once, without waiting: how many bytes, and when that was.
    pub(super) fn read(
        &mut self,
        mut socket: &TcpStream,
        buffer: &mut [u8],
    ) -> io::Result<(usize, Instant)> {
        use std::io::Read as _;
        let read = socket.read(buffer)?;
        Ok((read, Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::net::TcpListener;
    use std::time::Duration;

    #[test]
    fn what_is_read_late_came_when_it_came() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut far = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (near, _) = listener.accept().unwrap();
        near.set_nonblocking(true).unwrap();
        ask_for_stamps(&near);
        let near = TcpStream::from_std(near);
        let (mut stamps, mut buffer) = (Stamps::new(), [0; 16]);
        assert!(stamps.read(&near, &mut buffer).is_err());
        // The kernel begins to stamp a moment after it was first asked.
        let is_stamped = (0..100).any(|_| {
            let before = Instant::now();
            far.write_all(b"input").unwrap();
            let after = Instant::now();
            std::thread::sleep(Duration::from_millis(20));
            let (read, arrived) = stamps.read(&near, &mut buffer).unwrap();
            assert_eq!(&buffer[..read], b"input");
            // Two clocks of one kernel; the slack is how finely they are set against each other.
            let slack = Duration::from_millis(5);
            arrived + slack >= before && arrived <= after + slack
        });
        assert!(is_stamped || cfg!(not(target_os = "linux")));
    }
}
