//! The native shell: the client core on tokio, for bots and native players.
//!
//! In: the core's actions. Out: what happened on its sockets, one thing at a time. All sockets of one session live in the
//! caller's task: nothing is sent between tasks, and a bot costs one wake-up a message or tick.

mod emulation;
mod io;
mod path;

pub use emulation::Emulation;
pub use path::{Path, PathSettings};

use crate::client::Action;
use crate::link::LinkId;
use futures_util::{Sink as _, Stream as _};
use io::Io;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Bytes, Message};

pub use io::{ShellError, Target, tls_config};

/// Something that happened on a socket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Happened {
    /// It is open.
    Opened(LinkId),
    /// A binary message came.
    Received(LinkId, Bytes),
    /// It is closed, or could not be opened: the close code, if there was a closing handshake, and the reason.
    Closed(LinkId, Option<u16>, String),
}

/// The sockets of one session.
pub struct Shell {
    target: Arc<Target>,
    emulation: Emulation,
    opening: Vec<(LinkId, Opening)>,
    sockets: Vec<Socket>,
    happened: VecDeque<Happened>,
    timer: Pin<Box<tokio::time::Sleep>>,
}

/// A connection attempt.
type Opening = JoinHandle<Result<WebSocketStream<Io>, ShellError>>;

struct Socket {
    id: LinkId,
    stream: WebSocketStream<Io>,
    needs_flush: bool,
    /// The core has done with it: it is only there to say goodbye.
    is_leaving: bool,
}

impl Shell {
    /// A shell without sockets. Must be made inside of a tokio runtime. Shells of one process can share their target.
    #[must_use]
    pub fn new(target: impl Into<Arc<Target>>) -> Self {
        Self::with_emulation(target, Emulation::default())
    }

    /// The same for bots and tests, on lines that are worse than the true one.
    #[must_use]
    pub fn with_emulation(target: impl Into<Arc<Target>>, emulation: Emulation) -> Self {
        Self {
            target: target.into(),
            emulation,
            opening: Vec::new(),
            sockets: Vec::new(),
            happened: VecDeque::new(),
            timer: Box::pin(tokio::time::sleep_until(Instant::now().into())),
        }
    }

    /// Carries out an action of the core. What is sent leaves with the next [`Self::next`].
    pub fn act(&mut self, action: Action) {
        match action {
            Action::Open(id) => {
                let connect = io::connect(Arc::clone(&self.target), self.emulation, id.0);
                self.opening.push((id, tokio::spawn(connect)));
            }
            Action::Send(id, message) => {
                if let Some(socket) = self.sockets.iter_mut().find(|socket| socket.id == id) {
                    // An error shows again when the socket is read.
                    let _ = Pin::new(&mut socket.stream).start_send(Message::binary(message));
                    socket.needs_flush = true;
                }
            }
            Action::Close(id) => {
                self.opening.retain(|(opening, task)| {
                    if *opening == id {
                        task.abort();
                    }
                    *opening != id
                });
                if let Some(socket) = self.sockets.iter_mut().find(|socket| socket.id == id) {
                    let _ = Pin::new(&mut socket.stream).start_send(Message::Close(None));
                    socket.needs_flush = true;
                    socket.is_leaving = true;
                }
            }
        }
    }

    /// Drops all sockets without a word, as a crash would, and reports them as closed.
    pub fn cut(&mut self) {
        for socket in self.sockets.drain(..).filter(|socket| !socket.is_leaving) {
            self.happened
                .push_back(Happened::Closed(socket.id, None, "cut".to_owned()));
        }
    }

    /// Waits until all sockets are closed that the core has done with, at most until `until`.
    pub async fn goodbye(&mut self, until: Instant) {
        self.timer.as_mut().reset(until.into());
        poll_fn(|cx| {
            self.sockets.retain_mut(|socket| {
                // To the end of what has come: only a pending socket wakes us again.
                loop {
                    match socket.poll(cx) {
                        Poll::Ready(Happened::Closed(..)) => break false,
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

    /// What happens next; `None` if nothing does until `until`. Safe to cancel.
    pub async fn next(&mut self, until: Instant) -> Option<Happened> {
        if self.timer.deadline() != until.into() {
            self.timer.as_mut().reset(until.into());
        }
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Happened>> {
        if let Some(happened) = self.happened.pop_front() {
            return Poll::Ready(Some(happened));
        }
        if let Some(happened) = self.poll_opening(cx) {
            return Poll::Ready(Some(happened));
        }
        let mut index = 0;
        while index < self.sockets.len() {
            match self.sockets[index].poll(cx) {
                Poll::Ready(happened) => {
                    let is_over = matches!(happened, Happened::Closed(..));
                    let is_leaving = self.sockets[index].is_leaving;
                    if is_over {
                        self.sockets.swap_remove(index);
                    }
                    if !is_leaving {
                        return Poll::Ready(Some(happened));
                    }
                    // Of a socket that is leaving nobody wants to hear; look at it (or its successor) again.
                }
                Poll::Pending => index += 1,
            }
        }
        self.timer.as_mut().poll(cx).map(|()| None)
    }

    fn poll_opening(&mut self, cx: &mut Context<'_>) -> Option<Happened> {
        let mut done = None;
        for (index, (_, task)) in self.opening.iter_mut().enumerate() {
            if let Poll::Ready(result) = Pin::new(task).poll(cx) {
                done = Some((index, result));
                break;
            }
        }
        let (index, result) = done?;
        let (id, _) = self.opening.swap_remove(index);
        match result {
            Ok(Ok(stream)) => {
                self.sockets.push(Socket {
                    id,
                    stream,
                    needs_flush: false,
                    is_leaving: false,
                });
                Some(Happened::Opened(id))
            }
            Ok(Err(error)) => Some(Happened::Closed(id, None, error.to_string())),
            Err(error) => Some(Happened::Closed(id, None, error.to_string())),
        }
    }
}

impl Socket {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Happened> {
        if self.needs_flush {
            self.needs_flush = Pin::new(&mut self.stream).poll_flush(cx).is_pending();
        }
        loop {
            let closed =
                |code, reason: String| Poll::Ready(Happened::Closed(self.id, code, reason));
            match Pin::new(&mut self.stream).poll_next(cx) {
                Poll::Ready(Some(Ok(Message::Binary(message)))) => {
                    return Poll::Ready(Happened::Received(self.id, message));
                }
                Poll::Ready(Some(Ok(Message::Close(frame)))) => {
                    let _ = Pin::new(&mut self.stream).poll_flush(cx);
                    return match frame {
                        Some(frame) => closed(Some(frame.code.into()), frame.reason.to_string()),
                        None => closed(None, String::new()),
                    };
                }
                // A ping's answer is queued by the library.
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
        for (_, task) in &self.opening {
            task.abort();
        }
    }
}
