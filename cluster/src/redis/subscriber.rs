//! A subscription that knows its gaps.
//!
//! In: channels. Out: what is published there, in order, and the moments from which something may be missing and from which nothing is. The
//! subscription loops of redis-rs don't say the latter, keep messages in queues without bounds, and may give up. Messages go from the socket
//! to the handler without a queue: a handler that is slow is the reader that Redis disconnects by its limit, which is a gap like any other.

use super::connection::{CONNECTION_TIMEOUT, client};
use super::error::DirectoryError;
use ::redis::{
    AsyncConnectionConfig, Client, ProtocolVersion, PushInfo, PushKind, RedisError, RedisResult,
    Value, cmd,
};
use bytes::Bytes;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

/// How often a connection is asked whether it lives.
const PING_INTERVAL: Duration = Duration::from_millis(500);
/// How long an answer may take. With the interval: a connection is dead after 1.5 s of silence.
const PONG_TIMEOUT: Duration = Duration::from_secs(1);
const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_millis(500);

/// What happens to a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscriberEvent {
    /// What is published from now on arrives.
    Subscribed,
    /// A message, in the order in which Redis published them.
    Message {
        /// Which of the channels, by its place in the list.
        channel_index: usize,
        /// What was published.
        payload: Bytes,
    },
    /// What is published from now on is missed, until the next [`SubscriberEvent::Subscribed`]. Never follows another `Lost`.
    Lost,
}

/// A subscription to fixed channels, renewed for as long as this value lives.
pub struct Subscriber {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    channels: Vec<String>,
    delivery: Mutex<Delivery>,
    /// The connection has ended.
    disconnected: Notify,
}

/// Held while the handler is called, so that events never overtake each other.
struct Delivery {
    state: State,
    handler: Box<dyn FnMut(SubscriberEvent) + Send>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// No connection. What an older one still has to say counts no more.
    Lost,
    /// Redis has confirmed so many channels of this connection.
    Confirming { connection: u64, confirmed: usize },
    /// Redis has confirmed all channels of this connection.
    Subscribed { connection: u64 },
    /// The subscriber was dropped.
    Closed,
}

impl Subscriber {
    /// Begins to subscribe, on the caller's tokio runtime. The handler is called by one thread at a time and must neither block nor drop the
    /// subscriber. Once the subscriber has been dropped, it is never called again.
    ///
    /// # Errors
    /// [`DirectoryError::Url`] alone: a Redis that can't be reached, or refuses, is tried for ever.
    pub fn start(
        url: &str,
        channels: Vec<String>,
        handler: impl FnMut(SubscriberEvent) + Send + 'static,
    ) -> Result<Self, DirectoryError> {
        // Pushes are what lets messages and answers to pings share one connection.
        let client = client(url, ProtocolVersion::RESP3)?;
        let shared = Arc::new(Shared {
            channels,
            delivery: Mutex::new(Delivery {
                state: State::Lost,
                handler: Box::new(handler),
            }),
            disconnected: Notify::new(),
        });
        let task = tokio::spawn(run(client, Arc::clone(&shared)));
        Ok(Self { shared, task })
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.task.abort();
        self.shared.lock().state = State::Closed;
    }
}

async fn run(client: Client, shared: Arc<Shared>) {
    let mut backoff = BACKOFF_MIN;
    for connection in 0.. {
        let Err(error) = follow(&client, &shared, connection).await;
        match shared.end(connection) {
            Some(State::Subscribed { .. }) => {
                warn!(%error, "the subscription to Redis was lost and is made anew");
                backoff = BACKOFF_MIN;
            }
            Some(_) => debug!(%error, "no subscription to Redis yet"),
            None => return,
        }
        sleep(backoff).await;
        backoff = (backoff * 2).min(BACKOFF_MAX);
    }
}

/// Subscribes over a new connection and watches it until it fails.
async fn follow(
    client: &Client,
    shared: &Arc<Shared>,
    connection: u64,
) -> RedisResult<std::convert::Infallible> {
    let receiver = Arc::clone(shared);
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECTION_TIMEOUT))
        .set_response_timeout(Some(PONG_TIMEOUT))
        .set_push_sender(move |push: PushInfo| {
            receiver.receive(connection, push);
            Ok::<(), ()>(())
        });
    shared.begin(connection);
    let mut redis = client
        .get_multiplexed_async_connection_with_config(&config)
        .await?;
    redis.subscribe(&shared.channels).await?;
    loop {
        match timeout(PING_INTERVAL, shared.disconnected.notified()).await {
            // May be of an earlier connection, whose end was noticed by other means. The ping tells.
            Ok(()) | Err(_) => cmd("PING").query_async::<Value>(&mut redis).await?,
        };
        if shared.lock().state != (State::Subscribed { connection }) {
            return Err(RedisError::from(io::Error::other(
                "Redis has not confirmed all channels",
            )));
        }
    }
}

impl Shared {
    /// Lets this connection speak.
    fn begin(&self, connection: u64) {
        let mut delivery = self.lock();
        if delivery.state != State::Closed {
            delivery.state = State::Confirming {
                connection,
                confirmed: 0,
            };
        }
    }

    /// Ends this connection, and returns how far it came; `None` if the subscriber was dropped.
    fn end(&self, connection: u64) -> Option<State> {
        let mut delivery = self.lock();
        let state = delivery.state;
        if state == State::Closed {
            return None;
        }
        delivery.state = State::Lost;
        if state == (State::Subscribed { connection }) {
            (delivery.handler)(SubscriberEvent::Lost);
        }
        Some(state)
    }

    fn receive(&self, connection: u64, push: PushInfo) {
        let mut delivery = self.lock();
        match (push.kind, delivery.state) {
            (PushKind::Disconnection, _) => self.disconnected.notify_one(),
            (
                PushKind::Subscribe,
                State::Confirming {
                    connection: current,
                    confirmed,
                },
            ) if current == connection => {
                if confirmed + 1 < self.channels.len() {
                    delivery.state = State::Confirming {
                        connection,
                        confirmed: confirmed + 1,
                    };
                } else {
                    delivery.state = State::Subscribed { connection };
                    (delivery.handler)(SubscriberEvent::Subscribed);
                }
            }
            (
                PushKind::Message,
                State::Subscribed {
                    connection: current,
                },
            ) if current == connection => {
                if let Some((channel_index, payload)) = self.message(push.data) {
                    (delivery.handler)(SubscriberEvent::Message {
                        channel_index,
                        payload,
                    });
                }
            }
            _ => {}
        }
    }

    fn message(&self, data: Vec<Value>) -> Option<(usize, Bytes)> {
        let [Value::BulkString(channel), Value::BulkString(payload)] =
            <[Value; 2]>::try_from(data).ok()?
        else {
            return None;
        };
        let channel_index = self
            .channels
            .iter()
            .position(|name| name.as_bytes() == channel)?;
        Some((channel_index, payload.into()))
    }

    fn lock(&self) -> MutexGuard<'_, Delivery> {
        self.delivery.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
