//! A join storm: a thousand connections in a second into a room of two hundred players. Measures how long each newcomer waits for
//! a first snapshot, and what the players notice.

use super::case::{Case, ROLE_CORE};
use super::child::{Kind, Role};
use super::game::WorldSize;
use super::player::{Heard, Player};
use super::players::Players;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// Players in the room before the storm.
const PLAYING: usize = 200;
/// Players that join within a second.
const NEWCOMERS: usize = 1000;

/// Runs the storm and prints the result.
///
/// # Errors
/// If the role does not start, or refuses players.
pub fn run(size: WorldSize, tls: Option<Arc<rustls::ClientConfig>>) -> io::Result<()> {
    let role = Role::start(Kind::Server(size), ROLE_CORE, tls.is_some())?;
    let mut players = Players::new()?;
    players.join(PLAYING, role.address, tls.as_ref(), |_| "storm".to_owned())?;
    players.run(Duration::from_secs(3));
    let case = Case {
        kind: Kind::Server(size),
        players: PLAYING,
        per_room: PLAYING,
        tls: tls.clone(),
        settle: Duration::ZERO,
        time: Duration::from_secs(3),
    };
    // Connecting blocks, so it has a thread of its own. Reading has another, so that no player waits.
    let (sender, receiver) = channel::<(Player, Instant)>();
    let address = role.address;
    let connecting = std::thread::spawn(move || -> io::Result<Duration> {
        std::thread::sleep(Duration::from_secs(1));
        let began = Instant::now();
        for index in 0..NEWCOMERS {
            let due = began + Duration::from_micros(1000) * index as u32;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let connected = Instant::now();
            let player = Player::connect(address, "storm", tls.as_ref())?;
            if sender.send((player, connected)).is_err() {
                break;
            }
        }
        Ok(began.elapsed())
    });
    let reading = std::thread::spawn(move || {
        let mut buffers = (vec![0; 64 * 1024], Vec::new());
        let mut waiting: Vec<(Player, Instant)> = Vec::new();
        let mut there = Vec::new();
        let mut waits = Vec::new();
        let mut is_over = false;
        while !is_over || !waiting.is_empty() {
            loop {
                match receiver.try_recv() {
                    Ok(newcomer) => waiting.push(newcomer),
                    Err(std::sync::mpsc::TryRecvError::Empty) => break,
                    Err(std::sync::mpsc::TryRecvError::Disconnected) => {
                        is_over = true;
                        break;
                    }
                }
            }
            for (mut player, connected) in std::mem::take(&mut waiting) {
                let mut has_one = false;
                player.read(&mut buffers, 0.0, |_, heard| {
                    has_one |= matches!(heard, Heard::Snapshot);
                });
                if has_one {
                    waits.push(connected.elapsed());
                    there.push(player);
                } else if !player.is_gone {
                    waiting.push((player, connected));
                }
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        // Dropping the connections here ends them with the measurement.
        (waits, there)
    });
    let outcome = case.measure(&role, &mut players, role.accounts()?)?;
    let took = connecting
        .join()
        .map_err(|_| io::Error::other("the connecting thread panicked"))??;
    let (mut waits, there) = reading
        .join()
        .map_err(|_| io::Error::other("the reading thread panicked"))?;
    waits.sort();
    let wait = |share: f64| {
        let index = ((waits.len() as f64 * share) as usize).min(waits.len().saturating_sub(1));
        waits.get(index).copied().unwrap_or_default()
    };
    println!(
        "{} of {NEWCOMERS} newcomers in {took:.2?}: first snapshot after p50 {:.1?}, p99 {:.1?}, max {:.1?}",
        there.len(),
        wait(0.5),
        wait(0.99),
        wait(1.0)
    );
    println!(
        "{PLAYING} who play: slowest {:.2}/s, gap p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms; server's core idle {:.0} %",
        outcome.counted.slowest,
        outcome.gap_ms(0.5),
        outcome.gap_ms(0.99),
        outcome.gap_ms(1.0),
        outcome.role_idle * 100.0
    );
    Ok(())
}
