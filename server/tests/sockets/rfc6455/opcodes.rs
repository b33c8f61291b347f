//! Group 4: reserved opcodes (section 5.2).

use super::case::*;
use crate::support::frame;

pub fn cases() -> Vec<Case> {
    let kinds = [("4.1", "data", 3..8u8), ("4.2", "control", 11..16u8)];
    let cases = kinds.into_iter().flat_map(|(group, kind, opcodes)| {
        (1..).zip(opcodes).map(move |(index, opcode)| {
            let opens = index <= 2;
            let payload: &[u8] = match index {
                1 | 3 => b"",
                _ => b"reserved",
            };
            let place = if opens { "as the first frame" } else { "behind a text" };
            let carrying = if payload.is_empty() { "" } else { " with a payload" };
            let name = format!(
                "{group}.{index}: reserved {kind} opcode {opcode}{carrying} {place} fails the connection"
            );
            let reserved = frame(0x80 | opcode, payload);
            if opens {
                return case(name).sends(reserved).fails(1002);
            }
            case(name)
                .sends(text("Hello, world!"))
                .gets(echo_text("Hello, world!"))
                .sends(reserved)
                .sends(ping("too late"))
                .fails(1002)
                .left_open(ECHO_BEFORE_FAILURE)
        })
    });
    cases.collect()
}
