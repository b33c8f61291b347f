//! Unit tests of `reconnect` and `liveness`, which share their set-up.

use super::link_set::LinkId;
use super::reconnect::NO_ANSWER;
use super::{Action, Client, Options, Phase};
use prost::Message as _;
use tickwire_proto::CloseCode;
use tickwire_proto::v1::{self, server_message};
use tickwire_sync::Micros;

fn welcome() -> Vec<u8> {
    let schema = crate::test_game::schema().to_proto();
    let welcome = v1::Welcome {
        session: 1,
        resume_token: vec![1; 20],
        tick_rate: 60,
        schema: Some(schema),
        ..v1::Welcome::default()
    };
    let body = Some(server_message::Body::Welcome(welcome));
    v1::ServerMessage { body }.encode_to_vec()
}

fn heartbeat() -> Vec<u8> {
    let body = Some(server_message::Body::Heartbeat(v1::Heartbeat::default()));
    v1::ServerMessage { body }.encode_to_vec()
}

fn seeded() -> Client {
    let options = Options {
        seed: 1,
        ..Options::default()
    };
    Client::new(options, Micros(0))
}

fn opened_link(client: &mut Client) -> LinkId {
    while let Some(action) = client.next_action() {
        if let Action::Open(link) = action {
            return link;
        }
    }
    panic!("the client opened no link");
}

/// A client that has been playing since time 0.
fn joined() -> (Client, LinkId) {
    let mut client = seeded();
    client.poll(Micros(0));
    let link = opened_link(&mut client);
    client.opened(link, Micros(0));
    client.received(link, &welcome(), Micros(0));
    assert_eq!(client.phase(), &Phase::Playing);
    (client, link)
}

/// A client whose link went silent, and whose new link has said `Hello`.
fn with_new_link_beside_silent_one() -> (Client, LinkId, LinkId, Micros) {
    let (mut client, old) = joined();
    let mut now = Micros(0);
    while client.links.all.len() < 2 {
        now = now.plus(Micros::from_millis(100));
        client.poll(now);
    }
    let new = opened_link(&mut client);
    client.opened(new, now);
    (client, old, new, now)
}

#[test]
fn unanswered_reconnect_attempts_are_soon_repeated() {
    let (mut client, _) = joined();
    // From now on nothing arrives, and no attempt is answered.
    let mut opened = Vec::new();
    for step in 1..=1_200_u64 {
        let now = Micros::from_millis(step * 50);
        client.poll(now);
        while let Some(action) = client.next_action() {
            if let Action::Open(_) = action {
                opened.push(now.as_millis());
            }
        }
    }
    let pauses: Vec<f64> = opened.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(opened[0] <= 4_050.0, "{opened:?}");
    assert!(
        pauses[..9].iter().all(|pause| *pause <= 1_100.0),
        "{pauses:?}"
    );
    assert!(
        pauses[10..].iter().all(|pause| *pause >= 8_000.0),
        "{pauses:?}"
    );
}

/// When the next link is opened, in milliseconds, where heartbeats arrive only when `is_alive` says so.
fn next_open_ms(
    client: &mut Client,
    from_ms: u64,
    link: LinkId,
    is_alive: impl Fn(u64) -> bool,
) -> u64 {
    for now in (from_ms..).step_by(50) {
        let at = Micros::from_millis(now);
        if is_alive(now) {
            client.received(link, &heartbeat(), at);
        }
        client.poll(at);
        while let Some(action) = client.next_action() {
            if matches!(action, Action::Open(_)) {
                return now;
            }
        }
    }
    unreachable!("a silent link is replaced at some time");
}

#[test]
fn a_link_that_ignores_a_probe_is_replaced_at_once() {
    let (mut client, link) = joined();
    client.probe_now(Micros::from_millis(500));
    let actions = std::iter::from_fn(|| client.next_action());
    assert!(
        actions
            .into_iter()
            .any(|action| matches!(action, Action::Send(..)))
    );
    assert_eq!(next_open_ms(&mut client, 500, link, |_| false), 1_550);
}

#[test]
fn a_link_that_answers_a_probe_is_kept() {
    let (mut client, link) = joined();
    client.probe_now(Micros::from_millis(500));
    let opened = next_open_ms(&mut client, 500, link, |now| now == 600);
    assert!(opened > 3_600, "{opened}");
}

#[test]
fn the_last_error_stays_until_the_session_joins() {
    let mut client = seeded();
    client.poll(Micros(0));
    let link = opened_link(&mut client);
    assert_eq!(client.last_error(), "");
    client.opened(link, Micros(0));
    client.closed(link, Some(1013), "this room is full", Micros(0));
    assert_eq!(client.last_error(), "this room is full");

    client.poll(Micros::from_millis(1_000));
    let link = opened_link(&mut client);
    client.closed(link, None, "", Micros::from_millis(1_000));
    assert_eq!(client.last_error(), NO_ANSWER);

    client.poll(Micros::from_millis(3_000));
    let link = opened_link(&mut client);
    client.opened(link, Micros::from_millis(3_000));
    client.received(link, &welcome(), Micros::from_millis(3_000));
    assert_eq!(client.last_error(), "");
}

/// How long each link lasts until the next one, in milliseconds, where every link opens at once and `answer` says what follows.
fn link_lifetimes_ms(answer: impl Fn(&mut Client, LinkId, Micros)) -> Vec<u64> {
    let mut client = seeded();
    let mut opened_at = Vec::new();
    for now in (0..100_000).step_by(50) {
        let at = Micros::from_millis(now);
        client.poll(at);
        while let Some(action) = client.next_action() {
            if let Action::Open(link) = action {
                opened_at.push(now);
                client.opened(link, at);
                answer(&mut client, link, at);
            }
        }
    }
    opened_at.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[test]
fn slow_links_get_more_time_with_each_attempt() {
    // The lifetimes include the random pauses between attempts.
    let no_welcome = link_lifetimes_ms(|_, _, _| {});
    assert!(no_welcome[0] < 10_000, "{no_welcome:?}");
    assert!(
        no_welcome[1] >= 16_000 && no_welcome[2] >= 32_000,
        "{no_welcome:?}"
    );
    let no_snapshot = link_lifetimes_ms(|client, link, at| client.received(link, &welcome(), at));
    assert!(no_snapshot[0] < 5_000, "{no_snapshot:?}");
    assert!(
        no_snapshot[1] >= 6_000 && no_snapshot[2] >= 12_000 && no_snapshot[3] >= 24_000,
        "{no_snapshot:?}"
    );
}

#[test]
fn a_silent_link_that_speaks_again_plays_on() {
    let (mut client, old) = joined();
    let mut now = Micros(0);
    while client.last_error().is_empty() {
        now = now.plus(Micros::from_millis(100));
        client.poll(now);
    }
    assert_eq!(client.phase(), &Phase::Reconnecting);
    client.received(old, &heartbeat(), now);
    client.poll(now);
    assert_eq!((client.phase(), client.last_error()), (&Phase::Playing, ""));
}

#[test]
fn a_revived_old_link_does_not_close_one_that_said_hello() {
    let (mut client, old, new, now) = with_new_link_beside_silent_one();
    client.received(old, &heartbeat(), now);
    client.poll(now);
    assert_eq!(client.links.all.len(), 2);
    client.closed(old, Some(CloseCode::ResumedElsewhere.number()), "", now);
    client.received(new, &welcome(), now);
    assert_eq!(client.phase(), &Phase::Playing);
}

/// Seed 5121 of the simulator: the way of the new link was blocked, so the client had given it up when the old one brought the close.
#[test]
fn the_end_of_an_old_link_is_not_the_end_after_the_new_one_was_given_up() {
    let (mut client, old, new, now) = with_new_link_beside_silent_one();
    client.closed(new, None, "", now);
    client.closed(old, Some(CloseCode::ResumedElsewhere.number()), "", now);
    assert_eq!(client.phase(), &Phase::Reconnecting);
}

#[test]
fn a_hello_that_is_too_big_ends_the_session() {
    let mut client = seeded();
    client.poll(Micros(0));
    let link = opened_link(&mut client);
    client.opened(link, Micros(0));
    client.closed(
        link,
        Some(CloseCode::TooBig.number()),
        "at most 4096 bytes",
        Micros(0),
    );
    assert!(matches!(client.phase(), Phase::Closed { code: 1009, .. }));
    let (mut client, link) = joined();
    client.closed(
        link,
        Some(CloseCode::TooBig.number()),
        "at most 4096 bytes",
        Micros(0),
    );
    assert_eq!(client.phase(), &Phase::Reconnecting);
}

#[test]
fn a_session_resumed_elsewhere_is_over_here() {
    let (mut client, _, new, now) = with_new_link_beside_silent_one();
    client.received(new, &welcome(), now);
    client.closed(new, Some(CloseCode::ResumedElsewhere.number()), "", now);
    assert!(matches!(client.phase(), Phase::Closed { code: 4005, .. }));
}

fn message(body: server_message::Body) -> Vec<u8> {
    v1::ServerMessage { body: Some(body) }.encode_to_vec()
}

/// A `Welcome` whose map of 10,000 bytes comes in parts, from an offset on.
fn welcome_with_large_map(map_offset: u32, resumed: bool) -> Vec<u8> {
    message(server_message::Body::Welcome(v1::Welcome {
        session: 1,
        resume_token: vec![1; 20],
        resumed,
        tick_rate: 60,
        schema: Some(crate::test_game::schema().to_proto()),
        map_id: vec![5; 16],
        map_bytes: 10_000,
        map_offset,
        ..v1::Welcome::default()
    }))
}

fn hello(client: &mut Client) -> v1::Hello {
    while let Some(action) = client.next_action() {
        if let Action::Send(_, bytes) = action
            && let Some(v1::client_message::Body::Hello(hello)) =
                v1::ClientMessage::decode(&bytes[..]).unwrap().body
        {
            return hello;
        }
    }
    panic!("no Hello was sent");
}

/// A part every five seconds is slow, and no reason to give up. A line that breaks goes on where it was, in the same session.
#[test]
fn a_large_map_may_take_its_time_and_two_lines() {
    let part = message(server_message::Body::MapPart(v1::MapPart {
        bytes: vec![9; 2_500],
    }));
    let mut client = seeded();
    client.poll(Micros(0));
    let first = opened_link(&mut client);
    client.opened(first, Micros(0));
    assert!(hello(&mut client).map_parts);
    client.received(first, &welcome_with_large_map(0, false), Micros(0));
    for step in 1..3_u64 {
        let now = Micros::from_millis(step * 5_000);
        client.poll(now);
        client.received(first, &part, now);
    }
    assert_eq!(client.phase(), &Phase::Connecting);
    let mut now = Micros::from_millis(11_000);
    client.closed(first, None, "", now);
    let second = loop {
        now = now.plus(Micros::from_millis(100));
        client.poll(now);
        if client.links.all.len() == 1 {
            break opened_link(&mut client);
        }
    };
    client.opened(second, now);
    let again = hello(&mut client);
    assert_eq!(
        (again.map_id, again.map_offset, again.resume_token),
        (vec![5; 16], 5_000, vec![1; 20])
    );
    client.received(second, &welcome_with_large_map(5_000, true), now);
    // What the old line still delivers belongs to no map.
    client.received(first, &part, now);
    client.received(second, &part, now);
    assert_eq!(client.phase(), &Phase::Connecting);
    client.received(second, &part, now);
    assert_eq!(client.phase(), &Phase::Playing);
    assert_eq!(client.map(), [9; 10_000]);
}
