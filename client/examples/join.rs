//! A whole native client: joins a room of the arena, flies in squares for ten seconds, tells what it sees, and leaves.
//!
//! ```sh
//! cargo run -p tickwire-server
//! cargo run -p tickwire-client --features native --example join -- ws://127.0.0.1:7777/ws
//! ```

use std::time::{Duration, Instant};
use tickwire_client::native::{Happened, Shell, Target};
use tickwire_client::{Client, Incoming, Options, Phase};
use tickwire_game::arena::{ArenaInput, kind};
use tickwire_sync::Micros;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let url = std::env::args().nth(1);
    let url = url.as_deref().unwrap_or("ws://127.0.0.1:7777/ws");
    // `true` takes the certificate of a development server.
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
    // The client's time is microseconds of any clock that never goes back.
    let start = Instant::now();
    let now = || Micros(start.elapsed().as_micros() as u64);
    let mut client = Client::new(options, now());
    let (mut reported, mut trouble) = (now(), String::new());

    while !matches!(client.phase(), Phase::Closed { .. }) {
        // Wait for the sockets, but no longer than until the next input or timer is due.
        let wake_at = start + Duration::from_micros(client.wake_at(now()).0);
        match shell.next(wake_at).await {
            Some(Happened::Opened(link)) => client.opened(link, now()),
            Some(Happened::Received(link, message)) => client.received(link, &message, now()),
            Some(Happened::Closed(link, code, why)) => client.closed(link, code, &why, now()),
            None => {}
        }
        client.poll(now());
        // One input for each tick that has come. What its bytes mean is the game's business.
        while let Some(tick) = client.due(now()) {
            let side = tick.0 / 60 % 4;
            let input = ArenaInput {
                up: side == 0,
                right: side == 1,
                down: side == 2,
                left: side == 3,
                heading: Some(0),
                ..ArenaInput::default()
            };
            client.input(&input.encode());
        }
        while let Some(incoming) = client.next_incoming() {
            match incoming {
                Incoming::Joined { resumed: true } => println!("back in {}", client.room()),
                Incoming::Joined { resumed: false } => println!("in {}", client.room()),
                Incoming::Event(event) => println!("event {} at {:?}", event.kind, event.tick),
                Incoming::Chat { name, text, .. } => println!("{name}: {text}"),
                Incoming::Game(message) => println!("the game says {message:?}"),
                Incoming::Notice(text) => println!("the operator says: {text}"),
            }
        }
        // Why there is no way in, while the client goes on trying.
        if client.trouble() != trouble {
            client.trouble().clone_into(&mut trouble);
            eprintln!("{trouble}");
        }
        // A screen does this with every frame: the own ship ahead of the server, everyone a little in the past.
        if now().since(reported) >= Micros::from_millis(1_000) && *client.phase() == Phase::Playing
        {
            reported = now();
            client.look(reported);
            if let Some((ship, lanes)) = client.own_on_screen(reported) {
                println!("own ship {}: {lanes:?}", ship.slot);
            }
            client.for_each_shown(Some(kind::SHIP), |ship| {
                println!("  ship {}: {:?}", ship.id.slot, ship.lanes);
            });
        }
        if start.elapsed() > Duration::from_secs(10) {
            client.leave();
        }
        while let Some(action) = client.next_action() {
            shell.act(action);
        }
    }

    // The goodbye is on its way; then say why it is over: we left, or were refused or sent away.
    shell.goodbye(Instant::now() + Duration::from_secs(1)).await;
    if let Phase::Closed { code, reason } = client.phase() {
        println!("closed with {code}: {reason}");
    }
}
