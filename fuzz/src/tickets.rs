//! Tickets: one that nobody signed never lets in, and a signed one says what its claims say.
//!
//! Input: a first byte that chooses, and texts separated by line ends.
//! 0: the ticket itself. 1: header, claims, and bytes that damage the signed ticket. Others: a subject and a name, for a good ticket.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tickwire_server::TicketKeys;
use tickwire_server::config::Config;
use tickwire_server::internals::{Ticket, TicketError, check_ticket};

const SECRETS: [&str; 2] = [
    "the first secret, which signs and verifies",
    "the secret before it, which only verifies",
];
const ROOM: &str = "main";
/// In the year 2096, so that tickets of the corpus stay valid.
const FAR: u64 = 4_000_000_000;

static KEYS: LazyLock<Arc<TicketKeys>> = LazyLock::new(|| {
    let name = format!("tickwire-fuzz-secrets-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, SECRETS.join("\n")).expect("the secrets can be written");
    let flags = ["fuzz", "--ticket-secret-file"].map(OsString::from);
    let config = Config::load(flags.into_iter().chain([path.clone().into_os_string()]));
    let _ = std::fs::remove_file(path);
    let config = config.expect("the flags are right");
    config.ticket_keys.expect("the flags name the secrets")
});

/// One run of the target.
///
/// # Panics
/// If a ticket is taken that should not be, or the other way round.
pub fn run(input: &[u8]) {
    let Some((&choice, rest)) = input.split_first() else {
        return;
    };
    let rest = String::from_utf8_lossy(rest);
    let mut lines = rest.split('\n');
    match choice {
        0 => drop(check(&rest)),
        1 => {
            let mut next = || lines.next().unwrap_or_default();
            let (header, claims, damage) = (next(), next(), next());
            let ticket = signed(header, claims, damage.len() % 2);
            let _ = check(&ticket);
            let damaged = damaged(&ticket, damage);
            let result = check(&damaged);
            assert!(damaged == ticket || result.is_err(), "{damaged}");
        }
        _ => good(
            lines.next().unwrap_or_default(),
            lines.next(),
            usize::from(choice % 2),
        ),
    }
}

/// A good ticket lets in, and names its bearer.
fn good(subject: &str, name: Option<&str>, secret: usize) {
    let mut claims = json!({"sub": subject, "exp": FAR, "room": ROOM});
    if let Some(name) = name {
        claims["name"] = name.into();
    }
    let ticket = signed(r#"{"alg":"HS256"}"#, &claims.to_string(), secret);
    match check(&ticket) {
        Ok(ticket) => {
            assert_eq!(ticket.subject, subject);
            assert_eq!(ticket.name.as_deref(), name);
        }
        Err(error) => {
            assert!(subject.is_empty(), "{claims}: {error}");
            assert_eq!(error, TicketError::Invalid);
        }
    }
}

/// Checks a ticket, and that only the right ones are taken.
fn check(token: &str) -> Result<Ticket, TicketError> {
    let checked = check_ticket(&KEYS, token, ROOM);
    if let Ok(ticket) = &checked {
        assert!(is_signed(token), "nobody signed {token}");
        check_claims(token, ticket);
    }
    checked
}

/// The claims, read once more, are those of the ticket.
fn check_claims(token: &str, ticket: &Ticket) {
    let parts: Vec<&str> = token.split('.').collect();
    let read = [parts[0], parts[1]].map(|part| {
        let json = URL_SAFE_NO_PAD.decode(part).expect("a part is base64");
        serde_json::from_slice::<Value>(&json)
    });
    let [header, claims] = match read {
        [Ok(header), Ok(claims)] => [header, claims],
        // In a claim that the server does not read, a number may be larger than any float, of which this reader makes none.
        [Err(error), _] | [_, Err(error)] => {
            let text = error.to_string();
            assert!(
                text.contains("number out of range"),
                "a part is JSON: {text}"
            );
            return;
        }
    };
    assert_eq!(header["alg"], "HS256");
    assert!(header["crit"].is_null(), "no extension is known");
    assert_eq!(claims["sub"], *ticket.subject);
    assert!(!ticket.subject.is_empty());
    assert_eq!(claims["name"].as_str(), ticket.name.as_deref());
    assert!(claims["room"].is_null() || claims["room"] == ROOM);
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = since_1970.unwrap_or_default().as_secs_f64();
    // Rounded to the second, and checked a moment ago.
    assert!(claims["exp"].as_f64().is_some_and(|end| end > now - 5.0));
    assert!(claims["nbf"].as_f64().is_none_or(|start| start < now + 1.0));
    assert!(ticket.ends_in > Duration::ZERO);
}

fn is_signed(token: &str) -> bool {
    let Some((message, signature)) = token.rsplit_once('.') else {
        return false;
    };
    let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else {
        return false;
    };
    let message = message.as_bytes();
    (0..SECRETS.len()).any(|secret| hmac::verify(&key(secret), message, &signature).is_ok())
}

fn key(secret: usize) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, SECRETS[secret].as_bytes())
}

/// A token of any header and claims, signed.
fn signed(header: &str, claims: &str, secret: usize) -> String {
    let [header, claims] = [header, claims].map(|json| URL_SAFE_NO_PAD.encode(json));
    let message = format!("{header}.{claims}");
    let signature = hmac::sign(&key(secret), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A ticket with other characters at places that the damage names: pairs of a place and a character.
fn damaged(ticket: &str, damage: &str) -> String {
    let mut bytes = ticket.as_bytes().to_vec();
    for pair in damage.as_bytes().chunks_exact(2) {
        let at = usize::from(pair[0]) * bytes.len() / 256;
        bytes[at] = pair[1];
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
