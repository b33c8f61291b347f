//! The [`Batch`] of Linux: entries go to the kernel through one io_uring, and come back before the call returns.

use crate::{MAX_ENTRIES, Received, Send};
use arrayvec::ArrayVec;
use io_uring::{IoUring, opcode, squeue, types};
use libc::{c_int, iovec, msghdr, timespec};
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, RawFd};
use std::time::Duration;

/// Space for the bytes of one socket. A player's inputs are some dozens of bytes a tick.
const RECEIVE_BYTES: usize = 2048;
/// Space for control messages of one socket: a stamp with its header, and others that a socket may be set up to send.
const CONTROL_BYTES: usize = 128;
/// Never wait, and raise no signal if the peer has gone.
const FLAGS: c_int = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;

/// Sends and receives on many sockets with one system call. A batch belongs to the thread that made it; on another thread it
/// serves socket by socket.
pub struct Batch {
    /// `None`: the kernel has refused the ring once, and is not asked again.
    ring: Option<IoUring>,
    /// The kernel's result of each entry; `None`: the kernel did not take the entry.
    results: [Option<i32>; MAX_ENTRIES],
    slots: Box<[ReceiveSlot; MAX_ENTRIES]>,
    /// When the bytes in each slot arrived.
    stamps: [Option<Duration>; MAX_ENTRIES],
}

/// Where the kernel puts the bytes of one socket.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct ReceiveSlot {
    /// Comes first, to be aligned as control headers must be.
    control: [u8; CONTROL_BYTES],
    message: msghdr,
    vector: iovec,
    bytes: [u8; RECEIVE_BYTES],
}

impl ReceiveSlot {
    const EMPTY: Self = Self {
        control: [0; CONTROL_BYTES],
        // SAFETY: all zeros are a valid value: null pointers and lengths of 0.
        message: unsafe { std::mem::zeroed() },
        // SAFETY: all zeros are a valid value: a null pointer and a length of 0.
        vector: unsafe { std::mem::zeroed() },
        bytes: [0; RECEIVE_BYTES],
    };

    /// Sets up the message that asks the kernel to fill this slot.
    ///
    /// # Safety
    /// Nobody else may use the slot.
    unsafe fn message(slot: *mut Self) -> *mut msghdr {
        // SAFETY: the caller promises that the slot is unused, and only addresses within it are taken.
        unsafe {
            (*slot).vector.iov_base = (&raw mut (*slot).bytes).cast();
            (*slot).vector.iov_len = RECEIVE_BYTES;
            let message = &raw mut (*slot).message;
            message.write(std::mem::zeroed());
            (*message).msg_iov = &raw mut (*slot).vector;
            (*message).msg_iovlen = 1;
            (*message).msg_control = (&raw mut (*slot).control).cast();
            (*message).msg_controllen = CONTROL_BYTES as _;
            message
        }
    }
}

impl Batch {
    /// A batch for this thread; `None`: this system has no io_uring, or forbids it.
    #[must_use]
    pub fn new() -> Option<Self> {
        // Entries run when this thread asks for them, and a bad one does not hold up the others (Linux 6.1).
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_submit_all()
            .build(MAX_ENTRIES as u32)
            .or_else(|_| IoUring::new(MAX_ENTRIES as u32))
            .ok()?;
        let mut probe = io_uring::Probe::new();
        ring.submitter().register_probe(&mut probe).ok()?;
        let is_supported =
            probe.is_supported(opcode::Send::CODE) && probe.is_supported(opcode::RecvMsg::CODE);
        is_supported.then(|| Self {
            ring: Some(ring),
            results: [None; MAX_ENTRIES],
            slots: Box::new([ReceiveSlot::EMPTY; MAX_ENTRIES]),
            stamps: [None; MAX_ENTRIES],
        })
    }

    /// Sends as `send(2)` does, without waiting. Calls `sent` with each index and how many bytes the kernel took, or why none.
    /// Only the first [`MAX_ENTRIES`] are sent.
    pub fn send<'a>(
        &mut self,
        sends: impl IntoIterator<Item = Send<'a>>,
        mut sent: impl FnMut(usize, io::Result<usize>),
    ) {
        // Extended in place: a collected `ArrayVec` would be moved with all its vacant places.
        let mut accepted = ArrayVec::<Send<'_>, MAX_ENTRIES>::new();
        accepted.extend(sends.into_iter().take(MAX_ENTRIES));
        let entry = |send: &Send<'_>| {
            let socket = types::Fd(send.socket.as_raw_fd());
            // A length beyond 32 bits is cut, which looks like a short send.
            let length = u32::try_from(send.bytes.len()).unwrap_or(u32::MAX);
            opcode::Send::new(socket, send.bytes.as_ptr(), length)
                .flags(FLAGS)
                .build()
        };
        // SAFETY: sockets and bytes are borrowed until this function returns, and no entry waits.
        unsafe { self.run(accepted.iter().map(entry)) };
        for (index, (send, result)) in accepted.iter().zip(&self.results).enumerate() {
            let result = result.map_or_else(|| send_alone(send), to_result);
            sent(index, result);
        }
    }

    /// Receives as `recvmsg(2)` does, without waiting; [`Batch::received`] returns the results. Only the first [`MAX_ENTRIES`]
    /// sockets are read.
    pub fn receive<'a>(&mut self, sockets: impl IntoIterator<Item = BorrowedFd<'a>>) {
        let mut accepted = ArrayVec::<BorrowedFd<'_>, MAX_ENTRIES>::new();
        accepted.extend(sockets.into_iter().take(MAX_ENTRIES));
        // The only way to the slots in this function, so that the kernel's pointers stay valid.
        let slots = self.slots.as_mut_ptr();
        let entries = accepted.iter().enumerate().map(|(index, socket)| {
            // SAFETY: there are at least as many slots as sockets, and nobody else uses them.
            let message = unsafe { ReceiveSlot::message(slots.add(index)) };
            opcode::RecvMsg::new(types::Fd(socket.as_raw_fd()), message)
                .flags(FLAGS as u32)
                .build()
        });
        // SAFETY: the sockets are borrowed and the slots live in `self` until this function returns, and no entry waits.
        unsafe { self.run(entries) };
        for (index, socket) in accepted.iter().enumerate() {
            let result = *self.results[index].get_or_insert_with(|| {
                // SAFETY: the slot of this index exists, and the kernel did not take its entry.
                unsafe { receive_alone(socket.as_raw_fd(), ReceiveSlot::message(slots.add(index))) }
            });
            // SAFETY: the kernel has filled in the message, or left it as it was set up.
            let stamp = || unsafe { stamp(&(*slots.add(index)).message) };
            self.stamps[index] = (result >= 0).then(stamp).flatten();
        }
    }

    /// The result of the last [`Batch::receive`] for the socket of this index.
    pub fn received(&mut self, index: usize) -> Received<'_> {
        let nothing = Err(io::ErrorKind::WouldBlock.into());
        let result = self.results.get(index).copied().flatten();
        let length = result.map_or(nothing, to_result);
        Received {
            is_full: matches!(length, Ok(RECEIVE_BYTES)),
            stamp: self.stamps.get(index).copied().flatten(),
            bytes: length.map(|length| &mut self.slots[index].bytes[..length.min(RECEIVE_BYTES)]),
        }
    }

    /// Submits at most [`MAX_ENTRIES`] entries to the kernel, waits for all of them, and records the result of each.
    ///
    /// # Safety
    /// The memory that the entries point to must stay in place until this returns, and no entry may wait for anything: only then
    /// has the kernel let go of all of them even if it fails midway.
    unsafe fn run(&mut self, entries: impl Iterator<Item = squeue::Entry>) {
        self.results = [None; MAX_ENTRIES];
        let Some(ring) = &mut self.ring else { return };
        let mut count = 0;
        let mut queue = ring.submission();
        for entry in entries.take(MAX_ENTRIES) {
            // SAFETY: the caller promises that the entry's memory stays in place.
            let is_queued = unsafe { queue.push(&entry.user_data(count as u64)) };
            if is_queued.is_err() {
                break;
            }
            count += 1;
        }
        drop(queue);
        let mut unfinished = count;
        while unfinished > 0 {
            let submitted = ring.submit_and_wait(unfinished);
            for done in ring.completion() {
                if let Some(result) = self.results.get_mut(done.user_data() as usize) {
                    *result = Some(done.result());
                    unfinished -= 1;
                }
            }
            match submitted {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    // Entries that the kernel did not take are dropped with the ring, and so never reach it.
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

/// The kernel's result: a count, or an error's number, negative.
fn to_result(result: i32) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result))
}

/// Sends on one socket, without the ring.
fn send_alone(send: &Send<'_>) -> io::Result<usize> {
    let (start, length) = (send.bytes.as_ptr().cast(), send.bytes.len());
    // SAFETY: the bytes are borrowed, and the kernel only reads them.
    let sent = unsafe { libc::send(send.socket.as_raw_fd(), start, length, FLAGS) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Receives on one socket, without the ring. Returns the number of bytes, or an error's number, negative.
///
/// # Safety
/// The message must be set up, and nobody else may use it or the memory that it points to.
unsafe fn receive_alone(socket: RawFd, message: *mut msghdr) -> i32 {
    // SAFETY: the caller promises a message that is set up and unused.
    let read = unsafe { libc::recvmsg(socket, message, FLAGS) };
    match i32::try_from(read) {
        Ok(read @ 0..) => read,
        _ => -io::Error::last_os_error()
            .raw_os_error()
            .unwrap_or(libc::EIO),
    }
}

/// When a message's newest bytes arrived, since 1970.
///
/// # Safety
/// The message's control space must be as the kernel left it.
unsafe fn stamp(message: &msghdr) -> Option<Duration> {
    // SAFETY: the control space is as the kernel left it; the walk stays within the length that the kernel wrote.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !header.is_null() {
        // SAFETY: the header is not null, so it is within the control space.
        let (level, kind) = unsafe { ((*header).cmsg_level, (*header).cmsg_type) };
        if (level, kind) == (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) {
            // SAFETY: a header of this kind is followed by a `timespec`, which an unaligned read may take from anywhere.
            let stamp: timespec =
                unsafe { libc::CMSG_DATA(header).cast::<timespec>().read_unaligned() };
            let seconds = u64::try_from(stamp.tv_sec).ok()?;
            return Some(Duration::new(seconds, u32::try_from(stamp.tv_nsec).ok()?));
        }
        // SAFETY: message and header are as the kernel left them.
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

    /// A batch with a ring, where this machine permits it, and one whose ring the kernel has refused.
    fn batches() -> Vec<Batch> {
        let refused = Batch {
            ring: None,
            results: [None; MAX_ENTRIES],
            slots: Box::new([ReceiveSlot::EMPTY; MAX_ENTRIES]),
            stamps: [None; MAX_ENTRIES],
        };
        Batch::new().into_iter().chain([refused]).collect()
    }

    #[test]
    fn each_socket_gets_its_own_bytes() {
        for mut batch in batches() {
            let pairs: Vec<_> = (0..MAX_ENTRIES).map(|_| pair()).collect();
            let texts: Vec<_> = (0..MAX_ENTRIES)
                .map(|number| format!("number {number}"))
                .collect();
            let sends = pairs.iter().zip(&texts).map(|((near, _), text)| Send {
                socket: near.as_fd(),
                bytes: text.as_bytes(),
            });
            let mut count = 0;
            batch.send(sends, |index, sent| {
                assert_eq!((index, sent.unwrap()), (count, texts[count].len()));
                count += 1;
            });
            assert_eq!(count, MAX_ENTRIES);
            for ((_, far), text) in pairs.iter().zip(&texts) {
                let mut read = vec![0; text.len()];
                (&*far).read_exact(&mut read).unwrap();
                assert_eq!(read, text.as_bytes());
            }
        }
    }

    #[test]
    fn a_full_or_broken_socket_does_not_stop_the_others() {
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
            batch.send(sends, |_, sent| {
                kinds.push(sent.map_err(|error| error.kind()))
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
    fn bytes_are_received_with_their_stamp_without_waiting() {
        for mut batch in batches() {
            let (near, mut far) = pair();
            let (silent, _open) = pair();
            let (ended, end) = pair();
            drop(end);
            let on: c_int = 1;
            // SAFETY: the option is an int, which is borrowed for the call.
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
            // The kernel begins to stamp a moment after it was first asked, and the end of the stream may still be on its way.
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
            far.write_all(&[7; RECEIVE_BYTES + 1]).unwrap();
            let mut lengths = Vec::new();
            while lengths.iter().sum::<usize>() < RECEIVE_BYTES + 1 {
                batch.receive([near.as_fd()]);
                let received = batch.received(0);
                if let Ok(bytes) = received.bytes {
                    assert_eq!(received.is_full, bytes.len() == RECEIVE_BYTES);
                    lengths.push(bytes.len());
                }
            }
            assert_eq!(lengths.iter().sum::<usize>(), RECEIVE_BYTES + 1);
        }
    }
}
