//! Group 6: text must be UTF-8 (section 8.1 and RFC 3629).
//!
//! Sections 6.5 to 6.23 are the classes of Markus Kuhn's UTF-8 decoder test, each text in one frame.

use super::case::*;

/// "κόσμε" with an acute accent from Greek Extended: eleven bytes, characters of two and three.
const KOSME: &[u8] = b"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5";
/// Characters of one and two bytes.
const GREETING: &str = "Hello-µ@ßöäüàá-UTF-8!!";
/// Section 8.1 asks for the failure of the connection, not for its moment.
const FAILS_EARLY: &str =
    "a server may wait for the message's end (8.1); this one fails at the first hopeless byte";

pub fn cases() -> Vec<Case> {
    [
        empty_texts(),
        valid_texts(),
        invalid_texts(),
        early_failures(),
        classes(),
    ]
    .concat()
}

/// 6.1: texts and fragments without a byte.
fn empty_texts() -> Vec<Case> {
    let middle = "the middle fragment";
    vec![
        case("6.1.1: an empty text comes back")
            .sends(text(""))
            .gets(echo_text("")),
        case("6.1.2: a text of three empty fragments comes back empty")
            .sends(first_text(""))
            .sends(further(""))
            .sends(last(""))
            .gets(echo_text("")),
        case("6.1.3: a text between two empty fragments comes back")
            .sends(first_text(""))
            .sends(further(middle))
            .sends(last(""))
            .gets(echo_text(middle)),
    ]
}

/// 6.2: valid texts in fragments.
fn valid_texts() -> Vec<Case> {
    let at = "Hello-µ@".len();
    vec![
        case("6.2.1: a valid text comes back")
            .sends(text(GREETING))
            .gets(echo_text(GREETING)),
        case("6.2.2: a text that is cut between characters comes back")
            .sends(first_text(&GREETING[..at]))
            .sends(last(&GREETING[at..]))
            .gets(echo_text(GREETING)),
        in_fragments_of_one(
            "6.2.3: a text in fragments of one octet comes back",
            GREETING.as_bytes(),
        )
        .gets(echo_text(GREETING)),
        in_fragments_of_one(
            "6.2.4: a text of longer characters in fragments of one octet comes back",
            KOSME,
        )
        .gets(echo_text(KOSME)),
    ]
}

/// 6.3: a surrogate in a text.
fn invalid_texts() -> Vec<Case> {
    let invalid = [KOSME, b"\xED\xA0\x80edited"].concat();
    vec![
        case("6.3.1: a text with a surrogate fails the connection")
            .sends(text(&invalid))
            .fails(1007),
        in_fragments_of_one(
            "6.3.2: a text with a surrogate in fragments of one octet fails the connection",
            &invalid,
        )
        .fails(1007),
    ]
}

/// 6.4: the connection fails before the message is complete. What comes before and behind the invalid bytes is valid by itself.
fn early_failures() -> Vec<Case> {
    // U+110000 does not exist, which its second byte shows.
    let beyond = b"\xF4\x90\x80\x80";
    let end = b"edited";
    let in_fragments = |name, middle: &[u8], rest: &[u8]| {
        case(name)
            .sends(first_text(KOSME))
            // The pong shows that the first fragment was accepted.
            .sends(ping("accepted?"))
            .gets(answer("accepted?"))
            .waits()
            .sends(further(middle))
            .waits_for_failure()
            .sends(last([rest, end].concat()))
            .fails(1007)
            .left_open(FAILS_EARLY)
    };
    // No ping can come inside of a frame: only the server's count of received bytes separates these pieces.
    let in_one_frame = |name, invalid_bytes| {
        let frame = text([KOSME, beyond, end].concat());
        let header = 6;
        let (valid, rest) = frame.split_at(header + KOSME.len());
        let (invalid, rest) = rest.split_at(invalid_bytes);
        case(name)
            .sends(valid)
            .sends(invalid)
            .waits_for_failure()
            .sends(rest)
            .in_sends()
            .fails(1007)
            .left_open(FAILS_EARLY)
    };
    vec![
        in_fragments(
            "6.4.1: the fragment with U+110000 fails the connection",
            beyond,
            b"",
        ),
        in_fragments(
            "6.4.2: a fragment that ends in the first two bytes of U+110000 fails the connection",
            &beyond[..2],
            &beyond[2..],
        ),
        in_one_frame(
            "6.4.3: U+110000 fails the connection before its frame is complete",
            4,
        ),
        in_one_frame(
            "6.4.4: the first two bytes of U+110000 fail it before their frame is complete",
            2,
        ),
    ]
}

/// A text of the classes, and whether it is UTF-8: by table, so that no decoder judges another.
struct Sample {
    bytes: Vec<u8>,
    is_valid: bool,
}

/// 6.5 to 6.23: one text a case.
fn classes() -> Vec<Case> {
    let cases = [
        class(5, "a valid text", valid_texts_of_all_lengths()),
        class(6, "a beginning of a valid text", beginnings()),
        class(
            7,
            "the first character of a length",
            table("+00 +c280 +e0a080 +f0908080"),
        ),
        class(
            8,
            "the first sequence of five or six bytes",
            table("f888808080 fc8480808080"),
        ),
        class(
            9,
            "the last character of a length",
            table("+7f +dfbf +efbfbf +f48fbfbf"),
        ),
        class(
            10,
            "the last sequence beyond Unicode",
            table("f7bfbfbf fbbfbfbfbf fdbfbfbfbfbf"),
        ),
        class(
            11,
            "a boundary",
            table("+ed9fbf +ee8080 +efbfbd +f48fbfbf f4908080"),
        ),
        class(12, "continuation bytes of nothing", continuations()),
        class(13, "first bytes without the rest", lone_first_bytes()),
        class(14, "a sequence without its last byte", table(CUT_SEQUENCES)),
        class(
            15,
            "sequences without their last bytes",
            table(&CUT_SEQUENCES.replace(' ', "")),
        ),
        class(16, "bytes that never occur", table("fe ff fefeffff")),
        class(
            17,
            "an overlong slash",
            table("c0af e080af f08080af f8808080af fc80808080af"),
        ),
        class(
            18,
            "the last overlong of a length",
            table("c1bf e09fbf f08fbfbf f887bfbfbf fc83bfbfbfbf"),
        ),
        class(
            19,
            "an overlong NUL",
            table("c080 e08080 f0808080 f880808080 fc8080808080"),
        ),
        class(
            20,
            "a surrogate",
            table("eda080 edadbf edae80 edafbf edb080 edbe80 edbfbf"),
        ),
        class(21, "a pair of surrogates", surrogate_pairs()),
        class(22, "a noncharacter", noncharacters()),
        class(
            23,
            "a special character",
            table("+efbfb9 +efbfba +efbfbb +efbfbc +efbfbd +efbfbe +efbfbf"),
        ),
    ];
    cases.concat()
}

/// The first and the last sequences of two to six bytes, each without its last byte.
const CUT_SEQUENCES: &str = "c0 e080 f08080 f8808080 fc80808080 df efbf f7bfbf fbbfbfbf fdbfbfbfbf";

fn class(section: u32, what: &str, samples: Vec<Sample>) -> Vec<Case> {
    let cases = (1..)
        .zip(samples)
        .map(|(index, Sample { bytes, is_valid })| {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let outcome = if is_valid {
                "comes back"
            } else {
                "fails the connection"
            };
            let case =
                case(format!("6.{section}.{index}: {what}, {hex}, {outcome}")).sends(text(&bytes));
            if is_valid {
                case.gets(echo_text(&bytes))
            } else {
                case.fails(1007)
            }
        });
    cases.collect()
}

/// Samples in hexadecimal. A plus sign marks those that are UTF-8.
fn table(samples: &str) -> Vec<Sample> {
    let samples = samples.split(' ').map(|sample| {
        let hex = sample.trim_start_matches('+');
        let octets = (0..hex.len()).step_by(2);
        Sample {
            bytes: octets
                .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
                .collect(),
            is_valid: sample.starts_with('+'),
        }
    });
    samples.collect()
}

fn valid_texts_of_all_lengths() -> Vec<Sample> {
    let texts = ["hello$world", "hello¢world", "hello€world", "hello𤭢world"];
    let texts = texts.map(str::as_bytes).into_iter().chain([KOSME]);
    let valid = |text: &[u8]| Sample {
        bytes: text.to_vec(),
        is_valid: true,
    };
    texts.map(valid).collect()
}

fn beginnings() -> Vec<Sample> {
    let beginnings = (1..=KOSME.len()).map(|length| Sample {
        bytes: KOSME[..length].to_vec(),
        // Those that end between characters.
        is_valid: matches!(length, 2 | 5 | 7 | 9 | 11),
    });
    beginnings.collect()
}

fn invalid(bytes: Vec<u8>) -> Sample {
    Sample {
        bytes,
        is_valid: false,
    }
}

/// One of each end, two to six together, and all 64.
fn continuations() -> Vec<Sample> {
    let mut samples = table("80 bf 80bf 80bf80 80bf80bf 80bf80bf80 80bf80bf80bf");
    samples.push(invalid((0x80..=0xBF).collect()));
    samples
}

/// All first bytes of sequences of two to six bytes, a space behind each.
fn lone_first_bytes() -> Vec<Sample> {
    let lengths = [(0xC0, 32), (0xE0, 16), (0xF0, 8), (0xF8, 4), (0xFC, 2)];
    let spaced = |(first, count): (u8, u8)| {
        let bytes = (0..count).flat_map(|index| [first + index, b' ']);
        invalid(bytes.collect())
    };
    lengths.map(spaced).into()
}

/// The boundaries of high surrogates, each with those of low ones.
fn surrogate_pairs() -> Vec<Sample> {
    table(
        "eda080edb080 eda080edbfbf edadbfedb080 edadbfedbfbf \
         edae80edb080 edae80edbfbf edafbfedb080 edafbfedbfbf",
    )
}

/// The last two code points of each plane: nothing is assigned to them, and UTF-8 has them.
fn noncharacters() -> Vec<Sample> {
    let code_points = (0..=16u32).flat_map(|plane| [0xFFFE, 0xFFFF].map(|low| plane << 16 | low));
    let encoded = code_points.map(|code_point| Sample {
        bytes: char::from_u32(code_point).unwrap().to_string().into_bytes(),
        is_valid: true,
    });
    encoded.collect()
}

fn in_fragments_of_one(name: &str, bytes: &[u8]) -> Case {
    let (end, octets) = bytes.split_last().unwrap();
    let (start, octets) = octets.split_first().unwrap();
    let case = case(name).sends(first_text([*start]));
    let case = octets
        .iter()
        .fold(case, |case, octet| case.sends(further([*octet])));
    case.sends(last([*end]))
}
