//! A complete native client of any game: joins a room, plays at random for ten seconds, prints what it sees, and leaves.
//!
//! ```sh
//! cargo run -p tag
//! cargo run -p tickwire-client --features native --example join -- ws://127.0.0.1:7777/ws
//! ```

use std::time::{Duration, Instant};
use tickwire_client::native::{Shell, SocketEvent, Target};
use tickwire_client::{Client, Options, Phase, SessionEvent};
use tickwire_rules::encode_fields;
use tickwire_sync::{Micros, Tick};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let url = std::env::args().nth(1);
    let url = url.as_deref().unwrap_or("ws://127.0.0.1:7777/ws");
    // `true` would accept the self-signed certificate of a development server.
    let target = match Target::new(url, false) {
        Ok(target) => target,
        Err(error) => return eprintln!("{error}"),
    };
    let mut shell = Shell::new(target);
    let options = Options {
        room: "main".to_owned(),
        name: "Ada".to_owned(),
        ..Options::default()
    };
    // The client's time is in microseconds, of any clock that never goes back.
    let start = Instant::now();
    let now = || Micros(start.elapsed().as_micros() as u64);
    let mut client = Client::new(options, now());
    let (mut reported_at, mut last_error) = (now(), String::new());

    while !matches!(client.phase(), Phase::Closed { .. }) {
        // Waits for a socket event, but no longer than until the next input or timer is due.
        let wake_at = start + Duration::from_micros(client.wake_at(now()).0);
        match shell.next_event(wake_at).await {
            Some(SocketEvent::Opened(link)) => client.opened(link, now()),
            Some(SocketEvent::Received(link, message)) => client.received(link, &message, now()),
            Some(SocketEvent::Closed(link, code, reason)) => {
                client.closed(link, code, &reason, now());
            }
            None => {}
        }
        shell.provide_rules(&mut client, now());
        client.poll(now());
        // One input for each tick that has come.
        while let Some(tick) = client.next_due_tick(now()) {
            client.input(&input(&client, tick));
        }
        while let Some(event) = client.next_event() {
            match event {
                SessionEvent::Joined { resumed: true } => println!("back in {}", client.room()),
                SessionEvent::Joined { resumed: false } => println!("in {}", client.room()),
                SessionEvent::GameEvent(event) => {
                    println!("event {} at {:?}", event.kind, event.tick);
                }
                SessionEvent::Chat { name, text, .. } => println!("{name}: {text}"),
                SessionEvent::GameMessage(message) => println!("message {message:?}"),
                SessionEvent::Notice(text) => println!("notice: {text}"),
                SessionEvent::Prediction { note: None } => println!("predicting"),
                SessionEvent::Prediction { note: Some(note) } => println!("{note}"),
            }
        }
        // Why there is no connection, while the client keeps trying.
        if client.last_error() != last_error {
            client.last_error().clone_into(&mut last_error);
            eprintln!("{last_error}");
        }
        // What a screen does with every frame: the own entity as predicted, all others a little in the past.
        if now().since(reported_at) >= Micros::from_millis(1_000)
            && *client.phase() == Phase::Playing
        {
            reported_at = now();
            print_screen(&mut client, reported_at);
        }
        if start.elapsed() > Duration::from_secs(10) {
            client.leave();
        }
        while let Some(action) = client.next_action() {
            shell.perform(action);
        }
    }

    // Lets the closing handshake finish. The reason says whether we left, were refused, or were sent away.
    shell
        .finish_closing(Instant::now() + Duration::from_secs(1))
        .await;
    if let Phase::Closed { code, reason } = client.phase() {
        println!("closed with {code}: {reason}");
    }
}

/// An input as the game's schema describes it: every field changes once a second, by turns to its least, middle and greatest value.
/// Empty for a game that encodes its inputs in a way of its own.
fn input(client: &Client, tick: Tick) -> Vec<u8> {
    let Some(replica) = client.replica() else {
        return Vec::new();
    };
    let fields = &replica.schema().input;
    let values = fields.iter().zip(0..).map(|(field, index)| {
        let turn = (tick.0 / 60 + index) % 3;
        [field.min, field.min.midpoint(field.max), field.max][turn as usize]
    });
    encode_fields(fields, &values.collect::<Vec<_>>()).unwrap_or_default()
}

fn print_screen(client: &mut Client, now: Micros) {
    client.sample(now);
    let Some(replica) = client.replica() else {
        return;
    };
    client.for_each_on_screen(None, now, &mut |shown| {
        if let Some(kind) = replica.schema().kind(shown.id.kind) {
            let lanes = kind.lanes.iter().zip(shown.lanes);
            let lanes: Vec<_> = lanes
                .map(|(lane, value)| format!("{} {value}", lane.name))
                .collect();
            println!("  {} {}: {}", kind.name, shown.id.slot, lanes.join(", "));
        }
    });
}
