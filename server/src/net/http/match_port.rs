//! `POST /match`: a seat in a room, for a page that then opens a WebSocket.
//!
//! In: a small JSON body. Out: the room, and a reservation that holds the seat. Everything is counted, every address may ask only so
//! often, and the same pages may ask that may open a connection.

use std::net::IpAddr;

use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_MAX_AGE,
    HeaderValue, RETRY_AFTER,
};
use hyper::{Method, Request, StatusCode};
use serde_json::json;

use super::{cross_origin, match_body, room_list};
use crate::clock::now;
use crate::config::Config;
use crate::fair_share::RateByAddress;
use crate::http_answers::{self, Answer};
use crate::metrics::{MatchOutcome, Metrics};
use crate::net::room_service::{MatchRefusal, Matched, RoomService};
use crate::origin;

const MAX_BODY_BYTES: usize = 4 * 1024;

/// What a match needs of the game port.
pub(super) struct MatchPort<'a, R> {
    pub rooms: &'a R,
    pub config: &'a Config,
    pub metrics: &'a Metrics,
    /// How often an address may ask.
    pub rate: &'a RateByAddress,
    pub is_draining: bool,
    /// A proxy may have dropped the port of the request's `Host`.
    pub may_lack_port: bool,
}

impl<R: RoomService> MatchPort<'_, R> {
    /// Answers a request from a peer.
    pub async fn answer(&self, request: Request<Incoming>, peer: IpAddr) -> Answer {
        let headers = request.headers().clone();
        let allowed_origins = &self.config.allowed_origins;
        let mut answer = if request.method() == Method::OPTIONS {
            preflight()
        } else {
            let is_allowed = origin::is_allowed(&headers, allowed_origins, self.may_lack_port);
            let (outcome, answer) = if is_allowed {
                self.matched(request, peer).await
            } else {
                origin::warn_of_origin(&headers, peer);
                let sentence = "this page's origin may not connect; see --allowed-origin";
                let refusal = http_answers::text(StatusCode::FORBIDDEN, sentence);
                (MatchOutcome::Origin, refusal)
            };
            self.metrics.matches.get(outcome).inc();
            answer
        };
        cross_origin::allow(&mut answer, &headers, allowed_origins);
        answer
    }

    async fn matched(&self, request: Request<Incoming>, peer: IpAddr) -> (MatchOutcome, Answer) {
        if let Err(refusal) = http_answers::check_method(request.method(), "POST, OPTIONS") {
            return (MatchOutcome::Bad, *refusal);
        }
        // Before the body is read: what is wrong with it is counted too.
        let address = self.config.fair_share.counted(peer);
        if !self.rate.take(address, now()) {
            return (MatchOutcome::Rate, room_list::too_fast());
        }
        if self.is_draining {
            let sentence = "the server is going away; try again in a moment";
            return (MatchOutcome::Draining, unavailable(sentence));
        }
        let parsed = match self.body(request).await {
            Ok(body) => match_body::parse(&body, self.config.max_players)
                .map_err(|sentence| http_answers::text(StatusCode::BAD_REQUEST, &sentence)),
            Err(refusal) => Err(*refusal),
        };
        let wanted = match parsed {
            Ok(wanted) => wanted,
            Err(refusal) => return (MatchOutcome::Bad, refusal),
        };
        match self.rooms.find_match(&wanted, address).await {
            Ok(matched) if matched.is_new => (MatchOutcome::Created, seat(&matched)),
            Ok(matched) => (MatchOutcome::Joined, seat(&matched)),
            Err(refusal) => refused(refusal),
        }
    }

    async fn body(&self, request: Request<Incoming>) -> Result<Bytes, Box<Answer>> {
        let body = Limited::new(request.into_body(), MAX_BODY_BYTES).collect();
        let (status, sentence) =
            match tokio::time::timeout(self.config.handshake_timeout, body).await {
                Ok(Ok(body)) => return Ok(body.to_bytes()),
                Ok(Err(error)) if error.is::<LengthLimitError>() => {
                    let sentence = "a request for a match has at most 4 KiB";
                    (StatusCode::PAYLOAD_TOO_LARGE, sentence)
                }
                Ok(Err(_)) => (StatusCode::BAD_REQUEST, "the body is incomplete"),
                Err(_) => (StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
            };
        Err(Box::new(http_answers::text(status, sentence)))
    }
}

fn seat(matched: &Matched) -> Answer {
    let mut seat = json!({
        "room": matched.room,
        // Beside this address, wherever a proxy has put it.
        "url": format!("ws?room={}", matched.room),
        "reservation": matched.reservation,
        "expires": matched.expires_unix_s,
    });
    if let Some(key) = &matched.key {
        seat["key"] = json!(key);
    }
    http_answers::json(StatusCode::OK, &seat)
}

fn refused(refusal: MatchRefusal) -> (MatchOutcome, Answer) {
    let sentence = refusal.to_string();
    let (outcome, status) = match refusal {
        MatchRefusal::NoSuchRoom | MatchRefusal::NotInvited => {
            (MatchOutcome::None, StatusCode::NOT_FOUND)
        }
        MatchRefusal::RoomIsFull => (MatchOutcome::None, StatusCode::CONFLICT),
        MatchRefusal::TooManyOfAddress(_) => (MatchOutcome::Full, StatusCode::TOO_MANY_REQUESTS),
        MatchRefusal::TooManyRooms(_) => return (MatchOutcome::Full, unavailable(&sentence)),
    };
    (outcome, http_answers::text(status, &sentence))
}

fn unavailable(sentence: &str) -> Answer {
    let mut answer = http_answers::text(StatusCode::SERVICE_UNAVAILABLE, sentence);
    let headers = answer.headers_mut();
    headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
    answer
}

/// A browser asks first whether a page of another origin may send JSON.
fn preflight() -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = StatusCode::NO_CONTENT;
    let headers = answer.headers_mut();
    for (name, value) in [
        (ACCESS_CONTROL_ALLOW_METHODS, "POST"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "content-type"),
        (ACCESS_CONTROL_MAX_AGE, "600"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}
