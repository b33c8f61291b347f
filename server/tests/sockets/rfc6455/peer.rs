//! Plays a case on an open WebSocket.
//!
//! In: a case, a stream behind its handshake, and for bytes that must arrive in pieces the server's metrics. Out: what the server
//! did. A wait is for an event: a frame, the end of the stream, or the server's count of bytes that it has read.

use tickwire_server::internals::Metrics;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::case::{Case, Ending, Event, Step, close, ping};
use crate::support::PATIENCE;

/// TCP, or TLS.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

pub type AnyStream = Box<dyn Duplex>;

/// Plays a case. With a `meter`, waits after each piece until the server has read it: nobody else may talk to that server.
pub async fn play(case: &Case, stream: AnyStream, meter: Option<&Metrics>) -> Vec<Event> {
    let mut peer = Peer {
        stream,
        received: Vec::new(),
        events: Vec::new(),
        is_over: false,
    };
    let mut wanted_bytes = 0;
    if let Some(meter) = meter {
        // The pong shows that the handshake is over and everything before is counted.
        peer.send(&ping(b"")).await;
        peer.await_frames(1).await;
        if peer.events != [Event::Pong(Vec::new())] {
            return peer.events;
        }
        peer.events.clear();
        wanted_bytes = meter.received_bytes.get();
    }
    let mut owes_answer = matches!(case.ending(), Ending::Failed(_));
    for step in case.steps() {
        match step {
            Step::Send(bytes) => {
                peer.send(&bytes).await;
                wanted_bytes += bytes.len() as u64;
                if let Some(meter) = meter {
                    let is_read = || meter.received_bytes.get() >= wanted_bytes;
                    peer.until(is_read).await;
                }
            }
            Step::AwaitFrames(frames) => peer.await_frames(frames).await,
            Step::AwaitClose => peer.await_frames(usize::MAX).await,
        }
    }
    if *case.ending() == Ending::ClosedByClient {
        peer.await_frames(case.expected_frames()).await;
        peer.send(&close(1000, "")).await;
    }
    while !peer.is_over {
        // A case that fails sends no close frame of its own, and the server's wants an answer.
        if owes_answer && peer.is_closing() {
            owes_answer = false;
            peer.send(&close(1000, "")).await;
        }
        peer.read().await;
    }
    peer.events
}

struct Peer {
    stream: AnyStream,
    received: Vec<u8>,
    events: Vec<Event>,
    /// Nothing more will come.
    is_over: bool,
}

impl Peer {
    /// Sends to a server that may have ended the connection.
    async fn send(&mut self, bytes: &[u8]) {
        let sent = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        if timeout(PATIENCE, sent).await.is_err() {
            self.end_with(Event::Silence);
        }
    }

    /// Reads until this many frames have come, or a close frame.
    async fn await_frames(&mut self, frames: usize) {
        while self.events.len() < frames && !self.is_closing() {
            self.read().await;
        }
    }

    /// Reads until something is true, or the server closes.
    async fn until(&mut self, is_true: impl Fn() -> bool) {
        let turns = async {
            while !is_true() && !self.is_closing() {
                tokio::select! {
                    () = self.read() => {}
                    () = tokio::task::yield_now() => {}
                }
            }
        };
        if timeout(PATIENCE, turns).await.is_err() {
            self.end_with(Event::Silence);
        }
    }

    fn is_closing(&self) -> bool {
        self.is_over || (self.events.iter()).any(|event| matches!(event, Event::Close(_)))
    }

    fn end_with(&mut self, event: Event) {
        self.events.push(event);
        self.is_over = true;
    }

    /// Reads once, and takes the frames out of what has come. Loses nothing if it is dropped while it waits.
    async fn read(&mut self) {
        match timeout(PATIENCE, self.stream.read_buf(&mut self.received)).await {
            Err(_) => return self.end_with(Event::Silence),
            Ok(Err(error)) => return self.end_with(Event::Reset(error.to_string())),
            Ok(Ok(0)) if self.received.is_empty() => return self.end_with(Event::End),
            Ok(Ok(0)) => return self.end_with(Event::BadFrame("the stream ended inside of it")),
            Ok(Ok(_)) => {}
        }
        let mut taken = 0;
        while let Some((length, event)) = parse(&self.received[taken..]) {
            taken += length;
            self.is_over |= matches!(event, Event::BadFrame(_));
            self.events.push(event);
        }
        self.received.drain(..taken);
    }
}

/// The first frame of some bytes and its length; `None`: it is incomplete.
fn parse(bytes: &[u8]) -> Option<(usize, Event)> {
    let [first, second, ..] = *bytes else {
        return None;
    };
    let bad = |what| Some((bytes.len(), Event::BadFrame(what)));
    if first & 0x70 != 0 {
        return bad("reserved bits");
    }
    if first & 0x80 == 0 {
        return bad("a fragment, which the RFC allows and this server never sends");
    }
    if second & 0x80 != 0 {
        return bad("masked");
    }
    let (header, length, shortest) = match second {
        126 => {
            let length = u16::from_be_bytes(*bytes[2..].first_chunk()?);
            (4, u64::from(length), 126)
        }
        127 => (10, u64::from_be_bytes(*bytes[2..].first_chunk()?), 0x1_0000),
        short => (2, u64::from(short), 0),
    };
    let opcode = first & 0x0F;
    if length < shortest || length > 1 << 30 {
        return bad("not the shortest length, or an absurd one");
    }
    if opcode >= 8 && length > 125 {
        return bad("a long control frame");
    }
    let end = header + length as usize;
    let payload = bytes.get(header..end)?;
    let event = match opcode {
        1 => Event::Text(payload.to_vec()),
        2 => Event::Binary(payload.to_vec()),
        8 => match payload {
            [] => Event::Close(None),
            [_] => Event::BadFrame("a close frame with half a code"),
            [high, low, reason @ ..] => match std::str::from_utf8(reason) {
                Ok(reason) => {
                    let code = u16::from_be_bytes([*high, *low]);
                    Event::Close(Some((code, reason.to_owned())))
                }
                Err(_) => Event::BadFrame("a reason that is not UTF-8"),
            },
        },
        9 => Event::Ping(payload.to_vec()),
        10 => Event::Pong(payload.to_vec()),
        _ => Event::BadFrame("a continuation of nothing, or a reserved opcode"),
    };
    Some((end, event))
}
