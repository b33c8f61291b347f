//! Tickets: signed, short-lived passes by which a login service says who a player is.
//!
//! A JSON Web Token (RFC 7519), HS256. In: the token that `Hello` carries. Out: the identity, or a sentence for the player.

use crate::config::TicketSecret;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;
use thiserror::Error;

/// Why a ticket does not let its bearer in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum TicketError {
    /// None was given.
    #[error("this server wants a ticket; log in first")]
    Missing,
    /// It cannot be read, or its signature is wrong.
    #[error("the ticket is not valid; log in again")]
    Invalid,
    /// It is too old.
    #[error("the ticket has expired; log in again")]
    Expired,
    /// Its time has not come.
    #[error("the ticket is not valid yet; try later")]
    Early,
    /// It is for another room.
    #[error("the ticket is for another room")]
    Room,
}

/// What a ticket says.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Ticket {
    /// Who, in the login service's terms.
    pub sub: String,
    /// Display name; absent: the one that `Hello` gives.
    #[serde(default)]
    pub name: Option<String>,
    /// The only room that it is good for; absent: any.
    #[serde(default)]
    pub room: Option<String>,
}

/// Reads a ticket for `room`.
///
/// # Errors
/// Whatever keeps its bearer out.
pub fn check(secret: &TicketSecret, token: &str, room: &str) -> Result<Ticket, TicketError> {
    if token.is_empty() {
        return Err(TicketError::Missing);
    }
    let mut rules = Validation::new(Algorithm::HS256);
    rules.leeway = 0;
    rules.validate_aud = false;
    rules.validate_nbf = true;
    rules.set_required_spec_claims(&["exp", "sub"]);
    let key = DecodingKey::from_secret(secret.as_bytes());
    let ticket = decode::<Ticket>(token, &key, &rules).map_err(|error| match error.kind() {
        ErrorKind::ExpiredSignature => TicketError::Expired,
        ErrorKind::ImmatureSignature => TicketError::Early,
        _ => {
            // For whoever connects a login service: a player can't do anything about it.
            tracing::debug!("a ticket was refused: {error}");
            TicketError::Invalid
        }
    })?;
    // RFC 7515 section 4.1.11: what the signer holds for critical must be understood, and nothing is here.
    if ticket.claims.sub.is_empty() || ticket.header.crit.is_some() {
        return Err(TicketError::Invalid);
    }
    match &ticket.claims.room {
        Some(only) if only != room => Err(TicketError::Room),
        _ => Ok(ticket.claims),
    }
}
