//! Group 3: reserved bits, to which no extension has given a meaning (section 5.2).

use super::case::*;
use crate::support::frame;

pub fn cases() -> Vec<Case> {
    let hello = b"Hello, world!";
    let with_bits =
        |opcode: u8, bits: u8, payload: &[u8]| frame(0x80 | bits << 4 | opcode, payload);
    let second = |name, bits| {
        case(name)
            .sends(text(hello))
            .gets(echo_text(hello))
            .sends(with_bits(1, bits, hello))
            .sends(ping(b"too late"))
            .fails(1002)
            .left_open(ECHO_BEFORE_FAILURE)
    };
    vec![
        case("3.1: a text with RSV 1 fails the connection")
            .sends(with_bits(1, 1, hello))
            .fails(1002),
        second("3.2: RSV 2 on the second text fails the connection", 2),
        second(
            "3.3: RSV 3 on the second text, frame by frame, fails the connection",
            3,
        )
        .in_sends(),
        second(
            "3.4: RSV 4 on the second text, octet by octet, fails the connection",
            4,
        )
        .in_octets(),
        case("3.5: a binary message with RSV 5 fails the connection")
            .sends(with_bits(2, 5, &long_binary(8)))
            .fails(1002),
        case("3.6: a ping with RSV 6 fails the connection, and gets no pong")
            .sends(with_bits(9, 6, hello))
            .fails(1002),
        case("3.7: a close with RSV 7 fails the connection, and is not answered")
            .sends(with_bits(8, 7, &1000u16.to_be_bytes()))
            .fails(1002),
    ]
}
