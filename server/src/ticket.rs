//! Tickets: signed, short-lived passes by which a login service says who a player is.
//!
//! A ticket is a JSON Web Token (RFC 7519) in its compact form, signed with HMAC-SHA-256 (`alg` HS256). In: the token that
//! `Hello` carries. Out: the player's identity, or a sentence for the player. No other algorithm is ever accepted, so a token
//! cannot choose how it is checked.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde::de::{self, IgnoredAny, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use thiserror::Error;

/// A key for HS256 must be as long as its hash (RFC 7518, section 3.2), or it could be guessed.
const MIN_SECRET_BYTES: usize = 32;

/// Why the secrets cannot be used.
#[derive(Debug, Error)]
pub enum KeysError {
    /// The file cannot be read.
    #[error("{path}: {error}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        error: std::io::Error,
    },
    /// The file has no secret.
    #[error("{path}: the file is empty", path = .0.display())]
    Empty(PathBuf),
    /// A secret could be guessed.
    #[error("{path}: the secret in line {line} is shorter than {MIN_SECRET_BYTES} bytes and could be guessed; take random ones", path = path.display())]
    Short {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
}

/// The secrets that sign tickets, one a line of their file: the first is the one to sign with, and all of them verify. `Debug` does
/// not show them.
pub struct TicketKeys {
    path: PathBuf,
    current: RwLock<Arc<[hmac::Key]>>,
}

impl TicketKeys {
    /// Reads the secrets.
    ///
    /// # Errors
    /// If the file cannot be read, or a secret is too short.
    pub(crate) fn load(path: PathBuf) -> Result<Self, KeysError> {
        let current = RwLock::new(read_keys(&path)?);
        Ok(Self { path, current })
    }

    /// Reads the file again. Sessions go on.
    ///
    /// # Errors
    /// If the new secrets cannot be used; the old ones stay.
    pub(crate) fn reload(&self) -> Result<(), KeysError> {
        let keys = read_keys(&self.path)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    fn current(&self) -> Arc<[hmac::Key]> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&current)
    }
}

fn read_keys(path: &Path) -> Result<Arc<[hmac::Key]>, KeysError> {
    let bytes = std::fs::read(path).map_err(|error| KeysError::Unreadable {
        path: path.to_owned(),
        error,
    })?;
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    // Editors and `echo` end a line with bytes that are not part of the secret. What it begins with is.
    let secrets = lines.map(|(index, line)| (index + 1, line.trim_ascii_end()));
    let keys: Arc<[hmac::Key]> = secrets
        .filter(|(_, secret)| !secret.is_empty())
        .map(|(line, secret)| {
            if secret.len() < MIN_SECRET_BYTES {
                let path = path.to_owned();
                return Err(KeysError::Short { path, line });
            }
            Ok(hmac::Key::new(hmac::HMAC_SHA256, secret))
        })
        .collect::<Result<_, _>>()?;
    if keys.is_empty() {
        return Err(KeysError::Empty(path.to_owned()));
    }
    Ok(keys)
}

impl std::fmt::Debug for TicketKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TicketKeys(..)")
    }
}

/// A ticket that is valid for longer ends after this: a hundred years.
const MAX_VALID_SECONDS: u64 = 100 * 366 * 24 * 3600;

/// Why a ticket does not let its bearer in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum TicketError {
    /// `Hello` carries no ticket.
    #[error("this server wants a ticket; log in first")]
    Missing,
    /// The ticket cannot be read, or its signature is wrong.
    #[error("the ticket is not valid; log in again")]
    Invalid,
    /// `exp` has passed.
    #[error("the ticket has expired; log in again")]
    Expired,
    /// `nbf` is in the future.
    #[error("the ticket is not valid yet; try later")]
    Early,
    /// `room` names another room.
    #[error("the ticket is for another room")]
    Room,
}

/// What a ticket says about its bearer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ticket {
    /// The player's id at the login service; never empty.
    pub subject: String,
    /// Display name; `None`: the name that `Hello` gives.
    pub name: Option<String>,
    /// How long the ticket is still valid.
    pub ends_in: Duration,
}

/// The token's header (RFC 7515, section 4.1). Other fields are ignored.
#[derive(Deserialize)]
struct Header {
    alg: String,
    /// Extensions that must be understood (section 4.1.11). This server understands none, so their presence refuses the ticket.
    #[serde(default)]
    crit: Option<IgnoredAny>,
}

/// The token's claims (RFC 7519, section 4.1). Other claims are ignored.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: Seconds,
    #[serde(default)]
    nbf: Option<Seconds>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    room: Option<String>,
}

/// A moment in seconds since 1970 (a `NumericDate`); fractions are rounded.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
struct Seconds(u64);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(claim: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Seconds;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("seconds since 1970")
            }

            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Seconds, E> {
                Ok(Seconds(seconds))
            }

            fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Seconds, E> {
                if (0.0..u64::MAX as f64).contains(&seconds) {
                    Ok(Seconds(seconds.round() as u64))
                } else {
                    Err(E::custom("this is no moment since 1970"))
                }
            }
        }
        claim.deserialize_any(Number)
    }
}

/// Checks a ticket for `room` at the present time.
///
/// # Errors
/// The reason to keep its bearer out.
pub fn check(keys: &TicketKeys, token: &str, room: &str) -> Result<Ticket, TicketError> {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = Seconds(since_1970.unwrap_or_default().as_secs());
    check_at(&keys.current(), token, room, now)
}

fn check_at(
    keys: &[hmac::Key],
    token: &str,
    room: &str,
    now: Seconds,
) -> Result<Ticket, TicketError> {
    if token.is_empty() {
        return Err(TicketError::Missing);
    }
    let claims = verified_claims(keys, token).map_err(|problem| {
        // Logged for whoever connects a login service: the player cannot do anything about it.
        tracing::debug!("a ticket was refused: {problem}");
        TicketError::Invalid
    })?;
    if claims.exp < now {
        return Err(TicketError::Expired);
    }
    if claims.nbf.is_some_and(|start| start > now) {
        return Err(TicketError::Early);
    }
    if claims.sub.is_empty() {
        return Err(TicketError::Invalid);
    }
    if claims.room.is_some_and(|only| only != room) {
        return Err(TicketError::Room);
    }
    Ok(Ticket {
        subject: claims.sub,
        name: claims.name,
        // A moment after its last second, as `exp` is inclusive; capped so that no sum of times overflows.
        ends_in: Duration::from_secs((claims.exp.0 - now.0).min(MAX_VALID_SECONDS) + 1),
    })
}

/// The claims of a token whose header and signature are right; otherwise what is wrong with it.
fn verified_claims(keys: &[hmac::Key], token: &str) -> Result<Claims, String> {
    let (signed, signature) = token
        .rsplit_once('.')
        .ok_or("a token has three parts, separated by dots")?;
    let (header, claims) = signed
        .split_once('.')
        .ok_or("a token has three parts, separated by dots")?;
    let header: Header = from_base64_json("header", header)?;
    if header.alg != "HS256" {
        return Err(format!("alg is {}; only HS256 is accepted", header.alg));
    }
    if header.crit.is_some() {
        return Err("crit names an extension, and none is known".to_owned());
    }
    let signature = from_base64("signature", signature)?;
    // Constant time: a forger must not learn how much of a signature was right.
    let is_right = |key: &hmac::Key| hmac::verify(key, signed.as_bytes(), &signature).is_ok();
    if !keys.iter().any(is_right) {
        return Err("the signature is wrong".to_owned());
    }
    from_base64_json("claims", claims)
}

/// Base64url without padding and without stray bits (RFC 7515, section 2).
fn from_base64(part: &str, text: &str) -> Result<Vec<u8>, String> {
    let bytes = URL_SAFE_NO_PAD.decode(text);
    bytes.map_err(|error| format!("{part}: {error}"))
}

fn from_base64_json<T: for<'de> Deserialize<'de>>(part: &str, text: &str) -> Result<T, String> {
    let json = from_base64(part, text)?;
    // A header and claims are objects (RFC 7515, section 4; RFC 7519, section 3). serde would also take a list of their values.
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Err(format!("{part}: this is no JSON object"));
    }
    serde_json::from_slice(&json).map_err(|error| format!("{part}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 2_000_000_000;

    fn secret() -> hmac::Key {
        hmac::Key::new(
            hmac::HMAC_SHA256,
            b"only the login service and this server know it",
        )
    }

    fn signed(header: &str, claims: &str) -> String {
        let encode = |json: &str| URL_SAFE_NO_PAD.encode(json);
        let message = format!("{}.{}", encode(header), encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&secret(), message.as_bytes()));
        format!("{message}.{signature}")
    }

    fn check(token: &str) -> Result<Ticket, TicketError> {
        check_at(&[secret()], token, "main", Seconds(NOW))
    }

    fn check_claims(claims: &str) -> Result<Ticket, TicketError> {
        check(&signed(r#"{"alg":"HS256","typ":"JWT"}"#, claims))
    }

    #[test]
    fn a_good_ticket_names_its_bearer() {
        let ticket = check_claims(r#"{"sub":"7","name":"Ada","room":"main","exp":2000000000.4}"#);
        let expected = Ticket {
            subject: "7".to_owned(),
            name: Some("Ada".to_owned()),
            ends_in: Duration::from_secs(1),
        };
        assert_eq!(ticket, Ok(expected));
        let without_type = signed(r#"{"alg":"HS256"}"#, r#"{"sub":"7","exp":2000000000}"#);
        assert_eq!(check(&without_type).unwrap().name, None);
    }

    #[test]
    fn a_known_token_of_rfc_7515_verifies() {
        // Appendix A.1: made by others, with a key in base64url.
        let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
        let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let key = URL_SAFE_NO_PAD.decode(key).unwrap();
        let keys = [hmac::Key::new(hmac::HMAC_SHA256, &key)];
        let problem = verified_claims(&keys, token).err().unwrap();
        // The signature is right; only the subject is missing.
        assert!(problem.contains("missing field `sub`"), "{problem}");
    }

    #[test]
    fn the_times_of_a_ticket_are_inclusive() {
        let of = |exp: u64, nbf: u64| {
            check_claims(&format!(r#"{{"sub":"7","exp":{exp},"nbf":{nbf}}}"#)).err()
        };
        assert_eq!(of(NOW, NOW), None);
        assert_eq!(of(NOW - 1, 0), Some(TicketError::Expired));
        assert_eq!(of(NOW + 9, NOW + 1), Some(TicketError::Early));
    }

    #[test]
    fn malformed_and_forged_tickets_are_refused() {
        let claims = r#"{"sub":"7","exp":2000000000}"#;
        let good = signed(r#"{"alg":"HS256"}"#, claims);
        let (message, signature) = good.rsplit_once('.').unwrap();
        let mut refused = vec![
            "no ticket at all".to_owned(),
            "..".to_owned(),
            message.to_owned(),
            format!("{message}."),
            format!("{good}="),
            format!("{good}.{signature}"),
            good.replace('.', ". "),
            signed(r#"{"alg":"none"}"#, claims),
            signed(r#"{"alg":"HS384"}"#, claims),
            signed(r#"{"alg":"hs256"}"#, claims),
            signed(r#"{"typ":"JWT"}"#, claims),
            signed(r#"{"alg":"HS256","crit":["exp2"]}"#, claims),
            signed(r#"{"alg":"HS256"}"#, "not json"),
        ];
        let bad_claims = [
            r#"{"exp":2000000000}"#,
            r#"{"sub":"7"}"#,
            r#"{"sub":"","exp":2000000000}"#,
            r#"{"sub":"7","exp":"2000000000"}"#,
            r#"{"sub":"7","exp":-1}"#,
            r#"{"sub":"7","exp":2000000000,"nbf":"soon"}"#,
            r#"{"sub":"7","exp":2000000000,"exp":2000000000}"#,
        ];
        refused.extend(bad_claims.map(|claims| signed(r#"{"alg":"HS256"}"#, claims)));
        for token in refused {
            assert_eq!(check(&token), Err(TicketError::Invalid), "{token}");
        }
        assert_eq!(check(""), Err(TicketError::Missing));
        let elsewhere = check_claims(r#"{"sub":"7","room":"vip","exp":2000000000}"#);
        assert_eq!(elsewhere, Err(TicketError::Room));
    }

    #[test]
    fn lists_are_neither_headers_nor_claims() {
        let (header, claims) = (r#"{"alg":"HS256"}"#, r#"{"sub":"7","exp":2000000000}"#);
        let with_list = [
            signed(r#"["HS256",null]"#, claims),
            signed(header, r#"["7",2000000000,null,null,null]"#),
        ];
        for token in with_list {
            assert_eq!(check(&token), Err(TicketError::Invalid), "{token}");
        }
        assert!(check(&signed(&format!(" \n{header}"), claims)).is_ok());
    }

    #[test]
    fn every_secret_of_the_file_verifies_after_a_reload() {
        let path = std::env::temp_dir().join(format!("tickwire-keys-{}", std::process::id()));
        let [old, new] = ["old", "new"].map(|name| format!("{name}{}", "x".repeat(32)));
        let signed_by = |secret: &str| {
            let claims = format!(r#"{{"sub":"7","exp":{}}}"#, NOW * 2);
            let encode = |json: &str| URL_SAFE_NO_PAD.encode(json);
            let message = format!("{}.{}", encode(r#"{"alg":"HS256"}"#), encode(&claims));
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
            let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes()));
            format!("{message}.{signature}")
        };
        std::fs::write(&path, &old).unwrap();
        let keys = TicketKeys::load(path.clone()).unwrap();
        let verify = |secret: &str| super::check(&keys, &signed_by(secret), "main").is_ok();
        assert_eq!((verify(&old), verify(&new)), (true, false));
        std::fs::write(&path, format!("{new}\r\n\n{old}\n")).unwrap();
        keys.reload().unwrap();
        assert_eq!((verify(&old), verify(&new)), (true, true));
        std::fs::write(&path, format!("{new}\nshort\n")).unwrap();
        let problem = keys.reload().unwrap_err().to_string();
        assert!(problem.contains("line 2"), "{problem}");
        assert!(verify(&old));
        // What ends a line is not part of a secret; what it begins with is.
        std::fs::write(&path, format!(" {old} \t\r\n")).unwrap();
        keys.reload().unwrap();
        assert_eq!((verify(&old), verify(&format!(" {old}"))), (false, true));
        std::fs::remove_file(path).unwrap();
    }
}
