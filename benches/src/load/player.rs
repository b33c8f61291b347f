//! One player of the load: the smallest client that a server cannot tell from a real one. It acks snapshots and sends one input
//! per tick, but keeps no replica; checking the state is the bots' work.

use super::stream::Stream;
use prost::Message as _;
use prost::encoding::decode_varint;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;
use tickwire_proto::v1::{self, client_message::Body};

const TICK_US: f64 = 1e6 / 60.0;
/// How far ahead of the newest due tick an input is for, in ticks.
const LEAD: f64 = 2.0;

/// A minimal client.
pub struct Player {
    /// The connection.
    pub stream: Stream,
    /// Snapshots received.
    pub snapshots: u64,
    /// The payload bytes of the snapshots.
    pub snapshot_bytes: u64,
    /// Inputs sent.
    pub inputs: u64,
    /// When the newest snapshot came.
    pub newest: Option<Instant>,
    /// Whether the connection has ended.
    pub is_gone: bool,
    tick: u32,
    tick_arrived: u32,
    /// The smallest arrival minus tick: when tick 0 was due, in microseconds since the start.
    zero_us: f64,
    seq: u32,
    /// The tick that the newest input was for.
    target: u32,
    /// The start of an incomplete frame.
    rest: Vec<u8>,
    out: Vec<u8>,
}

/// What was received.
pub enum Heard {
    /// A snapshot.
    Snapshot,
    /// Any other message.
    Other,
}

impl Player {
    /// Connects, upgrades and sends `Hello`. Blocks.
    ///
    /// # Errors
    /// If the server refuses.
    pub fn connect(
        address: SocketAddr,
        room: &str,
        tls: Option<&Arc<rustls::ClientConfig>>,
    ) -> io::Result<Self> {
        let mut socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        let hello = v1::Hello {
            version: tickwire_proto::VERSION,
            name: "load".into(),
            encoding: v1::Encoding::Packed.into(),
            ..v1::Hello::default()
        };
        let hello = v1::ClientMessage {
            body: Some(Body::Hello(hello)),
        };
        let mut frame = Vec::new();
        frame_message(&hello, &mut frame);
        let mut rest = Vec::new();
        let tls = match tls {
            Some(config) => {
                let name = rustls_pki_types::ServerName::IpAddress(address.ip().into());
                let mut tls = rustls::ClientConnection::new(Arc::clone(config), name)
                    .map_err(io::Error::other)?;
                let mut stream = rustls::Stream::new(&mut tls, &mut socket);
                shake_hands(&mut stream, address, room, &mut rest)?;
                stream.write_all(&frame)?;
                stream.flush()?;
                Some(rustls::Connection::Client(tls))
            }
            None => {
                shake_hands(&mut socket, address, room, &mut rest)?;
                socket.write_all(&frame)?;
                None
            }
        };
        Ok(Self {
            stream: Stream::new(socket, tls)?,
            snapshots: 0,
            snapshot_bytes: 0,
            inputs: 0,
            newest: None,
            is_gone: false,
            tick: 0,
            tick_arrived: 0,
            zero_us: f64::INFINITY,
            seq: 0,
            target: 0,
            rest,
            out: Vec::new(),
        })
    }

    /// Reads until nothing is left, and reports what was received. `since_began` is the present time in microseconds.
    pub fn read(
        &mut self,
        buffers: &mut (Vec<u8>, Vec<u8>),
        since_began: f64,
        mut heard: impl FnMut(&mut Self, Heard),
    ) {
        loop {
            let room = buffers.0.len();
            let read = self.stream.socket.read(&mut buffers.0);
            let was_all = !matches!(read, Ok(read) if read == room);
            let read = read.map(|read| &mut buffers.0[..read]);
            self.take_read(read, &mut buffers.1, since_began, &mut heard);
            if was_all {
                return;
            }
        }
    }

    /// Takes the result of a read of the socket, and reports what was received.
    pub fn take_read(
        &mut self,
        read: io::Result<&mut [u8]>,
        plain: &mut Vec<u8>,
        since_began: f64,
        heard: &mut impl FnMut(&mut Self, Heard),
    ) {
        let Ok(bytes) = self.stream.open(read, plain) else {
            self.is_gone = true;
            return;
        };
        if self.rest.is_empty() {
            let used = self.take_frames(bytes, since_began, heard);
            self.rest.extend_from_slice(&bytes[used..]);
        } else {
            let mut whole = std::mem::take(&mut self.rest);
            whole.extend_from_slice(bytes);
            let used = self.take_frames(&whole, since_began, heard);
            whole.drain(..used);
            self.rest = whole;
        }
    }

    fn take_frames(
        &mut self,
        bytes: &[u8],
        since_began: f64,
        heard: &mut impl FnMut(&mut Self, Heard),
    ) -> usize {
        let mut used = 0;
        while let Some((opcode, payload, length)) = frame_at(&bytes[used..]) {
            used += length;
            match opcode {
                2 => {
                    let what = self.take(payload, since_began);
                    heard(self, what);
                }
                9 => {
                    let payload = payload.to_vec();
                    self.out.clear();
                    put_frame(0xA, &payload, &mut self.out);
                    let _ = self.stream.write(&self.out);
                }
                8 => self.is_gone = true,
                _ => {}
            }
        }
        used
    }

    fn take(&mut self, payload: &[u8], since_began: f64) -> Heard {
        // ServerMessage.snapshot is field 1. Its tick comes first, where it is present.
        let [0x0a, rest @ ..] = payload else {
            return Heard::Other;
        };
        let mut rest = rest;
        let _ = decode_varint(&mut rest);
        self.tick = match rest {
            [0x08, tick @ ..] => decode_varint(&mut { tick }).unwrap_or_default() as u32,
            _ => self.tick + 1,
        };
        self.tick_arrived = since_began as u32;
        self.zero_us = self
            .zero_us
            .min(since_began - f64::from(self.tick) * TICK_US);
        self.snapshots += 1;
        self.snapshot_bytes += payload.len() as u64;
        Heard::Snapshot
    }

    /// Appends this tick's input to `wire`; nothing before the first snapshot or after the end. Then call [`Player::took`] with
    /// the result of the write.
    pub fn put_input(&mut self, since_began: f64, wire: &mut Vec<u8>) {
        if self.newest.is_none() || self.is_gone {
            return;
        }
        self.seq += 1;
        let now = (since_began - self.zero_us) / TICK_US;
        let wheel = ((self.seq / 40 + self.tick / 7) % 5) as i8 - 2;
        // Each input is for a tick of its own, though a snapshot that comes sooner than all before sets the clock back.
        self.target = ((now + LEAD) as u32).max(self.target + 1);
        let inputs = v1::Inputs {
            seq: self.seq,
            target_tick: self.target,
            received_tick: self.tick,
            received_at_us: self.tick_arrived,
            view_tick: self.tick.saturating_sub(1),
            view_fraction: 128,
            payload: vec![(wheel * 3) as u8],
        };
        let message = v1::ClientMessage {
            body: Some(Body::Inputs(inputs)),
        };
        self.out.clear();
        frame_message(&message, &mut self.out);
        let sent = match self.stream.is_clear() {
            true => self.stream.seal(&self.out, wire),
            // Queued behind bytes that the kernel did not take before.
            false => self.stream.write(&self.out).map(|_| ()),
        };
        self.is_gone |= sent.is_err();
    }

    /// Notes how many bytes of [`Player::put_input`] the socket took.
    pub fn took(&mut self, wire: &[u8], written: io::Result<usize>) {
        self.inputs += 1;
        self.is_gone |= self.stream.took(wire, written).is_err();
    }
}

fn shake_hands(
    stream: &mut (impl Read + Write),
    address: SocketAddr,
    room: &str,
    rest: &mut Vec<u8>,
) -> io::Result<()> {
    write!(
        stream,
        "GET /ws?room={room} HTTP/1.1\r\nhost: {address}\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: tickwire.v1\r\n\r\n"
    )?;
    stream.flush()?;
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    let end = loop {
        if let Some(at) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        match stream.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => head.extend_from_slice(&buffer[..read]),
        }
    };
    if !head.starts_with(b"HTTP/1.1 101") {
        return Err(io::Error::other(
            String::from_utf8_lossy(&head[..end]).into_owned(),
        ));
    }
    rest.extend_from_slice(&head[end..]);
    Ok(())
}

/// The complete frame at the start of `bytes`: opcode, payload, and the frame's length.
fn frame_at(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let (head, length) = match bytes {
        [_, length @ ..=125, ..] => (2, usize::from(*length)),
        [_, 126, high, low, ..] => (4, usize::from(u16::from_be_bytes([*high, *low]))),
        [_, 127, long @ ..] => (10, u64::from_be_bytes(*long.first_chunk::<8>()?) as usize),
        _ => return None,
    };
    let payload = bytes.get(head..head + length)?;
    Some((bytes[0] & 0xF, payload, head + length))
}

fn frame_message(message: &v1::ClientMessage, out: &mut Vec<u8>) {
    let mut payload = [0; 256];
    let mut rest = &mut payload[..];
    // A `Hello` or an `Inputs` of this bench is much shorter.
    if message.encode(&mut rest).is_ok() {
        let length = 256 - rest.len();
        put_frame(2, &payload[..length], out);
    }
}

/// Appends a complete frame, masked as RFC 6455 demands of clients.
fn put_frame(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    const MASK: [u8; 4] = [0x5A, 0x17, 0xC3, 0x99];
    out.push(0x80 | opcode);
    if payload.len() < 126 {
        out.push(0x80 | payload.len() as u8);
    } else {
        out.push(0x80 | 126);
        out.extend_from_slice(&(payload.len() as u16).to_be_bytes());
    }
    out.extend_from_slice(&MASK);
    out.extend(
        payload
            .iter()
            .zip(MASK.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
}
