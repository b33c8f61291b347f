//! A real Redis for one test: its own process, port and folder, ended with the value.

#![allow(
    dead_code,
    reason = "several test programs use it, and each of them only a part"
)]

use redis::{Client, Connection, cmd};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

static SERVERS: AtomicU32 = AtomicU32::new(0);

pub struct RedisServer {
    port: u16,
    folder: PathBuf,
    arguments: Vec<String>,
    process: Option<Child>,
}

impl RedisServer {
    /// An empty server, which answers.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// An empty server with further arguments.
    pub fn start_with(arguments: &[&str]) -> Self {
        let number = SERVERS.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("tickwire-redis-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let arguments = arguments
            .iter()
            .map(|argument| (*argument).to_owned())
            .collect();
        let mut server = Self {
            port: 0,
            folder,
            arguments,
            process: None,
        };
        // Another process may take the port in between.
        for _ in 0..20 {
            server.port = TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
                .port();
            if server.try_run() {
                return server;
            }
        }
        panic!(
            "redis-server does not start; see {}",
            server.folder.join("log").display()
        );
    }

    /// A port at which no server answers yet: [`RedisServer::run`] starts it.
    pub fn stopped() -> Self {
        let mut server = Self::start();
        server.kill();
        server
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts the server again at its port, with what [`RedisServer::save`] saved last.
    pub fn run(&mut self) {
        assert!(
            self.try_run(),
            "redis-server does not start again; see {}",
            self.folder.join("log").display()
        );
    }

    /// Ends the server as a crash does.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// A crash and a new start, without data if nothing was saved.
    pub fn restart(&mut self) {
        self.kill();
        self.run();
    }

    /// Writes the data to disk.
    pub fn save(&self) {
        cmd("SAVE").query::<()>(&mut self.connection()).unwrap();
    }

    /// Stops the process without ending it: connections stand, and nobody answers.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// A connection of the test's own.
    pub fn connection(&self) -> Connection {
        let connection = Client::open(self.url())
            .unwrap()
            .get_connection_with_timeout(Duration::from_secs(10))
            .unwrap();
        connection
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        connection
    }

    /// Lets rooms of this game be claimed at once, as at a Redis that has been running with the cluster for a minute.
    pub fn settle(&self, game: &str) {
        let mut connection = self.connection();
        let info: String = cmd("INFO").arg("server").query(&mut connection).unwrap();
        let run = info
            .lines()
            .find_map(|line| line.strip_prefix("run_id:"))
            .unwrap();
        let (seconds, _): (u64, u64) = cmd("TIME").query(&mut connection).unwrap();
        let marker = format!("{}:{}", &run[..16], (seconds - 60) * 1_000);
        cmd("SET")
            .arg(format!("tickwire:{game}:marker"))
            .arg(marker)
            .query::<()>(&mut connection)
            .unwrap();
    }

    fn signal(&self, signal: Signal) {
        let process = self.process.as_ref().expect("the server runs");
        kill_process(Pid::from_child(process), signal).unwrap();
    }

    fn try_run(&mut self) -> bool {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.join("log"))
            .unwrap();
        let process = Command::new("redis-server")
            .args([
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
                "--port",
                &self.port.to_string(),
                "--dir",
            ])
            .arg(&self.folder)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        self.process =
            Some(process.unwrap_or_else(|_| {
                panic!("redis-server is not installed; ./test.sh installs it")
            }));
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(30) {
            let process = self.process.as_mut().expect("it was just started");
            if process.try_wait().unwrap().is_some() {
                break;
            }
            // Whoever answers is this very process.
            let id = process.id();
            if self.answering_process() == Some(id) {
                return true;
            }
            sleep(Duration::from_millis(10));
        }
        self.kill_quietly();
        false
    }

    fn answering_process(&self) -> Option<u32> {
        let mut connection = Client::open(self.url())
            .ok()?
            .get_connection_with_timeout(Duration::from_secs(1))
            .ok()?;
        connection
            .set_read_timeout(Some(Duration::from_secs(1)))
            .ok()?;
        let info: String = cmd("INFO").arg("server").query(&mut connection).ok()?;
        info.lines()
            .find_map(|line| line.strip_prefix("process_id:"))?
            .trim()
            .parse()
            .ok()
    }

    fn kill_quietly(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // Also ends a process that is paused.
        self.kill_quietly();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
