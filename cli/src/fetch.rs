//! A game's schema from a running server: joins as a spectator, and leaves as soon as `Welcome` has come.

use anyhow::{anyhow, bail};
use std::time::{Duration, Instant};
use tickwire_client::native::{Shell, SocketEvent, Target};
use tickwire_client::{Client, Options, Phase};
use tickwire_sync::{Micros, Schema};

/// For how long a server is asked.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The game's name and schema. `insecure`: takes a self-signed certificate.
///
/// # Errors
/// If the address is none, or the server does not let anybody watch within ten seconds.
pub async fn fetch_schema(
    url: &str,
    room: &str,
    insecure: bool,
) -> anyhow::Result<(String, Schema)> {
    let target = Target::new(url, insecure).map_err(|error| anyhow!("{error}"))?;
    let mut shell = Shell::new(target);
    let options = Options {
        room: room.to_owned(),
        is_spectator: true,
        ..Options::default()
    };
    let start = Instant::now();
    let now = || Micros(start.elapsed().as_micros() as u64);
    let mut client = Client::new(options, now());
    let mut found = None;
    while !matches!(client.phase(), Phase::Closed { .. }) {
        let wake_at = start + Duration::from_micros(client.wake_at(now()).0);
        match shell.next_event(wake_at).await {
            Some(SocketEvent::Opened(link)) => client.opened(link, now()),
            Some(SocketEvent::Received(link, message)) => client.received(link, &message, now()),
            Some(SocketEvent::Closed(link, code, reason)) => {
                client.closed(link, code, &reason, now());
            }
            None => {}
        }
        client.poll(now());
        if let Some(replica) = client.replica() {
            found = Some((client.game().to_owned(), Schema::clone(replica.schema())));
            client.leave();
        } else if start.elapsed() > TIMEOUT {
            bail!("{url} does not answer: {}", client.last_error());
        }
        while let Some(action) = client.next_action() {
            shell.perform(action);
        }
    }
    shell
        .finish_closing(Instant::now() + Duration::from_secs(1))
        .await;
    match (found, client.phase()) {
        (Some(found), _) => Ok(found),
        (None, Phase::Closed { reason, .. }) => bail!("{url} lets nobody watch: {reason}"),
        (None, _) => bail!("{url} does not answer"),
    }
}
