//! See the crate's head.

use crate::{MOST, Received, Send};
use arrayvec::ArrayVec;
use io_uring::{IoUring, opcode, squeue, types};
use libc::{c_int, iovec, msghdr, timespec};
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, RawFd};
use std::time::Duration;

/// Space for what one socket has received: a player's inputs are some dozens of bytes a tick.
const SPACE: usize = 2048;
/// Space for a stamp and its header, and for more that a socket may have been asked to tell.
const CONTROL: usize = 128;
/// Never wait, and no signal where the peer has gone.
const FLAGS: c_int = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;

/// See the crate's head. Belongs to the thread that made it: on another one it serves socket by socket.
pub struct Batch {
    /// `None`: the kernel has refused it once, and is not asked again.
    ring: Option<IoUring>,
    /// What became of each entry, as the kernel says it; `None`: it did not take the entry.
    results: [Option<i32>; MOST],
    spaces: Box<[Space; MOST]>,
    /// When what is in each space came.
    stamps: [Option<Duration>; MOST],
}

/// Where the kernel puts what one socket has received.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Space {
    /// First, to be aligned as headers must be.
    control: [u8; CONTROL],
    message: msghdr,
    vector: iovec,
    bytes: [u8; SPACE],
}

impl Space {
    const EMPTY: Self = Self {
        control: [0; CONTROL],
        // SAFETY: all bits 0 are a value: null pointers and lengths of 0.
        message: unsafe { std::mem::zeroed() },
        // SAFETY: the same.
        vector: unsafe { std::mem::zeroed() },
        bytes: [0; SPACE],
    };

    /// Sets up the message that asks the kernel to fill this space.
    ///
    /// # Safety
    /// The space must be nobody else's.
    unsafe fn message(space: *mut Self) -> *mut msghdr {
        // SAFETY: as the caller promises; only addresses within the space are taken.
        unsafe {
            (*space).vector.iov_base = (&raw mut (*space).bytes).cast();
            (*space).vector.iov_len = SPACE;
            let message = &raw mut (*space).message;
            message.write(std::mem::zeroed());
            (*message).msg_iov = &raw mut (*space).vector;
            (*message).msg_iovlen = 1;
            (*message).msg_control = (&raw mut (*space).control).cast();
            (*message).msg_controllen = CONTROL as _;
            message
        }
    }
}

impl Batch {
    /// `None`: this system has no io_uring, or forbids it.
    #[must_use]
    pub fn new() -> Option<Self> {
        // What is queued runs when this thread asks for it, and one bad entry does not hold up the others (Linux 6.1).
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_submit_all()
            .build(MOST as u32)
            .or_else(|_| IoUring::new(MOST as u32))
            .ok()?;
        let mut probe = io_uring::Probe::new();
        ring.submitter().register_probe(&mut probe).ok()?;
        let is_able =
            probe.is_supported(opcode::Send::CODE) && probe.is_supported(opcode::RecvMsg::CODE);
        is_able.then(|| Self {
            ring: Some(ring),
            results: [None; MOST],
            spaces: Box::new([Space::EMPTY; MOST]),
            stamps: [None; MOST],
        })
    }

    /// Sends as `send(2)` does, without waiting: says for each, by its index, how many bytes the kernel took, or why none. The first
    /// [`MOST`] are sent.
    pub fn send<'a>(
        &mut self,
        sends: impl IntoIterator<Item = Send<'a>>,
        mut took: impl FnMut(usize, io::Result<usize>),
    ) {
        // Filled where it is: a collected one is moved, with all its vacant places.
        let mut asked = ArrayVec::<Send<'_>, MOST>::new();
        asked.extend(sends.into_iter().take(MOST));
        let entry = |send: &Send<'_>| {
            let socket = types::Fd(send.socket.as_raw_fd());
            // A length beyond 32 bits is cut, as a short send would be.
            let length = u32::try_from(send.bytes.len()).unwrap_or(u32::MAX);
            opcode::Send::new(socket, send.bytes.as_ptr(), length)
                .flags(FLAGS)
                .build()
        };
        // SAFETY: sockets and bytes are borrowed until this function returns, and no entry waits.
        unsafe { self.run(asked.iter().map(entry)) };
        for (index, (send, result)) in asked.iter().zip(&self.results).enumerate() {
            let result = result.map_or_else(|| send_alone(send), to_result);
            took(index, result);
        }
    }

    /// Receives as `recvmsg(2)` does, without waiting; [`Batch::received`] has what came. The first [`MOST`] are asked.
    pub fn receive<'a>(&mut self, sockets: impl IntoIterator<Item = BorrowedFd<'a>>) {
        let mut asked = ArrayVec::<BorrowedFd<'_>, MOST>::new();
        asked.extend(sockets.into_iter().take(MOST));
        // The only way to the spaces in here, so that the kernel's pointers stay good.
        let spaces = self.spaces.as_mut_ptr();
        let entries = asked.iter().enumerate().map(|(index, socket)| {
            // SAFETY: there are as many spaces as sockets, and they are ours.
            let message = unsafe { Space::message(spaces.add(index)) };
            opcode::RecvMsg::new(types::Fd(socket.as_raw_fd()), message)
                .flags(FLAGS as u32)
                .build()
        });
        // SAFETY: the sockets are borrowed and the spaces live in `self` until this function returns, and no entry waits.
        unsafe { self.run(entries) };
        for (index, socket) in asked.iter().enumerate() {
            let result = *self.results[index].get_or_insert_with(|| {
                // SAFETY: as above.
                unsafe { receive_alone(socket.as_raw_fd(), Space::message(spaces.add(index))) }
            });
            // SAFETY: the kernel has filled in the message, or left it as it was set up.
            let stamp = || unsafe { stamp(&(*spaces.add(index)).message) };
            self.stamps[index] = (result >= 0).then(stamp).flatten();
        }
    }

    /// What the last [`Batch::receive`] gave on the socket of this index.
    pub fn received(&mut self, index: usize) -> Received<'_> {
        let nothing = Err(io::ErrorKind::WouldBlock.into());
        let result = self.results.get(index).copied().flatten();
        let length = result.map_or(nothing, to_result);
        Received {
            is_full: matches!(length, Ok(SPACE)),
            stamp: self.stamps.get(index).copied().flatten(),
            bytes: length.map(|length| &mut self.spaces[index].bytes[..length.min(SPACE)]),
        }
    }

    /// Has the kernel work through entries, at most [`MOST`], and notes what became of each.
    ///
    /// # Safety
    /// What the entries point to must stay in place until this returns, and none of them may wait for anything: only then has the
    /// kernel let go of all of them even if it fails midway.
    unsafe fn run(&mut self, entries: impl Iterator<Item = squeue::Entry>) {
        self.results = [None; MOST];
        let Some(ring) = &mut self.ring else { return };
        let mut count = 0;
        let mut queue = ring.submission();
        for entry in entries.take(MOST) {
            // SAFETY: as the caller promises.
            let is_queued = unsafe { queue.push(&entry.user_data(count as u64)) };
            if is_queued.is_err() {
                break;
            }
            count += 1;
        }
        drop(queue);
        let mut left = count;
        while left > 0 {
            let submitted = ring.submit_and_wait(left);
            for done in ring.completion() {
                if let Some(result) = self.results.get_mut(done.user_data() as usize) {
                    *result = Some(done.result());
                    left -= 1;
                }
            }
            match submitted {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    // Entries that it did not take go with the ring, and so never come to the kernel.
                    self.ring = None;
                    return;
                }
            }
        }
    }
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch")
            .field("has_ring", &self.ring.is_some())
            .finish_non_exhaustive()
    }
}

fn to_result(result: i32) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result))
}

fn send_alone(send: &Send<'_>) -> io::Result<usize> {
    let (start, length) = (send.bytes.as_ptr().cast(), send.bytes.len());
    // SAFETY: the bytes are borrowed, and the kernel only reads them.
    let took = unsafe { libc::send(send.socket.as_raw_fd(), start, length, FLAGS) };
    usize::try_from(took).map_err(|_| io::Error::last_os_error())
}

/// The kernel's word: how many bytes, or an error's number, negative.
///
/// # Safety
/// The message must be set up, and be nobody else's with all that it points to.
unsafe fn receive_alone(socket: RawFd, message: *mut msghdr) -> i32 {
    // SAFETY: as the caller promises.
    let read = unsafe { libc::recvmsg(socket, message, FLAGS) };
    match i32::try_from(read) {
        Ok(read @ 0..) => read,
        _ => -io::Error::last_os_error()
            .raw_os_error()
            .unwrap_or(libc::EIO),
    }
}

/// When a message's newest bytes came, since 1970.
///
/// # Safety
/// The message's control space must be as the kernel left it.
unsafe fn stamp(message: &msghdr) -> Option<Duration> {
    // SAFETY: as the caller promises; these walk the headers that the kernel wrote, within the length that it wrote.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !header.is_null() {
        // SAFETY: not null, and so within the control space.
        let (level, kind) = unsafe { ((*header).cmsg_level, (*header).cmsg_type) };
        if (level, kind) == (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) {
            // SAFETY: a header of this kind is followed by a `timespec`; how it is aligned does not matter.
            let stamp: timespec =
                unsafe { libc::CMSG_DATA(header).cast::<timespec>().read_unaligned() };
            let seconds = u64::try_from(stamp.tv_sec).ok()?;
            return Some(Duration::new(seconds, u32::try_from(stamp.tv_nsec).ok()?));
        }
        // SAFETY: both are as the kernel left them.
        header = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]
    use super::*;
    use std::io::{ErrorKind, Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd as _;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let far = listener.accept().unwrap().0;
        (near, far)
    }

    /// One with the ring, where this machine permits it, and one that the kernel has refused.
    fn batches() -> Vec<Batch> {
        let refused = Batch {
            ring: None,
            results: [None; MOST],
            spaces: Box::new([Space::EMPTY; MOST]),
            stamps: [None; MOST],
        };
        Batch::new().into_iter().chain([refused]).collect()
    }

    #[test]
    fn each_socket_gets_its_own_bytes() {
        for mut batch in batches() {
            let pairs: Vec<_> = (0..MOST).map(|_| pair()).collect();
            let texts: Vec<_> = (0..MOST).map(|number| format!("number {number}")).collect();
            let sends = pairs.iter().zip(&texts).map(|((near, _), text)| Send {
                socket: near.as_fd(),
                bytes: text.as_bytes(),
            });
            let mut count = 0;
            batch.send(sends, |index, took| {
                assert_eq!((index, took.unwrap()), (count, texts[count].len()));
                count += 1;
            });
            assert_eq!(count, MOST);
            for ((_, far), text) in pairs.iter().zip(&texts) {
                let mut read = vec![0; text.len()];
                (&*far).read_exact(&mut read).unwrap();
                assert_eq!(read, text.as_bytes());
            }
        }
    }

    #[test]
    fn nothing_waits_and_one_that_fails_does_not_stop_the_others() {
        for mut batch in batches() {
            let (full, _reads_nothing) = pair();
            let (good, mut far) = pair();
            let (gone, _) = pair();
            gone.shutdown(std::net::Shutdown::Write).unwrap();
            full.set_nonblocking(true).unwrap();
            while (&full).write(&[0; 65_536]).is_ok() {}
            let bytes = b"hello";
            let sends = [&full, &gone, &good].map(|socket| Send {
                socket: socket.as_fd(),
                bytes,
            });
            let mut kinds = Vec::new();
            batch.send(sends, |_, took| {
                kinds.push(took.map_err(|error| error.kind()))
            });
            assert_eq!(
                kinds,
                [
                    Err(ErrorKind::WouldBlock),
                    Err(ErrorKind::BrokenPipe),
                    Ok(5)
                ]
            );
            let mut read = [0; 5];
            far.read_exact(&mut read).unwrap();
            assert_eq!(&read, bytes);
        }
    }

    #[test]
    fn what_came_is_received_with_its_stamp_and_without_waiting() {
        for mut batch in batches() {
            let (near, mut far) = pair();
            let (silent, _open) = pair();
            let (ended, end) = pair();
            drop(end);
            let on: c_int = 1;
            // SAFETY: the option is an int, which is lent for the call.
            let set = unsafe {
                let length = size_of::<c_int>() as u32;
                let (level, name) = (libc::SOL_SOCKET, libc::SO_TIMESTAMPNS);
                libc::setsockopt(
                    near.as_raw_fd(),
                    level,
                    name,
                    std::ptr::from_ref(&on).cast(),
                    length,
                )
            };
            assert_eq!(set, 0);
            // The kernel begins to stamp a moment after it was first asked, and the end must have come.
            let mut is_stamped = false;
            while !is_stamped {
                far.write_all(b"inputs").unwrap();
                let mut seen = Vec::new();
                batch.receive([near.as_fd(), silent.as_fd(), ended.as_fd()]);
                for index in 0..3 {
                    let received = batch.received(index);
                    assert!(!received.is_full);
                    is_stamped |= received.stamp.is_some();
                    let bytes = received.bytes.map(|bytes| bytes.to_vec());
                    seen.push(bytes.map_err(|error| error.kind()));
                }
                assert!(matches!(&seen[0], Ok(bytes) if bytes.starts_with(b"inputs")));
                assert_eq!(seen[1], Err(ErrorKind::WouldBlock));
                is_stamped &= seen[2] == Ok(Vec::new());
            }
            far.write_all(&[7; SPACE + 1]).unwrap();
            let mut lengths = Vec::new();
            while lengths.iter().sum::<usize>() < SPACE + 1 {
                batch.receive([near.as_fd()]);
                let received = batch.received(0);
                if let Ok(bytes) = received.bytes {
                    assert_eq!(received.is_full, bytes.len() == SPACE);
                    lengths.push(bytes.len());
                }
            }
            assert_eq!(lengths.iter().sum::<usize>(), SPACE + 1);
        }
    }
}
