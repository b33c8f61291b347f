//! Runs a role in a process and on a core of its own: starts it, finds it by its ready line, and stops it.

use super::game::WorldSize;
use super::measure::Accounts;
use std::io::{self, BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// A running server or floor.
pub struct Role {
    child: Child,
    /// Where players connect.
    pub address: SocketAddr,
    /// Where its metrics are; port 0 if it has none.
    pub metrics: SocketAddr,
}

/// Which role to run.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Tickwire, with the game of the bench.
    Server(WorldSize),
    /// The floor, with payloads of this many bytes.
    Floor(usize),
}

impl Role {
    /// Starts a role on a core.
    ///
    /// # Errors
    /// If the role does not start.
    pub fn start(kind: Kind, core: usize, has_tls: bool) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        match kind {
            Kind::Server(size) => {
                command.arg("server");
                for (flag, value) in [("--side", size.side), ("--half", size.half)] {
                    command.args([flag, &value.to_string()]);
                }
                for (flag, value) in [
                    ("--cell", size.cell),
                    ("--resting", size.resting),
                    ("--drifting", size.drifting),
                ] {
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
        // The floor prints "ready ADDR 0", the server "tickwire ready ws://ADDR/ws ops http://ADDR".
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

    /// The process's accounts so far.
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
