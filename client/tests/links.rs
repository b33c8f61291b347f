//! A silent link, the newer one beside it, and what the server says to the older of the two; what a client says first, when it
//! asks for the clock, and how long its inputs may be.

#![allow(clippy::unwrap_used, reason = "this is a test")]

use prost::Message as _;
use tickwire_client::{Action, Client, LinkId, MAX_INPUT_BYTES, Options, Phase};
use tickwire_game::GameSettings;
use tickwire_proto::v1::{self, client_message, server_message::Body};
use tickwire_sync::Micros;

fn at(seconds: u64) -> Micros {
    Micros::from_millis(seconds * 1000)
}

fn message(body: Body) -> Vec<u8> {
    v1::ServerMessage { body: Some(body) }.encode_to_vec()
}

fn welcome(resumed: bool) -> Vec<u8> {
    let settings = GameSettings {
        seed: 1,
        tick_rate: 60,
        ..GameSettings::default()
    };
    let game = tickwire_game::shipped(tickwire_game::arena::NAME).unwrap()(&settings);
    message(Body::Welcome(v1::Welcome {
        session: 7,
        resume_token: vec![1; 20],
        resumed,
        tick_rate: 60,
        schema: Some(game.schema().to_proto()),
        game: game.name().to_owned(),
        map: game.map(),
        rules_hash: game.rules_hash(),
        ..v1::Welcome::default()
    }))
}

/// The next link that the client wants, beside other actions.
fn opens(client: &mut Client) -> Option<LinkId> {
    let actions = std::iter::from_fn(|| client.next_action());
    let opened = actions.filter_map(|action| match action {
        Action::Open(id) => Some(id),
        _ => None,
    });
    opened.last()
}

/// In the room since second 0.
fn in_the_room() -> (Client, LinkId) {
    let options = Options {
        seed: 1,
        ..Options::default()
    };
    let mut client = Client::new(options, at(0));
    client.poll(at(0));
    let link = opens(&mut client).unwrap();
    client.opened(link, at(0));
    client.received(link, &welcome(false), at(0));
    assert_eq!(*client.phase(), Phase::Playing);
    (client, link)
}

/// In the room, silent since; in second 5 a newer link is open and has said Hello.
fn with_a_newer_link_beside_a_silent_one() -> (Client, LinkId, LinkId) {
    let (mut client, old) = in_the_room();
    client.poll(at(4));
    assert_eq!(*client.phase(), Phase::Reconnecting);
    client.poll(at(5));
    let newer = opens(&mut client).unwrap();
    client.opened(newer, at(5));
    (client, old, newer)
}

#[test]
fn an_own_newer_link_that_takes_the_session_over_is_no_end() {
    let (mut client, old, newer) = with_a_newer_link_beside_a_silent_one();
    // The server has resumed the session on the newer link, and its word to the old one is read first.
    client.closed(old, Some(4005), "this session goes on elsewhere", at(5));
    assert_eq!(*client.phase(), Phase::Reconnecting);
    client.received(newer, &welcome(true), at(5));
    assert_eq!(*client.phase(), Phase::Playing);
    let counters = client.counters();
    assert_eq!((counters.reconnects, counters.resumes), (1, 1));
}

#[test]
fn a_session_that_somebody_else_takes_over_ends() {
    let (mut client, link) = in_the_room();
    client.closed(link, Some(4005), "elsewhere", at(1));
    assert!(matches!(*client.phase(), Phase::Closed { code: 4005, .. }));
}

#[test]
fn a_way_back_counts_once_however_the_link_was_lost() {
    // The silent one is replaced.
    let (mut client, _, newer) = with_a_newer_link_beside_a_silent_one();
    client.received(newer, &welcome(true), at(5));
    assert_eq!(client.counters().reconnects, 1);
    // The silent one ends before.
    let (mut client, old, newer) = with_a_newer_link_beside_a_silent_one();
    client.closed(old, None, "reset", at(5));
    client.received(newer, &welcome(true), at(5));
    assert_eq!(client.counters().reconnects, 1);
    // It speaks again, and nothing is lost.
    let (mut client, old, _) = with_a_newer_link_beside_a_silent_one();
    let beat = Body::Beat(v1::Beat::default());
    client.received(old, &message(beat), at(5));
    client.poll(at(5));
    assert_eq!(client.counters().reconnects, 0);
    // It is lost after all: that alone is no way back.
    client.closed(old, Some(4004), "no pong", at(6));
    assert_eq!(client.counters().reconnects, 0);
}

/// What was sent since the last call, as the core means it.
fn sends(client: &mut Client) -> Vec<client_message::Body> {
    let actions = std::iter::from_fn(|| client.next_action());
    let sent = actions.filter_map(|action| match action {
        Action::Send(_, message) => v1::ClientMessage::decode(&message[..]).unwrap().body,
        _ => None,
    });
    sent.collect()
}

/// The pause of a client with default options between its first attempt, which fails, and its next.
fn first_pause() -> Micros {
    let mut client = Client::new(Options::default(), at(0));
    client.poll(at(0));
    let link = opens(&mut client).unwrap();
    client.closed(link, None, "refused", at(0));
    let mut now = at(0);
    while opens(&mut client).is_none() {
        now = now.plus(Micros(1_000));
        client.poll(now);
    }
    now
}

#[test]
fn clients_that_lose_their_server_together_do_not_come_back_together() {
    let mut pauses: Vec<Micros> = (0..16).map(|_| first_pause()).collect();
    pauses.sort_unstable();
    pauses.dedup();
    // Evenly over a second: sixteen that fall on four milliseconds or fewer are no chance.
    assert!(pauses.len() > 4, "{pauses:?}");
}

#[test]
fn by_default_a_client_asks_for_the_packed_encoding() {
    let mut client = Client::new(Options::default(), at(0));
    client.poll(at(0));
    let link = opens(&mut client).unwrap();
    client.opened(link, at(0));
    let [client_message::Body::Hello(hello)] = &sends(&mut client)[..] else {
        panic!("no Hello");
    };
    assert_eq!(hello.encoding(), v1::Encoding::Packed);
}

#[test]
fn a_new_ticket_is_shown_with_the_next_hello() {
    let (mut client, link) = in_the_room();
    client.set_ticket("another");
    client.closed(link, None, "reset", at(1));
    client.poll(at(5));
    let newer = opens(&mut client).unwrap();
    client.opened(newer, at(5));
    let [client_message::Body::Hello(hello)] = &sends(&mut client)[..] else {
        panic!("no Hello");
    };
    assert_eq!(hello.ticket, "another");
}

#[test]
fn a_question_for_the_clock_goes_with_an_input_or_alone_if_none_comes() {
    let (mut client, _) = in_the_room();
    sends(&mut client);

    // It is due, and waits for the input.
    let soon = Micros::from_millis(40);
    client.poll(soon);
    assert_eq!(sends(&mut client), []);
    while client.due(soon).is_some() {
        client.input(&[]);
    }
    let sent = sends(&mut client);
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
    // Nothing asks for inputs any more: it goes all the same.
    client.poll(at(2));
    assert!(matches!(
        &sends(&mut client)[..],
        [client_message::Body::Ping(_)]
    ));
}

#[test]
fn an_input_of_all_bytes_that_the_server_takes_is_sent() {
    let (mut client, _) = in_the_room();
    sends(&mut client);
    client.input(&[1; MAX_INPUT_BYTES]);
    let [client_message::Body::Inputs(inputs)] = &sends(&mut client)[..] else {
        panic!("no input");
    };
    assert_eq!(inputs.payload.len(), MAX_INPUT_BYTES);
}

#[test]
#[should_panic(expected = "an input of 65 bytes: the server takes at most 64")]
fn an_input_that_the_server_would_not_take_is_a_mistake_of_the_game() {
    in_the_room().0.input(&[1; MAX_INPUT_BYTES + 1]);
}
