//! Reads a connection's socket, and decrypts what was read.
//!
//! In: bytes on the socket, or bytes that a batch has read already. Out: plaintext with its time of arrival, or why there is none.

use std::io;
use std::time::Instant;

use super::connection::Connection;
use crate::net::io::polled_connection::SocketRead;
use crate::net::io::receive_stamps::ReceiveStamps;

/// Longest read of a socket.
const READ_BYTES: usize = 16 * 1024;

/// Buffers for [`Connection::receive`]; one per thread suffices.
pub(super) struct ReadBuffers {
    wire: Vec<u8>,
    pub(super) plaintext: Vec<u8>,
    stamps: ReceiveStamps,
}

impl ReadBuffers {
    pub(super) fn new() -> Self {
        Self {
            wire: vec![0; READ_BYTES],
            plaintext: Vec::new(),
            stamps: ReceiveStamps::new(),
        }
    }
}

/// The result of a read, after TLS.
pub(super) enum Received<'a> {
    /// Decrypted bytes; none if only a part of a TLS record arrived.
    Bytes {
        bytes: &'a mut [u8],
        may_have_more: bool,
        /// When the newest of the bytes arrived.
        arrived: Instant,
    },
    /// A signal interrupted the read: read again.
    Interrupted,
    /// Nothing has arrived.
    Nothing,
    /// The peer has ended its side.
    End,
}

impl Connection {
    /// Reads what has arrived, without waiting.
    pub(super) fn receive<'a>(&self, buffers: &'a mut ReadBuffers) -> io::Result<Received<'a>> {
        let ReadBuffers {
            wire,
            plaintext,
            stamps,
        } = buffers;
        let read = match stamps.read(self.socket(), wire) {
            // A short read has emptied the socket; not reading again saves a system call that would only find that out.
            Ok((length, arrived)) => SocketRead {
                may_have_more: length == wire.len(),
                bytes: Ok(&mut wire[..length]),
                arrived,
            },
            Err(error) => SocketRead {
                bytes: Err(error),
                may_have_more: false,
                arrived: self.opened(),
            },
        };
        self.decrypt(read, plaintext)
    }

    /// Interprets a read. TLS needs the lock, and puts the plaintext into `plaintext`.
    pub(super) fn decrypt<'a>(
        &self,
        read: SocketRead<'a>,
        plaintext: &'a mut Vec<u8>,
    ) -> io::Result<Received<'a>> {
        let SocketRead {
            may_have_more,
            arrived,
            ..
        } = read;
        let wire = match read.bytes {
            Ok([]) => return Ok(Received::End),
            Ok(wire) => wire,
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => return Ok(Received::Nothing),
                io::ErrorKind::Interrupted => return Ok(Received::Interrupted),
                _ => return Err(error),
            },
        };
        plaintext.clear();
        if !self.is_tls() {
            return Ok(Received::Bytes {
                bytes: wire,
                may_have_more,
                arrived,
            });
        }
        match self.with_outbox(|outbox, socket| outbox.open_records(socket, wire, plaintext)) {
            Ok(true) if plaintext.is_empty() => Ok(Received::End),
            Ok(_) => Ok(Received::Bytes {
                bytes: plaintext,
                may_have_more,
                arrived,
            }),
            Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        }
    }
}
