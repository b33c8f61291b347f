//! Tests of the frame decoder, one for each promise.

use super::*;
use proptest::prelude::*;

const ECHO: FrameLimits = FrameLimits {
    max_message_bytes: 1 << 20,
    allow_text: true,
};
const GAME: FrameLimits = FrameLimits {
    max_message_bytes: 4096,
    allow_text: false,
};

#[derive(Debug, Clone, PartialEq, Eq)]
enum Decoded {
    Binary(Vec<u8>),
    Text(Vec<u8>),
    Fragment,
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Vec<u8>),
}

impl From<FrameEvent<'_>> for Decoded {
    fn from(event: FrameEvent<'_>) -> Self {
        match event {
            FrameEvent::Binary(p) => Self::Binary(p.to_vec()),
            FrameEvent::Text(p) => Self::Text(p.to_vec()),
            FrameEvent::Fragment => Self::Fragment,
            FrameEvent::Ping(p) => Self::Ping(p.to_vec()),
            FrameEvent::Pong(p) => Self::Pong(p.to_vec()),
            FrameEvent::Close(p) => Self::Close(p.to_vec()),
        }
    }
}

/// A client's frame; `first` is its first byte on the wire.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xFA, 0x21, 0x3D];
    let mut header = [0; 10];
    let header_len = write_frame_header(Opcode::Binary, payload.len(), &mut header);
    let mut bytes = header[..header_len].to_vec();
    bytes[0] = first;
    bytes[1] |= 0x80;
    bytes.extend_from_slice(&mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m));
    bytes
}

/// Decodes a stream that arrives in reads of `cut` bytes.
fn decode(limits: FrameLimits, stream: &[u8], cut: usize) -> (Vec<Decoded>, Option<Violation>) {
    let mut decoder = FrameDecoder::new(limits);
    let mut decoded = Vec::new();
    for read in stream.chunks(cut) {
        let mut read = read.to_vec();
        let mut at = 0;
        while at < read.len() {
            match decoder.next(&mut read[at..]) {
                Ok((taken, event)) => {
                    assert!(taken > 0, "the decoder consumed nothing");
                    at += taken;
                    decoded.extend(event.map(Decoded::from));
                }
                Err(violation) => return (decoded, Some(violation)),
            }
        }
    }
    (decoded, None)
}

fn violation(limits: FrameLimits, stream: &[u8]) -> Option<Violation> {
    let whole = decode(limits, stream, usize::MAX);
    assert_eq!(
        whole,
        decode(limits, stream, 1),
        "the result depends on the cuts"
    );
    whole.1
}

#[test]
fn the_examples_of_the_rfc_decode() {
    // Section 5.7: "Hello", masked, whole and in two fragments (with a mask of this test).
    let whole = [
        0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
    ];
    let hello = Decoded::Text(b"Hello".to_vec());
    assert_eq!(decode(ECHO, &whole, 99), (vec![hello.clone()], None));
    let fragments = [frame(0x01, b"Hel"), frame(0x80, b"lo")].concat();
    let expected = vec![Decoded::Fragment, hello];
    assert_eq!(decode(ECHO, &fragments, 99), (expected, None));
}

#[test]
fn control_frames_may_stand_between_fragments() {
    let stream = [
        frame(0x02, b"ab"),
        frame(0x89, b"ping"),
        frame(0x8A, b""),
        frame(0x80, b"cd"),
    ];
    let expected = vec![
        Decoded::Fragment,
        Decoded::Ping(b"ping".to_vec()),
        Decoded::Pong(Vec::new()),
        Decoded::Binary(b"abcd".to_vec()),
    ];
    let stream = stream.concat();
    for cut in 1..=stream.len() {
        assert_eq!(decode(GAME, &stream, cut), (expected.clone(), None));
    }
}

#[test]
fn an_unmasked_frame_is_refused() {
    assert_eq!(violation(GAME, &[0x82, 0x00]), Some(Violation::Unmasked));
    assert_eq!(violation(GAME, &[0x88, 0x00]), Some(Violation::Unmasked));
}

#[test]
fn reserved_bits_and_opcodes_are_refused() {
    for bit in [0x40, 0x20, 0x10] {
        let stream = frame(0x82 | bit, b"");
        assert_eq!(violation(ECHO, &stream), Some(Violation::ReservedBits));
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        let stream = frame(0x80 | opcode, b"");
        let expected = Violation::ReservedOpcode(opcode);
        assert_eq!(violation(ECHO, &stream), Some(expected));
    }
}

#[test]
fn control_frames_are_short_and_whole() {
    assert_eq!(violation(ECHO, &frame(0x89, &[7; 125])), None);
    let long = Some(Violation::LongControl);
    assert_eq!(violation(ECHO, &frame(0x89, &[7; 126])), long);
    assert_eq!(violation(ECHO, &frame(0x8A, &[7; 126])), long);
    assert_eq!(violation(ECHO, &frame(0x88, &[7; 126])), long);
    let fragmented = Some(Violation::FragmentedControl);
    assert_eq!(violation(ECHO, &frame(0x09, b"")), fragmented);
}

#[test]
fn fragments_come_in_order() {
    let lone = violation(ECHO, &frame(0x80, b"x"));
    assert_eq!(lone, Some(Violation::LoneContinuation));
    let after_end = [frame(0x01, b"a"), frame(0x80, b"b"), frame(0x80, b"c")].concat();
    assert_eq!(
        violation(ECHO, &after_end),
        Some(Violation::LoneContinuation)
    );
    let interleaved = [frame(0x01, b"a"), frame(0x81, b"b")].concat();
    assert_eq!(violation(ECHO, &interleaved), Some(Violation::Interleaved));
}

#[test]
fn the_size_limit_is_inclusive_and_sums_fragments() {
    assert_eq!(violation(GAME, &frame(0x82, &[1; 4096])), None);
    let too_big = Some(Violation::TooBig(4096));
    assert_eq!(violation(GAME, &frame(0x82, &[1; 4097])), too_big);
    let exact = [frame(0x02, &[1; 4000]), frame(0x80, &[1; 96])].concat();
    assert_eq!(violation(GAME, &exact), None);
    let over = [
        frame(0x02, &[1; 4000]),
        frame(0x00, &[1; 96]),
        frame(0x80, &[1; 1]),
    ];
    assert_eq!(violation(GAME, &over.concat()), too_big);
    // The sum starts anew with the next message.
    assert_eq!(violation(GAME, &[exact.clone(), exact].concat()), None);
}

#[test]
fn an_announced_length_takes_no_memory() {
    let mut stream = vec![0x82, 0xFF];
    stream.extend_from_slice(&(1u64 << 40).to_be_bytes());
    stream.extend_from_slice(&[0; 4]);
    assert_eq!(violation(GAME, &stream), Some(Violation::TooBig(4096)));
    stream[2] = 0x80;
    assert_eq!(violation(GAME, &stream), Some(Violation::Length));
}

#[test]
fn a_length_uses_the_fewest_bytes() {
    let stream = [0x82, 0x80 | 126, 0, 5, 0, 0, 0, 0];
    assert_eq!(violation(GAME, &stream), Some(Violation::Length));
}

#[test]
fn text_is_refused_unless_it_is_allowed() {
    assert_eq!(violation(GAME, &frame(0x81, b"hi")), Some(Violation::Text));
    assert_eq!(violation(GAME, &frame(0x01, b"")), Some(Violation::Text));
}

#[test]
fn invalid_text_fails_before_its_frame_is_complete() {
    let mut decoder = FrameDecoder::new(ECHO);
    let mut stream = frame(0x01, b"ok \xCE\xBA\xFF and more");
    let cut = 6 + 6; // the header, then everything up to and including 0xFF
    assert_eq!(decoder.next(&mut stream[..cut]), Err(Violation::Utf8));
}

#[test]
fn fragments_may_cut_a_character_but_the_end_may_not() {
    let cut = [frame(0x01, b"\xE2\x82"), frame(0x80, b"\xAC")].concat();
    let expected = vec![Decoded::Fragment, Decoded::Text("€".into())];
    assert_eq!(decode(ECHO, &cut, 99), (expected, None));
    let ended = frame(0x81, b"\xE2\x82");
    assert_eq!(violation(ECHO, &ended), Some(Violation::Utf8));
}

#[test]
fn close_frames_are_checked() {
    let close = |payload: &[u8]| violation(ECHO, &frame(0x88, payload));
    assert_eq!(close(b""), None);
    assert_eq!(close(b"\x03"), Some(Violation::ShortClose));
    for good in [
        1000, 1001, 1003, 1007, 1011, 1014, 3000, 3999, 4000, 4999u16,
    ] {
        assert_eq!(close(&good.to_be_bytes()), None, "{good}");
    }
    for bad in [
        0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2999, 5000, 65535u16,
    ] {
        let expected = Some(Violation::CloseCode(bad));
        assert_eq!(close(&bad.to_be_bytes()), expected);
    }
    assert_eq!(close(b"\x03\xE8bye \xC3\xA9"), None);
    assert_eq!(close(b"\x03\xE8\xFF"), Some(Violation::Utf8));
}

proptest! {
    #[test]
    fn messages_survive_any_fragments_and_reads(
        messages in proptest::collection::vec(
            (proptest::collection::vec(any::<u8>(), 0..400), 1usize..200), 1..6),
        cut in 1usize..500,
    ) {
        let mut stream = Vec::new();
        for (message, fragment) in &messages {
            let count = message.chunks(*fragment).len().max(1);
            for index in 0..count {
                let start = index * fragment;
                let piece = &message[start..message.len().min(start + fragment)];
                let opcode = if index == 0 { 2 } else { 0 };
                let fin = if index + 1 == count { 0x80 } else { 0 };
                stream.extend(frame(fin | opcode, piece));
            }
        }
        let (decoded, violation) = decode(ECHO, &stream, cut);
        prop_assert_eq!(violation, None);
        let whole: Vec<_> = decoded.into_iter().filter(|one| *one != Decoded::Fragment).collect();
        let expected: Vec<_> = messages.into_iter().map(|(m, _)| Decoded::Binary(m)).collect();
        prop_assert_eq!(whole, expected);
    }

    #[test]
    fn noise_never_panics_whatever_the_cuts(
        noise in proptest::collection::vec(any::<u8>(), 0..200),
        cut in 1usize..50,
    ) {
        prop_assert_eq!(decode(ECHO, &noise, cut), decode(ECHO, &noise, usize::MAX));
    }
}
