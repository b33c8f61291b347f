//! Group 2: pings and pongs (sections 5.5.2 and 5.5.3).

use super::case::*;

/// Section 5.5.3: a server that got several pings may answer only the newest.
const EACH_PING: &str = "a server may answer the newest ping alone (5.5.3); /echo answers each";

pub fn cases() -> Vec<Case> {
    let short = b"Hello, world!";
    let no_utf8 = [0x00, 0xFF, 0xFE, 0xFD, 0xFC, 0xFB, 0x00, 0xFF];
    let longest = long_binary(125);
    let ten = |name| {
        (0..10).fold(case(name), |case, number| {
            let payload = format!("payload-{number}");
            case.sends(ping(&payload)).gets(answer(&payload))
        })
    };
    vec![
        case("2.1: an empty ping gets an empty pong")
            .sends(ping(b""))
            .gets(answer(b"")),
        case("2.2: a pong carries the text of its ping")
            .sends(ping(short))
            .gets(answer(short)),
        case("2.3: a pong carries bytes that are no UTF-8")
            .sends(ping(no_utf8))
            .gets(answer(no_utf8)),
        case("2.4: a ping of 125 bytes is answered")
            .sends(ping(&longest))
            .gets(answer(&longest)),
        case("2.5: a ping of 126 bytes fails the connection")
            .sends(ping(long_binary(126)))
            .fails(1002),
        case("2.6: a ping of 125 bytes that comes octet by octet is answered")
            .sends(ping(&longest))
            .gets(answer(&longest))
            .in_octets(),
        case("2.7: an empty pong that nobody asked for gets no answer").sends(pong(b"")),
        case("2.8: a pong that nobody asked for gets no answer").sends(pong("unasked")),
        case("2.9: a ping behind a pong that nobody asked for is answered")
            .sends(pong("unasked"))
            .sends(ping("asked"))
            .gets(answer("asked")),
        ten("2.10: ten pings get ten pongs").left_open(EACH_PING),
        ten("2.11: ten pings that come octet by octet get ten pongs")
            .in_octets()
            .left_open(EACH_PING),
    ]
}
