//! The programs of a cluster, each in a process that ends with its value.

use crate::load::measure::Scrape;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// Waits until something is so.
///
/// # Errors
/// If it is not so within a minute, or cannot be told.
pub fn until(what: &str, mut is_so: impl FnMut() -> io::Result<bool>) -> io::Result<()> {
    let began = Instant::now();
    while !is_so()? {
        if began.elapsed() > PATIENCE {
            return Err(io::Error::other(format!(
                "waited {PATIENCE:?} for {what} in vain"
            )));
        }
        sleep(POLL);
    }
    Ok(())
}

/// A file or folder of this process, whose name no other has.
fn temporary(name: &str) -> PathBuf {
    static NEWEST: AtomicU32 = AtomicU32::new(0);
    let number = NEWEST.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!(
        "tickwire-relays-{}-{number}-{name}",
        std::process::id()
    ))
}

/// A program of this workspace, which stands beside this one.
fn program(name: &str) -> io::Result<Command> {
    let path = std::env::current_exe()?.with_file_name(name);
    if path.exists() {
        Ok(Command::new(path))
    } else {
        Err(io::Error::other(format!(
            "{name} is not built: cargo build --release -p {name}"
        )))
    }
}

/// A process that is killed with its value.
struct Process(Child);

impl Process {
    fn id(&self) -> String {
        self.0.id().to_string()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A Redis that keeps nothing on disk.
pub struct Redis {
    process: Process,
    address: SocketAddr,
    folder: PathBuf,
}

/// What a Redis says of itself, since it was started.
#[derive(Clone, Copy, Debug, Default)]
pub struct RedisUsage {
    /// User and system time, in microseconds.
    pub cpu_us: f64,
    /// Bytes from clients.
    pub bytes_in: f64,
    /// Bytes to clients.
    pub bytes_out: f64,
    /// Commands.
    pub commands: f64,
}

impl Redis {
    /// Starts an empty Redis, and waits until it answers.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start() -> io::Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let folder = temporary("redis");
        std::fs::create_dir_all(&folder)?;
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.args(["--port", &address.port().to_string(), "--dir"]);
        command.arg(&folder).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = command
            .spawn()
            .map_err(|error| io::Error::other(format!("redis-server is not started: {error}")))?;
        let redis = Self {
            process: Process(child),
            address,
            folder,
        };
        until("Redis", || Ok(redis.usage().is_ok()))?;
        Ok(redis)
    }

    /// Where nodes find it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// What it has used so far.
    ///
    /// # Errors
    /// If it does not answer, or another Redis has its port.
    pub fn usage(&self) -> io::Result<RedisUsage> {
        let info = self.info()?;
        let text = |name: &str| {
            let line = info.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.strip_prefix(':')).map(str::trim)
        };
        if text("process_id") != Some(&*self.process.id()) {
            return Err(io::Error::other("another process has the port of Redis"));
        }
        let number = |name: &str| {
            let number = text(name).and_then(|number| number.parse::<f64>().ok());
            number.ok_or_else(|| io::Error::other(format!("INFO has no {name}")))
        };
        Ok(RedisUsage {
            cpu_us: (number("used_cpu_sys")? + number("used_cpu_user")?) * 1e6,
            bytes_in: number("total_net_input_bytes")?,
            bytes_out: number("total_net_output_bytes")?,
            commands: number("total_commands_processed")?,
        })
    }

    fn info(&self) -> io::Result<String> {
        let mut socket = BufReader::new(TcpStream::connect(self.address)?);
        socket
            .get_ref()
            .set_read_timeout(Some(Duration::from_secs(2)))?;
        socket.get_mut().write_all(b"INFO\r\n")?;
        let mut head = String::new();
        socket.read_line(&mut head)?;
        let len = head
            .strip_prefix('$')
            .and_then(|len| len.trim().parse().ok());
        let len: u64 = len.ok_or_else(|| io::Error::other(format!("INFO answers {head}")))?;
        let mut info = String::new();
        socket.take(len).read_to_string(&mut info)?;
        Ok(info)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.0.kill();
        let _ = self.process.0.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// What carries frames between nodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Carrier {
    /// A direct link.
    Link,
    /// Redis Pub/Sub.
    PubSub,
}

impl Carrier {
    /// For a table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::PubSub => "Pub/Sub",
        }
    }
}

/// A node with one worker, which serves its first game without NPCs.
pub struct Node {
    process: Process,
    address: SocketAddr,
    ops: SocketAddr,
}

impl Node {
    /// Starts a node, and waits until it is ready.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(redis: &Redis, name: &str, carrier: Carrier) -> io::Result<Self> {
        let mut command = program("tickwire-server")?;
        command.args(["--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"]);
        command.args(["--redis", &redis.url(), "--node-name", name]);
        command.args(["--workers", "1", "--npcs", "0"]);
        if carrier == Carrier::Link {
            command.args(["--node-listen", "127.0.0.1:0"]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::null()).spawn()?;
        let output = child.stdout.take();
        let process = Process(child);
        let mut line = String::new();
        if let Some(output) = output {
            BufReader::new(output).read_line(&mut line)?;
        }
        // "tickwire ready ws://ADDR/ws ops http://ADDR"
        let mut addresses = line.split_whitespace().filter_map(|word| {
            let word = word.split("://").last()?;
            word.trim_end_matches("/ws").parse().ok()
        });
        match (addresses.next(), addresses.next()) {
            (Some(address), Some(ops)) => Ok(Self {
                process,
                address,
                ops,
            }),
            _ => Err(io::Error::other(format!("{name} is not ready: {line}"))),
        }
    }

    /// Where bots connect.
    #[must_use]
    pub fn url(&self) -> String {
        format!("ws://{}/ws", self.address)
    }

    /// Its metrics.
    ///
    /// # Errors
    /// If it does not answer.
    pub fn metrics(&self) -> io::Result<Scrape> {
        Scrape::of(self.ops)
    }

    /// The id of its process.
    #[must_use]
    pub fn process(&self) -> String {
        self.process.id()
    }
}

/// Bots in a process of their own.
pub struct Swarm {
    process: Process,
    report: PathBuf,
}

impl Swarm {
    /// Starts bots that wander, spread over the nodes and over the rooms.
    ///
    /// # Errors
    /// If their program does not start.
    pub fn start(nodes: &[&Node], rooms: usize, bots: usize) -> io::Result<Self> {
        let report = temporary("bots.json");
        let mut command = program("tickwire-bot")?;
        for node in nodes {
            command.args(["--url", &node.url()]);
        }
        command.args(["--room", "relays", "--rooms", &rooms.to_string()]);
        command.args(["--bots", &bots.to_string(), "--behaviour", "wander"]);
        command.args(["--duration", "3600s", "--report"]);
        command.arg(&report).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self {
            process: Process(command.spawn()?),
            report,
        })
    }

    /// The id of their process.
    #[must_use]
    pub fn process(&self) -> String {
        self.process.id()
    }

    /// Has the bots leave, and returns their report.
    ///
    /// # Errors
    /// If they do not end, or report a mismatch or an error.
    pub fn end(mut self) -> io::Result<Value> {
        kill_process(Pid::from_child(&self.process.0), Signal::INT)?;
        let process = &mut self.process.0;
        until("the end of the bots", || Ok(process.try_wait()?.is_some()))?;
        let report: Value = serde_json::from_str(&std::fs::read_to_string(&self.report)?)?;
        for harm in ["view_mismatches", "protocol_errors", "reconnects"] {
            if report[harm] != 0 {
                let text = format!("the bots report {harm}: {}", report[harm]);
                return Err(io::Error::other(text));
            }
        }
        Ok(report)
    }
}

impl Drop for Swarm {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.report);
    }
}
