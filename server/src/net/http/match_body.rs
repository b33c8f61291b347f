//! The body of `POST /match`: JSON, turned into a request that holds nothing impossible.

use std::collections::BTreeMap;

use serde::Deserialize;
use tickwire_game::Tags;
use tickwire_proto::is_room_name;

use crate::net::room_service::{MatchMode, MatchRequest};

const MAX_TAGS: usize = 16;
const MAX_VALUE_CHARS: usize = 64;

/// The body as it is written.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
struct MatchBody {
    mode: MatchMode,
    tags: BTreeMap<String, TagValue>,
    max: Option<usize>,
    private: bool,
    room: Option<String>,
    key: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a tag is a text, a number or a boolean")]
enum TagValue {
    Text(String),
    Flag(bool),
    Number(serde_json::Number),
}

/// Reads a body. `max_players`: the most that a room can take.
///
/// # Errors
/// A sentence that says what is wrong.
pub(super) fn parse(body: &[u8], max_players: usize) -> Result<MatchRequest, String> {
    const EXPECTED: &str = r#"expected {"mode": "joinOrCreate" | "create" | "join", "tags": {..}, "max": N, "private": bool, "room": "..", "key": ".."}, all optional"#;
    // Deserialised by way of a map, because serde would also accept a list of the values.
    let map = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(body);
    let body: MatchBody = map
        .and_then(|map| serde_json::from_value(map.into()))
        .map_err(|error| format!("{EXPECTED}: {error}"))?;
    let creates = body.mode != MatchMode::Join;
    if let Some(max) = body.max {
        if !creates {
            return Err("max is for a new room, and mode join makes none".to_owned());
        }
        if !(1..=max_players).contains(&max) {
            return Err(format!(
                "max is {max}; a room takes 1 to {max_players} players"
            ));
        }
    }
    if body.private && body.mode != MatchMode::Create {
        return Err("private is for a new room: use mode create".to_owned());
    }
    match &body.room {
        Some(_) if creates => {
            return Err("room names a room that there is: use mode join".to_owned());
        }
        Some(_) if !body.tags.is_empty() => {
            return Err("room names the room, so tags choose nothing".to_owned());
        }
        Some(room) if !is_room_name(room) => {
            return Err("a room's name is 1 to 32 letters, digits, - or _".to_owned());
        }
        None if body.key.is_some() => {
            return Err("key belongs to a room: give the room's name too".to_owned());
        }
        _ => {}
    }
    Ok(MatchRequest {
        mode: body.mode,
        tags: checked(body.tags)?,
        max_players: body.max,
        is_private: body.private,
        room: body.room,
        key: body.key.unwrap_or_default(),
    })
}

fn checked(tags: BTreeMap<String, TagValue>) -> Result<Tags, String> {
    if tags.len() > MAX_TAGS {
        return Err(format!("a room has at most {MAX_TAGS} tags"));
    }
    let text = |(name, value): (String, TagValue)| {
        if !is_room_name(&name) {
            return Err("a tag's name is 1 to 32 letters, digits, - or _".to_owned());
        }
        let value = match value {
            TagValue::Text(text) => text,
            TagValue::Flag(flag) => flag.to_string(),
            TagValue::Number(number) => number.to_string(),
        };
        if value.chars().count() > MAX_VALUE_CHARS || value.chars().any(char::is_control) {
            return Err(format!(
                "the tag {name} has at most {MAX_VALUE_CHARS} characters, and no control characters"
            ));
        }
        Ok((name, value))
    };
    tags.into_iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(body: &str) -> Result<MatchRequest, String> {
        parse(body.as_bytes(), 64)
    }

    #[test]
    fn a_body_says_which_room() {
        assert_eq!(parsed("{}").unwrap(), MatchRequest::default());
        let full = r#"{"mode": "create", "tags": {"mode": "duel", "level": 3, "ranked": true}, "max": 2, "private": true}"#;
        let request = parsed(full).unwrap();
        let tags = [("level", "3"), ("mode", "duel"), ("ranked", "true")];
        let tags = tags.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(
            request,
            MatchRequest {
                mode: MatchMode::Create,
                tags: tags.into(),
                max_players: Some(2),
                is_private: true,
                ..MatchRequest::default()
            }
        );
        let invited = parsed(r#"{"mode": "join", "room": "r", "key": "k"}"#).unwrap();
        assert_eq!((invited.room.as_deref(), &*invited.key), (Some("r"), "k"));
    }

    #[test]
    fn a_wrong_body_is_answered_by_a_sentence() {
        let long = format!(r#"{{"tags": {{"a": "{}"}}}}"#, "x".repeat(65));
        let many: Vec<String> = (0..17).map(|n| format!(r#""t{n}": 1"#)).collect();
        let many = format!(r#"{{"tags": {{{}}}}}"#, many.join(","));
        for (body, part) in [
            ("", "expected"),
            ("[]", "expected"),
            ("{", "expected"),
            (r#"{"mode": "watch"}"#, "watch"),
            (r#"{"colour": 1}"#, "colour"),
            (r#"{"tags": {"a": []}}"#, "a tag is"),
            (r#"{"tags": {"a b": 1}}"#, "a tag's name"),
            (r#"{"tags": {"a": "\u0007"}}"#, "control"),
            (&long, "64"),
            (&many, "16"),
            (r#"{"max": 0}"#, "1 to 64"),
            (r#"{"max": 65}"#, "1 to 64"),
            (r#"{"max": -1}"#, "expected"),
            (r#"{"mode": "join", "max": 2}"#, "mode join"),
            (r#"{"private": true}"#, "mode create"),
            (r#"{"room": "r"}"#, "mode join"),
            (r#"{"mode": "join", "room": "no such"}"#, "32 letters"),
            (r#"{"mode": "join", "room": "r", "tags": {"a": 1}}"#, "tags"),
            (r#"{"mode": "join", "key": "k"}"#, "room's name"),
        ] {
            let problem = parsed(body).unwrap_err();
            assert!(problem.contains(part), "{body}: {problem}");
        }
    }
}
