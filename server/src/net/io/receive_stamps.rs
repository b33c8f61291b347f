//! When bytes arrived: by the kernel's own time stamp, where the system has one.
//!
//! A worker reads its connections once a tick, so the time of reading says little about when an input arrived. The client's
//! clock is steered by how early its inputs arrive, and the arrival of a pong measures the round trip. Linux stamps each segment
//! on arrival and returns the stamp along with the bytes (SO_TIMESTAMPNS, socket(7)); elsewhere the time of reading is used.

use mio::net::TcpStream;
use std::io;
use std::time::Instant;
#[cfg(target_os = "linux")]
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Asks the kernel to stamp what arrives on this socket. If the kernel refuses, the time of reading is used.
pub(in crate::net) fn enable_receive_stamps(socket: &std::net::TcpStream) {
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

/// Reads with stamps, and converts stamps of the wall clock to monotonic time. One per thread suffices.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(in crate::net) struct ReceiveStamps {
    control_space: Vec<u8>,
    /// The same moment on the monotonic clock and on the wall clock (since 1970).
    reference: (Instant, Duration),
    /// Stamps that may still be converted before the clocks are compared again.
    conversions_left: u32,
    /// The wall clock was set a moment ago: until this time, stamps far before the reference may be wrong and are ignored.
    distrusted_until: Option<Instant>,
}

/// A stamp further than this from the reference is checked against a new comparison of the clocks: the wall clock can be set.
#[cfg(target_os = "linux")]
const MAX_REFERENCE_DISTANCE: Duration = Duration::from_millis(100);
/// After this time, everything that arrived before the wall clock was set has been read.
#[cfg(target_os = "linux")]
const DISTRUST_TIME: Duration = Duration::from_secs(2);
/// Comparing the clocks costs a good part of a read, and the clocks do not drift within one sweep.
#[cfg(target_os = "linux")]
const CONVERSIONS_PER_COMPARISON: u32 = 64;

#[cfg(target_os = "linux")]
impl ReceiveStamps {
    pub(in crate::net) fn new() -> Self {
        Self {
            control_space: nix::cmsg_space!(nix::sys::time::TimeSpec),
            reference: Self::compare_clocks(),
            conversions_left: 0,
            distrusted_until: None,
        }
    }

    /// Reads once, without waiting. Returns the number of bytes, and when the newest of them arrived.
    pub(in crate::net) fn read(
        &mut self,
        socket: &TcpStream,
        buffer: &mut [u8],
    ) -> io::Result<(usize, Instant)> {
        use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
        use std::io::IoSliceMut;
        use std::os::fd::AsRawFd as _;

        let mut slices = [IoSliceMut::new(buffer)];
        let (fd, space) = (socket.as_raw_fd(), &mut self.control_space);
        let received = recvmsg::<()>(fd, &mut slices, Some(space), MsgFlags::MSG_DONTWAIT)?;
        let bytes = received.bytes;
        let stamp = received.cmsgs().ok().and_then(|mut messages| {
            messages.find_map(|message| match message {
                ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
                _ => None,
            })
        });
        Ok((bytes, self.arrival_time(stamp)))
    }

    /// The kernel's stamp (wall clock, since 1970) as monotonic time; without a stamp, the present time.
    pub(in crate::net) fn arrival_time(&mut self, stamp: Option<Duration>) -> Instant {
        stamp.map_or_else(Instant::now, |stamp| self.monotonic_time(stamp))
    }

    fn monotonic_time(&mut self, stamp: Duration) -> Instant {
        let is_near = stamp.abs_diff(self.reference.1) < MAX_REFERENCE_DISTANCE;
        if self.conversions_left == 0 || !is_near {
            let before = std::mem::replace(&mut self.reference, Self::compare_clocks());
            self.conversions_left = CONVERSIONS_PER_COMPARISON;
            let (monotonic, wall) = self.reference;
            let passed = monotonic.saturating_duration_since(before.0);
            if (before.1 + passed).abs_diff(wall) > MAX_REFERENCE_DISTANCE {
                self.distrusted_until = Some(monotonic + DISTRUST_TIME);
            }
            self.distrusted_until = self.distrusted_until.filter(|until| monotonic < *until);
        }
        self.conversions_left -= 1;
        let (monotonic, wall) = self.reference;
        match stamp.checked_sub(wall) {
            // Stamped after the comparison, so a moment ago at most unless the wall clock is being set.
            Some(later) if later < MAX_REFERENCE_DISTANCE => monotonic + later,
            Some(_) => monotonic,
            None if self.distrusted_until.is_some() && wall - stamp > MAX_REFERENCE_DISTANCE => {
                monotonic
            }
            None => monotonic.checked_sub(wall - stamp).unwrap_or(monotonic),
        }
    }

    fn compare_clocks() -> (Instant, Duration) {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        (Instant::now(), wall.unwrap_or_default())
    }
}

/// Reads with the time of reading, as this system stamps nothing.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(in crate::net) struct ReceiveStamps;

#[cfg(not(target_os = "linux"))]
impl ReceiveStamps {
    pub(in crate::net) fn new() -> Self {
        Self
    }

    /// Reads once, without waiting. Returns the number of bytes, and the present time.
    pub(in crate::net) fn read(
        &mut self,
        mut socket: &TcpStream,
        buffer: &mut [u8],
    ) -> io::Result<(usize, Instant)> {
        use std::io::Read as _;
        let read = socket.read(buffer)?;
        Ok((read, Instant::now()))
    }

    /// The present time.
    pub(in crate::net) fn arrival_time(&mut self, _: Option<std::time::Duration>) -> Instant {
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
    fn setting_the_wall_clock_forward_predates_nothing() {
        let mut stamps = ReceiveStamps::new();
        let wall = stamps.reference.1;
        // The clocks were compared when the wall clock was a hundred seconds behind; it has been set since.
        stamps.reference.1 = wall - Duration::from_secs(100);
        let start = stamps.reference.0;
        let slack = Duration::from_millis(90);
        assert!(stamps.arrival_time(Some(wall)) + slack > start);
        // Stamped before the wall clock was set, and read only now.
        let arrived = stamps.arrival_time(Some(wall - Duration::from_secs(100)));
        assert!(arrived >= start, "{:?} before", start - arrived);
    }

    #[test]
    fn a_late_read_still_tells_the_time_of_arrival() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut far = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (near, _) = listener.accept().unwrap();
        near.set_nonblocking(true).unwrap();
        enable_receive_stamps(&near);
        let near = TcpStream::from_std(near);
        let (mut stamps, mut buffer) = (ReceiveStamps::new(), [0; 16]);
        assert!(stamps.read(&near, &mut buffer).is_err());
        // The kernel begins to stamp a moment after it was first asked.
        let is_stamped = (0..100).any(|_| {
            let before = Instant::now();
            far.write_all(b"input").unwrap();
            let after = Instant::now();
            std::thread::sleep(Duration::from_millis(20));
            let (read, arrived) = stamps.read(&near, &mut buffer).unwrap();
            assert_eq!(&buffer[..read], b"input");
            // The slack is the precision of comparing the two clocks.
            let slack = Duration::from_millis(5);
            arrived + slack >= before && arrived <= after + slack
        });
        assert!(is_stamped || cfg!(not(target_os = "linux")));
    }
}
