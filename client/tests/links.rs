//! The client core from outside: replacing a silent link, reconnecting, `Hello`, clock pings, and the length of inputs.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use prost::Message as _;
use tickwire_client::{Action, Client, LinkId, MAX_INPUT_BYTES, Options, Phase};
use tickwire_proto::v1::{self, client_message, server_message::Body};
use tickwire_sync::{Micros, Schema};

fn at(seconds: u64) -> Micros {
    Micros::from_millis(seconds * 1000)
}

fn message(body: Body) -> Vec<u8> {
    v1::ServerMessage { body: Some(body) }.encode_to_vec()
}

fn welcome(resumed: bool) -> Vec<u8> {
    message(Body::Welcome(v1::Welcome {
        session: 7,
        resume_token: vec![1; 20],
        resumed,
        tick_rate: 60,
        schema: Some(Schema::default().to_proto()),
        ..v1::Welcome::default()
    }))
}

/// The newest link that the client opens; drops its other actions.
fn opened_link(client: &mut Client) -> Option<LinkId> {
    let actions = std::iter::from_fn(|| client.next_action());
    let opened = actions.filter_map(|action| match action {
        Action::Open(id) => Some(id),
        _ => None,
    });
    opened.last()
}

/// A client that has been in the room since second 0.
fn joined() -> (Client, LinkId) {
    let options = Options {
        seed: 1,
        ..Options::default()
    };
    let mut client = Client::new(options, at(0));
    client.poll(at(0));
    let link = opened_link(&mut client).unwrap();
    client.opened(link, at(0));
    client.received(link, &welcome(false), at(0));
    assert_eq!(*client.phase(), Phase::Playing);
    (client, link)
}

/// A client whose link has been silent since second 0, and whose newer link has said `Hello` in second 5.
fn with_newer_link_beside_silent_one() -> (Client, LinkId, LinkId) {
    let (mut client, old) = joined();
    // A shell polls this often. A longer step would be a leap of its clock.
    for now in (0..=5_000).step_by(100) {
        client.poll(Micros::from_millis(now));
    }
    assert_eq!(*client.phase(), Phase::Reconnecting);
    let newer = opened_link(&mut client).unwrap();
    client.opened(newer, at(5));
    (client, old, newer)
}

#[test]
fn a_takeover_by_the_clients_own_newer_link_is_no_end() {
    let (mut client, old, newer) = with_newer_link_beside_silent_one();
    // The server has resumed the session on the newer link, but its close of the old one arrives first.
    client.closed(old, Some(4005), "this session goes on elsewhere", at(5));
    assert_eq!(*client.phase(), Phase::Reconnecting);
    client.received(newer, &welcome(true), at(5));
    assert_eq!(*client.phase(), Phase::Playing);
    let counters = client.counters();
    assert_eq!((counters.reconnects, counters.resumes), (1, 1));
}

#[test]
fn a_takeover_by_another_client_ends_the_session() {
    let (mut client, link) = joined();
    client.closed(link, Some(4005), "elsewhere", at(1));
    assert!(matches!(*client.phase(), Phase::Closed { code: 4005, .. }));
}

#[test]
fn a_reconnect_counts_once_however_the_link_was_lost() {
    // `Welcome` on the newer link replaces the silent one.
    let (mut client, _, newer) = with_newer_link_beside_silent_one();
    client.received(newer, &welcome(true), at(5));
    assert_eq!(client.counters().reconnects, 1);
    // The silent link is closed before.
    let (mut client, old, newer) = with_newer_link_beside_silent_one();
    client.closed(old, None, "reset", at(5));
    client.received(newer, &welcome(true), at(5));
    assert_eq!(client.counters().reconnects, 1);
    // The silent link recovers, and nothing is lost.
    let (mut client, old, _) = with_newer_link_beside_silent_one();
    let heartbeat = Body::Heartbeat(v1::Heartbeat::default());
    client.received(old, &message(heartbeat), at(5));
    client.poll(at(5));
    assert_eq!(client.counters().reconnects, 0);
    // The link is lost after all: a loss alone is no reconnect.
    client.closed(old, Some(4004), "no pong", at(6));
    assert_eq!(client.counters().reconnects, 0);
}

/// The messages sent since the last call.
fn take_sent(client: &mut Client) -> Vec<client_message::Body> {
    let actions = std::iter::from_fn(|| client.next_action());
    let sent = actions.filter_map(|action| match action {
        Action::Send(_, message) => v1::ClientMessage::decode(&message[..]).unwrap().body,
        _ => None,
    });
    sent.collect()
}

/// How long a client with default options waits after its first attempt has failed.
fn first_pause() -> Micros {
    let mut client = Client::new(Options::default(), at(0));
    client.poll(at(0));
    let link = opened_link(&mut client).unwrap();
    client.closed(link, None, "refused", at(0));
    let mut now = at(0);
    while opened_link(&mut client).is_none() {
        now = now.plus(Micros(1_000));
        client.poll(now);
    }
    now
}

#[test]
fn clients_that_lose_a_server_do_not_return_together() {
    let mut pauses: Vec<Micros> = (0..16).map(|_| first_pause()).collect();
    pauses.sort_unstable();
    pauses.dedup();
    // The pauses are uniform over a second: sixteen of them within four milliseconds cannot be chance.
    assert!(pauses.len() > 4, "{pauses:?}");
}

#[test]
fn the_default_encoding_is_packed() {
    let mut client = Client::new(Options::default(), at(0));
    client.poll(at(0));
    let link = opened_link(&mut client).unwrap();
    client.opened(link, at(0));
    let [client_message::Body::Hello(hello)] = &take_sent(&mut client)[..] else {
        panic!("the client sent no Hello");
    };
    assert_eq!(hello.encoding(), v1::Encoding::Packed);
}

#[test]
fn a_new_ticket_is_sent_with_the_next_hello() {
    let (mut client, link) = joined();
    client.set_ticket("another");
    client.closed(link, None, "reset", at(1));
    client.poll(at(5));
    let newer = opened_link(&mut client).unwrap();
    client.opened(newer, at(5));
    let [client_message::Body::Hello(hello)] = &take_sent(&mut client)[..] else {
        panic!("the client sent no Hello");
    };
    assert_eq!(hello.ticket, "another");
}

#[test]
fn a_clock_ping_goes_with_an_input_or_alone_without_one() {
    let (mut client, _) = joined();
    take_sent(&mut client);

    // A ping is due, and waits for the input.
    let soon = Micros::from_millis(40);
    client.poll(soon);
    assert_eq!(take_sent(&mut client), []);
    while client.next_due_tick(soon).is_some() {
        client.input(&[]);
    }
    let sent = take_sent(&mut client);
    assert!(
        matches!(
            &sent[..],
            [
                client_message::Body::Ping(_),
                client_message::Body::Inputs(_),
                ..
            ]
        ),
        "{sent:?}"
    );
    // No input is made: the ping goes alone.
    client.poll(at(2));
    assert!(matches!(
        &take_sent(&mut client)[..],
        [client_message::Body::Ping(_)]
    ));
}

#[test]
fn an_input_of_the_maximum_length_is_sent() {
    let (mut client, _) = joined();
    take_sent(&mut client);
    client.input(&[1; MAX_INPUT_BYTES]);
    let [client_message::Body::Inputs(inputs)] = &take_sent(&mut client)[..] else {
        panic!("the client sent no input");
    };
    assert_eq!(inputs.payload.len(), MAX_INPUT_BYTES);
}

#[test]
#[should_panic(expected = "an input of 65 bytes: the server takes at most 64")]
fn a_longer_input_panics() {
    joined().0.input(&[1; MAX_INPUT_BYTES + 1]);
}
