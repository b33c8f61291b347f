//! Tickets: with a secret, only those with a signed, unexpired ticket for the room come in, under the ticket's name.

#![allow(clippy::unwrap_used)] // a test that unwraps nothing has failed

mod ticket_maker;

use serde_json::json;
use ticket_maker::{SECRET, now, server_with_tickets, signed, ticket};
use tickwire_proto::v1::{self, client_message};
use tickwire_tests::{RawClient, TestServer, within};

#[tokio::test(flavor = "multi_thread")]
async fn only_a_good_ticket_lets_in() {
    let server = server_with_tickets("secret", &[]);
    let now = now();
    let claims =
        |room: &str, exp: u64| json!({ "sub": "user-1", "name": "Ada", "room": room, "exp": exp });
    // An extension that the signer marks as critical, and that this server does not know.
    let critical = json!({ "alg": "HS256", "crit": ["exp2"] });
    let unsigned = json!({ "alg": "none" });
    let refused = [
        signed(&critical, &claims("vip", now + 60), SECRET),
        signed(&unsigned, &claims("vip", now + 60), SECRET),
        String::new(),
        "no ticket at all".to_owned(),
        ticket(&claims("vip", now + 60), b"another secret"),
        ticket(&claims("vip", now - 60), SECRET),
        ticket(&claims("elsewhere", now + 60), SECRET),
        ticket(&json!({ "sub": "user-1" }), SECRET),
        ticket(&json!({ "sub": "", "exp": now + 60 }), SECRET),
        ticket(
            &json!({ "sub": "user-1", "nbf": now + 3600, "exp": now + 7200 }),
            SECRET,
        ),
    ];
    for bad in refused {
        let mut client = RawClient::connect(server.addr, "/ws?room=vip").await;
        let hello = v1::Hello {
            version: 1,
            ticket: bad.clone(),
            ..v1::Hello::default()
        };
        client.send(client_message::Body::Hello(hello)).await;
        assert_eq!(client.end().await.code, Some(1008), "{bad}");
    }
    let mut client = RawClient::connect(server.addr, "/ws?room=vip").await;
    let good = ticket(&claims("vip", now + 60), SECRET);
    let welcome = client
        .join(v1::Hello {
            name: "Mallory".into(),
            ticket: good,
            ..v1::Hello::default()
        })
        .await;
    assert_eq!(
        (welcome.name.as_str(), welcome.room.as_str()),
        ("Ada", "vip")
    );

    // Whoever has a session's token comes back to it with a ticket of the same user, and as somebody else with another's.
    let others = json!({ "sub": "user-2", "name": "Eve", "room": "vip", "exp": now + 60 });
    for (claims, resumed) in [(others, false), (claims("vip", now + 60), true)] {
        let mut client = RawClient::connect(server.addr, "/ws?room=vip").await;
        let again = client
            .join(v1::Hello {
                ticket: ticket(&claims, SECRET),
                resume_token: welcome.resume_token.clone(),
                ..v1::Hello::default()
            })
            .await;
        assert_eq!(again.resumed, resumed);
        assert_eq!(again.session == welcome.session, resumed);
    }
}

/// A server that wants tickets, and a ticket for `sub` that is valid for some seconds.
fn server_and_tickets(name: &str) -> (TestServer, impl Fn(&str, u64) -> String) {
    let (server, now) = (server_with_tickets(name, &[]), now());
    let make =
        move |sub: &str, seconds: u64| ticket(&json!({ "sub": sub, "exp": now + seconds }), SECRET);
    (server, make)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_device_takes_the_session_of_its_ticket_over() {
    let (server, ticket) = server_and_tickets("takeover");
    let hello = || v1::Hello {
        ticket: ticket("ada", 60),
        ..v1::Hello::default()
    };
    let mut phone = RawClient::connect(server.addr, "/ws?room=r").await;
    let first = phone.join(hello()).await;
    let mut laptop = RawClient::connect(server.addr, "/ws?room=r").await;
    let second = laptop.join(hello()).await;
    assert_eq!((second.session, second.resumed), (first.session, true));
    assert_eq!(second.entity, first.entity);
    assert_eq!(phone.end().await.code, Some(4005));
    let chat = v1::Chat { text: "hi".into() };
    laptop.send(client_message::Body::Chat(chat)).await;
    let number = laptop.wait_for(|body| match body {
        v1::server_message::Body::Message(message) => Some(message.number),
        _ => None,
    });
    assert_eq!(number.await, 1);
    assert_eq!(server.metric("tickwire_sessions").await, 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_ticket_ends_its_session_with_1008() {
    let (server, ticket) = server_and_tickets("expiry");
    let mut client = RawClient::connect(server.addr, "/ws?room=r").await;
    let ticket = ticket("ada", 1);
    client
        .join(v1::Hello {
            ticket,
            ..v1::Hello::default()
        })
        .await;
    let end = client.end().await;
    assert_eq!((end.code, &*end.reason), (Some(1008), "ticket expired"));
}

/// Sends a line of chat, and waits until it comes back.
async fn chats(client: &mut RawClient) {
    let chat = v1::Chat { text: "hi".into() };
    client.send(client_message::Body::Chat(chat)).await;
    let is_line = |body| matches!(body, v1::server_message::Body::Message(_)).then_some(());
    client.wait_for(is_line).await;
}

/// Waits for a second of the clock that tickets are about.
async fn until_second(second: u64) {
    within("a second", async {
        while now() < second {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_outlives_its_ticket_by_the_grace() {
    let hello = |sub: &str, exp: u64| v1::Hello {
        ticket: ticket(&json!({ "sub": sub, "exp": exp }), SECRET),
        ..v1::Hello::default()
    };
    // With an hour of grace, the session goes on.
    let server = server_with_tickets("long-grace", &["--ticket-grace", "1h"]);
    let mut ada = RawClient::connect(server.addr, "/ws?room=r").await;
    let exp = now() + 5;
    ada.join(hello("ada", exp)).await;
    until_second(exp + 1).await;
    chats(&mut ada).await;

    // With a second, it ends once that is over, unless a renewed ticket has come.
    let server = server_with_tickets("short-grace", &["--ticket-grace", "1s"]);
    let mut clients = Vec::new();
    let exp = now() + 5;
    for sub in ["ada", "eve"] {
        let mut client = RawClient::connect(server.addr, "/ws?room=r").await;
        let welcome = client.join(hello(sub, exp)).await;
        clients.push((client, welcome));
    }
    let mut renewed = RawClient::connect(server.addr, "/ws?room=r").await;
    let again = renewed.join(hello("eve", exp + 3_600)).await;
    let (eve, first) = clients.pop().unwrap();
    assert_eq!((again.session, again.resumed), (first.session, true));
    assert_eq!(eve.end().await.code, Some(4005));
    let (ada, _) = clients.pop().unwrap();
    let end = ada.end().await;
    assert_eq!((end.code, &*end.reason), (Some(1008), "ticket expired"));
    assert!(now() > exp, "the grace was not waited for");
    until_second(exp + 3).await;
    chats(&mut renewed).await;
}
