//! The native shell: sockets for the client core, on tokio, for bots and native players.
//!
//! In: the core's actions. Out: events of its sockets, one at a time. All sockets of a session live in the caller's task: nothing
//! is sent between tasks, and a bot costs one wake-up per message or tick. Never decides when to connect or to give up.

#[cfg(feature = "emulation")]
mod emulated_path;
#[cfg(feature = "emulation")]
mod emulation;
mod io;
mod rules_module;

#[cfg(feature = "emulation")]
pub use {emulated_path::PathSettings, emulation::Emulation};

use crate::client::Action;
use crate::{Client, LinkId, WantedRules};
use futures_util::{Sink as _, Stream as _};
use io::Io;
use rules_module::RulesModuleError;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;
use tickwire_rules_wasm::WasmRules;
use tickwire_sync::Micros;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Bytes, Message};

pub use io::{ShellError, Target, tls_config};

/// Something that happened on a socket. Pass it to the method of [`crate::Client`] with the same name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SocketEvent {
    /// The socket is open.
    Opened(LinkId),
    /// A binary message arrived.
    Received(LinkId, Bytes),
    /// The socket is closed or could not be opened: the close code, if there was a closing handshake, and the reason.
    Closed(LinkId, Option<u16>, String),
}

/// The sockets of one session.
pub struct Shell {
    /// The address of the newest attempt to connect.
    target: Arc<Target>,
    /// Where to connect next, in turn, after the first attempt.
    others: VecDeque<Arc<Target>>,
    has_attempted: bool,
    #[cfg(feature = "emulation")]
    emulation: Emulation,
    attempts: Vec<(LinkId, ConnectTask)>,
    sockets: Vec<Socket>,
    events: VecDeque<SocketEvent>,
    rules: RulesProgress,
    timer: Pin<Box<tokio::time::Sleep>>,
}

/// How far the loading of a room's rules module is.
enum RulesProgress {
    NotWanted,
    Loading(WantedRules, JoinHandle<LoadResult>),
    Done(WantedRules, LoadResult),
}

type LoadResult = Result<WasmRules, RulesModuleError>;

/// A connection attempt.
type ConnectTask = JoinHandle<Result<WebSocketStream<Io>, ShellError>>;

struct Socket {
    id: LinkId,
    stream: WebSocketStream<Io>,
    needs_flush: bool,
    /// The core has closed it: only the closing handshake is left, and nothing more is reported.
    is_closing: bool,
}

impl Shell {
    /// Creates a shell without sockets, inside a tokio runtime. The shells of one process can share their target.
    #[must_use]
    pub fn new(target: impl Into<Arc<Target>>) -> Self {
        Self {
            target: target.into(),
            others: VecDeque::new(),
            has_attempted: false,
            #[cfg(feature = "emulation")]
            emulation: Emulation::default(),
            attempts: Vec::new(),
            sockets: Vec::new(),
            events: VecDeque::new(),
            rules: RulesProgress::NotWanted,
            timer: Box::pin(tokio::time::sleep_until(Instant::now().into())),
        }
    }

    /// Further addresses of the same service: each attempt after the first one takes the next of them, in turn with the first.
    #[must_use]
    pub fn or_at(mut self, others: impl IntoIterator<Item = Arc<Target>>) -> Self {
        self.others.extend(others);
        self
    }

    /// The address for the next attempt to connect.
    fn next_target(&mut self) -> Arc<Target> {
        if std::mem::replace(&mut self.has_attempted, true)
            && let Some(next) = self.others.pop_front()
        {
            let before = std::mem::replace(&mut self.target, next);
            self.others.push_back(before);
        }
        Arc::clone(&self.target)
    }

    /// Carries out an action of the core. Messages are written with the next [`Self::next_event`].
    pub fn perform(&mut self, action: Action) {
        match action {
            Action::Open(id) => {
                let target = self.next_target();
                #[cfg(feature = "emulation")]
                let connect = emulation::connect(target, self.emulation, id.0);
                #[cfg(not(feature = "emulation"))]
                let connect = io::connect(target);
                self.attempts.push((id, tokio::spawn(connect)));
            }
            Action::Send(id, message) => {
                if let Some(socket) = self.sockets.iter_mut().find(|socket| socket.id == id) {
                    // An error will show again when the socket is read.
                    let _ = Pin::new(&mut socket.stream).start_send(Message::binary(message));
                    socket.needs_flush = true;
                }
            }
            Action::Close(id) => {
                self.attempts.retain(|(attempt, task)| {
                    if *attempt == id {
                        task.abort();
                    }
                    *attempt != id
                });
                if let Some(socket) = self.sockets.iter_mut().find(|socket| socket.id == id) {
                    let _ = Pin::new(&mut socket.stream).start_send(Message::Close(None));
                    socket.needs_flush = true;
                    socket.is_closing = true;
                }
            }
        }
    }

    /// Loads the rules module that the client wants, and gives the client its rules when they are there: then the client predicts a
    /// game that this program knows nothing of. Call it after every [`Self::next_event`]; without the call, only games with native
    /// rules are predicted. A module that cannot be used leaves the client without prediction, which says why
    /// ([`crate::SessionEvent::Prediction`]).
    pub fn provide_rules(&mut self, client: &mut Client, now: Micros) {
        match std::mem::replace(&mut self.rules, RulesProgress::NotWanted) {
            RulesProgress::Done(wanted, Ok(rules)) => {
                client.give_rules(&wanted, Box::new(rules), now);
            }
            RulesProgress::Done(wanted, Err(error)) => {
                client.refuse_rules(&wanted, &error.to_string());
            }
            waiting => self.rules = waiting,
        }
        if let Some(wanted) = client.wanted_rules() {
            self.load_rules(wanted);
        }
    }

    fn load_rules(&mut self, wanted: WantedRules) {
        self.stop_loading_rules();
        let loading = rules_module::load(Arc::clone(&self.target), wanted.clone());
        self.rules = RulesProgress::Loading(wanted, tokio::spawn(loading));
    }

    fn stop_loading_rules(&mut self) {
        if let RulesProgress::Loading(_, task) = &self.rules {
            task.abort();
        }
    }

    /// Waits until the closing handshakes are done, at most until `until`.
    pub async fn finish_closing(&mut self, until: Instant) {
        self.timer.as_mut().reset(until.into());
        poll_fn(|cx| {
            self.sockets.retain_mut(|socket| {
                // Reads all that has arrived: only a pending socket wakes this task again.
                loop {
                    match socket.poll(cx) {
                        Poll::Ready(SocketEvent::Closed(..)) => break false,
                        Poll::Ready(_) => {}
                        Poll::Pending => break true,
                    }
                }
            });
            if self.sockets.is_empty() {
                Poll::Ready(())
            } else {
                self.timer.as_mut().poll(cx)
            }
        })
        .await;
    }

    /// The next event of a socket; `None` if none happens until `until`, or earlier if rules are there for
    /// [`Self::provide_rules`]. Cancel-safe.
    pub async fn next_event(&mut self, until: Instant) -> Option<SocketEvent> {
        if self.timer.deadline() != until.into() {
            self.timer.as_mut().reset(until.into());
        }
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<SocketEvent>> {
        if let Some(event) = self.events.pop_front() {
            return Poll::Ready(Some(event));
        }
        if let Some(event) = self.poll_attempts(cx) {
            return Poll::Ready(Some(event));
        }
        if let RulesProgress::Loading(wanted, task) = &mut self.rules
            && let Poll::Ready(result) = Pin::new(task).poll(cx)
        {
            let result = result.unwrap_or(Err(RulesModuleError::Stopped));
            self.rules = RulesProgress::Done(wanted.clone(), result);
            return Poll::Ready(None);
        }
        let mut index = 0;
        while index < self.sockets.len() {
            match self.sockets[index].poll(cx) {
                Poll::Ready(event) => {
                    let is_closed = matches!(event, SocketEvent::Closed(..));
                    let is_closing = self.sockets[index].is_closing;
                    if is_closed {
                        self.sockets.swap_remove(index);
                    }
                    if !is_closing {
                        return Poll::Ready(Some(event));
                    }
                    // A closing socket reports nothing: poll it, or the one that took its place, again.
                }
                Poll::Pending => index += 1,
            }
        }
        self.timer.as_mut().poll(cx).map(|()| None)
    }

    fn poll_attempts(&mut self, cx: &mut Context<'_>) -> Option<SocketEvent> {
        let mut finished = None;
        for (index, (_, task)) in self.attempts.iter_mut().enumerate() {
            if let Poll::Ready(result) = Pin::new(task).poll(cx) {
                finished = Some((index, result));
                break;
            }
        }
        let (index, result) = finished?;
        let (id, _) = self.attempts.swap_remove(index);
        match result {
            Ok(Ok(stream)) => {
                self.sockets.push(Socket {
                    id,
                    stream,
                    needs_flush: false,
                    is_closing: false,
                });
                Some(SocketEvent::Opened(id))
            }
            Ok(Err(error)) => Some(SocketEvent::Closed(id, None, error.to_string())),
            Err(error) => Some(SocketEvent::Closed(id, None, error.to_string())),
        }
    }
}

/// Faults and bad networks, for bots and tests.
#[cfg(feature = "emulation")]
impl Shell {
    /// Creates a shell whose sockets run over an emulated path.
    #[must_use]
    pub fn with_emulation(target: impl Into<Arc<Target>>, emulation: Emulation) -> Self {
        let mut shell = Self::new(target);
        shell.emulation = emulation;
        shell
    }

    /// Drops all sockets without a closing handshake, as a crash would, and reports them as closed.
    pub fn abort_all(&mut self) {
        for socket in self.sockets.drain(..).filter(|socket| !socket.is_closing) {
            let reason = "aborted".to_owned();
            self.events
                .push_back(SocketEvent::Closed(socket.id, None, reason));
        }
    }
}

impl Socket {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<SocketEvent> {
        if self.needs_flush {
            self.needs_flush = Pin::new(&mut self.stream).poll_flush(cx).is_pending();
        }
        loop {
            let closed =
                |code, reason: String| Poll::Ready(SocketEvent::Closed(self.id, code, reason));
            match Pin::new(&mut self.stream).poll_next(cx) {
                Poll::Ready(Some(Ok(Message::Binary(message)))) => {
                    return Poll::Ready(SocketEvent::Received(self.id, message));
                }
                Poll::Ready(Some(Ok(Message::Close(frame)))) => {
                    let _ = Pin::new(&mut self.stream).poll_flush(cx);
                    return match frame {
                        Some(frame) => closed(Some(frame.code.into()), frame.reason.to_string()),
                        None => closed(None, String::new()),
                    };
                }
                // The library has queued the answer to a ping.
                Poll::Ready(Some(Ok(_))) => {
                    self.needs_flush = Pin::new(&mut self.stream).poll_flush(cx).is_pending();
                }
                Poll::Ready(Some(Err(error))) => return closed(None, error.to_string()),
                Poll::Ready(None) => return closed(None, "the stream ended".to_owned()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        for (_, task) in &self.attempts {
            task.abort();
        }
        self.stop_loading_rules();
    }
}
