use crate::{GAME, PATIENCE, RedisServer, until};
use redis::cmd;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tickwire_cluster::NodeId;
use tickwire_cluster::bus::BusEvent;
use tickwire_cluster::redis::bus_stream::BusStream;
use tickwire_cluster::redis::directory::Directory;
use tickwire_cluster::redis::subscriber::{Subscriber, SubscriberEvent};

/// One node on the bus, with everything that it got.
struct Listener {
    bus: Arc<BusStream>,
    events: Arc<Mutex<Vec<BusEvent>>>,
    subscriptions: tokio::sync::watch::Receiver<usize>,
    _subscriber: Subscriber,
}

impl Listener {
    async fn start(server: &RedisServer, name: &str) -> Self {
        let directory = Arc::new(
            Directory::connect(&server.url(), GAME, NodeId::new(name, 1))
                .await
                .unwrap(),
        );
        let events: Arc<Mutex<Vec<BusEvent>>> = Arc::default();
        let received = Arc::clone(&events);
        let channel = directory.keys().bus_channel();
        let bus = BusStream::start(directory, move |event| received.lock().unwrap().push(event))
            .await
            .unwrap();
        let (count, subscriptions) = tokio::sync::watch::channel(0);
        let fed = Arc::clone(&bus);
        let subscriber =
            Subscriber::start(&server.url(), vec![channel], move |event| match event {
                SubscriberEvent::Subscribed => {
                    fed.subscribed();
                    count.send_modify(|count| *count += 1);
                }
                SubscriberEvent::Message { payload, .. } => fed.published(&payload),
                SubscriberEvent::Lost => {}
            });
        Self {
            bus,
            events,
            subscriptions,
            _subscriber: subscriber.unwrap(),
        }
    }

    async fn subscribed(&mut self) {
        tokio::time::timeout(PATIENCE, self.subscriptions.changed())
            .await
            .unwrap()
            .unwrap();
    }

    fn messages(&self) -> Vec<String> {
        let events = self.events.lock().unwrap();
        events
            .iter()
            .filter_map(|event| {
                if let BusEvent::Message(_, payload) = event {
                    Some(text(payload))
                } else {
                    None
                }
            })
            .collect()
    }

    fn count(&self, event: &BusEvent) -> usize {
        self.events
            .lock()
            .unwrap()
            .iter()
            .filter(|other| *other == event)
            .count()
    }

    async fn post_numbers(&self, name: &str, numbers: std::ops::Range<usize>, pause: Duration) {
        for number in numbers {
            self.bus
                .post(format!("{name} {number}").as_bytes())
                .await
                .unwrap();
            tokio::time::sleep(pause).await;
        }
    }

    /// Waits until it has each of these once.
    async fn has_each_once(&self, expected: &[String]) {
        until("a message", async || {
            self.messages().len() >= expected.len()
        })
        .await;
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for message in self.messages() {
            *counts.entry(message).or_default() += 1;
        }
        let expected: BTreeMap<String, usize> = expected
            .iter()
            .map(|message| (message.clone(), 1))
            .collect();
        assert_eq!(counts, expected);
    }
}

fn text(payload: &[u8]) -> String {
    String::from_utf8(payload.to_vec()).unwrap()
}

fn numbers(name: &str, numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("{name} {number}")).collect()
}

async fn listeners(server: &RedisServer) -> Vec<Listener> {
    let mut listeners = Vec::new();
    for name in ["one", "two", "three"] {
        let mut listener = Listener::start(server, name).await;
        listener.subscribed().await;
        listeners.push(listener);
    }
    listeners
}

#[tokio::test]
async fn every_node_gets_every_message_in_order() {
    let server = RedisServer::start();
    let listeners = listeners(&server).await;
    listeners[0].post_numbers("a", 0..200, Duration::ZERO).await;
    listeners[1].bus.post(&[]).await.unwrap();
    let mut expected = numbers("a", 0..200);
    expected.push(String::new());
    for listener in &listeners {
        listener.has_each_once(&expected).await;
        assert_eq!(listener.messages(), expected);
        assert_eq!(
            listener.events.lock().unwrap().len(),
            1 + expected.len(),
            "nothing was forgotten or missed, and it began once"
        );
    }
}

#[tokio::test]
async fn a_node_begins_at_the_newest_message() {
    let server = RedisServer::start();
    let listeners = listeners(&server).await;
    listeners[0]
        .post_numbers("old", 0..300, Duration::ZERO)
        .await;
    // Also what is posted before it has subscribed.
    let late = Listener::start(&server, "late").await;
    listeners[0]
        .post_numbers("new", 0..10, Duration::ZERO)
        .await;
    late.has_each_once(&numbers("new", 0..10)).await;
    assert_eq!(late.messages(), numbers("new", 0..10));
}

#[tokio::test]
async fn killed_subscriptions_neither_lose_nor_double_messages() {
    let server = RedisServer::start();
    let listeners = listeners(&server).await;
    let mut connection = server.connection();
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let killer = tokio::spawn(async move {
        let mut killed = 0;
        while stopped.try_recv().is_err() {
            killed += cmd("CLIENT")
                .arg("KILL")
                .arg("TYPE")
                .arg("pubsub")
                .query::<usize>(&mut connection)
                .unwrap();
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        killed
    });
    let pause = Duration::from_millis(2);
    tokio::join!(
        listeners[0].post_numbers("a", 0..400, pause),
        listeners[1].post_numbers("b", 0..400, pause)
    );
    stop.send(()).unwrap();
    assert!(killer.await.unwrap() > 10);
    let expected = [numbers("a", 0..400), numbers("b", 0..400)].concat();
    let mut orders = Vec::new();
    for listener in &listeners {
        listener.has_each_once(&expected).await;
        orders.push(listener.messages());
    }
    assert!(
        orders.iter().all(|order| *order == orders[0]),
        "all nodes agree on the order"
    );
    assert_eq!(listeners[0].count(&BusEvent::Forgotten), 0);
}

#[tokio::test]
async fn a_long_absence_is_filled_from_the_stream() {
    let server = RedisServer::start();
    let mut listeners = listeners(&server).await;
    let mut connection = server.connection();
    // Subscriptions end, and no new one is let in.
    cmd("CONFIG")
        .arg("SET")
        .arg("maxclients")
        .arg(4)
        .query::<()>(&mut connection)
        .unwrap();
    cmd("CLIENT")
        .arg("KILL")
        .arg("TYPE")
        .arg("pubsub")
        .query::<()>(&mut connection)
        .unwrap();
    listeners[0]
        .post_numbers("a", 0..1_000, Duration::ZERO)
        .await;
    cmd("CONFIG")
        .arg("SET")
        .arg("maxclients")
        .arg(1_000)
        .query::<()>(&mut connection)
        .unwrap();
    for listener in &mut listeners {
        listener.subscribed().await;
        listener.has_each_once(&numbers("a", 0..1_000)).await;
        assert_eq!(listener.messages(), numbers("a", 0..1_000));
    }
}

#[tokio::test]
async fn what_the_stream_dropped_is_counted() {
    let server = RedisServer::start();
    let listeners = listeners(&server).await;
    listeners[0].post_numbers("a", 0..10, Duration::ZERO).await;
    for listener in &listeners {
        listener.has_each_once(&numbers("a", 0..10)).await;
    }
    // Six messages that nobody could read.
    let mut connection = server.connection();
    let seq: u64 = cmd("HINCRBY")
        .arg("tickwire:duel:bus:head")
        .arg("seq")
        .arg(6)
        .query(&mut connection)
        .unwrap();
    listeners[0].post_numbers("b", 0..1, Duration::ZERO).await;
    for listener in &listeners {
        listener
            .has_each_once(&[numbers("a", 0..10), numbers("b", 0..1)].concat())
            .await;
        assert_eq!(listener.count(&BusEvent::Missed(6)), 1, "up to {seq}");
        assert_eq!(listener.count(&BusEvent::Forgotten), 0);
    }
}

async fn posts_over_restarts(with_data: bool) {
    let mut server = RedisServer::start();
    let mut listeners = listeners(&server).await;
    let (done, _) = tokio::sync::watch::channel(false);
    let posters: Vec<_> = ["a", "b"]
        .into_iter()
        .zip(&listeners)
        .map(|(name, listener)| {
            let (bus, mut done) = (Arc::clone(&listener.bus), done.subscribe());
            tokio::spawn(async move {
                let mut posted = 0;
                while !*done.borrow_and_update() {
                    bus.post(format!("{name} {posted}").as_bytes())
                        .await
                        .unwrap();
                    posted += 1;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                posted
            })
        })
        .collect();
    for _ in 0..3 {
        let posted = listeners[0].messages().len();
        until("further messages", async || {
            listeners[0].messages().len() > posted + 100
        })
        .await;
        if with_data {
            server.save();
            until("further messages", async || {
                listeners[0].messages().len() > posted + 200
            })
            .await;
        }
        let began = Instant::now();
        tokio::task::block_in_place(|| server.restart());
        assert!(
            began.elapsed() < Duration::from_secs(4),
            "this machine is too slow for posts that are tried for 5 s: {:?}",
            began.elapsed()
        );
        for listener in &mut listeners {
            listener.subscribed().await;
        }
    }
    let posted = listeners[0].messages().len();
    until("further messages", async || {
        listeners[0].messages().len() > posted + 100
    })
    .await;
    done.send_replace(true);
    let mut expected = Vec::new();
    for (name, poster) in ["a", "b"].into_iter().zip(posters) {
        expected.extend(numbers(name, 0..poster.await.unwrap()));
    }
    for listener in &listeners {
        listener.has_each_once(&expected).await;
        assert!(
            listener.count(&BusEvent::Forgotten) >= 3,
            "each restart is noticed"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn restarts_without_data_neither_lose_nor_double_messages() {
    posts_over_restarts(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn restarts_with_old_data_neither_lose_nor_double_messages() {
    posts_over_restarts(true).await;
}

#[tokio::test]
async fn an_emptied_redis_neither_loses_nor_doubles_messages() {
    let server = RedisServer::start();
    let listeners = listeners(&server).await;
    for round in 0..5 {
        listeners[0]
            .post_numbers("a", round * 50..(round + 1) * 50, Duration::ZERO)
            .await;
        cmd("FLUSHALL")
            .query::<()>(&mut server.connection())
            .unwrap();
    }
    listeners[0]
        .post_numbers("a", 250..300, Duration::ZERO)
        .await;
    for listener in &listeners {
        listener.has_each_once(&numbers("a", 0..300)).await;
        assert_eq!(listener.count(&BusEvent::Forgotten), 5);
    }
}

#[tokio::test]
async fn a_clock_that_was_set_back_neither_loses_nor_doubles_messages() {
    let server = RedisServer::start();
    let listeners = listeners(&server).await;
    listeners[0].post_numbers("a", 0..50, Duration::ZERO).await;
    for listener in &listeners {
        listener.has_each_once(&numbers("a", 0..50)).await;
    }
    // As a Redis would be that restarted empty, an hour earlier, and whose marker another node has made.
    let mut connection = server.connection();
    let marker: String = cmd("GET")
        .arg("tickwire:duel:marker")
        .query(&mut connection)
        .unwrap();
    let seq: u64 = cmd("HGET")
        .arg("tickwire:duel:bus:head")
        .arg("seq")
        .query(&mut connection)
        .unwrap();
    let base = seq - 3_600_000_000;
    let marker = format!("{}:1", marker.split(':').next().unwrap());
    redis::pipe()
        .atomic()
        .cmd("SET")
        .arg("tickwire:duel:marker")
        .arg(&marker)
        .cmd("DEL")
        .arg("tickwire:duel:bus")
        .cmd("HSET")
        .arg("tickwire:duel:bus:head")
        .arg(&[
            ("epoch", marker.clone()),
            ("base", base.to_string()),
            ("seq", base.to_string()),
        ])
        .query::<()>(&mut connection)
        .unwrap();
    listeners[1].post_numbers("b", 0..50, Duration::ZERO).await;
    for listener in &listeners {
        listener
            .has_each_once(&[numbers("a", 0..50), numbers("b", 0..50)].concat())
            .await;
        assert_eq!(listener.count(&BusEvent::Forgotten), 1);
    }
}

#[tokio::test]
async fn a_paused_redis_neither_loses_nor_doubles_messages() {
    let server = RedisServer::start();
    let listeners = listeners(&server).await;
    let pause = async {
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_millis(200)).await;
            server.pause();
            tokio::time::sleep(Duration::from_millis(1_200)).await;
            server.resume();
        }
    };
    tokio::join!(
        listeners[0].post_numbers("a", 0..100, Duration::from_millis(10)),
        pause
    );
    for listener in &listeners {
        listener.has_each_once(&numbers("a", 0..100)).await;
    }
}
