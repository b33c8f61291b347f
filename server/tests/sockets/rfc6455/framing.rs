//! Group 1: messages of the lengths at which a header changes its form (section 5.2).

use super::case::*;

/// A length, and in which chops the message arrives.
const MESSAGES: [(usize, Option<usize>); 8] = [
    (0, None),
    (125, None),
    (126, None),
    (127, None),
    (128, None),
    (65_535, None),
    (65_536, None),
    (65_536, Some(997)),
];

pub fn cases() -> Vec<Case> {
    let messages = || (1..).zip(MESSAGES);
    let texts = messages().map(|(index, (length, chops))| {
        let payload = long_text(length);
        let name = format!(
            "1.1.{index}: a text of {length} bytes{} comes back",
            arriving(chops)
        );
        chopped(
            case(name).sends(text(&payload)).gets(echo_text(payload)),
            chops,
        )
    });
    let binaries = messages().map(|(index, (length, chops))| {
        let payload = long_binary(length);
        let chopped_how = arriving(chops);
        let name =
            format!("1.2.{index}: a binary message of {length} bytes{chopped_how} comes back");
        chopped(
            case(name)
                .sends(binary(&payload))
                .gets(echo_binary(payload)),
            chops,
        )
    });
    texts.chain(binaries).collect()
}

fn arriving(chops: Option<usize>) -> String {
    chops.map_or(String::new(), |octets| format!(" in chops of {octets}"))
}

fn chopped(case: Case, chops: Option<usize>) -> Case {
    match chops {
        Some(octets) => case.in_chops_of(octets),
        None => case,
    }
}
