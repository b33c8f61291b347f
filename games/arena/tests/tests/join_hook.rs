//! The join hook: a program that is asked before each join lets players in, renames them, refuses them, or says nothing.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use serde_json::{Value, json};
use tickwire_arena_tests::arena_server;
use tickwire_proto::v1::{self, client_message, server_message::Body};
use tickwire_tests::{ConnectionEnd, RawClient, TestServer, within};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// A question, and the connection that waits for its answer.
struct Asked {
    question: Value,
    stream: TcpStream,
}

impl Asked {
    async fn answer(mut self, status: &str, body: &str) {
        let length = body.len();
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}");
        self.stream.write_all(answer.as_bytes()).await.unwrap();
        // The server ends the connection.
        let _ = self.stream.read_to_end(&mut Vec::new()).await;
    }
}

/// A program that is asked.
struct Hook {
    url: String,
    asked: mpsc::UnboundedReceiver<Asked>,
}

impl Hook {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/join?key=1", listener.local_addr().unwrap());
        let (sender, asked) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = sender.send(read(stream).await);
            }
        });
        Self { url, asked }
    }

    async fn next(&mut self) -> Asked {
        within("a question", self.asked.recv()).await.unwrap()
    }

    fn server(&self, flags: &[&str]) -> TestServer {
        arena_server(&[&["--npcs", "0", "--join-hook", &self.url], flags].concat())
    }
}

async fn read(mut stream: TcpStream) -> Asked {
    let mut bytes = Vec::new();
    loop {
        stream.read_buf(&mut bytes).await.unwrap();
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && let Ok(question) = serde_json::from_str(body)
        {
            assert!(head.starts_with("POST /join?key=1 HTTP/1.1"), "{head}");
            return Asked { question, stream };
        }
    }
}

fn hello(name: &str) -> client_message::Body {
    client_message::Body::Hello(v1::Hello {
        version: tickwire_proto::VERSION,
        name: name.to_owned(),
        ..v1::Hello::default()
    })
}

async fn said_hello(server: &TestServer, name: &str) -> RawClient {
    let mut client = RawClient::connect(server.addr, "/ws?room=r").await;
    client.send(hello(name)).await;
    client
}

async fn welcome(client: &mut RawClient) -> Result<v1::Welcome, ConnectionEnd> {
    match client.next().await? {
        Body::Welcome(welcome) => Ok(welcome),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hook_lets_in_under_a_name_of_its_own() {
    let mut hook = Hook::start().await;
    let server = hook.server(&[]);
    let mut client = said_hello(&server, "Eve").await;
    // A client that says more than it should before it is in.
    let chat = client_message::Body::Chat(v1::Chat { text: "hi".into() });
    client.send(chat).await;
    let asked = hook.next().await;
    let expected = json!({
        "room": "r",
        "name": "Eve",
        "subject": null,
        "address": "127.0.0.1",
        "spectator": false,
    });
    assert_eq!(asked.question, expected);
    assert_eq!(server.metric("tickwire_rooms").await, 0.0);
    asked.answer("200 OK", r#"{"name": "Ada"}"#).await;
    let joined = welcome(&mut client).await.unwrap();
    assert_eq!(joined.name, "Ada");
    let said = client.wait_for(|body| match body {
        Body::Message(message) => Some(message.from_name),
        _ => None,
    });
    assert_eq!(said.await, "Ada");
    // Nobody is asked about a resume.
    let mut again = RawClient::connect(server.addr, "/ws?room=r").await;
    let resumed = again
        .join(v1::Hello {
            resume_token: joined.resume_token,
            ..v1::Hello::default()
        })
        .await;
    assert!(resumed.resumed);
    assert!(hook.asked.try_recv().is_err());
    // A token of nobody's session gets nobody around the question.
    let mut forged = RawClient::connect(server.addr, "/ws?room=r").await;
    let hello = v1::Hello {
        version: tickwire_proto::VERSION,
        resume_token: vec![7; 28],
        ..v1::Hello::default()
    };
    forged.send(client_message::Body::Hello(hello)).await;
    hook.next().await.answer("403 Forbidden", "").await;
    assert_eq!(forged.end().await.code, Some(1008));
    let admitted = r#"tickwire_join_hook_total{outcome="admitted"}"#;
    assert_eq!(server.metric(admitted).await, 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hook_refuses_with_its_reason() {
    let mut hook = Hook::start().await;
    let server = hook.server(&[]);
    let client = said_hello(&server, "Eve").await;
    let body = r#"{"reason": "members only"}"#;
    hook.next().await.answer("403 Forbidden", body).await;
    let end = client.end().await;
    assert_eq!((end.code, &*end.reason), (Some(1008), "members only"));
    assert_eq!(server.metric("tickwire_rooms").await, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_fails_is_closed_or_open() {
    let mut hook = Hook::start().await;
    let closed = hook.server(&[]);
    let client = said_hello(&closed, "Ada").await;
    hook.next().await.answer("500 Oops", "").await;
    assert_eq!(client.end().await.code, Some(1013));
    let open = hook.server(&["--join-hook-fails", "open"]);
    let mut client = said_hello(&open, "Ada").await;
    // No answer at all: the server waits for two seconds.
    let _silent = hook.next().await;
    assert_eq!(welcome(&mut client).await.unwrap().name, "Ada");
    let failed = r#"tickwire_join_hook_total{outcome="failed"}"#;
    assert_eq!(open.metric(failed).await, 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_has_gone_is_not_joined() {
    let mut hook = Hook::start().await;
    let server = hook.server(&["--handshake-timeout", "300ms"]);
    let mut gone = said_hello(&server, "Eve").await;
    let of_gone = hook.next().await;
    let leave = client_message::Body::Leave(v1::Leave::default());
    gone.send(leave).await;
    assert_eq!(gone.end().await.code, Some(1000));
    let lost = said_hello(&server, "Dan").await;
    let of_lost = hook.next().await;
    drop(lost);
    server
        .until_metric(r#"tickwire_disconnects_total{reason="lost"}"#, 1.0)
        .await;
    let mut stays = said_hello(&server, "Ada").await;
    let of_stays = hook.next().await;
    // Longer than a client may take to say Hello: the hook's time is not the client's.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    of_gone.answer("200 OK", "").await;
    of_lost.answer("200 OK", "").await;
    of_stays.answer("200 OK", "").await;
    assert_eq!(welcome(&mut stays).await.unwrap().session, 1);
    let admitted = r#"tickwire_join_hook_total{outcome="admitted"}"#;
    server.until_metric(admitted, 3.0).await;
    assert_eq!(server.metric("tickwire_sessions").await, 1.0);
}
