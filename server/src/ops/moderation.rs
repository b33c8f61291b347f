//! `/kick`, `/mute`, `/ban` and `/bans`: what operators do against single players.
//!
//! In: JSON that names a player by subject, session or address. Out: entries in [`Moderation`](crate::moderation::Moderation), the end
//! of sessions, and an answer that says what holds for whom. An entry holds before sessions end, so that nobody slips back in between.

use super::{Operations, RoomOperations, bad_request, json_body};
use crate::close::{Close, DisconnectReason};
use crate::http_answers::{Answer, json, text};
use crate::metrics::ModerationEvent;
use crate::moderation::{BANNED, Entry, Kind, SessionAction, Target, Whom};
use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use serde_json::{Map, Value};
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

/// Longest reason. A close frame shows the first 80 bytes or so.
const MAX_REASON_CHARS: usize = 200;
/// Longest `sub`.
const MAX_SUBJECT_BYTES: usize = 1024;
/// Longest `for`: a hundred years.
const MAX_PERIOD: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

/// A body of `/kick`, `/mute` or `/ban`.
#[derive(Debug)]
struct Order {
    whom: Whom,
    reason: String,
    /// `None`: until it is lifted.
    period: Option<Duration>,
}

impl Order {
    /// Reads the fields. An error is a sentence that names the field.
    fn read(fields: &Map<String, Value>, may_last: bool) -> Result<Self, String> {
        let known = ["sub", "session", "room", "address", "reason", "for"];
        if let Some(other) = fields.keys().find(|field| !known.contains(&&***field)) {
            return Err(format!(
                "{other} is none of the fields {}",
                known.join(", ")
            ));
        }
        let text = |field: &'static str| match fields.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(format!("{field} must be a text")),
        };
        let session = fields.get("session").filter(|value| !value.is_null());
        let whom = match (text("sub")?, session, text("address")?) {
            (Some(sub), None, None) if !sub.is_empty() && sub.len() <= MAX_SUBJECT_BYTES => {
                Whom::Target(Target::Subject(sub.to_owned()))
            }
            (Some(_), None, None) => {
                return Err(format!("sub must have 1 to {MAX_SUBJECT_BYTES} bytes"));
            }
            (None, Some(session), None) => Whom::Session {
                number: (session.as_u64())
                    .and_then(|number| u32::try_from(number).ok())
                    .ok_or("session must be the number of a session")?,
                room: text("room")?
                    .ok_or("room is missing: a session's number counts in its room")?
                    .to_owned(),
            },
            (None, None, Some(address)) => {
                Whom::Target(Target::parse_address(address).ok_or_else(|| {
                    format!("address: {address:?} is no address or network; write it like 192.0.2.1 or 10.0.0.0/8")
                })?)
            }
            _ => return Err("give one of sub, session (with room) or address".to_owned()),
        };
        if text("room")?.is_some() && !matches!(whom, Whom::Session { .. }) {
            return Err(
                "room goes with session alone: bans and mutes hold in all rooms".to_owned(),
            );
        }
        let reason = text("reason")?.unwrap_or_default();
        // Control characters are removed as in chat, because a player's terminal or page might execute them.
        let reason = reason.replace(char::is_control, "").trim().to_owned();
        if reason.chars().count() > MAX_REASON_CHARS {
            return Err(format!(
                "reason must have at most {MAX_REASON_CHARS} characters"
            ));
        }
        let period = text("for")?.map(period).transpose()?;
        if period.is_some() && !may_last {
            return Err("for: a kick takes no time; use /ban".to_owned());
        }
        Ok(Self {
            whom,
            reason,
            period,
        })
    }
}

fn period(text: &str) -> Result<Duration, String> {
    let period = humantime::parse_duration(text)
        .map_err(|error| format!("for: {error}; write it like 1h or 30days"))?;
    if period.is_zero() || period > MAX_PERIOD {
        return Err("for must be longer than nothing and at most a hundred years".to_owned());
    }
    Ok(period)
}

impl<R: RoomOperations> Operations<R> {
    /// Answers `POST /kick`, `/mute` and `/ban`.
    pub(super) async fn moderate(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> Result<Answer, Box<Answer>> {
        let kind = match request.uri().path() {
            "/ban" => Some(Kind::Ban),
            "/mute" => Some(Kind::Mute),
            _ => None,
        };
        let expected =
            r#"expected {"sub" or "session" and "room" or "address": ..., "reason": "..."}"#;
        let fields = json_body(request, expected).await?;
        let order = Order::read(&fields, kind.is_some()).map_err(|error| bad_request(&error))?;
        match kind {
            None => self.kick(&order, peer).await,
            Some(kind) => self.add_entry(kind, order, peer).await,
        }
    }

    async fn kick(&self, order: &Order, peer: SocketAddr) -> Result<Answer, Box<Answer>> {
        let reason = match &*order.reason {
            "" => "you were kicked".to_owned(),
            reason => format!("you were kicked: {reason}"),
        };
        let action = SessionAction::End(Close::unwanted(DisconnectReason::Kicked, reason));
        let kicked = self.rooms.act_on_sessions(&order.whom, &action).await;
        let sessions = kicked.sessions;
        if sessions == 0 && matches!(order.whom, Whom::Session { .. }) {
            return Err(no_session());
        }
        self.metrics.moderation.get(ModerationEvent::Kick).inc();
        let (whom, reason) = (&order.whom, &order.reason);
        tracing::info!(%peer, ?whom, reason, sessions, "kicked by an operator");
        Ok(json(
            StatusCode::OK,
            &serde_json::json!({ "sessions": sessions }),
        ))
    }

    /// Bans or mutes. The answer is the entry, and how many sessions it ended or muted.
    async fn add_entry(
        &self,
        kind: Kind,
        order: Order,
        peer: SocketAddr,
    ) -> Result<Answer, Box<Answer>> {
        let target = match &order.whom {
            Whom::Target(target) => target.clone(),
            session @ Whom::Session { .. } => {
                let found = (self.rooms).act_on_sessions(session, &SessionAction::Find);
                let identity = found.await.first.ok_or_else(no_session)?;
                match (identity.subject, identity.address) {
                    (Some(subject), _) => Target::Subject(subject),
                    (None, Some(address)) => Target::of_host(address),
                    (None, None) => return Err(no_session()),
                }
            }
        };
        let until = order.period.map(|period| SystemTime::now() + period);
        let added = (self.moderation).add(kind, target.clone(), order.reason.clone(), until);
        let entry =
            added.map_err(|full| text(StatusCode::INSUFFICIENT_STORAGE, &full.to_string()))?;
        let (event, action) = match kind {
            Kind::Ban => {
                let close = Close::unwanted(DisconnectReason::Banned, entry.sentence(BANNED));
                (ModerationEvent::Ban, SessionAction::End(close))
            }
            Kind::Mute => (ModerationEvent::Mute, SessionAction::Mute(entry.id)),
        };
        self.metrics.moderation.get(event).inc();
        self.rooms.share_entry(&entry).await;
        // A muted session stays muted wherever its player comes from; a ban holds for everybody whom it is about.
        let mut sessions = 0;
        if kind == Kind::Ban {
            let whom = Whom::Target(target);
            sessions += self.rooms.act_on_sessions(&whom, &action).await.sessions;
        }
        let by_session = matches!(order.whom, Whom::Session { .. });
        if kind == Kind::Mute || by_session {
            // Its player may have changed the address since it was found.
            sessions += (self.rooms.act_on_sessions(&order.whom, &action).await).sessions;
        }
        let mut answer = entry.to_json();
        answer["sessions"] = sessions.into();
        let holds_for = entry.target.to_field().0;
        if by_session {
            answer["note"] = match holds_for {
                "sub" => "it holds for the session's sub",
                _ => "the session has no sub: it holds for its address, and for all who share that",
            }
            .into();
        }
        tracing::info!(%peer, entry = %entry.to_json(), sessions, "banned or muted by an operator");
        self.saved(&answer).await
    }

    /// Answers `GET /bans`.
    pub(super) fn list_bans(&self) -> Answer {
        let entries = self.moderation.entries();
        let entries = entries.iter().map(Entry::to_json).collect();
        json(StatusCode::OK, &Value::Array(entries))
    }

    /// Answers `DELETE /bans/ID`.
    pub(super) async fn lift(&self, id: &str, peer: SocketAddr) -> Result<Answer, Box<Answer>> {
        let lifted = id.parse().ok().and_then(|id| self.moderation.lift(id));
        let Some(entry) = lifted else {
            let sentence = "there is no ban or mute of this id; GET /bans lists them";
            return Err(Box::new(text(StatusCode::NOT_FOUND, sentence)));
        };
        self.metrics.moderation.get(ModerationEvent::Lift).inc();
        self.rooms.share_lift(entry.id).await;
        let answer = entry.to_json();
        tracing::info!(%peer, entry = %answer, "lifted by an operator");
        self.saved(&answer).await
    }

    /// The answer, once the change is in the file.
    async fn saved(&self, answer: &Value) -> Result<Answer, Box<Answer>> {
        match self.moderation.save().await {
            Ok(()) => Ok(json(StatusCode::OK, answer)),
            Err(error) => {
                tracing::error!("bans and mutes can't be kept: {error}");
                let sentence = format!("it holds now, but not after a restart: {error}");
                Err(Box::new(text(StatusCode::INTERNAL_SERVER_ERROR, &sentence)))
            }
        }
    }
}

fn no_session() -> Box<Answer> {
    let sentence = "there is no such session in that room; GET /rooms/NAME/state lists them";
    Box::new(text(StatusCode::NOT_FOUND, sentence))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str, may_last: bool) -> Result<Order, String> {
        Order::read(&serde_json::from_str(body).unwrap(), may_last)
    }

    #[test]
    fn each_wrong_field_is_named() {
        for (body, named) in [
            ("{}", "sub, session (with room) or address"),
            (r#"{"sub": "a", "address": "10.0.0.1"}"#, "one of sub"),
            (r#"{"sub": 7}"#, "sub"),
            (r#"{"sub": ""}"#, "sub"),
            (r#"{"session": 1}"#, "room"),
            (r#"{"session": -1, "room": "r"}"#, "session"),
            (r#"{"session": "1", "room": "r"}"#, "session"),
            (r#"{"session": 4294967296, "room": "r"}"#, "session"),
            (r#"{"sub": "a", "room": "r"}"#, "room"),
            (r#"{"address": "10.0.0.0/33"}"#, "address"),
            (r#"{"address": "evil.example"}"#, "address"),
            (r#"{"sub": "a", "reason": 1}"#, "reason"),
            (r#"{"sub": "a", "for": "soon"}"#, "for"),
            (r#"{"sub": "a", "for": "0s"}"#, "for"),
            (r#"{"sub": "a", "for": "1000years"}"#, "for"),
            (r#"{"sub": "a", "until": "1h"}"#, "until"),
        ] {
            let problem = read(body, true).unwrap_err();
            assert!(
                problem.contains(named) && problem.lines().count() == 1,
                "{body}: {problem}"
            );
        }
        let problem = read(r#"{"sub": "a", "for": "1h"}"#, false).unwrap_err();
        assert!(
            problem.contains("for") && problem.contains("/ban"),
            "{problem}"
        );
    }

    #[test]
    fn players_are_named_in_three_ways() {
        let order = read(
            r#"{"sub": "eve", "reason": "spam\u0007 ", "for": "1h"}"#,
            true,
        )
        .unwrap();
        assert_eq!(order.whom, Whom::Target(Target::Subject("eve".to_owned())));
        assert_eq!(
            (&*order.reason, order.period),
            ("spam", Some(Duration::from_secs(3600)))
        );
        let order = read(r#"{"session": 3, "room": "main"}"#, true).unwrap();
        let room = "main".to_owned();
        assert_eq!(order.whom, Whom::Session { room, number: 3 });
        let order = read(r#"{"address": "2001:db8::1"}"#, true).unwrap();
        let Whom::Target(target) = order.whom else {
            panic!("no target");
        };
        assert_eq!(target.to_field(), ("address", "2001:db8::/64".to_owned()));
    }
}
