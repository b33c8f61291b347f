//! One ban or mute: whom it is about, why, and until when.
//!
//! In and out: JSON, the same for operators and for the file.

use crate::network::Network;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The last second that a date of four digits can show.
const LATEST_SECOND: u64 = 253_402_300_799;

/// What an entry forbids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// To join and to resume.
    Ban,
    /// To chat.
    Mute,
}

impl Kind {
    /// The word for operators.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ban => "ban",
            Self::Mute => "mute",
        }
    }
}

/// Whom an entry is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A player's id at the login service (the `sub` of a ticket).
    Subject(String),
    /// Everybody in a network.
    Network(Network),
}

impl Target {
    /// Reads an address, of which IPv6 stands for its /64, or a network. `None`: it is none.
    pub fn parse_address(text: &str) -> Option<Self> {
        let network = match text.parse::<IpAddr>() {
            Ok(address) => return Some(Self::of_host(address)),
            Err(_) => Network::parse(text)?,
        };
        Some(Self::Network(network))
    }

    /// The household or host of an address.
    pub fn of_host(address: IpAddr) -> Self {
        Self::Network(Network::of_host(address))
    }

    /// Whether a player of this subject and address is meant.
    pub fn is(&self, subject: Option<&str>, address: Option<IpAddr>) -> bool {
        match self {
            Self::Subject(own) => subject == Some(own),
            Self::Network(network) => address.is_some_and(|address| network.contains(address)),
        }
    }

    /// The field's name and value, for operators.
    pub fn to_field(&self) -> (&'static str, String) {
        match self {
            Self::Subject(subject) => ("sub", subject.clone()),
            Self::Network(network) => ("address", network.to_string()),
        }
    }
}

/// A ban or a mute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Names the entry in `DELETE /bans/ID`.
    pub id: u64,
    /// What it forbids.
    pub kind: Kind,
    /// Whom it is about.
    pub target: Target,
    /// For the player and for operators; may be empty.
    pub reason: String,
    /// When it was pronounced.
    pub since: SystemTime,
    /// `None`: until it is lifted.
    pub until: Option<SystemTime>,
}

impl Entry {
    /// Whether the entry's time is not over.
    pub fn holds_at(&self, now: SystemTime) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// `what`, until when and why, for the player.
    pub fn sentence(&self, what: &str) -> String {
        let until = self.until.map(until_text);
        sentence(what, until.as_deref(), &self.reason)
    }

    /// The entry for operators and for the file.
    pub fn to_json(&self) -> Value {
        let (field, whom) = self.target.to_field();
        json!({
            "id": self.id,
            "kind": self.kind.as_str(),
            field: whom,
            "reason": self.reason,
            "since": time_text(self.since),
            "until": self.until.map(time_text),
        })
    }

    /// Reads what [`Self::to_json`] wrote. An error names the field.
    pub fn from_json(value: &Value) -> Result<Self, String> {
        let text = |field: &str| {
            let text = value.get(field).and_then(Value::as_str);
            text.ok_or_else(|| format!("{field} is no text"))
        };
        let time = |field: &str| {
            let time = humantime::parse_rfc3339(text(field)?);
            time.map_err(|error| format!("{field}: {error}"))
        };
        let target = match (value.get("sub"), value.get("address")) {
            (Some(_), None) => Target::Subject(text("sub")?.to_owned()),
            (None, Some(_)) => Network::parse(text("address")?)
                .map(Target::Network)
                .ok_or("address is no network")?,
            _ => return Err("there is neither sub nor address, or both".to_owned()),
        };
        let kinds = [Kind::Ban, Kind::Mute];
        let kind = text("kind")?;
        let kind = kinds.into_iter().find(|one| one.as_str() == kind);
        let has_end = value.get("until").is_some_and(|until| !until.is_null());
        Ok(Self {
            id: (value.get("id").and_then(Value::as_u64)).ok_or("id is no number")?,
            kind: kind.ok_or("kind is neither ban nor mute")?,
            target,
            reason: text("reason")?.to_owned(),
            since: time("since")?,
            until: has_end.then(|| time("until")).transpose()?,
        })
    }
}

/// A moment to the millisecond.
fn time_text(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(shown(time)).to_string()
}

/// A sentence for a player: what holds, until when and why.
pub(super) fn sentence(what: &str, until: Option<&str>, reason: &str) -> String {
    let colon = if reason.is_empty() { "" } else { ": " };
    match until {
        Some(until) => format!("{what} until {until}{colon}{reason}"),
        None => format!("{what}{colon}{reason}"),
    }
}

/// A moment to the second, for players.
pub(super) fn until_text(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(shown(time)).to_string()
}

/// The time, or the last one that can be shown.
fn shown(time: SystemTime) -> SystemTime {
    time.min(UNIX_EPOCH + Duration::from_secs(LATEST_SECOND))
        .max(UNIX_EPOCH)
}
