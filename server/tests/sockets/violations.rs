//! Protocol errors of peers, and the close code for each, over `/ws` and `/echo`.

use crate::support::*;
use tickwire_server::internals::DisconnectReason;

/// Sends bytes on `/ws`. Expects this close code, and that the handler gets the reason.
async fn expect_refusal(bytes: &[u8], code: u16, why: DisconnectReason) -> TestServer {
    let mut server = TestServer::start(&[]);
    let (mut client, _connection) = server.join().await;
    client.send(bytes).await;
    client.closed_with(code).await;
    drop(client);
    assert_eq!(server.closed().await, why);
    server
}

#[tokio::test]
async fn an_unmasked_frame_is_refused_with_1002() {
    let server = expect_refusal(b"\x82\x05hello", 1002, DisconnectReason::Protocol).await;
    let errors = server.metric(r#"tickwire_protocol_errors_total{kind="unmasked"}"#);
    assert_eq!(errors, "1");
    assert_eq!(
        server.metric(r#"tickwire_disconnects_total{reason="protocol"}"#),
        "1"
    );
}

#[tokio::test]
async fn text_on_ws_is_refused_with_1003() {
    expect_refusal(&frame(0x81, b"hello"), 1003, DisconnectReason::TextMessage).await;
}

#[tokio::test]
async fn a_message_of_exactly_the_limit_is_accepted() {
    let mut server = TestServer::start(&["--max-message-bytes", "4096"]);
    let (mut client, _connection) = server.join().await;
    client.send(&frame(0x82, &[7; 4096])).await;
    match server.next_event().await {
        RoomEvent::Message(message) => assert!(message == [7; 4096]),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn one_byte_more_than_the_limit_is_refused_with_1009() {
    expect_refusal(&frame(0x82, &[7; 4097]), 1009, DisconnectReason::TooBig).await;
}

#[tokio::test]
async fn the_size_limit_sums_fragments() {
    let fragments = [
        frame(0x02, &[7; 2000]),
        frame(0x00, &[7; 2000]),
        frame(0x80, &[7; 97]),
    ];
    expect_refusal(&fragments.concat(), 1009, DisconnectReason::TooBig).await;
}

#[tokio::test]
async fn a_close_reaches_a_client_that_is_still_sending() {
    let mut server = TestServer::start(&[]);
    let (client, _connection) = server.join().await;
    let (mut reading, mut writing) = tokio::io::split(client.stream);
    let writer = tokio::spawn(async move {
        // Eight megabytes where 4096 bytes are allowed; the server must not reset the connection.
        let message = frame(0x82, &vec![7; 8 << 20]);
        let _ = tokio::io::AsyncWriteExt::write_all(&mut writing, &message).await;
        writing
    });
    let mut received = Vec::new();
    let _ = within(tokio::io::AsyncReadExt::read_to_end(
        &mut reading,
        &mut received,
    ))
    .await;
    let close = received
        .windows(4)
        .any(|w| w[0] == 0x88 && w[2..] == 1009u16.to_be_bytes());
    assert!(close, "{received:?}");
    within(writer).await.unwrap();
}

#[tokio::test]
async fn bad_framing_is_refused_with_1002() {
    for bytes in [
        frame(0xC2, b""),
        frame(0x83, b""),
        frame(0x8B, b""),
        frame(0x80, b"lone"),
        frame(0x09, b"fragmented ping"),
        frame(0x89, &[0; 126]),
        frame(0x88, b"\x03"),
        frame(0x88, &1005u16.to_be_bytes()),
        [frame(0x02, b"a"), frame(0x82, b"b")].concat(),
    ] {
        expect_refusal(&bytes, 1002, DisconnectReason::Protocol).await;
    }
}

#[tokio::test]
async fn invalid_text_is_refused_before_it_is_complete() {
    let server = TestServer::start(&["--ws-echo"]);
    let mut client = Client::connect(server.addr, "/echo", "").await;
    // The frame announces 100 bytes, and only its invalid beginning is sent.
    let whole = frame(0x81, &[&b"bad \xFF"[..], &[b'x'; 95]].concat());
    client.send(&whole[..12]).await;
    client.closed_with(1007).await;
}

#[tokio::test]
async fn the_handler_chooses_the_close_code() {
    let server = expect_refusal(
        &frame(0x82, b"malformed"),
        4000,
        DisconnectReason::Malformed,
    )
    .await;
    let errors = server.metric(r#"tickwire_protocol_errors_total{kind="malformed"}"#);
    assert_eq!(errors, "1");
}

#[tokio::test]
async fn a_panic_in_a_handler_ends_only_its_connection() {
    let mut server = TestServer::start(&[]);
    let (mut victim, _one) = server.join().await;
    let (mut other, _two) = server.join().await;
    victim.send(&frame(0x82, b"panic")).await;
    while victim.next().await.is_some() {}
    assert_eq!(server.closed().await, DisconnectReason::Lost);
    other.send(&frame(0x82, b"still here")).await;
    assert!(matches!(server.next_event().await, RoomEvent::Message(m) if m == b"still here"));
    assert_eq!(server.metric("tickwire_connections "), "1");
}
