//! Groups 5 and 10: fragmentation (section 5.4).

use super::case::*;
use crate::support::frame;

/// Lengths of the fragments of case 10.1.1.
const FRAGMENT_BYTES: usize = 1300;

pub fn cases() -> Vec<Case> {
    let in_two = |name| {
        case(name)
            .sends(first_text("fragment1"))
            .sends(last("fragment2"))
            .gets(echo_text("fragment1fragment2"))
    };
    let around_ping = |name| {
        case(name)
            .sends(first_text("fragment1"))
            .sends(ping("between"))
            .gets(answer("between"))
            .sends(last("fragment2"))
            .gets(echo_text("fragment1fragment2"))
    };
    let lone = |name, continuation: fn(&'static str) -> Vec<u8>| {
        case(name)
            .sends(continuation("of nothing"))
            .sends(text("Hello, world!"))
            .fails(1002)
    };
    let lone_twice = |name, continuation: fn(&'static str) -> Vec<u8>| {
        let once = |case: Case| {
            case.sends(continuation("of nothing"))
                .sends(first_text("fragment1"))
                .sends(last("fragment2"))
        };
        once(once(case(name))).fails(1002)
    };
    let around_pings = |name| {
        case(name)
            .sends(first_text("fragment1"))
            .sends(further("fragment2"))
            .sends(ping("first"))
            .gets(answer("first"))
            // The pong must not wait for the message's end.
            .waits()
            .sends(further("fragment3"))
            .sends(further("fragment4"))
            .sends(ping("second"))
            .gets(answer("second"))
            .sends(last("fragment5"))
            .gets(echo_text("fragment1fragment2fragment3fragment4fragment5"))
    };
    vec![
        case("5.1: a ping in two fragments fails the connection with the first")
            .sends(frame(0x09, b"fragment1"))
            .waits_for_failure()
            .sends(last("fragment2"))
            .fails(1002),
        case("5.2: a pong in two fragments fails the connection with the first")
            .sends(frame(0x0A, b"fragment1"))
            .waits_for_failure()
            .sends(last("fragment2"))
            .fails(1002),
        in_two("5.3: a text in two fragments comes back as one message"),
        in_two("5.4: a text in two fragments, frame by frame, comes back").in_sends(),
        in_two("5.5: a text in two fragments, octet by octet, comes back").in_octets(),
        around_ping("5.6: a ping between two fragments is answered before the message"),
        around_ping("5.7: a ping between two fragments, frame by frame, is answered").in_sends(),
        around_ping("5.8: a ping between two fragments, octet by octet, is answered").in_octets(),
        lone("5.9: a last fragment of nothing fails the connection", last),
        lone(
            "5.10: a last fragment of nothing, frame by frame, fails it",
            last,
        )
        .in_sends(),
        lone(
            "5.11: a last fragment of nothing, octet by octet, fails it",
            last,
        )
        .in_octets(),
        lone(
            "5.12: a further fragment of nothing fails the connection",
            further,
        ),
        lone(
            "5.13: a further fragment of nothing, frame by frame, fails it",
            further,
        )
        .in_sends(),
        lone(
            "5.14: a further fragment of nothing, octet by octet, fails it",
            further,
        )
        .in_octets(),
        in_two("5.15: a further fragment behind the end of a message fails the connection")
            .sends(further("of nothing"))
            .sends(text("Hello, world!"))
            .fails(1002)
            .left_open(ECHO_BEFORE_FAILURE),
        lone_twice(
            "5.16: a further fragment before a fragmented text, twice, fails",
            further,
        ),
        lone_twice(
            "5.17: a last fragment before a fragmented text, twice, fails",
            last,
        ),
        case("5.18: a text inside of an unfinished text fails the connection")
            .sends(first_text("fragment1"))
            .sends(text("fragment2"))
            .fails(1002),
        around_pings("5.19: pings inside of a text in five fragments are answered at once"),
        around_pings(
            "5.20: pings inside of a text in five fragments, frame by frame, are answered",
        )
        .in_sends(),
    ]
}

/// Group 10: a long message in fragments of one length.
pub fn long_cases() -> Vec<Case> {
    let payload = long_text(65_536);
    let mut case = case("10.1.1: a text of 65,536 bytes in fragments of 1,300 comes back whole");
    let mut pieces = payload.chunks(FRAGMENT_BYTES).peekable();
    let mut is_first = true;
    while let Some(piece) = pieces.next() {
        case = case.sends(match (std::mem::take(&mut is_first), pieces.peek()) {
            (true, _) => first_text(piece),
            (false, Some(_)) => further(piece),
            (false, None) => last(piece),
        });
    }
    vec![case.gets(echo_text(payload))]
}
