//! Lets ACKs of what a player sends go along with the snapshots, instead of in packets of their own.
//!
//! When a read empties a socket on which two small segments have come since the last ACK, Linux sends one at once
//! (`__tcp_cleanup_rbuf`, net/ipv4/tcp.c). Inputs come so where two fall into one tick: now and then by jitter, and to everybody when
//! ticks are late. The snapshot that follows has the same ACK; the packet before it takes time just when there is none, and so a worker
//! that was late once stayed late (docs/PERFORMANCE.md, number 11).
//!
//! Linux does not while anything is left in the socket's receive buffer. So something is: the note of when one message was sent
//! (SO_TIMESTAMPING, Documentation/networking/timestamping.rst), which nobody fetches. It has no payload and is less than a KiB of
//! the kernel's; it goes with the socket. If no snapshot follows, the ACK comes as late as the kernel delays any (40 ms), or
//! with the next half KiB. A kernel that knows no such notes, or counts otherwise, sends its ACKs as before.

use mio::net::TcpStream;

/// Has `send` leave the note of its sending with the socket; see the module's head. A poller that still watches the socket takes the
/// note for something to read: one read for nothing at each event.
pub(super) fn with_note<T>(socket: &TcpStream, send: impl FnOnce() -> T) -> T {
    ask_for_notes(socket, true);
    let sent = send();
    ask_for_notes(socket, false);
    sent
}

#[cfg(target_os = "linux")]
fn ask_for_notes(socket: &TcpStream, are_wanted: bool) {
    use nix::libc::SOF_TIMESTAMPING_TX_SCHED;
    use nix::sys::socket::{TimestampingFlag, setsockopt, sockopt::Timestamping};
    let wanted = match are_wanted {
        // When a segment is handed to the device, without a copy of it.
        true => {
            TimestampingFlag::from_bits_retain(SOF_TIMESTAMPING_TX_SCHED)
                | TimestampingFlag::SOF_TIMESTAMPING_OPT_TSONLY
        }
        false => TimestampingFlag::empty(),
    };
    if let Err(error) = setsockopt(socket, Timestamping, &wanted) {
        tracing::debug!("sendings are not noted: {error}");
    }
}

#[cfg(not(target_os = "linux"))]
fn ask_for_notes(_: &TcpStream, _: bool) {}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    /// Bytes that were sent from this end and are not acknowledged, as /proc/net/tcp has them.
    fn unacknowledged(end: &std::net::TcpStream) -> usize {
        let [local, remote] = [end.local_addr(), end.peer_addr()]
            .map(|address| format!("0100007F:{:04X}", address.unwrap().port()));
        // Connections to other places may have the same port here.
        let ends = [Some(&*local), Some(&*remote)];
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let mut lines = table.lines().map(|line| line.split_whitespace());
        let mut line = lines
            .find(|line| {
                let mut line = line.clone().skip(1);
                [line.next(), line.next()] == ends
            })
            .unwrap();
        let (sent, _) = line.nth(4).unwrap().split_once(':').unwrap();
        usize::from_str_radix(sent, 16).unwrap()
    }

    /// Of a hundred ticks with two inputs each: after how many reads the inputs are still to be acknowledged, and whether each
    /// snapshot has done it.
    fn held_back(has_note: bool) -> (usize, bool) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut far = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        far.set_nodelay(true).unwrap();
        let near = listener.accept().unwrap().0;
        near.set_nonblocking(true).unwrap();
        near.set_nodelay(true).unwrap();
        let near = TcpStream::from_std(near);
        let mut buffer = [0; 256];
        let mut send = |far: &mut std::net::TcpStream| {
            (&near).write_all(&[1; 200]).unwrap();
            far.read_exact(&mut buffer[..200]).unwrap();
        };
        match has_note {
            true => with_note(&near, || send(&mut far)),
            false => send(&mut far),
        }
        let (mut count, mut all_sent) = (0, true);
        for _ in 0..100 {
            far.write_all(&[2; 40]).unwrap();
            far.write_all(&[3; 40]).unwrap();
            let mut read = [0; 128];
            let mut came = 0;
            while came < 80 {
                came += (&near).read(&mut read).unwrap_or_default();
            }
            count += usize::from(unacknowledged(&far) > 0);
            send(&mut far);
            all_sent &= unacknowledged(&far) == 0;
        }
        (count, all_sent)
    }

    #[test]
    fn what_is_read_is_acknowledged_by_what_is_sent_next() {
        let (without, _) = held_back(false);
        let (with, all_sent) = held_back(true);
        // At first, and where this test is held up for longer than the kernel waits, it sends ACKs of its own.
        assert!(
            with > 10 && without < with,
            "{with} with, {without} without"
        );
        assert!(all_sent);
    }
}
