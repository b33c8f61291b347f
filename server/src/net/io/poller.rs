//! Pollers: threads that read many sockets each.
//!
//! In: connections, once their handshake is done. Out: calls to each [`PolledConnection`] when bytes have arrived, when the kernel
//! takes bytes again, when another thread has changed the connection, or when its time is due. A connection that has joined a
//! room migrates to the room's worker, which reads it once a tick; connections that have not joined, and echo connections, stay
//! here. A poller with many connections takes what has arrived in *sweeps* a millisecond apart, as network drivers do under
//! load; a poller with few is woken at once. Nothing here blocks on a socket, and a panic of one connection ends that
//! connection alone.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Registry, Token, Waker};

use super::polled_connection::{self, PollOutcome, PolledConnection, Readiness};
use crate::thread_end::end_process_on_panic;

/// Up to this many connections, each event wakes the poller; with more it sweeps.
const MAX_WOKEN_BY_EVENTS: usize = 64;
/// Time from one sweep to the next: bytes are read at most this much later than they arrive.
const SWEEP_INTERVAL: Duration = Duration::from_millis(1);
/// Events that one sweep takes.
const MAX_EVENTS: usize = 1024;
/// The waker's own token; connections are numbered from 1.
const WAKER: Token = Token(0);

/// The pollers of a server. Dropping them ends their threads.
pub(crate) struct Pollers {
    all: Vec<Arc<PollerHandle>>,
    next: AtomicUsize,
}

impl Pollers {
    /// Starts `count` pollers, at least one.
    ///
    /// # Errors
    /// If the system cannot start a thread or create a poll.
    pub(crate) fn start(count: usize) -> io::Result<Self> {
        let start = |number| {
            let poll = Poll::new()?;
            let handle = Arc::new(PollerHandle {
                registry: poll.registry().try_clone()?,
                waker: Waker::new(poll.registry(), WAKER)?,
                requests: Mutex::default(),
                must_end: AtomicBool::new(false),
            });
            let poller = Poller {
                poll,
                handle: Arc::clone(&handle),
                connections: HashMap::new(),
                due: BinaryHeap::new(),
                poll_again: Vec::new(),
            };
            std::thread::Builder::new()
                .name(format!("poller-{number}"))
                .spawn(move || {
                    end_process_on_panic(&format!("poller-{number}"), || poller.run());
                })?;
            Ok(handle)
        };
        Ok(Self {
            all: (0..count.max(1)).map(start).collect::<io::Result<_>>()?,
            next: AtomicUsize::new(0),
        })
    }

    /// The poller for the next connection, in turn.
    pub(in crate::net) fn next(&self) -> Arc<PollerHandle> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        Arc::clone(&self.all[turn % self.all.len()])
    }
}

impl Drop for Pollers {
    fn drop(&mut self) {
        for handle in &self.all {
            handle.must_end.store(true, Ordering::Release);
            handle.wake();
        }
    }
}

/// A poller, as other threads see it.
pub(in crate::net) struct PollerHandle {
    registry: Registry,
    waker: Waker,
    requests: Mutex<Vec<Request>>,
    must_end: AtomicBool,
}

enum Request {
    /// Poll this connection from now on.
    Adopt(Token, Box<dyn PolledConnection>),
    /// Poll this connection once, because another thread has changed it.
    Poll(Token),
}

impl PollerHandle {
    /// Watches a socket from now on. Events before [`Self::adopt`] are not lost: a new connection is polled for everything.
    pub(in crate::net) fn watch(
        &self,
        socket: &mut mio::net::TcpStream,
        token: Token,
    ) -> io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        self.registry.register(socket, token, both)
    }

    /// Stops watching a socket.
    pub(in crate::net) fn unwatch(&self, socket: &mio::net::TcpStream) {
        #[cfg(unix)]
        {
            use std::os::fd::AsRawFd as _;
            // A failure is harmless: events of connections that are not polled here are ignored.
            let _ = self
                .registry
                .deregister(&mut mio::unix::SourceFd(&socket.as_raw_fd()));
        }
        #[cfg(not(unix))]
        let _ = socket;
    }

    /// Takes over a connection.
    pub(in crate::net) fn adopt(&self, token: Token, connection: Box<dyn PolledConnection>) {
        self.request(Request::Adopt(token, connection));
    }

    /// Asks for a connection to be polled soon, because its state or its deadlines have changed.
    pub(in crate::net) fn poll_soon(&self, token: Token) {
        self.request(Request::Poll(token));
    }

    fn request(&self, request: Request) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.push(request);
        let is_first = requests.len() == 1;
        drop(requests);
        if is_first {
            self.wake();
        }
    }

    fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            tracing::error!("a poller can't be woken: {error}");
        }
    }
}

struct Poller {
    poll: Poll,
    handle: Arc<PollerHandle>,
    connections: HashMap<Token, Entry>,
    /// Times at which connections must be polled. A time counts only if it is its connection's [`Entry::due_at`].
    due: BinaryHeap<Reverse<(Instant, Token)>>,
    poll_again: Vec<Token>,
}

struct Entry {
    connection: Box<dyn PolledConnection>,
    /// The one valid time of this connection in [`Poller::due`].
    due_at: Option<Instant>,
}

impl Poller {
    fn run(mut self) {
        let mut events = Events::with_capacity(MAX_EVENTS);
        while !self.handle.must_end.load(Ordering::Acquire) {
            let was_full = self.sweep(&mut events);
            if self.connections.len() > MAX_WOKEN_BY_EVENTS
                && !was_full
                && self.poll_again.is_empty()
            {
                std::thread::sleep(SWEEP_INTERVAL);
            }
        }
    }

    /// Polls the connections that have events, requests or due times. Returns whether more events may be waiting.
    fn sweep(&mut self, events: &mut Events) -> bool {
        let timeout = match self.due.peek() {
            _ if !self.poll_again.is_empty() => Some(Duration::ZERO),
            Some(Reverse((at, _))) => Some(at.saturating_duration_since(Instant::now())),
            None => None,
        };
        if let Err(error) = self.poll.poll(events, timeout)
            && error.kind() != io::ErrorKind::Interrupted
        {
            tracing::error!("a poller can't wait: {error}");
            std::thread::sleep(SWEEP_INTERVAL);
        }
        let mut count = 0;
        for event in events.iter() {
            count += 1;
            let may_have_ended = event.is_read_closed() || event.is_error();
            let readiness = Readiness {
                readable: event.is_readable() || may_have_ended,
                writable: event.is_writable(),
                may_have_ended,
            };
            self.poll_one(event.token(), readiness);
        }
        for token in std::mem::take(&mut self.poll_again) {
            self.poll_one(token, Readiness::default());
        }
        self.handle_requests();
        self.poll_due();
        count == MAX_EVENTS
    }

    fn handle_requests(&mut self) {
        let requests = {
            let handle = Arc::clone(&self.handle);
            let mut requests = handle
                .requests
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *requests)
        };
        for request in requests {
            match request {
                Request::Adopt(token, connection) => {
                    let entry = Entry {
                        connection,
                        due_at: None,
                    };
                    self.connections.insert(token, entry);
                    self.poll_one(token, Readiness::UNKNOWN);
                }
                Request::Poll(token) => self.poll_one(token, Readiness::default()),
            }
        }
    }

    fn poll_due(&mut self) {
        let now = Instant::now();
        while let Some(Reverse((at, token))) = self.due.peek().copied().filter(|due| due.0.0 <= now)
        {
            self.due.pop();
            if let Some(entry) = self.connections.get_mut(&token)
                && entry.due_at == Some(at)
            {
                entry.due_at = None;
                self.poll_one(token, Readiness::default());
            }
        }
    }

    fn poll_one(&mut self, token: Token, readiness: Readiness) {
        // Events of a connection that has left may still be on their way.
        let Some(entry) = self.connections.get_mut(&token) else {
            return;
        };
        let outcome = polled_connection::poll(&mut entry.connection, Instant::now(), readiness);
        match outcome {
            PollOutcome::At(at) if entry.due_at.is_none_or(|before| at < before) => {
                entry.due_at = Some(at);
                self.due.push(Reverse((at, token)));
            }
            PollOutcome::At(_) => {}
            PollOutcome::Again => self.poll_again.push(token),
            PollOutcome::Migrate => {
                if let Some(entry) = self.connections.remove(&token) {
                    entry.connection.migrate();
                }
            }
            PollOutcome::Ended => {
                if let Some(entry) = self.connections.remove(&token) {
                    polled_connection::end(entry.connection);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::sync::mpsc::{Sender, channel};

    /// Passes on what it reads; panics at a `p`, ends at an `e`.
    struct Forwarder {
        socket: mio::net::TcpStream,
        forward: Sender<Vec<u8>>,
    }

    impl PolledConnection for Forwarder {
        fn migrate(self: Box<Self>) {}

        fn poll(&mut self, _: Instant, _: Readiness) -> PollOutcome {
            let mut bytes = [0; 64];
            while let Ok(read @ 1..) = self.socket.read(&mut bytes) {
                assert!(!bytes[..read].contains(&b'p'), "the test asked for a panic");
                self.forward.send(bytes[..read].to_vec()).unwrap();
                if bytes[..read].contains(&b'e') {
                    return PollOutcome::Ended;
                }
            }
            PollOutcome::At(Instant::now() + Duration::from_secs(3600))
        }
    }

    fn pair() -> (TcpStream, mio::net::TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (near, _) = listener.accept().unwrap();
        near.set_nonblocking(true).unwrap();
        (far, mio::net::TcpStream::from_std(near))
    }

    #[test]
    fn a_panic_ends_that_connection_alone() {
        let pollers = Pollers::start(1).unwrap();
        let handle = pollers.next();
        let (forward, forwarded) = channel();
        let mut ends: Vec<TcpStream> = (1..=100)
            .map(|number| {
                let (far, mut socket) = pair();
                let token = Token(number);
                handle.watch(&mut socket, token).unwrap();
                let forward = forward.clone();
                handle.adopt(token, Box::new(Forwarder { socket, forward }));
                far
            })
            .collect();
        ends[0].write_all(b"p").unwrap();
        let read = ends[0].read(&mut [0; 1]).unwrap_or(0);
        assert_eq!(read, 0, "the socket stays open after the panic");
        for end in &mut ends[1..] {
            end.write_all(b"x").unwrap();
            assert_eq!(forwarded.recv().unwrap(), b"x");
        }
        ends[7].write_all(b"e").unwrap();
        assert_eq!(forwarded.recv().unwrap(), b"e");
        assert_eq!(ends[7].read(&mut [0; 1]).unwrap_or(0), 0);
    }

    #[test]
    fn connections_end_with_the_pollers() {
        let pollers = Pollers::start(2).unwrap();
        let (mut far, mut socket) = pair();
        let handle = pollers.next();
        handle.watch(&mut socket, Token(1)).unwrap();
        let (forward, _forwarded) = channel();
        handle.adopt(Token(1), Box::new(Forwarder { socket, forward }));
        drop(handle);
        drop(pollers);
        assert_eq!(far.read(&mut [0; 1]).unwrap_or(0), 0);
    }
}
