//! A player: the client core on the native shell, one step at a time.

use std::sync::Arc;
use std::time::{Duration, Instant};
use tickwire_client::native::{Emulation, PathSettings, Shell, SocketEvent, Target};
use tickwire_client::{Client, Options, Phase, SessionEvent};
use tickwire_sync::Micros;

/// A client whose steps the test controls.
pub struct Player {
    /// The client core.
    pub client: Client,
    /// All session events so far.
    pub events: Vec<SessionEvent>,
    /// The input of every tick.
    pub payload: Vec<u8>,
    shell: Shell,
    start: Instant,
}

impl Player {
    /// Creates a player that connects with the first step.
    ///
    /// # Panics
    /// If the URL cannot be used.
    #[must_use]
    pub fn new(url: &str, options: Options) -> Self {
        Self {
            client: Client::new(options, Micros(0)),
            events: Vec::new(),
            payload: Vec::new(),
            shell: Shell::new(Target::new(url, false).unwrap()),
            start: Instant::now(),
        }
    }

    /// Creates a player whose line delivers at most so many bytes a second.
    ///
    /// # Panics
    /// If the URL cannot be used.
    #[must_use]
    pub fn behind_thin_line(url: &str, bytes_per_second: u32) -> Self {
        let emulation = Emulation {
            path: PathSettings::default(),
            max_read_rate: Some(bytes_per_second),
            seed: 1,
            ..Emulation::default()
        };
        let target = Arc::new(Target::new(url, false).unwrap());
        Self {
            shell: Shell::with_emulation(target, emulation),
            ..Self::new(url, Options::default())
        }
    }

    /// Joins a room, and waits for the first snapshot.
    pub async fn joined(url: &str, name: &str) -> Self {
        Self::joined_at(&[url.to_owned()], name).await
    }

    /// Joins a room at the first of these addresses, and waits for the first snapshot. It comes back at any of them.
    ///
    /// # Panics
    /// If a URL cannot be used.
    pub async fn joined_at(urls: &[String], name: &str) -> Self {
        let options = Options {
            name: name.to_owned(),
            ..Options::default()
        };
        let mut player = Self::new(&urls[0], options);
        let others = urls[1..].iter().map(|url| Target::new(url, false).unwrap());
        player.shell = player.shell.or_at(others.map(Arc::new));
        player
            .until("the first snapshot", |player| {
                player.client.counters().snapshots > 0
            })
            .await;
        player
    }

    /// The time on the player's clock.
    #[must_use]
    pub fn now(&self) -> Micros {
        Micros(self.start.elapsed().as_micros() as u64)
    }

    /// Whether the session is in the room.
    #[must_use]
    pub fn is_playing(&self) -> bool {
        *self.client.phase() == Phase::Playing
    }

    /// Steps until `done`.
    ///
    /// # Panics
    /// If that takes longer than [`crate::PATIENCE`].
    pub async fn until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        crate::within(what, async {
            while !done(self) {
                self.step().await;
            }
        })
        .await;
    }

    /// Steps until `count` more snapshots have arrived.
    pub async fn for_snapshots(&mut self, count: u64) {
        let until = self.client.counters().snapshots + count;
        self.until("more snapshots", |player| {
            player.client.counters().snapshots >= until
        })
        .await;
    }

    /// Drops the sockets without a closing handshake, as a crash would.
    pub fn cut(&mut self) {
        self.shell.abort_all();
    }

    /// Sends what is pending, waits for a socket event or timer, and runs what is then due.
    pub async fn step(&mut self) {
        self.perform_actions();
        let wake_at = self.start + Duration::from_micros(self.client.wake_at(self.now()).0);
        let event = self.shell.next_event(wake_at).await;
        let now = self.now();
        match event {
            Some(SocketEvent::Opened(link)) => self.client.opened(link, now),
            Some(SocketEvent::Received(link, message)) => self.client.received(link, &message, now),
            Some(SocketEvent::Closed(link, code, reason)) => {
                self.client.closed(link, code, &reason, now);
            }
            None => {}
        }
        self.shell.provide_rules(&mut self.client, now);
        self.client.poll(now);
        while self.client.next_due_tick(now).is_some() {
            let payload: &[u8] = if self.client.is_spectator() {
                &[]
            } else {
                &self.payload
            };
            self.client.input(payload);
        }
        self.perform_actions();
        self.events
            .extend(std::iter::from_fn(|| self.client.next_event()));
    }

    fn perform_actions(&mut self) {
        while let Some(action) = self.client.next_action() {
            self.shell.perform(action);
        }
    }
}
