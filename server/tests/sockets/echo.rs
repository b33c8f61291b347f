//! `/echo`: RFC 6455 with an independent client, and with frames made by hand.

use futures_util::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::tungstenite::Message;

use crate::support::*;

#[tokio::test]
async fn an_independent_client_gets_its_messages_back() {
    let server = TestServer::start(&["--ws-echo"]);
    let stream = tokio::net::TcpStream::connect(server.addr).await.unwrap();
    let url = format!("ws://{}/echo", server.addr);
    let (mut client, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
    for len in [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20] {
        let message = Message::binary(vec![len as u8; len]);
        client.send(message.clone()).await.unwrap();
        loop {
            match within(client.next()).await.unwrap().unwrap() {
                Message::Ping(_) => {}
                echo => break assert!(echo == message, "{len}"),
            }
        }
    }
    client.close(None).await.unwrap();
    while within(client.next()).await.is_some() {}
}

#[tokio::test]
async fn a_ping_between_fragments_is_answered() {
    let server = TestServer::start(&["--ws-echo"]);
    let mut client = Client::connect(server.addr, "/echo", "").await;
    let stream = [
        frame(0x01, "κό".as_bytes()),
        frame(0x89, b"are you there?"),
        frame(0x80, "σμε".as_bytes()),
    ];
    client.send(&stream.concat()).await;
    let pong = client.next().await.unwrap();
    assert_eq!(
        (pong.opcode, &pong.payload[..]),
        (10, &b"are you there?"[..])
    );
    let text = client.next().await.unwrap();
    assert_eq!((text.opcode, &text.payload[..]), (1, "κόσμε".as_bytes()));
}

#[tokio::test]
async fn a_message_may_come_with_the_handshake() {
    let server = TestServer::start(&["--ws-echo"]);
    let mut first = request("GET", "/echo", &format!("{UPGRADE}{VERSION}{KEY}")).into_bytes();
    first.extend(frame(0x82, b"early"));
    let stream = tokio::net::TcpStream::connect(server.addr).await.unwrap();
    let mut client = Client::asked(stream, &first).await;
    assert_eq!(client.next().await.unwrap().payload, b"early");
}

#[tokio::test]
async fn the_server_echoes_a_close_and_ends_the_connection() {
    let server = TestServer::start(&["--ws-echo"]);
    let mut client = Client::connect(server.addr, "/echo", "").await;
    client.send(&frame(0x88, b"\x0F\xA0done")).await;
    let close = client.next().await.unwrap();
    assert_eq!(
        (close.opcode, &close.payload[..]),
        (8, &b"\x0F\xA0done"[..])
    );
    assert_eq!(client.next().await, None, "the server ends TCP first");
}

#[tokio::test]
async fn a_peer_that_ends_behind_its_bytes_is_let_go() {
    // The interval is so long that no heartbeat ends the connection.
    let server = TestServer::start(&["--ws-echo", "--heartbeat-interval", "3600s"]);
    for _ in 0..50 {
        let mut client = Client::connect(server.addr, "/echo", "").await;
        let half = &frame(0x82, b"the rest never comes")[..9];
        client.send(half).await;
        tokio::io::AsyncWriteExt::shutdown(&mut client.stream)
            .await
            .unwrap();
        assert_eq!(client.next().await, None);
    }
}

#[tokio::test]
async fn echo_is_off_by_default() {
    let server = TestServer::start(&[]);
    let (head, _) = http(server.addr, "GET", "/echo", "").await;
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
}

#[tokio::test]
async fn a_client_that_pauses_gets_every_echo() {
    let server = TestServer::start(&["--ws-echo"]);
    let client = Client::connect(server.addr, "/echo", "").await;
    let (mut reading, mut writing) = tokio::io::split(client.stream);
    // More than all buffers hold, so the server stops reading until the client reads.
    let messages: Vec<Vec<u8>> = (0..400u32).map(|n| vec![n as u8; 50_000]).collect();
    let expected = messages.clone();
    let writer = tokio::spawn(async move {
        for message in &messages {
            let bytes = frame(0x82, message);
            tokio::io::AsyncWriteExt::write_all(&mut writing, &bytes)
                .await
                .unwrap();
        }
        writing
    });
    let mut received = Vec::new();
    let mut next = 0;
    while next < expected.len() {
        let mut buffer = vec![0; 65_536];
        let read = tokio::io::AsyncReadExt::read(&mut reading, &mut buffer);
        let read = within(read).await.unwrap();
        assert_ne!(read, 0, "ended after {next} messages");
        received.extend_from_slice(&buffer[..read]);
        while received.first() == Some(&0x89) && received.len() >= 10 {
            received.drain(..10); // a ping
        }
        while received.len() >= 4 + 50_000 {
            if received[0] == 0x89 {
                received.drain(..10);
                continue;
            }
            assert_eq!(received[..4], [0x82, 126, 0xC3, 0x50]);
            assert!(received[4..50_004] == expected[next][..], "message {next}");
            received.drain(..50_004);
            next += 1;
        }
    }
    writer.await.unwrap();
}
