//! The decoder of WebSocket frames: however the stream is cut into reads, the same messages and the same error come out.
//!
//! Input: a byte of flags, two bytes that seed the cuts, and the stream.

use crate::memory::measure;
use fastrand::Rng;
use tickwire_server::internals::{FrameDecoder, FrameEvent, FrameLimits, Violation};

/// What the decoder keeps for itself.
const OWN_BYTES: usize = 1024;

/// An event, with its payload.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Event {
    Binary(Vec<u8>),
    Text(Vec<u8>),
    Fragment,
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Vec<u8>),
}

/// One run of the target.
///
/// # Panics
/// If the decoder breaks a promise.
pub fn run(input: &[u8]) {
    let Some((&[flags, cut_a, cut_b], stream)) = input.split_first_chunk() else {
        return;
    };
    let limits = FrameLimits {
        max_message_bytes: [64, 200, 4096, 1 << 20][usize::from(flags & 3)],
        allow_text: flags & 4 != 0,
    };
    let whole = decode(limits, stream, || usize::MAX);
    let mut random = Rng::with_seed(u16::from_le_bytes([cut_a, cut_b]).into());
    let cut = decode(limits, stream, || random.usize(1..24));
    assert_eq!(whole, cut, "cuts of any length change nothing");
    let by_byte = decode(limits, stream, || 1);
    assert_eq!(whole, by_byte, "cuts after each byte change nothing");
    check(limits, stream, &whole.0);
}

fn decode(
    limits: FrameLimits,
    stream: &[u8],
    mut next_length: impl FnMut() -> usize,
) -> (Vec<Event>, Option<Violation>) {
    let mut stream = stream.to_vec();
    let length = stream.len();
    let mut events = Vec::new();
    let (error, allocated) = measure(|| {
        let mut decoder = FrameDecoder::new(limits);
        let mut rest = &mut stream[..];
        while !rest.is_empty() {
            let read;
            let length = next_length().min(rest.len());
            (read, rest) = std::mem::take(&mut rest).split_at_mut(length);
            let mut at = 0;
            while at < read.len() {
                let (taken, event) = match decoder.next(&mut read[at..]) {
                    Ok(done) => done,
                    Err(violation) => return Some(violation),
                };
                assert!(taken > 0, "a call consumes a byte at least");
                at += taken;
                events.extend(event.map(owned));
            }
        }
        None
    });
    // Once for the gathered message, which grows by doubling, and once for the copies made here.
    let bound = OWN_BYTES + 8 * length + events.capacity() * 2 * size_of::<Event>();
    assert!(
        allocated.total <= bound,
        "{length} bytes make the decoder allocate {}",
        allocated.total
    );
    (events, error)
}

fn owned(event: FrameEvent<'_>) -> Event {
    match event {
        FrameEvent::Binary(payload) => Event::Binary(payload.to_vec()),
        FrameEvent::Text(payload) => Event::Text(payload.to_vec()),
        FrameEvent::Fragment => Event::Fragment,
        FrameEvent::Ping(payload) => Event::Ping(payload.to_vec()),
        FrameEvent::Pong(payload) => Event::Pong(payload.to_vec()),
        FrameEvent::Close(payload) => Event::Close(payload.to_vec()),
    }
}

fn check(limits: FrameLimits, stream: &[u8], events: &[Event]) {
    let mut payload_bytes = 0;
    for event in events {
        match event {
            Event::Binary(payload) | Event::Text(payload) => {
                assert!(payload.len() <= limits.max_message_bytes);
                payload_bytes += payload.len();
            }
            Event::Ping(payload) | Event::Pong(payload) | Event::Close(payload) => {
                assert!(payload.len() <= 125);
                payload_bytes += payload.len();
            }
            Event::Fragment => {}
        }
        match event {
            Event::Text(payload) => {
                assert!(limits.allow_text);
                assert!(std::str::from_utf8(payload).is_ok());
            }
            Event::Close(payload) => assert!(payload.len() != 1),
            _ => {}
        }
    }
    // A header with its mask takes six bytes.
    assert!(payload_bytes + 6 * events.len() <= stream.len());
}
