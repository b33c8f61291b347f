//! The memory of rooms that have ended goes back to the system. The server is the binary, in a process of its own.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "this is a test")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const ROOMS: usize = 600;
/// Rooms that are joined at a time.
const AT_ONCE: usize = 8;
/// An empty room ends after a minute.
const PATIENCE: Duration = Duration::from_secs(240);

/// The binary on free ports. Dropping this value kills the process.
struct Server {
    child: Child,
    game: String,
    ops: String,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tickwire-server"))
            .args(["--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let (_, addresses) = line.trim_end().split_once("://").unwrap();
        let (game, ops) = addresses.split_once("/ws ops http://").unwrap();
        Self {
            game: game.to_owned(),
            ops: ops.to_owned(),
            child,
        }
    }

    fn resident_kib(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        kib.unwrap().parse().unwrap()
    }

    fn rooms(&self) -> f64 {
        let mut stream = TcpStream::connect(&self.ops).unwrap();
        let request = format!(
            "GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.ops
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let rooms = answer
            .lines()
            .find_map(|line| line.strip_prefix("tickwire_rooms "));
        rooms.unwrap().trim().parse().unwrap()
    }

    /// Joins a room, and leaves it once the server has answered.
    fn join_and_leave(&self, room: usize) {
        let mut stream = TcpStream::connect(&self.game).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let upgrade = format!(
            "GET /ws?room=r{room} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            self.game
        );
        stream.write_all(upgrade.as_bytes()).unwrap();
        let mut answer = [0; 4096];
        let length = stream.read(&mut answer).unwrap();
        assert!(answer[..length].starts_with(b"HTTP/1.1 101"));
        // `Hello` of version 1, in a masked frame; a mask of zeros changes nothing.
        stream
            .write_all(b"\x82\x84\0\0\0\0\x0A\x02\x08\x01")
            .unwrap();
        assert!(stream.read(&mut answer).unwrap() > 0);
        // `Leave`; the server closes the stream behind it.
        stream.write_all(b"\x82\x82\0\0\0\0\x32\0").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        while stream.read(&mut answer).unwrap_or(0) > 0 {}
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(
            started.elapsed() < PATIENCE,
            "{what} did not happen in time"
        );
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn rooms_that_have_ended_give_their_memory_back() {
    let rooms = ROOMS.to_string();
    let server = Server::start(&["--npcs", "0", "--join-rate", "0", "--max-rooms", &rooms]);
    let before = server.resident_kib();
    let peak = AtomicUsize::new(before);
    std::thread::scope(|scope| {
        for first in 0..AT_ONCE {
            let (server, peak) = (&server, &peak);
            scope.spawn(move || {
                for room in (first..ROOMS).step_by(AT_ONCE) {
                    server.join_and_leave(room);
                    peak.fetch_max(server.resident_kib(), Ordering::Relaxed);
                }
            });
        }
    });
    let peak = peak.into_inner();
    until("the end of all rooms", || server.rooms() == 0.0);
    let growth = peak - before;
    assert!(growth > 20 * 1024, "the rooms took {growth} KiB");
    until("the return of the memory", || {
        server.resident_kib().saturating_sub(before) < growth / 3
    });
}
