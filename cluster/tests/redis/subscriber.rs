use crate::{PATIENCE, RedisServer};
use bytes::Bytes;
use redis::cmd;
use std::time::{Duration, Instant};
use tickwire_cluster::redis::subscriber::{Subscriber, SubscriberEvent};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

struct Subscription {
    events: UnboundedReceiver<SubscriberEvent>,
    subscriber: Subscriber,
}

impl Subscription {
    fn start(server: &RedisServer, channels: &[&str]) -> Self {
        let (sender, events) = unbounded_channel();
        let channels = channels
            .iter()
            .map(|channel| (*channel).to_owned())
            .collect();
        let subscriber = Subscriber::start(&server.url(), channels, move |event| {
            let _ = sender.send(event);
        });
        Self {
            events,
            subscriber: subscriber.unwrap(),
        }
    }

    async fn next(&mut self) -> SubscriberEvent {
        timeout(PATIENCE, self.events.recv())
            .await
            .expect("an event comes")
            .expect("the subscriber lives")
    }
}

fn publish(server: &RedisServer, channel: &str, payload: &[u8]) -> usize {
    cmd("PUBLISH")
        .arg(channel)
        .arg(payload)
        .query(&mut server.connection())
        .unwrap()
}

fn message(channel_index: usize, payload: &'static [u8]) -> SubscriberEvent {
    SubscriberEvent::Message {
        channel_index,
        payload: Bytes::from_static(payload),
    }
}

#[tokio::test]
async fn messages_of_all_channels_come_in_order() {
    let server = RedisServer::start();
    let mut subscription = Subscription::start(&server, &["to:one", "bus"]);
    assert_eq!(subscription.next().await, SubscriberEvent::Subscribed);
    for (channel, payload) in [
        ("bus", &b"first\r\n"[..]),
        ("to:one", &[0, 255, 13, 10]),
        ("elsewhere", b"no"),
        ("bus", b""),
    ] {
        publish(&server, channel, payload);
    }
    assert_eq!(subscription.next().await, message(1, b"first\r\n"));
    assert_eq!(subscription.next().await, message(0, &[0, 255, 13, 10]));
    assert_eq!(subscription.next().await, message(1, b""));
}

#[tokio::test]
async fn a_killed_subscription_comes_back_and_says_so() {
    let server = RedisServer::start();
    let mut subscription = Subscription::start(&server, &["bus"]);
    for _ in 0..10 {
        assert_eq!(subscription.next().await, SubscriberEvent::Subscribed);
        assert_eq!(publish(&server, "bus", b"message"), 1);
        assert_eq!(subscription.next().await, message(0, b"message"));
        let killed: usize = cmd("CLIENT")
            .arg("KILL")
            .arg("TYPE")
            .arg("pubsub")
            .query(&mut server.connection())
            .unwrap();
        assert_eq!(killed, 1);
        assert_eq!(subscription.next().await, SubscriberEvent::Lost);
    }
    assert_eq!(subscription.next().await, SubscriberEvent::Subscribed);
}

#[tokio::test]
async fn a_silent_connection_is_lost() {
    let server = RedisServer::start();
    let mut subscription = Subscription::start(&server, &["bus"]);
    assert_eq!(subscription.next().await, SubscriberEvent::Subscribed);
    server.pause();
    let paused = Instant::now();
    assert_eq!(subscription.next().await, SubscriberEvent::Lost);
    // 1.5 s, and as much again for a machine that does much else.
    assert!(
        paused.elapsed() < Duration::from_secs(3),
        "{:?}",
        paused.elapsed()
    );
    server.resume();
    assert_eq!(subscription.next().await, SubscriberEvent::Subscribed);
    publish(&server, "bus", b"message");
    assert_eq!(subscription.next().await, message(0, b"message"));
}

#[tokio::test]
async fn a_subscription_waits_for_a_redis_that_starts_later() {
    let mut server = RedisServer::stopped();
    let mut subscription = Subscription::start(&server, &["bus"]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.run();
    for _ in 0..2 {
        assert_eq!(subscription.next().await, SubscriberEvent::Subscribed);
        server.kill();
        assert_eq!(subscription.next().await, SubscriberEvent::Lost);
        server.run();
    }
    assert_eq!(subscription.next().await, SubscriberEvent::Subscribed);
}

#[tokio::test]
async fn a_dropped_subscription_is_silent_and_leaves_redis() {
    let server = RedisServer::start();
    let mut subscription = Subscription::start(&server, &["bus"]);
    assert_eq!(subscription.next().await, SubscriberEvent::Subscribed);
    drop(subscription.subscriber);
    crate::until("the end of the subscription", async || {
        publish(&server, "bus", b"message") == 0
    })
    .await;
    assert_eq!(subscription.events.recv().await, None);
}
