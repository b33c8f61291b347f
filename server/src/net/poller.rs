//! Pollers: threads that read the sockets, many at a time.
//!
//! In: connections, once their handshake is done. Out: calls to each one's [`Served`] when bytes have come, room to send
//! has come, somebody else has changed it, or its time is due. A connection that has joined a room moves on to the room's
//! worker, which reads it once a tick; here are those that have not, and the echo. A poller that serves many takes what has
//! arrived in *sweeps* a millisecond apart, as network drivers do under load, and one that serves few is woken at once.
//! Nothing here blocks on a socket, and what one connection's code does wrong (a panic included) ends that connection alone.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Registry, Token, Waker};

use super::served::{self, Next, Ready, Served};

/// Up to so many connections each event wakes the poller; with more it sweeps.
const WAKE_FOR_EACH: usize = 64;
/// From one sweep to the next: what arrives is read at most this late.
const SWEEP: Duration = Duration::from_millis(1);
/// Events that one sweep takes at a time.
const EVENTS: usize = 1024;
/// The waker's own token; connections are numbered from 1.
const WAKER: Token = Token(0);

/// The pollers of a server; their threads end with it.
pub(crate) struct Pollers {
    all: Vec<Arc<Handle>>,
    turn: AtomicUsize,
}

impl Pollers {
    /// Starts so many.
    ///
    /// # Errors
    /// If the system has no thread or no poll to give.
    pub(crate) fn start(count: usize) -> io::Result<Self> {
        let start = |number| {
            let poll = Poll::new()?;
            let handle = Arc::new(Handle {
                registry: poll.registry().try_clone()?,
                waker: Waker::new(poll.registry(), WAKER)?,
                orders: Mutex::default(),
                has_ended: AtomicBool::new(false),
            });
            let poller = Poller {
                poll,
                handle: Arc::clone(&handle),
                served: HashMap::new(),
                due: BinaryHeap::new(),
                soon: Vec::new(),
            };
            std::thread::Builder::new()
                .name(format!("poller-{number}"))
                .spawn(move || poller.run())?;
            Ok(handle)
        };
        Ok(Self {
            all: (0..count.max(1)).map(start).collect::<io::Result<_>>()?,
            turn: AtomicUsize::new(0),
        })
    }

    /// The poller for the next connection.
    pub(super) fn next(&self) -> Arc<Handle> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        Arc::clone(&self.all[turn % self.all.len()])
    }
}

impl Drop for Pollers {
    fn drop(&mut self) {
        for handle in &self.all {
            handle.has_ended.store(true, Ordering::Release);
            handle.wake_thread();
        }
    }
}

/// A poller, as other threads see it.
pub(super) struct Handle {
    registry: Registry,
    waker: Waker,
    orders: Mutex<Vec<Order>>,
    has_ended: AtomicBool,
}

enum Order {
    Serve(Token, Box<dyn Served>),
    /// Somebody has changed it.
    Look(Token),
}

impl Handle {
    /// Watches a socket from now on. What happens before [`Self::serve`] is not lost: that looks at everything.
    pub(super) fn watch(&self, socket: &mut mio::net::TcpStream, token: Token) -> io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        self.registry.register(socket, token, both)
    }

    /// Watches a socket no more.
    pub(super) fn unwatch(&self, socket: &mio::net::TcpStream) {
        #[cfg(unix)]
        {
            use std::os::fd::AsRawFd as _;
            // If it fails, events of a connection that isn't served here are thrown away.
            let _ = self
                .registry
                .deregister(&mut mio::unix::SourceFd(&socket.as_raw_fd()));
        }
        #[cfg(not(unix))]
        let _ = socket;
    }

    /// Takes a connection over.
    pub(super) fn serve(&self, token: Token, served: Box<dyn Served>) {
        self.order(Order::Serve(token, served));
    }

    /// Makes the poller look at a connection: its end has come closer, or its times have changed.
    pub(super) fn look(&self, token: Token) {
        self.order(Order::Look(token));
    }

    fn order(&self, order: Order) {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        orders.push(order);
        let is_first = orders.len() == 1;
        drop(orders);
        if is_first {
            self.wake_thread();
        }
    }

    fn wake_thread(&self) {
        if let Err(error) = self.waker.wake() {
            tracing::error!("a poller can't be woken: {error}");
        }
    }
}

struct Poller {
    poll: Poll,
    handle: Arc<Handle>,
    served: HashMap<Token, Entry>,
    /// Times at which something is due. An entry holds only if it is its connection's newest.
    due: BinaryHeap<Reverse<(Instant, Token)>>,
    soon: Vec<Token>,
}

struct Entry {
    code: Box<dyn Served>,
    /// The entry in `due` that holds.
    at: Option<Instant>,
}

impl Poller {
    fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS);
        while !self.handle.has_ended.load(Ordering::Acquire) {
            let was_full = self.sweep(&mut events);
            if self.served.len() > WAKE_FOR_EACH && !was_full && self.soon.is_empty() {
                std::thread::sleep(SWEEP);
            }
        }
    }

    /// Takes what has happened. Gives whether there may be more at once.
    fn sweep(&mut self, events: &mut Events) -> bool {
        let pause = match self.due.peek() {
            _ if !self.soon.is_empty() => Some(Duration::ZERO),
            Some(Reverse((at, _))) => Some(at.saturating_duration_since(Instant::now())),
            None => None,
        };
        if let Err(error) = self.poll.poll(events, pause)
            && error.kind() != io::ErrorKind::Interrupted
        {
            tracing::error!("a poller can't wait: {error}");
            std::thread::sleep(SWEEP);
        }
        let mut count = 0;
        for event in events.iter() {
            count += 1;
            let may_have_ended = event.is_read_closed() || event.is_error();
            let ready = Ready {
                to_read: event.is_readable() || may_have_ended,
                to_write: event.is_writable(),
                may_have_ended,
            };
            self.call(event.token(), ready);
        }
        for token in std::mem::take(&mut self.soon) {
            self.call(token, Ready::default());
        }
        self.obey();
        self.keep_time();
        count == EVENTS
    }

    fn obey(&mut self) {
        let orders = {
            let handle = Arc::clone(&self.handle);
            let mut orders = handle.orders.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *orders)
        };
        for order in orders {
            match order {
                Order::Serve(token, code) => {
                    self.served.insert(token, Entry { code, at: None });
                    self.call(token, Ready::UNKNOWN);
                }
                Order::Look(token) => self.call(token, Ready::default()),
            }
        }
    }

    fn keep_time(&mut self) {
        let now = Instant::now();
        while let Some(Reverse((at, token))) = self.due.peek().copied().filter(|due| due.0.0 <= now)
        {
            self.due.pop();
            if let Some(entry) = self.served.get_mut(&token)
                && entry.at == Some(at)
            {
                entry.at = None;
                self.call(token, Ready::default());
            }
        }
    }

    fn call(&mut self, token: Token, ready: Ready) {
        // Who is not served (any more) may still have events on their way.
        let Some(entry) = self.served.get_mut(&token) else {
            return;
        };
        let next = served::call(&mut entry.code, Instant::now(), ready);
        match next {
            Next::At(at) if entry.at.is_none_or(|before| at < before) => {
                entry.at = Some(at);
                self.due.push(Reverse((at, token)));
            }
            Next::At(_) => {}
            Next::Soon => self.soon.push(token),
            Next::Moves => {
                if let Some(entry) = self.served.remove(&token) {
                    entry.code.move_on();
                }
            }
            Next::Over => {
                if let Some(entry) = self.served.remove(&token) {
                    served::end(entry.code);
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
    struct Teller {
        socket: mio::net::TcpStream,
        said: Sender<Vec<u8>>,
    }

    impl Served for Teller {
        fn move_on(self: Box<Self>) {}

        fn ready(&mut self, _: Instant, _: Ready) -> Next {
            let mut bytes = [0; 64];
            while let Ok(read @ 1..) = self.socket.read(&mut bytes) {
                assert!(!bytes[..read].contains(&b'p'), "as asked");
                self.said.send(bytes[..read].to_vec()).unwrap();
                if bytes[..read].contains(&b'e') {
                    return Next::Over;
                }
            }
            Next::At(Instant::now() + Duration::from_secs(3600))
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
        let (said, heard) = channel();
        let mut ends: Vec<TcpStream> = (1..=100)
            .map(|number| {
                let (far, mut socket) = pair();
                let token = Token(number);
                handle.watch(&mut socket, token).unwrap();
                let said = said.clone();
                handle.serve(token, Box::new(Teller { socket, said }));
                far
            })
            .collect();
        ends[0].write_all(b"p").unwrap();
        // Its socket is closed.
        assert_eq!(ends[0].read(&mut [0; 1]).unwrap_or(0), 0);
        for end in &mut ends[1..] {
            end.write_all(b"x").unwrap();
            assert_eq!(heard.recv().unwrap(), b"x");
        }
        ends[7].write_all(b"e").unwrap();
        assert_eq!(heard.recv().unwrap(), b"e");
        assert_eq!(ends[7].read(&mut [0; 1]).unwrap_or(0), 0);
    }

    #[test]
    fn connections_end_with_the_pollers() {
        let pollers = Pollers::start(2).unwrap();
        let (mut far, mut socket) = pair();
        let handle = pollers.next();
        handle.watch(&mut socket, Token(1)).unwrap();
        let (said, _heard) = channel();
        handle.serve(Token(1), Box::new(Teller { socket, said }));
        drop(handle);
        drop(pollers);
        assert_eq!(far.read(&mut [0; 1]).unwrap_or(0), 0);
    }
}
