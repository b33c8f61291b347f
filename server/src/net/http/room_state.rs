//! `GET /rooms/NAME/state`: a room's public state as JSON, by short or long polling.
//!
//! In: a room's name and a query (`after=TICK` waits for a newer tick). Out: the state with its `ETag`, or 304 if the client has it
//! already. All who ask within a tick get the same bytes.

use std::net::IpAddr;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, ETAG, HeaderValue};
use hyper::{Request, Response, StatusCode};
use tickwire_sync::Tick;

use super::game_port::unavailable;
use super::room_list::too_fast;
use crate::clock::now;
use crate::fair_share::RateByAddress;
use crate::http_answers::{self, Answer};
use crate::net::asset;
use crate::net::room_service::{RoomService, RoomState};

/// States that an address may ask for in a second: four who follow a room at 60 Hz. A burst is twice as many.
const PER_SECOND: f64 = 240.0;

/// How often each address may ask.
pub(super) fn rate() -> RateByAddress {
    RateByAddress::new(PER_SECOND, 2.0 * PER_SECOND)
}

/// Answers a request for the state of `room`. `address`: that the request counts under; `None`: under none.
pub(super) async fn answer<R: RoomService>(
    request: &Request<Incoming>,
    room: &str,
    rooms: &R,
    rate: &RateByAddress,
    address: Option<IpAddr>,
) -> Answer {
    if let Err(refusal) = http_answers::check_method(request.method(), "GET, HEAD") {
        return *refusal;
    }
    let after = match after_of(request.uri().query().unwrap_or_default()) {
        Ok(after) => after,
        Err(sentence) => return http_answers::text(StatusCode::BAD_REQUEST, &sentence),
    };
    if !rate.take(address, now()) {
        return too_fast();
    }
    match rooms.room_state(room, after).await {
        RoomState::Now(state) => {
            let etag = format!("\"{:x}\"", state.version);
            let mut answer = if asset::is_known(request.headers(), &etag) {
                not_modified()
            } else {
                http_answers::answer(StatusCode::OK, "application/json", state.json)
            };
            let headers = answer.headers_mut();
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            if let Ok(etag) = HeaderValue::from_str(&etag) {
                headers.insert(ETAG, etag);
            }
            answer
        }
        RoomState::Unchanged => not_modified(),
        RoomState::Missing => http_answers::text(StatusCode::NOT_FOUND, "there is no such room"),
        RoomState::Busy => unavailable(),
    }
}

fn not_modified() -> Answer {
    let mut answer = Response::new(Bytes::new().into());
    *answer.status_mut() = StatusCode::NOT_MODIFIED;
    answer
}

/// The tick of a query `after=TICK`; the last one counts.
fn after_of(query: &str) -> Result<Option<Tick>, String> {
    let pairs = query.split('&').rev();
    let mut ticks = pairs.filter_map(|pair| pair.strip_prefix("after="));
    let Some(tick) = ticks.next() else {
        return Ok(None);
    };
    let tick = tick
        .parse()
        .map_err(|_| "after is a tick, a number below 2^32")?;
    Ok(Some(Tick(tick)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickwire_sync::Micros;

    #[test]
    fn an_address_asks_for_so_many_states_a_second() {
        let (rate, one) = (rate(), Some(IpAddr::from([192, 0, 2, 1])));
        let taken = |address, seconds: u64| {
            let now = Micros::from_millis(seconds * 1_000);
            (0..1_000).filter(|_| rate.take(address, now)).count()
        };
        assert_eq!(
            [taken(one, 1), taken(one, 2), taken(one, 60)],
            [480, 240, 480]
        );
        // Another address has its own; loopback counts under none.
        assert_eq!(taken(Some(IpAddr::from([192, 0, 2, 2])), 60), 480);
        assert_eq!(taken(None, 60), 1_000);
    }

    #[test]
    fn a_wrong_tick_is_said() {
        assert_eq!(after_of(""), Ok(None));
        assert_eq!(after_of("a=1&after=7"), Ok(Some(Tick(7))));
        assert_eq!(after_of("after=4294967295"), Ok(Some(Tick(u32::MAX))));
        for wrong in [
            "after=",
            "after=-1",
            "after=4294967296",
            "after=1.5",
            "after=%37",
        ] {
            assert!(after_of(wrong).is_err(), "{wrong}");
        }
    }
}
