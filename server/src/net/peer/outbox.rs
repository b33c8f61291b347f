//! The outgoing side of one connection, under the connection's lock.
//!
//! In: messages. Out: whole frames to the kernel, in the order in which they came here. A frame that the kernel took in part is
//! finished before anything else is sent. Frames are built in a buffer of the thread and go to the kernel from there; only a
//! remainder is kept with the connection. So a message that the kernel takes at once needs no allocation (under TLS one per
//! record, inside rustls) and no memory of the connection. A large message that goes to many may end with shared bytes, of which no
//! connection has a copy: they go to the kernel from where they are, and under TLS they are sealed piece by piece. Nothing here waits.

use std::cell::RefCell;
use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::time::Duration;

use bytes::Bytes;
use mio::net::TcpStream;
use rustls::ServerConnection;
use socket2::SockRef;

use super::send::SendOutcome;
use super::send_queue::{SendQueue, free_if_large};
use super::shared_rest::SharedRest;
use crate::close::DisconnectReason;
use crate::net::websocket::frame::{Opcode, write_frame_header};

thread_local! {
    static FRAME: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static WIRE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The connection's way from open to ended. It only moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SendState {
    /// Messages flow.
    Open,
    /// Our close frame is queued; nothing may follow it.
    Closing,
    /// The stream ends (FIN; under TLS after close_notify) once the queue is empty.
    Finishing,
    /// FIN was sent; the peer may still send.
    Finished,
    /// Nothing is sent or received.
    Ended,
}

/// Bytes that wait for the kernel, the TLS session if there is one, and how far the connection is from its end.
pub(super) struct Outbox {
    queue: SendQueue,
    /// Follows the queue. Frames that come meanwhile wait behind it.
    shared_rest: Option<Box<SharedRest>>,
    tls: Option<Box<ServerConnection>>,
    pub(super) state: SendState,
    /// Why the connection ends. The first reason counts.
    reason: Option<DisconnectReason>,
    /// Bytes that the kernel took since the last [`Outbox::take_sent_bytes`].
    sent_bytes: u64,
}

impl Outbox {
    pub(super) fn new(tls: Option<ServerConnection>) -> Self {
        let tls = tls.map(|mut tls| {
            // The queue is the only bound, because rustls's buffer is emptied after every write to it.
            tls.set_buffer_limit(None);
            Box::new(tls)
        });
        Self {
            queue: SendQueue::default(),
            shared_rest: None,
            tls,
            state: SendState::Open,
            reason: None,
            sent_bytes: 0,
        }
    }

    /// Bytes that wait for the kernel.
    pub(super) fn pending_bytes(&self) -> usize {
        let shared = self.shared_rest.as_ref();
        self.queue.pending().len() + shared.map_or(0, |rest| rest.pending_bytes())
    }

    /// The bytes of these that only this connection holds.
    pub(super) fn own_pending_bytes(&self) -> usize {
        let shared = self.shared_rest.as_ref();
        self.queue.pending().len() + shared.map_or(0, |rest| rest.bytes_behind())
    }

    /// Pending bytes that count towards the limit; see [`SendQueue::bytes_behind_remainder`].
    fn bytes_behind_remainder(&self) -> usize {
        let shared = self.shared_rest.as_ref();
        self.queue.bytes_behind_remainder() + shared.map_or(0, |rest| rest.bytes_behind())
    }

    /// Why the connection ended, or is ending.
    pub(super) fn reason(&self) -> DisconnectReason {
        self.reason.unwrap_or(DisconnectReason::Lost)
    }

    /// Sets why the connection ends, unless there is a reason already.
    pub(super) fn set_reason(&mut self, why: DisconnectReason) {
        self.reason.get_or_insert(why);
    }

    pub(super) fn take_sent_bytes(&mut self) -> u64 {
        std::mem::take(&mut self.sent_bytes)
    }

    /// Begins to send binary messages that are worth sending only now: appends their bytes for the wire to `wire`. The caller
    /// must offer them to the kernel and pass the result to [`Outbox::complete_send`] before it does anything else with this
    /// outbox.
    ///
    /// # Errors
    /// Why the messages cannot begin.
    pub(super) fn begin_send(
        &mut self,
        socket: &TcpStream,
        messages: &[&[u8]],
        wire: &mut Vec<u8>,
    ) -> Result<(), SendOutcome> {
        self.flush(socket);
        self.begin_flushed(messages, wire)
    }

    /// [`Outbox::begin_send`] after a flush, which uses [`WIRE`].
    fn begin_flushed(&mut self, messages: &[&[u8]], wire: &mut Vec<u8>) -> Result<(), SendOutcome> {
        if self.state != SendState::Open {
            return Err(SendOutcome::Closed);
        }
        if self.pending_bytes() > 0 {
            return Err(SendOutcome::WouldBlock);
        }
        match &mut self.tls {
            None => append_frames(wire, messages),
            Some(tls) => FRAME.with_borrow_mut(|frames| {
                frames.clear();
                append_frames(frames, messages);
                seal(tls, frames, wire);
                free_if_large(frames);
            }),
        }
        Ok(())
    }

    /// Records the kernel's answer to the bytes of [`Outbox::begin_send`]: how many it took, or why none.
    pub(super) fn complete_send(
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
                    self.abort(socket, DisconnectReason::Lost);
                    return SendOutcome::Closed;
                }
            },
        };
        // A sealed record cannot be taken back: under TLS it is queued if the kernel blocks.
        if taken == 0 && self.tls.is_none() {
            return SendOutcome::WouldBlock;
        }
        self.sent_bytes += taken as u64;
        self.queue.push_remainder(&wire[taken..]);
        SendOutcome::Sent
    }

    /// Sends binary messages if they can begin now.
    pub(super) fn try_send(&mut self, mut socket: &TcpStream, messages: &[&[u8]]) -> SendOutcome {
        self.flush(socket);
        WIRE.with_borrow_mut(|wire| {
            wire.clear();
            if let Err(outcome) = self.begin_flushed(messages, wire) {
                return outcome;
            }
            let outcome = self.complete_send(socket, wire, socket.write(wire));
            free_if_large(wire);
            outcome
        })
    }

    /// Sends one frame that must arrive: to the kernel if the queue is empty, else into the queue. More than `max_queued` bytes
    /// behind others end the connection as too slow. A frame that finds the queue empty may be of any size, so the limit bounds
    /// waiting and not the size of messages.
    pub(super) fn send(
        &mut self,
        socket: &TcpStream,
        opcode: Opcode,
        parts: &[&[u8]],
        max_queued: usize,
    ) -> SendOutcome {
        FRAME.with_borrow_mut(|frame| {
            frame.clear();
            append_frame(frame, opcode, parts);
            self.send_frames(socket, frame, max_queued);
            free_if_large(frame);
        });
        self.outcome_of_reliable()
    }

    /// Sends one binary message that must arrive, as [`Outbox::send`] does, and that ends with bytes which others share. Of these no
    /// copy is made, and they do not count towards `max_queued`.
    pub(super) fn send_sharing(
        &mut self,
        socket: &TcpStream,
        start: &[u8],
        rest: &Bytes,
        max_queued: usize,
    ) -> SendOutcome {
        if self.shared_rest.is_some() {
            // One after the other would need a queue of them, and nobody sends two.
            return self.send(socket, Opcode::Binary, &[start, rest], max_queued);
        }
        FRAME.with_borrow_mut(|frame| {
            frame.clear();
            append_header(frame, Opcode::Binary, start.len() + rest.len());
            frame.extend_from_slice(start);
            self.send_frames(socket, frame, max_queued);
        });
        if self.state != SendState::Ended && !rest.is_empty() {
            self.shared_rest = Some(Box::new(SharedRest::new(rest.clone())));
            self.flush(socket);
        }
        self.outcome_of_reliable()
    }

    /// Sends the bytes of frames that must arrive.
    fn send_frames(&mut self, socket: &TcpStream, frames: &[u8], max_queued: usize) {
        let queued_bytes = self.bytes_behind_remainder();
        if queued_bytes > 0 && queued_bytes + frames.len() > max_queued {
            self.abort(socket, DisconnectReason::TooSlow);
        } else if let Some(rest) = &mut self.shared_rest {
            rest.push_behind(frames);
        } else {
            self.write_frames(socket, frames);
        }
    }

    fn outcome_of_reliable(&self) -> SendOutcome {
        match self.state {
            SendState::Ended => SendOutcome::Closed,
            _ => SendOutcome::Sent,
        }
    }

    /// Queues the bytes of frames, sealed where the connection uses TLS.
    fn queue_frames(&mut self, frames: &[u8]) {
        match &mut self.tls {
            None => self.queue.push(frames),
            Some(tls) => WIRE.with_borrow_mut(|wire| {
                wire.clear();
                seal(tls, frames, wire);
                self.queue.push(wire);
                free_if_large(wire);
            }),
        }
    }

    /// Sends the bytes of frames behind what is queued, sealed where the connection uses TLS.
    fn write_frames(&mut self, socket: &TcpStream, frames: &[u8]) {
        if self.tls.is_some() {
            self.write_sealed(socket, frames);
        } else {
            self.write(socket, frames);
        }
    }

    /// Sends bytes sealed by TLS, after whatever else rustls has to send: alerts, tickets, key updates.
    pub(super) fn write_sealed(&mut self, socket: &TcpStream, bytes: &[u8]) {
        WIRE.with_borrow_mut(|wire| {
            wire.clear();
            let Some(tls) = &mut self.tls else { return };
            seal(tls, bytes, wire);
            self.write(socket, wire);
            free_if_large(wire);
        });
    }

    /// Sends bytes for the wire, and queues those that the kernel does not take.
    fn write(&mut self, socket: &TcpStream, bytes: &[u8]) {
        if self.state == SendState::Ended {
            return;
        }
        // Whatever is sealed goes before the rest of a message that is not.
        if !self.queue.pending().is_empty() {
            return self.queue.push(bytes);
        }
        match write_to_kernel(socket, bytes) {
            Ok(sent) => {
                self.sent_bytes += sent as u64;
                self.queue.push_remainder(&bytes[sent..]);
            }
            Err(_) => self.abort(socket, DisconnectReason::Lost),
        }
    }

    /// Sends what is queued, as far as the kernel takes it, and ends the stream if that is due.
    pub(super) fn flush(&mut self, socket: &TcpStream) {
        if self.state == SendState::Ended {
            return;
        }
        self.flush_queue(socket);
        while self.shared_rest.is_some() && self.queue.pending().is_empty() {
            if !self.flush_shared(socket) {
                break;
            }
        }
        if self.state == SendState::Finishing && self.shared_rest.is_none() {
            self.say_end(socket);
        }
        if self.state == SendState::Finishing && self.pending_bytes() == 0 {
            self.state = SendState::Finished;
            // The call fails only if the peer has gone already.
            let _ = SockRef::from(socket).shutdown(Shutdown::Write);
        }
    }

    /// Sends what is in the queue, as far as the kernel takes it.
    fn flush_queue(&mut self, socket: &TcpStream) {
        if self.queue.pending().is_empty() {
            return;
        }
        match write_to_kernel(socket, self.queue.pending()) {
            Ok(sent) => {
                self.sent_bytes += sent as u64;
                self.queue.advance(sent);
            }
            Err(_) => self.abort(socket, DisconnectReason::Lost),
        }
    }

    /// Sends what is next of the shared bytes, or after the last of them the frames behind them. The queue must be empty. Returns
    /// whether there may be more to send.
    fn flush_shared(&mut self, socket: &TcpStream) -> bool {
        let Some(rest) = &mut self.shared_rest else {
            return false;
        };
        if rest.pending().is_empty() {
            let behind = self.shared_rest.take().map(|rest| rest.into_behind());
            self.queue_frames(&behind.unwrap_or_default());
            self.flush_queue(socket);
            return false;
        }
        if self.tls.is_some() {
            let piece = rest.take_piece();
            self.write_sealed(socket, &piece);
            return true;
        }
        match write_to_kernel(socket, rest.pending()) {
            Ok(sent) => {
                rest.advance(sent);
                self.sent_bytes += sent as u64;
                self.shared_rest
                    .as_ref()
                    .is_some_and(|rest| rest.pending().is_empty())
            }
            Err(_) => {
                self.abort(socket, DisconnectReason::Lost);
                false
            }
        }
    }

    /// Says over TLS that nothing follows. Only the first call has an effect.
    fn say_end(&mut self, socket: &TcpStream) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            self.write_sealed(socket, &[]);
        }
    }

    /// Accepts no more frames: the stream ends once the queue is sent.
    pub(super) fn finish(&mut self, socket: &TcpStream) {
        if self.state >= SendState::Finishing {
            return;
        }
        self.state = SendState::Finishing;
        self.flush(socket);
    }

    /// Throws away what is queued, and resets the connection.
    pub(super) fn abort(&mut self, socket: &TcpStream, why: DisconnectReason) {
        if self.state == SendState::Ended {
            return;
        }
        self.set_reason(why);
        // Without this, the kernel would go on offering its buffer to a peer that does not read.
        let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
        self.end(socket);
    }

    /// Ends both directions. The kernel still delivers what it has taken.
    pub(super) fn end(&mut self, socket: &TcpStream) {
        self.state = SendState::Ended;
        self.queue = SendQueue::default();
        self.shared_rest = None;
        self.tls = None;
        // The call fails only if the peer has gone already.
        let _ = SockRef::from(socket).shutdown(Shutdown::Both);
    }

    /// Decrypts TLS records, and appends their plaintext. Returns whether the TLS stream has ended.
    pub(super) fn open_records(
        &mut self,
        socket: &TcpStream,
        mut ciphertext: &[u8],
        plaintext: &mut Vec<u8>,
    ) -> Result<bool, rustls::Error> {
        let mut has_ended = self.tls.is_none();
        while let Some(tls) = self.tls.as_mut().filter(|_| !ciphertext.is_empty()) {
            // Reading from memory fails only if rustls's buffer is full, which it never is, because every piece is processed
            // before the next one is read.
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
            has_ended |= processed
                .as_ref()
                .is_ok_and(|state| state.peer_has_closed());
            if tls.wants_write() {
                self.write_sealed(socket, &[]);
            }
            processed?;
        }
        Ok(has_ended)
    }
}

/// Appends an unmasked frame for each binary message.
fn append_frames(frames: &mut Vec<u8>, messages: &[&[u8]]) {
    for message in messages {
        append_frame(frames, Opcode::Binary, &[message]);
    }
}

/// Appends an unmasked frame.
fn append_frame(frame: &mut Vec<u8>, opcode: Opcode, parts: &[&[u8]]) {
    append_header(frame, opcode, parts.iter().map(|part| part.len()).sum());
    for part in parts {
        frame.extend_from_slice(part);
    }
}

/// Appends the header of an unmasked frame.
fn append_header(frame: &mut Vec<u8>, opcode: Opcode, payload_len: usize) {
    let mut header = [0; 10];
    let header_len = write_frame_header(opcode, payload_len, &mut header);
    frame.extend_from_slice(&header[..header_len]);
}

/// Appends bytes as sealed records, after whatever else rustls has to send.
fn seal(tls: &mut ServerConnection, bytes: &[u8], wire: &mut Vec<u8>) {
    // Writing to memory without a bound cannot fail.
    let sealed = tls.writer().write_all(bytes);
    debug_assert!(sealed.is_ok());
    while tls.wants_write() {
        // Writing to memory cannot fail, and makes progress.
        if !matches!(tls.write_tls(wire), Ok(1..)) {
            break;
        }
    }
}

/// Writes until everything is sent or the kernel would block. Returns how many bytes it took.
fn write_to_kernel(mut socket: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
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
    Ok(sent)
}
