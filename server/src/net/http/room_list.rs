//! `GET /rooms`: a page of the list of public rooms, as JSON.
//!
//! In: a query (`after`, `limit`, `tag.NAME=VALUE`). Out: the page, or 304 if the client has it already. Asks no worker: players and
//! metadata are those that the workers have told last.

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, ETAG, HeaderValue, RETRY_AFTER};
use hyper::{Request, Response, StatusCode};
use tickwire_game::{Tags, hash_of_sources};

use super::percent::percent_decoded;
use crate::http_answers::{self, Answer};
use crate::metrics::RoomListOutcome;
use crate::net::asset;
use crate::net::room_service::{RoomListQuery, RoomService};

/// Rooms of a page, unless the query says otherwise, and at most.
const DEFAULT_PAGE: usize = 50;
const MAX_PAGE: usize = 100;
/// Tags that a query filters by, at most.
const MAX_TAGS: usize = 16;

/// Answers a request for the list.
pub(super) async fn answer<R: RoomService>(
    request: &Request<Incoming>,
    rooms: &R,
) -> (RoomListOutcome, Answer) {
    if let Err(refusal) = http_answers::check_method(request.method(), "GET, HEAD") {
        return (RoomListOutcome::Bad, *refusal);
    }
    let query = match parse(request.uri().query().unwrap_or_default()) {
        Ok(query) => query,
        Err(sentence) => {
            let refusal = http_answers::text(StatusCode::BAD_REQUEST, &sentence);
            return (RoomListOutcome::Bad, refusal);
        }
    };
    let body = match serde_json::to_vec(&rooms.public_rooms(&query).await) {
        Ok(body) => body,
        Err(error) => {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            let refusal = http_answers::text(status, &format!("no list of rooms: {error}"));
            return (RoomListOutcome::Bad, refusal);
        }
    };
    let etag = format!("\"{:016x}\"", hash_of_sources(&[&body]));
    let (outcome, mut answer) = if asset::is_known(request.headers(), &etag) {
        let mut unchanged = Response::new(Bytes::new().into());
        *unchanged.status_mut() = StatusCode::NOT_MODIFIED;
        (RoomListOutcome::Unchanged, unchanged)
    } else {
        let list = http_answers::answer(StatusCode::OK, "application/json", body);
        (RoomListOutcome::Sent, list)
    };
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(ETAG, etag);
    }
    (outcome, answer)
}

/// 429: the address asks too often.
pub(super) fn too_fast() -> Answer {
    let sentence = "too many requests from your address; try again in a few seconds";
    let mut answer = http_answers::text(StatusCode::TOO_MANY_REQUESTS, sentence);
    let headers = answer.headers_mut();
    headers.insert(RETRY_AFTER, HeaderValue::from_static("2"));
    answer
}

fn parse(query: &str) -> Result<RoomListQuery, String> {
    let mut wanted = RoomListQuery {
        after: String::new(),
        limit: DEFAULT_PAGE,
        tags: Tags::new(),
    };
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = value.replace('+', " ");
        let value = percent_decoded(&value).into_owned();
        match name {
            "after" => wanted.after = value,
            "limit" => {
                let limit = value.parse().ok().filter(|n| (1..=MAX_PAGE).contains(n));
                wanted.limit = limit.ok_or_else(|| format!("limit is 1 to {MAX_PAGE}"))?;
            }
            _ => {
                let tag = name.strip_prefix("tag.").ok_or(
                    "the list of rooms takes after=ROOM, limit=N and tag.NAME=VALUE".to_owned(),
                )?;
                wanted.tags.insert(percent_decoded(tag).into_owned(), value);
            }
        }
    }
    if wanted.tags.len() > MAX_TAGS {
        return Err(format!("a list is filtered by at most {MAX_TAGS} tags"));
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_says_which_rooms() {
        let query = parse("after=a-1&limit=7&tag.mode=duel&tag.map=old%20mill").unwrap();
        assert_eq!((query.after.as_str(), query.limit), ("a-1", 7));
        let tags = [("map", "old mill"), ("mode", "duel")];
        let tags = tags.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(query.tags, Tags::from(tags));
        assert_eq!(parse("").unwrap().limit, DEFAULT_PAGE);
        for wrong in ["limit=0", "limit=101", "limit=x", "mode=duel"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
