//! A non-blocking byte stream, plain or under TLS, for both ends of the bench.

use mio::net::TcpStream;
use rustls::Connection as Tls;
use std::io::{self, ErrorKind, Read as _, Write as _};

/// A non-blocking byte stream.
pub struct Stream {
    /// The socket.
    pub socket: TcpStream,
    tls: Option<Box<Tls>>,
    /// Bytes that the kernel did not take yet.
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

    /// Reads once into `wire`, and returns the plain bytes; none if nothing has come.
    ///
    /// # Errors
    /// If the stream has ended.
    pub fn read<'a>(
        &mut self,
        wire: &'a mut [u8],
        plain: &'a mut Vec<u8>,
    ) -> io::Result<&'a mut [u8]> {
        let read = self.socket.read(wire);
        self.open(read.map(|read| &mut wire[..read]), plain)
    }

    /// The plain bytes of a read of the socket, as [`Stream::read`] returns them.
    ///
    /// # Errors
    /// If the stream has ended.
    pub fn open<'a>(
        &mut self,
        read: io::Result<&'a mut [u8]>,
        plain: &'a mut Vec<u8>,
    ) -> io::Result<&'a mut [u8]> {
        let wire = match read {
            Ok([]) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(wire) => wire,
            Err(error) if error.kind() == ErrorKind::WouldBlock => &mut [],
            Err(error) => return Err(error),
        };
        let Some(tls) = &mut self.tls else {
            return Ok(wire);
        };
        plain.clear();
        let mut sealed = &wire[..];
        while !sealed.is_empty() {
            tls.read_tls(&mut sealed)?;
            let state = tls.process_new_packets().map_err(io::Error::other)?;
            let start = plain.len();
            plain.resize(start + state.plaintext_bytes_to_read(), 0);
            tls.reader().read_exact(&mut plain[start..])?;
        }
        Ok(plain)
    }

    /// Sends bytes behind those that are unsent. Returns whether the kernel took everything.
    ///
    /// # Errors
    /// If the stream has ended.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<bool> {
        if self.tls.is_none() && self.unsent.is_empty() {
            let written = self.socket.write(bytes);
            self.took(bytes, written)?;
        } else {
            let mut unsent = std::mem::take(&mut self.unsent);
            let sealed = self.seal(bytes, &mut unsent);
            self.unsent = unsent;
            sealed?;
        }
        self.flush()
    }

    /// Whether nothing is unsent, so that bytes can be offered to the socket directly.
    #[must_use]
    pub fn is_clear(&self) -> bool {
        self.unsent.is_empty()
    }

    /// Appends to `wire` what to offer to the socket for these bytes. Then call [`Stream::took`] with the result.
    ///
    /// # Errors
    /// If TLS has failed.
    pub fn seal(&mut self, bytes: &[u8], wire: &mut Vec<u8>) -> io::Result<()> {
        let Some(tls) = &mut self.tls else {
            wire.extend_from_slice(bytes);
            return Ok(());
        };
        tls.writer().write_all(bytes)?;
        while tls.wants_write() {
            tls.write_tls(wire)?;
        }
        Ok(())
    }

    /// Keeps the bytes that the kernel did not take.
    ///
    /// # Errors
    /// If the stream has ended.
    pub fn took(&mut self, wire: &[u8], written: io::Result<usize>) -> io::Result<()> {
        let written = match written {
            Ok(written) => written,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        self.unsent.extend_from_slice(&wire[written..]);
        Ok(())
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
