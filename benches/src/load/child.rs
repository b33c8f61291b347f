//! A role in a process of its own, on a core of its own: started, found by its ready line, and stopped.

use super::game::WorldSize;
use super::measure::Accounts;
use std::io::{self, BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// A server or a floor that runs.
pub struct Role {
    child: Child,
    /// Where players connect.
    pub address: SocketAddr,
    /// Where its metrics are; port 0: it has none.
    pub metrics: SocketAddr,
}

/// What is to be run.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Tickwire, with the game of the bench.
    Server(WorldSize),
    /// The floor, with payloads of so many bytes.
    Floor(usize),
}

impl Role {
    /// Starts a role on a core.
    ///
    /// # Errors
    /// If it doesn't start.
    pub fn start(kind: Kind, core: usize, has_tls: bool) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        match kind {
            Kind::Server(size) => {
                command.arg("server");
                for (flag, value) in [("--side", size.side), ("--half", size.half)] {
                    command.args([flag, &value.to_string()]);
                }
                for (flag, value) in [("--cell", size.cell), ("--resting", size.resting)] {
                    command.args([flag, &value.to_string()]);
                }
            }
            Kind::Floor(bytes) => {
                command.args(["floor", "--bytes", &bytes.to_string()]);
            }
        }
        command.args(["--core", &core.to_string()]);
        if has_tls {
            command.arg("--tls");
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        // "ready ADDR 0" of the floor, "tickwire ready ws://ADDR/ws ops http://ADDR" of the server.
        let mut addresses = line.split_whitespace().filter_map(|word| {
            let word = word.split("://").last()?;
            word.trim_end_matches("/ws").parse().ok()
        });
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        match addresses.next() {
            Some(address) => Ok(Self {
                address,
                metrics: addresses.next().unwrap_or(nowhere),
                child,
            }),
            None => Err(io::Error::other(format!("a role did not start: {line}"))),
        }
    }

    /// Its accounts so far.
    ///
    /// # Errors
    /// If it has ended.
    pub fn accounts(&self) -> io::Result<Accounts> {
        Accounts::of(&self.child.id().to_string())
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
