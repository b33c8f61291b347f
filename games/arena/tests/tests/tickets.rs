//! Tickets: with a secret, only those with a signed, unexpired ticket for the room come in, under the ticket's name.

#![allow(clippy::unwrap_used)] // a test that unwraps nothing has failed

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use tickwire_arena_tests::arena_server;
use tickwire_proto::v1::{self, client_message};
use tickwire_tests::RawClient;

const SECRET: &[u8] = b"only the login service and this server know it";

fn ticket(claims: &Value, secret: &[u8]) -> String {
    signed(&json!({ "alg": "HS256", "typ": "JWT" }), claims, secret)
}

/// A token as a login service makes it: HS256 whatever the header says.
fn signed(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let message = format!("{header}.{claims}");
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes()));
    format!("{message}.{signature}")
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_good_ticket_lets_in() {
    let file = std::env::temp_dir().join(format!("tickwire-secret-{}", std::process::id()));
    std::fs::write(&file, SECRET).unwrap();
    let server = arena_server(&[
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
