//! Group 7: the closing handshake and close codes (sections 5.5.1, 7.1 and 7.4).

use super::case::*;
use crate::support::frame;

/// Section 5.5.1: a close frame "typically" repeats the code.
const SAME_PAYLOAD: &str = "an answer \"typically\" repeats the code, and need not repeat the reason (5.5.1); /echo repeats both";
/// Section 7.4.2 reserves these codes, and does not say what to do with one.
const UNREGISTERED: &str = "codes below 3000 that nobody registered are reserved (7.4.2); the server takes one for a violation";
/// Section 7.4.2 ends at 4999.
const UNDEFINED: &str =
    "the RFC gives codes above 4999 no meaning (7.4.2); the server takes one for a violation";
/// Frames behind a close frame must not be answered.
const BEHIND_CLOSE: &str = "behind a close";

pub fn cases() -> Vec<Case> {
    [handshakes(), payloads(), codes(), undefined_codes()].concat()
}

/// 7.1: what comes before, between and behind close frames.
fn handshakes() -> Vec<Case> {
    let long = long_text(256 * 1024);
    vec![
        case("7.1.1: a text before a close comes back")
            .sends(text("Hello, world!"))
            .gets(echo_text("Hello, world!"))
            .sends(close(1000, ""))
            .closed_with_code(1000, ""),
        case("7.1.2: a second close is not answered")
            .sends(close(1000, ""))
            .sends(close(1000, ""))
            .closed_with_code(1000, ""),
        case("7.1.3: a ping behind a close is not answered")
            .sends(close(1000, ""))
            .sends(ping(BEHIND_CLOSE))
            .closed_with_code(1000, ""),
        case("7.1.4: a text behind a close does not come back")
            .sends(close(1000, ""))
            .sends(text(BEHIND_CLOSE))
            .closed_with_code(1000, ""),
        case("7.1.5: a close inside of a fragmented text is answered, and the text is dropped")
            .sends(first_text("fragment1"))
            .sends(close(1000, ""))
            .sends(last("fragment2"))
            .closed_with_code(1000, ""),
        case(
            "7.1.6: a text of 256 KiB before a close comes back, a ping behind the close does not",
        )
        .sends(text(&long))
        .gets(echo_text(long))
        .sends(close(1000, ""))
        .sends(ping(BEHIND_CLOSE))
        .closed_with_code(1000, "")
        .left_open(
            "a server may close before it has sent its answer (5.5.1); /echo keeps the order",
        ),
    ]
}

/// 7.3 and 7.5: payloads of close frames.
fn payloads() -> Vec<Case> {
    let longest = "*".repeat(123);
    let broken_reason = [&[0x03, 0xE8][..], "κόσμε".as_bytes(), b"\xED\xA0\x80edited"].concat();
    vec![
        case("7.3.1: an empty close is answered")
            .sends(frame(0x88, b""))
            .closed_without_code()
            .left_open("an answer may carry a code of its own (5.5.1); /echo repeats what it got"),
        case("7.3.2: a close with half a code fails the connection")
            .sends(frame(0x88, b"a"))
            .fails(1002),
        case("7.3.3: a close with a code is answered")
            .sends(close(1000, ""))
            .closed_with_code(1000, "")
            .left_open(SAME_PAYLOAD),
        case("7.3.4: a close with a code and a reason is answered")
            .sends(close(1000, "Hello, world!"))
            .closed_with_code(1000, "Hello, world!")
            .left_open(SAME_PAYLOAD),
        case("7.3.5: a close with a reason of 123 bytes is answered")
            .sends(close(1000, &longest))
            .closed_with_code(1000, &longest)
            .left_open(SAME_PAYLOAD),
        case("7.3.6: a close with a reason of 124 bytes fails the connection")
            .sends(close(1000, "*".repeat(124)))
            .fails(1002),
        case("7.5.1: a close whose reason is no UTF-8 fails the connection")
            .sends(frame(0x88, &broken_reason))
            .fails(1007)
            .left_open("1002 would fit as well (5.5.1, 8.1); the server says 1007"),
    ]
}

/// 7.7 and 7.9: codes that a client may send, and codes that it must not.
fn codes() -> Vec<Case> {
    let valid = [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999,
    ];
    let valid = (1..).zip(valid).map(|(index, code)| {
        case(format!("7.7.{index}: a close with code {code} is answered"))
            .sends(close(code, ""))
            .closed_with_code(code, "")
            .left_open(SAME_PAYLOAD)
    });
    let invalid = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999];
    let invalid = (1..).zip(invalid).map(|(index, code)| {
        let name = format!("7.9.{index}: a close with code {code} fails the connection");
        let case = case(name).sends(close(code, "")).fails(1002);
        match code {
            1007.. => case.left_open(UNREGISTERED),
            _ => case,
        }
    });
    valid.chain(invalid).collect()
}

/// 7.13: codes of which the RFC says nothing.
fn undefined_codes() -> Vec<Case> {
    let codes = (1..).zip([5000, 65_535]).map(|(index, code)| {
        case(format!(
            "7.13.{index}: a close with code {code} fails the connection"
        ))
        .sends(close(code, ""))
        .fails(1002)
        .left_open(UNDEFINED)
    });
    codes.collect()
}
