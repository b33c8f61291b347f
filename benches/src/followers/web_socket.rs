//! A follower by WebSocket: a spectator with the client core, which decodes every snapshot.

use super::received::Received;
use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tickwire_client::native::{Shell, SocketEvent, Target};
use tickwire_client::{Action, Client, Options, Phase};
use tickwire_sync::Micros;

/// A spectator of a room.
#[derive(Clone)]
pub struct Spectator {
    client: Rc<RefCell<Client>>,
    received: Rc<Received>,
    began: Instant,
}

impl Spectator {
    /// A spectator of `room` that has not connected yet.
    #[must_use]
    pub fn new(room: String, received: Rc<Received>) -> Self {
        let options = Options {
            room,
            is_spectator: true,
            ..Options::default()
        };
        Self {
            client: Rc::new(RefCell::new(Client::new(options, Micros(0)))),
            received,
            began: Instant::now(),
        }
    }

    fn now(&self) -> Micros {
        Micros(self.began.elapsed().as_micros() as u64)
    }

    /// The server's tick, with its fraction; `None` while the clock is unknown.
    #[must_use]
    pub fn server_ticks(&self) -> Option<f64> {
        self.client.borrow().server_ticks(self.now())
    }

    /// Follows the room for ever.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn follow(self, address: SocketAddr) -> io::Result<()> {
        let target = Target::new(&format!("ws://{address}/ws"), false);
        let mut shell = Shell::new(target.map_err(io::Error::other)?);
        loop {
            let wake_at = self.client.borrow().wake_at(self.now());
            let event = shell
                .next_event(self.began + Duration::from_micros(wake_at.0))
                .await;
            self.take(event, &mut shell)?;
        }
    }

    /// Takes an event of the socket, acknowledges in the input of each due tick, and sends.
    fn take(&self, event: Option<SocketEvent>, shell: &mut Shell) -> io::Result<()> {
        let mut client = self.client.borrow_mut();
        match event {
            Some(SocketEvent::Opened(link)) => client.opened(link, self.now()),
            Some(SocketEvent::Received(link, message)) => {
                self.received.down(framed(message.len()));
                client.received(link, &message, self.now());
                self.received.state(client.newest_snapshot().0.0);
            }
            Some(SocketEvent::Closed(link, code, reason)) => {
                client.closed(link, code, &reason, self.now());
            }
            None => {}
        }
        client.poll(self.now());
        while client.next_due_tick(self.now()).is_some() {
            client.input(&[]);
        }
        while client.next_event().is_some() {}
        while let Some(action) = client.next_action() {
            if let Action::Send(_, message) = &action {
                // A client masks with four bytes more.
                self.received.up(framed(message.len()) + 4);
            }
            shell.perform(action);
        }
        match client.phase() {
            Phase::Closed { code, reason } => Err(io::Error::other(format!("{code}: {reason}"))),
            _ => Ok(()),
        }
    }
}

/// The bytes of a server's WebSocket frame with this payload (RFC 6455, section 5.2).
const fn framed(payload: usize) -> usize {
    match payload {
        ..126 => payload + 2,
        126..65_536 => payload + 4,
        _ => payload + 10,
    }
}
