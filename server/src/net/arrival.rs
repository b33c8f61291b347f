//! When bytes came: by the kernel's own stamp, where it has one.
//!
//! A worker reads its connections once a tick, so the moment of reading says little of when an input came; but how early it
//! came is what the client's clock is steered by, and when a pong came is the round trip. Linux notes the time of arrival
//! of each segment and gives it along with the bytes (SO_TIMESTAMPNS, socket(7)); elsewhere it is the time of reading.

use mio::net::TcpStream;
use std::io;
use std::time::Instant;
#[cfg(target_os = "linux")]
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

/// Where the kernel puts stamps, and how its clock stands to ours; one a thread suffices.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(super) struct Stamps {
    space: Vec<u8>,
    /// One moment on both clocks, the wall's since 1970.
    together: (Instant, Duration),
    /// Stamps that are read by it before it is taken again.
    left: u32,
    /// The wall clock was set a moment ago: until then, stamps from before that lie, and far ones are not believed.
    doubted_until: Option<Instant>,
}

/// So far from the moment at which the clocks were compared a stamp is believed: the wall clock can be set.
#[cfg(target_os = "linux")]
const BELIEVED: Duration = Duration::from_millis(100);
/// What came before the wall clock was set has been read after so long.
#[cfg(target_os = "linux")]
const DOUBT: Duration = Duration::from_secs(2);
/// Comparing the clocks costs as much as a good part of a read, and a sweep takes no time for them to drift.
#[cfg(target_os = "linux")]
const STAMPS_PER_COMPARISON: u32 = 64;

#[cfg(target_os = "linux")]
impl Stamps {
    pub(super) fn new() -> Self {
        Self {
            space: nix::cmsg_space!(nix::sys::time::TimeSpec),
            together: Self::compare(),
            left: 0,
            doubted_until: None,
        }
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

        let mut into = [IoSliceMut::new(buffer)];
        let flags = MsgFlags::MSG_DONTWAIT;
        let received = recvmsg::<()>(socket.as_raw_fd(), &mut into, Some(&mut self.space), flags)?;
        let bytes = received.bytes;
        let stamp = received.cmsgs().ok().and_then(|mut stamps| {
            stamps.find_map(|stamp| match stamp {
                ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
                _ => None,
            })
        });
        Ok((bytes, self.time_of(stamp)))
    }

    /// The kernel's stamp (since 1970, by the wall's clock) as our time; without a stamp it is now.
    pub(super) fn time_of(&mut self, stamp: Option<Duration>) -> Instant {
        stamp.map_or_else(Instant::now, |stamp| self.on_our_clock(stamp))
    }

    fn on_our_clock(&mut self, stamp: Duration) -> Instant {
        let is_near = stamp.abs_diff(self.together.1) < BELIEVED;
        if self.left == 0 || !is_near {
            let before = std::mem::replace(&mut self.together, Self::compare());
            self.left = STAMPS_PER_COMPARISON;
            let (ours, wall) = self.together;
            let passed = ours.saturating_duration_since(before.0);
            if (before.1 + passed).abs_diff(wall) > BELIEVED {
                self.doubted_until = Some(ours + DOUBT);
            }
            self.doubted_until = self.doubted_until.filter(|until| ours < *until);
        }
        self.left -= 1;
        let (ours, wall) = self.together;
        match stamp.checked_sub(wall) {
            // After the comparison, and so a moment ago at most, if the wall clock is not being set.
            Some(later) if later < BELIEVED => ours + later,
            Some(_) => ours,
            None if self.doubted_until.is_some() && wall - stamp > BELIEVED => ours,
            None => ours.checked_sub(wall - stamp).unwrap_or(ours),
        }
    }

    fn compare() -> (Instant, Duration) {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        (Instant::now(), wall.unwrap_or_default())
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

    /// Now.
    pub(super) fn time_of(&mut self, _: Option<std::time::Duration>) -> Instant {
        Instant::now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::net::TcpListener;
    #[cfg(not(target_os = "linux"))]
    use std::time::Duration;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_wall_clock_that_is_set_forward_does_not_make_the_past() {
        let mut stamps = Stamps::new();
        let wall = stamps.together.1;
        // Compared when it was a hundred seconds behind; it has been set since.
        stamps.together.1 = wall - Duration::from_secs(100);
        let start = stamps.together.0;
        let slack = Duration::from_millis(90);
        assert!(stamps.time_of(Some(wall)) + slack > start);
        // Stamped before that, and read only now.
        let arrived = stamps.time_of(Some(wall - Duration::from_secs(100)));
        assert!(arrived >= start, "{:?} before", start - arrived);
    }

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
