//! What is on its way out of one connection, under the connection's lock: bytes that the kernel
//! has not taken yet, the TLS session if there is one, and how far the connection's end has come.
//!
//! Everything that leaves is whole frames in the order in which they were put here; what the
//! kernel took in part is finished before anything else. Frames are built in a buffer of the
//! thread, go to the kernel from there, and only a remainder is kept with the connection: in the
//! steady state no allocation (TLS: one a record, inside rustls) and no memory per connection.

use std::cell::RefCell;
use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::time::Duration;

use mio::net::TcpStream;
use rustls::ServerConnection;
use socket2::SockRef;

use super::connection::SendOutcome;
use super::frame::{Opcode, write_head};
use crate::close::Disconnect;

/// Buffers of a thread or a connection that have grown beyond this are given back after use.
const KEEP_CAPACITY: usize = 64 * 1024;

thread_local! {
    static FRAME: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static WIRE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// How far a connection's end has come. Only moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Messages flow.
    Open,
    /// Our close frame is queued: nothing may follow it.
    Closing,
    /// The stream ends (FIN, under TLS after close_notify) when the queue is empty.
    Finishing,
    /// Nothing is sent or received any more.
    Ended,
}

/// The outgoing side; see the module's head.
pub(super) struct Outbox {
    /// Bytes for the wire; the first `sent` of them the kernel has taken.
    queue: Vec<u8>,
    sent: usize,
    /// The first bytes of the queue that are the rest of what was put here when nothing waited.
    begun: usize,
    tls: Option<Box<ServerConnection>>,
    pub(super) stage: Stage,
    /// Why the connection ends. The first reason is the true one.
    why: Option<Disconnect>,
    /// FIN was sent.
    finished: bool,
    /// Bytes that the kernel took since the last [`Outbox::take_sent_bytes`].
    sent_bytes: u64,
}

impl Outbox {
    pub(super) fn new(tls: Option<ServerConnection>) -> Self {
        let tls = tls.map(|mut tls| {
            // The queue here is the only bound: rustls's buffer is emptied after every write to it.
            tls.set_buffer_limit(None);
            Box::new(tls)
        });
        Self {
            queue: Vec::new(),
            sent: 0,
            begun: 0,
            tls,
            stage: Stage::Open,
            why: None,
            finished: false,
            sent_bytes: 0,
        }
    }

    /// Bytes that wait for the kernel.
    pub(super) fn pending(&self) -> usize {
        self.queue.len() - self.sent
    }

    /// Those of them that came to wait behind others: not the rest of what began at once, as a message may be of any size.
    fn queued(&self) -> usize {
        self.queue.len() - self.sent.max(self.begun)
    }

    /// Why the connection ended, or ends.
    pub(super) fn why(&self) -> Disconnect {
        self.why.unwrap_or(Disconnect::Lost)
    }

    /// Notes why the connection ends, unless that is known already.
    pub(super) fn because(&mut self, why: Disconnect) {
        self.why.get_or_insert(why);
    }

    pub(super) fn take_sent_bytes(&mut self) -> u64 {
        std::mem::take(&mut self.sent_bytes)
    }

    /// Begins binary messages that are worth sending only now: adds their bytes for the wire to `wire`. They must be offered to the
    /// kernel, and [`Outbox::took`] be told what came of it, before anything else is done with this outbox.
    /// `Err`: they can't begin, and why.
    pub(super) fn begin(
        &mut self,
        socket: &TcpStream,
        messages: &[&[u8]],
        wire: &mut Vec<u8>,
    ) -> Result<(), SendOutcome> {
        self.flush(socket);
        if self.stage != Stage::Open {
            return Err(SendOutcome::Closed);
        }
        if self.pending() > 0 {
            return Err(SendOutcome::WouldBlock);
        }
        match &mut self.tls {
            None => build_each(wire, messages),
            Some(tls) => FRAME.with_borrow_mut(|frames| {
                frames.clear();
                build_each(frames, messages);
                seal(tls, frames, wire);
                give_back(frames);
            }),
        }
        Ok(())
    }

    /// What the kernel has said to the bytes of [`Outbox::begin`]: how many it took, or why none.
    pub(super) fn took(
        &mut self,
        socket: &TcpStream,
        wire: &[u8],
        result: io::Result<usize>,
    ) -> SendOutcome {
        let taken = match result {
            Ok(taken) => taken,
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => 0,
                _ => {
                    self.fail(socket, Disconnect::Lost);
                    return SendOutcome::Closed;
                }
            },
        };
        // A sealed record can't be taken back: under TLS it is kept if the kernel blocks.
        if taken == 0 && self.tls.is_none() {
            return SendOutcome::WouldBlock;
        }
        self.sent_bytes += taken as u64;
        self.queue.extend_from_slice(&wire[taken..]);
        self.begun = self.queue.len();
        SendOutcome::Sent
    }

    /// The two in one: sends messages if they can begin now.
    pub(super) fn put_now(&mut self, mut socket: &TcpStream, messages: &[&[u8]]) -> SendOutcome {
        WIRE.with_borrow_mut(|wire| {
            wire.clear();
            if let Err(outcome) = self.begin(socket, messages, wire) {
                return outcome;
            }
            let outcome = self.took(socket, wire, socket.write(wire));
            give_back(wire);
            outcome
        })
    }

    /// Puts one frame on its way that must arrive: to the kernel if nothing is before it, else into the queue. More than `limit`
    /// bytes that wait behind others end the connection as too slow; what nothing is before may be of any size, so that the bound is one of waiting.
    pub(super) fn put(
        &mut self,
        socket: &TcpStream,
        opcode: Opcode,
        parts: &[&[u8]],
        limit: usize,
    ) -> SendOutcome {
        FRAME.with_borrow_mut(|frame| {
            frame.clear();
            build(frame, opcode, parts);
            if self.queued() > 0 && self.queued() + frame.len() > limit {
                self.fail(socket, Disconnect::TooSlow);
            } else if self.tls.is_some() {
                self.write_sealed(socket, frame);
            } else {
                self.write(socket, frame);
            }
            give_back(frame);
        });
        match self.stage {
            Stage::Ended => SendOutcome::Closed,
            _ => SendOutcome::Sent,
        }
    }

    /// Sends these bytes sealed, and before them whatever else rustls wants to say: alerts, tickets, key updates.
    pub(super) fn write_sealed(&mut self, socket: &TcpStream, bytes: &[u8]) {
        WIRE.with_borrow_mut(|wire| {
            wire.clear();
            let Some(tls) = &mut self.tls else { return };
            seal(tls, bytes, wire);
            self.write(socket, wire);
            give_back(wire);
        });
    }

    /// Sends bytes for the wire, and keeps what the kernel doesn't take.
    fn write(&mut self, socket: &TcpStream, mut bytes: &[u8]) {
        if self.stage == Stage::Ended {
            return;
        }
        if self.pending() == 0 {
            match self.send(socket, bytes) {
                Ok(sent) => bytes = &bytes[sent..],
                Err(_) => return self.fail(socket, Disconnect::Lost),
            }
            self.queue.extend_from_slice(bytes);
            self.begun = self.queue.len();
            return;
        }
        if self.sent > self.queue.len() / 2 {
            self.queue.drain(..self.sent);
            self.begun = self.begun.saturating_sub(self.sent);
            self.sent = 0;
        }
        self.queue.extend_from_slice(bytes);
    }

    /// Sends what waits, as far as the kernel takes it, and ends the stream if that is due.
    pub(super) fn flush(&mut self, socket: &TcpStream) {
        if self.stage == Stage::Ended {
            return;
        }
        if self.pending() > 0 {
            let queue = std::mem::take(&mut self.queue);
            let sent = self.send(socket, &queue[self.sent..]);
            self.queue = queue;
            match sent {
                Ok(sent) => self.sent += sent,
                Err(_) => return self.fail(socket, Disconnect::Lost),
            }
            if self.pending() == 0 {
                self.queue.clear();
                (self.sent, self.begun) = (0, 0);
                give_back(&mut self.queue);
            }
        }
        if self.stage == Stage::Finishing && self.pending() == 0 && !self.finished {
            self.finished = true;
            // It fails only where the peer has gone already.
            let _ = SockRef::from(socket).shutdown(Shutdown::Write);
        }
    }

    /// Non-blocking sends until all is gone or the kernel takes no more; gives how much it took.
    fn send(&mut self, mut socket: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
        let mut sent = 0;
        while sent < bytes.len() {
            match socket.write(&bytes[sent..]) {
                Ok(more) => sent += more,
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => break,
                    io::ErrorKind::Interrupted => {}
                    _ => return Err(error),
                },
            }
        }
        self.sent_bytes += sent as u64;
        Ok(sent)
    }

    /// Nothing more will be put: the stream ends once what waits is sent.
    pub(super) fn finish(&mut self, socket: &TcpStream) {
        if self.stage >= Stage::Finishing {
            return;
        }
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        self.write_sealed(socket, &[]);
        self.stage = self.stage.max(Stage::Finishing);
        self.flush(socket);
    }

    /// Gives up: what waits is thrown away, and the peer gets a reset.
    pub(super) fn fail(&mut self, socket: &TcpStream, why: Disconnect) {
        if self.stage == Stage::Ended {
            return;
        }
        self.because(why);
        // Without this the kernel would go on offering its buffer to a peer that doesn't read.
        let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
        self.end(socket);
    }

    /// Ends both directions. What the kernel has taken it still delivers.
    pub(super) fn end(&mut self, socket: &TcpStream) {
        self.stage = Stage::Ended;
        self.queue = Vec::new();
        (self.sent, self.begun) = (0, 0);
        self.tls = None;
        // It fails only where the peer has gone already.
        let _ = SockRef::from(socket).shutdown(Shutdown::Both);
    }

    /// Opens ciphertext. Appends the plaintext; true if the TLS stream has ended.
    pub(super) fn open(
        &mut self,
        socket: &TcpStream,
        mut ciphertext: &[u8],
        plaintext: &mut Vec<u8>,
    ) -> Result<bool, rustls::Error> {
        let mut ended = self.tls.is_none();
        while let Some(tls) = self.tls.as_mut().filter(|_| !ciphertext.is_empty()) {
            // From memory: it fails only if rustls's buffer is full, and it never is, as
            // everything that can be processed is processed after each piece.
            if !matches!(tls.read_tls(&mut ciphertext), Ok(1..)) {
                return Ok(true);
            }
            let processed = tls.process_new_packets();
            let readable = processed
                .as_ref()
                .map_or(0, |state| state.plaintext_bytes_to_read());
            if readable > 0 {
                let start = plaintext.len();
                plaintext.resize(start + readable, 0);
                let taken = tls.reader().read(&mut plaintext[start..]);
                plaintext.truncate(start + taken.unwrap_or(0));
            }
            ended |= processed
                .as_ref()
                .is_ok_and(|state| state.peer_has_closed());
            if tls.wants_write() {
                self.write_sealed(socket, &[]);
            }
            processed?;
        }
        Ok(ended)
    }
}

/// Adds a whole unmasked frame for each binary message.
fn build_each(frames: &mut Vec<u8>, messages: &[&[u8]]) {
    for message in messages {
        build(frames, Opcode::Binary, &[message]);
    }
}

/// Adds a whole unmasked frame.
fn build(frame: &mut Vec<u8>, opcode: Opcode, parts: &[&[u8]]) {
    let mut head = [0; 10];
    let head_len = write_head(opcode, parts.iter().map(|part| part.len()).sum(), &mut head);
    frame.extend_from_slice(&head[..head_len]);
    for part in parts {
        frame.extend_from_slice(part);
    }
}

/// Adds bytes as sealed records, after whatever else rustls wants to say.
fn seal(tls: &mut ServerConnection, bytes: &[u8], wire: &mut Vec<u8>) {
    // Into memory, without a bound: it takes everything and can't fail.
    let sealed = tls.writer().write_all(bytes);
    debug_assert!(sealed.is_ok());
    while tls.wants_write() {
        // Into memory: it can't fail, and it makes progress.
        if !matches!(tls.write_tls(wire), Ok(1..)) {
            break;
        }
    }
}

fn give_back(buffer: &mut Vec<u8>) {
    if buffer.capacity() > KEEP_CAPACITY {
        *buffer = Vec::new();
    }
}
