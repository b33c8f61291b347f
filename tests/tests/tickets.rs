//! Tickets: with a secret, only those with a signed, unexpired ticket for the room come in, under the ticket's name.

#![allow(clippy::unwrap_used)] // a test that unwraps nothing has failed

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use tickwire_proto::v1::{self, client_message};
use tickwire_tests::{RawClient, TestServer};

const SECRET: &[u8] = b"only the login service and this server know it";

fn ticket(claims: &Value, secret: &[u8]) -> String {
    signed(&Header::default(), claims, secret)
}

fn signed(header: &Header, claims: &Value, secret: &[u8]) -> String {
    encode(header, claims, &EncodingKey::from_secret(secret)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_good_ticket_lets_in() {
    let file = std::env::temp_dir().join(format!("tickwire-secret-{}", std::process::id()));
    std::fs::write(&file, SECRET).unwrap();
    let server = TestServer::start(&[
        "--npcs",
        "0",
        "--ticket-secret-file",
        file.to_str().unwrap(),
    ]);
    std::fs::remove_file(&file).unwrap();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let claims =
        |room: &str, exp: u64| json!({ "sub": "user-1", "name": "Ada", "room": room, "exp": exp });
    // What the signer holds for critical, and nobody here knows.
    let strange = Header {
        crit: Some(vec!["exp2".to_owned()]),
        ..Header::default()
    };
    let refused = [
        signed(&strange, &claims("vip", now + 60), SECRET),
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
