//! The bus over a Redis stream and a channel.
//!
//! In: messages to post, and what the subscription of the bus's channel says. Out: what [`BusReader`] makes of it. A message that Redis
//! confirmed and then forgot, because it restarted, is posted again under the same id by whoever posted it.

use super::connection::{CommandConnection, read_value};
use super::directory::Directory;
use super::error::DirectoryError;
use super::keys::Keys;
use crate::bus::{BusEvent, BusMessage, BusReader, StreamRead};
use ::redis::{Script, Value};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tracing::{debug, warn};

/// About how many messages the stream keeps.
const STREAM_LENGTH: usize = 10_000;
/// Messages of one read.
const READ_COUNT: usize = 128;
/// How long a post is tried.
const POST_TIME: Duration = Duration::from_secs(5);
/// How long a confirmed post is kept, in case that Redis forgets it.
const REPOST_TIME: Duration = Duration::from_secs(10);
/// Confirmed posts that are kept at most, and their bytes.
const KEPT_POSTS: usize = 1_024;
const KEPT_BYTES: usize = 1 << 20;
const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_millis(500);

/// Messages that reach every node, each once. Whoever subscribes (see [`super::subscriber`]) tells it what happens on the bus's channel.
pub struct BusStream {
    shared: Arc<Shared>,
    reads: JoinHandle<()>,
}

struct Shared {
    directory: Arc<Directory>,
    scripts: Scripts,
    delivery: Mutex<Delivery>,
    /// The reader wants the stream, or posts must be repeated.
    wake: Notify,
    is_forgotten: AtomicBool,
    posts: Mutex<RecentPosts>,
}

struct Scripts {
    post: Script,
    read: Script,
}

/// Held while the handler is called, so that messages never overtake each other.
struct Delivery {
    reader: BusReader,
    handler: Box<dyn FnMut(BusEvent) + Send>,
}

/// What this node posted lately, oldest first.
#[derive(Default)]
struct RecentPosts {
    posts: VecDeque<Post>,
    bytes: usize,
}

#[derive(Clone)]
struct Post {
    id: u128,
    payload: Bytes,
    confirmed: Instant,
}

impl BusStream {
    /// Begins at the newest message: those that are posted once this returned reach the handler, as soon as [`BusStream::subscribed`] was
    /// called. The handler gets one event at a time, in order, and must neither block nor call this bus.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub async fn start(
        directory: Arc<Directory>,
        handler: impl FnMut(BusEvent) + Send + 'static,
    ) -> Result<Arc<Self>, DirectoryError> {
        let scripts = Scripts {
            post: Script::new(concat!(
                include_str!("scripts/marker.lua"),
                include_str!("scripts/bus.lua"),
                include_str!("scripts/bus_post.lua")
            )),
            read: Script::new(concat!(
                include_str!("scripts/marker.lua"),
                include_str!("scripts/bus.lua"),
                include_str!("scripts/bus_read.lua")
            )),
        };
        let StreamRead {
            epoch,
            base,
            newest,
            ..
        } = scripts
            .read(directory.commands(), directory.keys(), 0, 0)
            .await?;
        let delivery = Delivery {
            reader: BusReader::new(epoch, base, newest),
            handler: Box::new(handler),
        };
        let shared = Arc::new(Shared {
            directory,
            scripts,
            delivery: Mutex::new(delivery),
            wake: Notify::new(),
            is_forgotten: AtomicBool::new(false),
            posts: Mutex::default(),
        });
        let reads = tokio::spawn(Arc::clone(&shared).run());
        Ok(Arc::new(Self { shared, reads }))
    }

    /// The subscription to [`Keys::bus_channel`] stands (again): reads what was missed.
    pub fn subscribed(&self) {
        self.shared.change(BusReader::subscribed);
    }

    /// A payload of the bus's channel. One that is no message of the bus is ignored.
    pub fn published(&self, payload: &Bytes) {
        let Some((epoch, message)) = read_published(payload) else {
            debug!(
                bytes = payload.len(),
                "ignores what is no message of the bus"
            );
            return;
        };
        self.shared
            .change(|reader| reader.published(epoch, message));
    }

    /// Posts a message to all nodes, this one included, and returns once Redis has it. Tries for 5 s, so that a Redis that restarts meanwhile
    /// neither loses nor doubles the message.
    ///
    /// # Errors
    /// The last [`DirectoryError`]. The message may have been posted all the same.
    pub async fn post(&self, payload: &[u8]) -> Result<(), DirectoryError> {
        self.post_within(payload, POST_TIME).await
    }

    /// As [`Self::post`], but tries for so long.
    ///
    /// # Errors
    /// As for [`Self::post`].
    pub async fn post_within(
        &self,
        payload: &[u8],
        patience: Duration,
    ) -> Result<(), DirectoryError> {
        let began = Instant::now();
        let id = rand::random();
        let mut backoff = BACKOFF_MIN;
        loop {
            match self.shared.post(id, payload).await {
                Ok(()) => break,
                Err(error) if began.elapsed() + backoff > patience => return Err(error),
                Err(error) => debug!(%error, "tries to post again"),
            }
            sleep(backoff).await;
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
        self.shared.posts().keep(Post {
            id,
            payload: Bytes::copy_from_slice(payload),
            confirmed: Instant::now(),
        });
        Ok(())
    }
}

impl Drop for BusStream {
    fn drop(&mut self) {
        self.reads.abort();
    }
}

impl Shared {
    /// Reads the stream whenever the reader wants it, and repeats posts that Redis may have forgotten.
    async fn run(self: Arc<Self>) {
        let mut backoff = BACKOFF_MIN;
        loop {
            match self.catch_up().await {
                Ok(()) => {
                    backoff = BACKOFF_MIN;
                    self.wake.notified().await;
                }
                Err(error) => {
                    debug!(%error, "reads the bus again");
                    sleep(backoff).await;
                    backoff = (backoff * 2).min(BACKOFF_MAX);
                }
            }
        }
    }

    async fn catch_up(&self) -> Result<(), DirectoryError> {
        loop {
            let Some(after) = self.delivery().reader.begin_read() else {
                break;
            };
            match self
                .scripts
                .read(
                    self.directory.commands(),
                    self.directory.keys(),
                    after,
                    READ_COUNT,
                )
                .await
            {
                Ok(read) => self.change(|reader| reader.stream_read(read)),
                Err(error) => {
                    self.delivery().reader.read_failed();
                    return Err(error);
                }
            }
        }
        if self.is_forgotten.swap(false, Ordering::AcqRel) {
            let posts = self.posts().newest();
            if !posts.is_empty() {
                warn!(
                    posts = posts.len(),
                    "posts again what Redis may have forgotten"
                );
            }
            for Post { id, payload, .. } in posts {
                self.post(id, &payload)
                    .await
                    .inspect_err(|_| self.is_forgotten.store(true, Ordering::Release))?;
            }
        }
        Ok(())
    }

    async fn post(&self, id: u128, payload: &[u8]) -> Result<(), DirectoryError> {
        let keys = self.directory.keys();
        let mut script = self.scripts.post.key(keys.marker());
        script
            .key(keys.bus_head())
            .key(keys.bus_stream())
            .arg(keys.bus_channel())
            .arg(format!("{id:032x}"))
            .arg(payload)
            .arg(STREAM_LENGTH);
        self.directory.commands().invoke(&script).await
    }

    /// Changes the reader and delivers what follows from it.
    fn change(&self, change: impl FnOnce(&mut BusReader)) {
        let mut delivery = self.delivery();
        let Delivery { reader, handler } = &mut *delivery;
        change(reader);
        while let Some(event) = reader.poll_event() {
            if event == BusEvent::Forgotten {
                self.is_forgotten.store(true, Ordering::Release);
            }
            handler(event);
        }
        if reader.is_read_wanted() {
            self.wake.notify_one();
        }
    }

    fn delivery(&self) -> MutexGuard<'_, Delivery> {
        self.delivery.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn posts(&self) -> MutexGuard<'_, RecentPosts> {
        self.posts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RecentPosts {
    fn keep(&mut self, post: Post) {
        self.bytes += post.payload.len();
        self.posts.push_back(post);
        while let Some(oldest) = self.posts.front()
            && (self.posts.len() > KEPT_POSTS
                || self.bytes > KEPT_BYTES
                || oldest.confirmed.elapsed() > REPOST_TIME)
        {
            self.bytes -= oldest.payload.len();
            self.posts.pop_front();
        }
    }

    fn newest(&self) -> Vec<Post> {
        self.posts
            .iter()
            .filter(|post| post.confirmed.elapsed() <= REPOST_TIME)
            .cloned()
            .collect()
    }
}

impl Scripts {
    /// Reads at most `count` messages after a number.
    async fn read(
        &self,
        commands: &CommandConnection,
        keys: &Keys,
        after: u64,
        count: usize,
    ) -> Result<StreamRead, DirectoryError> {
        let mut script = self.read.key(keys.marker());
        script
            .key(keys.bus_head())
            .key(keys.bus_stream())
            .arg(after.saturating_add(1))
            .arg(count);
        let (epoch, base, newest, entries): (String, u64, u64, Vec<(String, Vec<Value>)>) =
            commands.invoke(&script).await?;
        let is_complete = entries.len() < count;
        let messages = entries
            .into_iter()
            .map(|(name, fields)| read_entry(&name, fields))
            .collect::<Result<_, _>>()?;
        Ok(StreamRead {
            epoch,
            base,
            newest,
            messages,
            is_complete,
        })
    }
}

/// Reads an entry of the stream: `SEQ-0`, with the fields `id` and `payload`.
fn read_entry(name: &str, fields: Vec<Value>) -> Result<BusMessage, DirectoryError> {
    let unexpected =
        || DirectoryError::Unexpected("an entry of the bus's stream is no message".to_owned());
    let seq = name
        .strip_suffix("-0")
        .and_then(|seq| seq.parse().ok())
        .ok_or_else(unexpected)?;
    let [_, id, _, payload] = <[Value; 4]>::try_from(fields).map_err(|_| unexpected())?;
    let id: String = read_value(id)?;
    let payload: Vec<u8> = read_value(payload)?;
    Ok(BusMessage {
        seq,
        id: u128::from_str_radix(&id, 16).map_err(|_| unexpected())?,
        payload: payload.into(),
    })
}

/// Reads what the script publishes: `EPOCH SEQ ID PAYLOAD`.
fn read_published(bytes: &Bytes) -> Option<(&str, BusMessage)> {
    let mut parts = bytes.splitn(4, |byte| *byte == b' ');
    let mut text = || std::str::from_utf8(parts.next()?).ok();
    let (epoch, seq, id) = (
        text()?,
        text()?.parse().ok()?,
        u128::from_str_radix(text()?, 16).ok()?,
    );
    let payload = parts.next()?;
    Some((
        epoch,
        BusMessage {
            seq,
            id,
            payload: bytes.slice_ref(payload),
        },
    ))
}
