//! Two ends over loopback, and strangers.

use super::*;
use crate::node::NodeId;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

const SECRET: Secret = [7; 32];

struct Listener {
    address: SocketAddr,
    accepted: mpsc::Receiver<Result<Connection, LinkError>>,
    task: AbortHandle,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen() -> Listener {
    let listener = LinkListener::bind(([127, 0, 0, 1], 0).into())
        .await
        .expect("a free port");
    let address = listener.address();
    let (sender, accepted) = mpsc::channel(256);
    let handler = move |result| {
        let sender = sender.clone();
        async move {
            let _ = sender.send(result).await;
        }
    };
    let tls = LinkTls::new().expect("TLS");
    let task = tokio::spawn(listener.run(b(), tls, || SECRET, handler)).abort_handle();
    Listener {
        address,
        accepted,
        task,
    }
}

fn a() -> NodeId {
    NodeId::new("a", 1)
}

fn b() -> NodeId {
    NodeId::new("b", 2)
}

async fn dial(address: SocketAddr, secret: &Secret) -> Result<Connection, LinkError> {
    connect(address, &b(), &a(), &LinkTls::new().expect("TLS"), secret).await
}

#[tokio::test]
async fn envelopes_and_status_cross_a_link_in_order() {
    let mut listener = listen().await;
    let dialled = dial(listener.address, &SECRET).await.expect("a link");
    let accepted = listener
        .accepted
        .recv()
        .await
        .expect("an answer")
        .expect("a link");
    assert_eq!((dialled.node(), accepted.node()), (&b(), &a()));

    let (queue, at_a) = dialled.open(LinkId(1));
    let (_queue_b, at_b) = accepted.open(LinkId(1));
    let (status_a, status) = watch::channel(LinkStatus::default());
    let (_status_b, status_b) = watch::channel(LinkStatus {
        has_lost_redis: true,
    });
    let a_task = tokio::spawn(async move { at_a.run(status, |_| ()).await });
    let (events, mut seen) = mpsc::unbounded_channel();
    let b_task = tokio::spawn(async move {
        let handler = |event: LinkEvent<'_>| {
            let _ = events.send(match event {
                LinkEvent::Status(status) => Err(status.has_lost_redis),
                LinkEvent::Envelope(envelope) => Ok(envelope.to_vec()),
            });
        };
        at_b.run(status_b, handler).await
    });
    for number in 0..200_u8 {
        let mut message = Vec::new();
        LinkQueue::begin(&mut message);
        message.extend_from_slice(&vec![number; 3_000]);
        assert!(queue.send(message).await);
    }
    let mut number = 0;
    while number < 200 {
        if let Ok(envelope) = seen.recv().await.expect("the link stands") {
            assert_eq!(envelope, vec![number; 3_000]);
            number += 1;
        }
    }
    status_a.send_replace(LinkStatus {
        has_lost_redis: true,
    });
    while seen.recv().await.expect("the link stands") != Err(true) {}

    drop(queue);
    assert!(matches!(a_task.await.expect("no panic"), LinkError::Closed));
    let ended = b_task.await.expect("no panic");
    assert!(matches!(ended, LinkError::Io(_)), "{ended}");
}

#[tokio::test]
async fn another_secret_opens_no_link() {
    let mut listener = listen().await;
    let dialled = dial(listener.address, &[8; 32]).await;
    assert!(matches!(
        dialled,
        Err(LinkError::Stranger | LinkError::Io(_))
    ));
    let accepted = listener.accepted.recv().await.expect("an answer");
    assert!(matches!(
        accepted,
        Err(LinkError::Stranger | LinkError::Io(_))
    ));
}

#[tokio::test]
async fn another_node_than_dialled_is_no_link() {
    let listener = listen().await;
    let tls = LinkTls::new().expect("TLS");
    let dialled = connect(listener.address, &NodeId::new("c", 3), &a(), &tls, &SECRET).await;
    assert!(matches!(dialled, Err(LinkError::AnotherNode)));
}

#[tokio::test]
async fn strangers_bytes_and_silence_are_closed_in_time() {
    let mut listener = listen().await;
    let began = Instant::now();
    let mut talker = TcpStream::connect(listener.address)
        .await
        .expect("a connection");
    talker.write_all(&[0x5a; 300]).await.expect("sent");
    let talk = listener.accepted.recv().await.expect("an answer");
    assert!(matches!(talk, Err(LinkError::Io(_))), "no TLS");

    let mut silent = TcpStream::connect(listener.address)
        .await
        .expect("a connection");
    let silence = listener.accepted.recv().await.expect("an answer");
    assert!(matches!(silence, Err(LinkError::HandshakeTimeout)));
    assert_eq!(silent.read(&mut [0; 16]).await.expect("an end"), 0);
    assert!(began.elapsed() >= HANDSHAKE_TIMEOUT);
}

#[tokio::test]
async fn handshakes_at_once_are_bounded() {
    let mut listener = listen().await;
    let mut silent = Vec::new();
    for _ in 0..MAX_HANDSHAKES {
        silent.push(
            TcpStream::connect(listener.address)
                .await
                .expect("a connection"),
        );
    }
    // Connections are accepted in order: the one beyond is closed while all the others still wait.
    let mut beyond = TcpStream::connect(listener.address)
        .await
        .expect("a connection");
    let closed = beyond.read(&mut [0; 16]).await;
    assert!(matches!(closed, Ok(0) | Err(_)));
    // Places are free again afterwards.
    for _ in 0..MAX_HANDSHAKES {
        let ended = listener.accepted.recv().await.expect("an answer");
        assert!(matches!(ended, Err(LinkError::HandshakeTimeout)));
    }
    dial(listener.address, &SECRET).await.expect("a link");
}

#[tokio::test]
async fn a_silent_link_is_dead_after_a_second() {
    let mut listener = listen().await;
    let dialled = dial(listener.address, &SECRET).await.expect("a link");
    // The other end is authenticated, and never says anything.
    let _accepted = listener
        .accepted
        .recv()
        .await
        .expect("an answer")
        .expect("a link");
    let (_queue, link) = dialled.open(LinkId(1));
    let (_status, status) = watch::channel(LinkStatus::default());
    let began = Instant::now();
    assert!(matches!(link.run(status, |_| ()).await, LinkError::Silent));
    assert!(began.elapsed() >= SILENT_AFTER);
}

#[tokio::test]
async fn a_broken_message_ends_the_link() {
    let mut listener = listen().await;
    let dialled = dial(listener.address, &SECRET).await.expect("a link");
    let accepted = listener
        .accepted
        .recv()
        .await
        .expect("an answer")
        .expect("a link");
    let (queue, at_a) = dialled.open(LinkId(1));
    let (_queue_b, at_b) = accepted.open(LinkId(1));
    let (_status, status) = watch::channel(LinkStatus::default());
    let status_b = status.clone();
    let a_task = tokio::spawn(async move { at_a.run(status, |_| ()).await });
    // A length beyond the limit, past the queue's own check.
    assert!(!queue.send(vec![0; wire::MAX_MESSAGE_BYTES + 5]).await);
    let seen = Arc::new(Mutex::new(0));
    let b_task = tokio::spawn(async move {
        at_b.run(status_b, move |_| *seen.lock().expect("no panic") += 1)
            .await
    });
    queue.send_raw(vec![0xff; 8]).await;
    let ended = b_task.await.expect("no panic");
    assert!(matches!(ended, LinkError::NotAMessage(_)), "{ended}");
    let _ = a_task.await.expect("no panic");
}

#[test]
fn exactly_one_of_two_nodes_dials() {
    let entry = |id: NodeId, link: Option<&str>| NodeEntry {
        id,
        link: link.map(|address| address.parse().expect("an address")),
        public_url: None,
        players: 0,
        rooms: 0,
        is_draining: false,
    };
    let some = Some("10.0.0.1:1");
    for (link_a, link_b, dials_a, dials_b) in [
        (some, some, true, false),
        (some, None, false, true),
        (None, some, true, false),
        (None, None, false, false),
    ] {
        let (a, b) = (entry(a(), link_a), entry(b(), link_b));
        assert_eq!((dials(&a, &b), dials(&b, &a)), (dials_a, dials_b));
    }
}
