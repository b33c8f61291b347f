//! The one writer of a connection: what blocks, what waits, what is dropped, and that frames never mix.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tickwire_server::internals::{Close, CloseCode, Connection, DisconnectReason, SendOutcome};

use crate::support::*;

/// Sends snapshots until the connection has taken none for a while, because the kernel at the other end finds some more room now
/// and then. Returns how many it took.
fn fill(connection: &Connection) -> u32 {
    let (mut number, mut refused) = (0u32, 0);
    while refused < 20 {
        let mut body = vec![number as u8; 4004];
        body[..4].copy_from_slice(&number.to_be_bytes());
        match connection.try_send(&[&body]) {
            SendOutcome::Sent => (number, refused) = (number + 1, 0),
            SendOutcome::WouldBlock => {
                refused += 1;
                std::thread::sleep(Duration::from_millis(5));
            }
            SendOutcome::Closed => panic!("closed after {number}"),
        }
        assert!(number < 100_000, "the kernel never blocks");
    }
    number
}

/// Expects the snapshots of these numbers, in order and uncorrupted.
async fn expect_snapshots<S>(client: &mut Client<S>, numbers: std::ops::Range<u32>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    for number in numbers {
        let frame = client.next().await.expect("closed");
        assert_eq!(frame.opcode, 2);
        assert_eq!(frame.payload[..4], number.to_be_bytes(), "out of order");
        assert!(frame.payload[4..].iter().all(|&byte| byte == number as u8));
        assert_eq!(frame.payload.len(), 4004);
    }
}

#[tokio::test]
async fn a_slow_reader_gets_whole_snapshots_later() {
    let mut server = TestServer::start(&[]);
    let (mut client, connection) = server.join().await;
    let sent = fill(&connection);
    assert!(sent > 0);
    // At most the remainder of one message waits in our memory.
    assert!(
        connection.pending_bytes() <= 4008,
        "{}",
        connection.pending_bytes()
    );
    assert_eq!(connection.try_send(&[b"not now"]), SendOutcome::WouldBlock);
    // Nothing is sent any more, so the pending bytes must leave by themselves.
    expect_snapshots(&mut client, 0..sent).await;
    // The client may have them a moment before the poller has counted them.
    within(async {
        while connection.pending_bytes() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(connection.try_send(&[b"now", b"too"]), SendOutcome::Sent);
    assert_eq!(client.next().await.unwrap().payload, b"now");
    assert_eq!(client.next().await.unwrap().payload, b"too");
}

#[tokio::test]
async fn a_reliable_message_waits_behind_a_remainder() {
    let mut server = TestServer::start(&[]);
    let (mut client, connection) = server.join().await;
    let sent = fill(&connection);
    for number in sent..sent + 5 {
        let body = vec![number as u8; 4000];
        let outcome = connection.send(&[&number.to_be_bytes(), &body]);
        assert_eq!(outcome, SendOutcome::Sent);
    }
    assert!(connection.pending_bytes() >= 5 * 4000);
    expect_snapshots(&mut client, 0..sent + 5).await;
}

#[tokio::test]
async fn a_reliable_message_waits_behind_any_size() {
    let large = vec![7; 2 << 20];
    let snapshot = |connection: &Connection| connection.try_send(&[&large]);
    let welcome = |connection: &Connection| connection.send(&[&large]);
    let begins: [&dyn Fn(&Connection) -> SendOutcome; 2] = [&snapshot, &welcome];
    for begin in begins {
        let mut server = TestServer::start(&[]);
        let (mut client, connection) = server.join().await;
        assert_eq!(begin(&connection), SendOutcome::Sent);
        assert!(connection.pending_bytes() > 512 << 10);
        for _ in 0..100 {
            assert_eq!(connection.send(&[&[8; 1000]]), SendOutcome::Sent);
        }
        assert_eq!(client.next().await.unwrap().payload.len(), 2 << 20);
        for _ in 0..100 {
            assert_eq!(client.next().await.unwrap().payload, [8; 1000]);
        }
    }
}

#[tokio::test]
async fn reliable_messages_to_a_silent_reader_are_bounded() {
    let mut server = TestServer::start(&[]);
    let (_client, connection) = server.join().await;
    fill(&connection);
    // The remainder of a message that began at once does not count towards the limit.
    let remainder = connection.pending_bytes();
    let mut queued = 0;
    while connection.send(&[&[0; 1000]]) == SendOutcome::Sent {
        queued += 1;
        assert!(connection.pending_bytes() <= 256 * 1024 + remainder);
    }
    assert!(queued > 200, "{queued}");
    assert!(!connection.is_open());
    assert_eq!(server.closed().await, DisconnectReason::TooSlow);
    assert_eq!(connection.send(&[b"late"]), SendOutcome::Closed);
}

/// Sends a message that ends with shared bytes to a client that does not read, and others behind it; then the client reads.
pub async fn expect_shared_bytes_in_order<S>(client: &mut Client<S>, connection: &Connection)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let map: Bytes = (0..2 << 20).map(|at| (at % 251) as u8).collect();
    let outcome = connection.send_sharing(b"start", &map);
    assert_eq!(outcome, SendOutcome::Sent);
    assert!(connection.pending_bytes() > 512 << 10);
    assert_eq!(connection.try_send(&[b"not now"]), SendOutcome::WouldBlock);
    for number in 0..100 {
        assert_eq!(connection.send(&[&[number; 1000]]), SendOutcome::Sent);
    }
    // The other messages, and no more of the shared one than is sealed together.
    let own = connection.own_pending_bytes();
    assert!((100_000..130_000).contains(&own), "{own}");
    connection.close(&Close::new(CloseCode::Normal, "bye"));
    let payload = client.next().await.unwrap().payload;
    assert!(payload.strip_prefix(b"start") == Some(&map[..]));
    for number in 0..100 {
        assert_eq!(client.next().await.unwrap().payload, [number; 1000]);
    }
    assert_eq!(client.closed_with(1000).await, "bye");
}

#[tokio::test]
async fn shared_bytes_are_not_copied_and_keep_their_place() {
    let mut server = TestServer::start(&[]);
    let (mut client, connection) = server.join().await;
    expect_shared_bytes_in_order(&mut client, &connection).await;
}

#[tokio::test]
async fn messages_behind_shared_bytes_are_bounded() {
    let mut server = TestServer::start(&[]);
    let (_client, connection) = server.join().await;
    let _ = connection.send_sharing(b"start", &vec![7; 2 << 20].into());
    while connection.send(&[&[0; 1000]]) == SendOutcome::Sent {
        assert!(connection.own_pending_bytes() <= 256 * 1024);
    }
    assert_eq!(server.closed().await, DisconnectReason::TooSlow);
    assert_eq!(connection.own_pending_bytes(), 0);
}

#[tokio::test]
async fn many_senders_never_mix_their_frames() {
    let mut server = TestServer::start(&[]);
    let (mut client, connection) = server.join().await;
    let senders: Vec<_> = (0..4u8)
        .map(|sender| {
            let connection = Arc::clone(&connection);
            std::thread::spawn(move || {
                let mut sent = 0;
                while sent < 500 {
                    let body = vec![sender; 3 + usize::from(sender) * 700];
                    match connection.try_send(&[&body]) {
                        SendOutcome::Sent => sent += 1,
                        SendOutcome::WouldBlock => std::thread::sleep(Duration::from_micros(200)),
                        SendOutcome::Closed => panic!("closed"),
                    }
                }
            })
        })
        .collect();
    let mut counts = [0; 4];
    for _ in 0..2000 {
        let frame = client.next().await.expect("closed");
        let sender = frame.payload[0];
        assert!(frame.payload.iter().all(|&byte| byte == sender));
        assert_eq!(frame.payload.len(), 3 + usize::from(sender) * 700);
        counts[usize::from(sender)] += 1;
    }
    assert_eq!(counts, [500; 4]);
    for sender in senders {
        sender.join().unwrap();
    }
}

#[tokio::test]
async fn a_close_is_the_last_frame() {
    let mut server = TestServer::start(&[]);
    let (mut client, connection) = server.join().await;
    let _ = connection.send(&[b"goodbye"]);
    connection.close(&Close::new(CloseCode::Full, "no room left; try later"));
    connection.close(&Close::new(
        CloseCode::Normal,
        "a second close has no effect",
    ));
    assert_eq!(connection.send(&[b"late"]), SendOutcome::Closed);
    assert_eq!(connection.try_send(&[b"late"]), SendOutcome::Closed);
    assert_eq!(client.next().await.unwrap().payload, b"goodbye");
    assert_eq!(client.closed_with(1013).await, "no room left; try later");
    assert_eq!(server.closed().await, DisconnectReason::Full);
}

#[tokio::test]
async fn a_peer_that_never_answers_a_close_is_let_go() {
    let mut server = TestServer::start(&[]);
    let (mut client, connection) = server.join().await;
    connection.close(&Close::new(CloseCode::Normal, "bye"));
    assert_eq!(client.next().await.unwrap().opcode, 8);
    assert_eq!(client.next().await, None);
    assert_eq!(server.closed().await, DisconnectReason::Left);
}

#[tokio::test]
async fn a_peer_that_vanishes_is_lost_and_a_close_is_left() {
    let mut server = TestServer::start(&[]);
    let (client, _connection) = server.join().await;
    drop(client);
    assert_eq!(server.closed().await, DisconnectReason::Lost);
    for (code, reason) in [
        (1000u16, DisconnectReason::Left),
        (1001, DisconnectReason::PageClosed),
    ] {
        let (mut client, _connection) = server.join().await;
        client.send(&frame(0x88, &code.to_be_bytes())).await;
        assert_eq!(client.next().await.unwrap().payload, code.to_be_bytes());
        assert_eq!(server.closed().await, reason);
    }
    for reason in ["left", "page_closed", "lost"] {
        let name = format!(r#"tickwire_disconnects_total{{reason="{reason}"}}"#);
        assert_eq!(server.metric(&name), "1", "{reason}");
    }
}
