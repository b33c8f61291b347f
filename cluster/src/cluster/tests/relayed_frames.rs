//! Frames between nodes, over each carrier and from one to the other.

use super::*;
use crate::stream::MAX_UNACKED_BYTES;

#[tokio::test(flavor = "multi_thread")]
async fn frames_come_in_order_over_redis_alone() {
    let server = RedisServer::start();
    let (a, b) = (
        Node::start(&server, "a", false).await,
        Node::start(&server, "b", false).await,
    );
    meet(&[&a, &b]).await;
    tokio::join!(relay(&a, &b, 0..5_000), relay(&b, &a, 0..5_000));
    let peer = a.peer(&b).expect("b lives");
    assert!(!peer.is_linked() && peer.hop().is_some());
    until("all is acked", || !peer.is_congested()).await;
    assert_eq!(a.losses(&b) + b.losses(&a), 0);
    let counts = a.cluster.counts();
    assert!(counts.redis_envelopes_sent > 0 && counts.redis_envelopes_received > 0);
    assert_eq!(
        counts.link_envelopes_sent + counts.links + counts.malformed_envelopes,
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_come_in_order_over_links_between_three_nodes() {
    let server = RedisServer::start();
    let nodes = [
        Node::start(&server, "a", true).await,
        Node::start(&server, "b", true).await,
        // Only the others can be dialled.
        Node::start(&server, "c", false).await,
    ];
    let [a, b, c] = &nodes;
    meet(&[a, b, c]).await;
    tokio::join!(until_linked(a, b), until_linked(a, c), until_linked(b, c));
    tokio::join!(
        relay(a, b, 0..3_000),
        relay(b, a, 0..3_000),
        relay(a, c, 0..3_000),
        relay(c, a, 0..3_000),
        relay(b, c, 0..3_000),
        relay(c, b, 0..3_000),
    );
    let counts = a.cluster.counts();
    assert_eq!(counts.links, 2);
    assert!(counts.link_envelopes_sent > 0 && counts.link_envelopes_received > 0);
    assert!(
        counts.link_bytes_sent > 10 * counts.redis_bytes_sent,
        "links spare Redis: {counts:?}"
    );
    assert_eq!(
        nodes
            .iter()
            .map(|node| node.cluster.counts().stream_resets)
            .sum::<u64>(),
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_link_loses_no_frame() {
    let server = RedisServer::start();
    let (a, b) = (
        Node::start(&server, "a", true).await,
        Node::start(&server, "b", true).await,
    );
    meet(&[&a, &b]).await;
    until_linked(&a, &b).await;
    let (at_a, at_b) = (a.peer(&b).expect("b lives"), b.peer(&a).expect("a lives"));
    let is_done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let cuts = async {
        let mut cuts = 0;
        while !is_done.load(Ordering::Relaxed) || cuts < 3 {
            until("the link comes back", || a.is_linked(&b) && b.is_linked(&a)).await;
            // One side drops it, with all that is on its way.
            let cut = if cuts % 2 == 0 { &at_a } else { &at_b };
            cut.cut_link();
            cuts += 1;
            sleep(Duration::from_millis(20)).await;
        }
        cuts
    };
    let traffic = async {
        for round in 0..20 {
            let numbers = round * 1_000..(round + 1) * 1_000;
            tokio::join!(relay(&a, &b, numbers.clone()), relay(&b, &a, numbers));
        }
        is_done.store(true, Ordering::Relaxed);
    };
    let (cuts, ()) = tokio::join!(cuts, traffic);
    until_linked(&a, &b).await;
    relay(&a, &b, 20_000..20_100).await;
    assert_eq!(a.losses(&b) + b.losses(&a), 0, "{cuts} cuts");
    until("every cut was of another link", || {
        a.cluster.counts().links_opened > cuts
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_takes_nothing_is_congested_and_bounded() {
    let server = RedisServer::start();
    let (a, b) = (
        Node::start(&server, "a", false).await,
        Node::start(&server, "b", false).await,
    );
    meet(&[&a, &b]).await;
    relay(&a, &b, 0..10).await;
    let peer = a.peer(&b).expect("b lives");
    server.pause();
    peer.push(|out| write_frame(out, 10));
    peer.flush();
    until("what is not acked for 150 ms is congestion", || {
        peer.is_congested()
    })
    .await;
    let frame = vec![0; 64 * 1024];
    let mut is_written = true;
    let mut pushed = 0;
    while is_written {
        is_written = false;
        peer.push(|out| {
            out.extend_from_slice(&frame);
            is_written = true;
        });
        pushed += frame.len();
        assert!(
            pushed <= MAX_UNACKED_BYTES + 2 * frame.len(),
            "memory is bounded"
        );
    }
    until("the handler hears of the loss", || a.losses(&b) > 0).await;
    server.resume();
    meet(&[&a, &b]).await;
    until("both have lost each other", || b.losses(&a) > 0).await;
    until("the lease counts", || a.has_lease() && b.has_lease()).await;
    until("frames come again", || {
        if let Some(peer) = a.peer(&b) {
            peer.push(|out| write_frame(out, 0));
            peer.flush();
        }
        !b.frames(&a).is_empty()
    })
    .await;
}
