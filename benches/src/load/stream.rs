//! A non-blocking stream of bytes, plain or under TLS, for both ends of the bench.

use mio::net::TcpStream;
use rustls::Connection as Tls;
use std::io::{self, ErrorKind, Read as _, Write as _};

/// See the module's head.
pub struct Stream {
    /// The socket.
    pub socket: TcpStream,
    tls: Option<Box<Tls>>,
    /// What the kernel did not take yet.
    unsent: Vec<u8>,
}

impl Stream {
    /// Takes over a socket after its handshakes.
    ///
    /// # Errors
    /// If the socket is broken.
    pub fn new(socket: std::net::TcpStream, tls: Option<Tls>) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        Ok(Self {
            socket: TcpStream::from_std(socket),
            tls: tls.map(Box::new),
            unsent: Vec::new(),
        })
    }

    /// Reads once into `wire`; what it amounts to is a prefix of the returned bytes' buffer. Empty: nothing now.
    ///
    /// # Errors
    /// If the stream has ended.
    pub fn read<'a>(
        &mut self,
        wire: &'a mut [u8],
        plain: &'a mut Vec<u8>,
    ) -> io::Result<&'a mut [u8]> {
        let read = match self.socket.read(wire) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        let Some(tls) = &mut self.tls else {
            return Ok(&mut wire[..read]);
        };
        plain.clear();
        let mut sealed = &wire[..read];
        while !sealed.is_empty() {
            tls.read_tls(&mut sealed)?;
            let state = tls.process_new_packets().map_err(io::Error::other)?;
            let start = plain.len();
            plain.resize(start + state.plaintext_bytes_to_read(), 0);
            tls.reader().read_exact(&mut plain[start..])?;
        }
        Ok(plain)
    }

    /// Sends bytes, after what is unsent. Whether the kernel has taken everything.
    ///
    /// # Errors
    /// If the stream has ended.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<bool> {
        if let Some(tls) = &mut self.tls {
            tls.writer().write_all(bytes)?;
            while tls.wants_write() {
                tls.write_tls(&mut self.unsent)?;
            }
        } else if self.unsent.is_empty() {
            match self.socket.write(bytes) {
                Ok(written) => self.unsent.extend_from_slice(&bytes[written..]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.unsent.extend_from_slice(bytes);
                }
                Err(error) => return Err(error),
            }
        } else {
            self.unsent.extend_from_slice(bytes);
        }
        self.flush()
    }

    fn flush(&mut self) -> io::Result<bool> {
        while !self.unsent.is_empty() {
            match self.socket.write(&self.unsent) {
                Ok(written) => {
                    self.unsent.drain(..written);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}
