//! The cost of a process by the kernel's accounts, and a server's own metrics.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// A process's accounts at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Accounts {
    /// User and system time of all threads, in microseconds.
    pub cpu_us: f64,
    /// Memory in use, in KiB.
    pub resident_kib: u64,
    /// The peak of the memory in use, in KiB.
    pub peak_kib: u64,
}

impl Accounts {
    /// The accounts of a process by its id; `self` is this process.
    ///
    /// # Errors
    /// If it has ended.
    pub fn of(process: &str) -> io::Result<Self> {
        let mut cpu_ns = 0_u64;
        for task in std::fs::read_dir(format!("/proc/{process}/task"))? {
            // The first number is the nanoseconds on a core. A thread may have ended since the listing.
            let accounts = std::fs::read_to_string(task?.path().join("schedstat"));
            let on_core = accounts
                .ok()
                .and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
            cpu_ns += on_core.unwrap_or(0);
        }
        let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok())
                .or_else(|| line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()))
                .unwrap_or(0)
        };
        Ok(Self {
            cpu_us: cpu_ns as f64 / 1e3,
            resident_kib: kib("VmRSS:"),
            peak_kib: kib("VmHWM:"),
        })
    }
}

/// The values of a metrics page, by name and labels.
#[derive(Clone, Debug, Default)]
pub struct Scrape(BTreeMap<String, f64>);

impl Scrape {
    /// Reads a metrics page.
    ///
    /// # Errors
    /// If it does not answer.
    pub fn of(address: SocketAddr) -> io::Result<Self> {
        let mut socket = TcpStream::connect(address)?;
        write!(
            socket,
            "GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
        )?;
        let mut page = String::new();
        socket.read_to_string(&mut page)?;
        let numbers = page
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| {
                let (name, number) = line.rsplit_once(' ')?;
                Some((name.to_owned(), number.parse().ok()?))
            });
        Ok(Self(numbers.collect()))
    }

    /// A value by its name and labels; 0 if there is none.
    #[must_use]
    pub fn value(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or(0.0)
    }

    /// How much a value has grown since `before`.
    #[must_use]
    pub fn grown(&self, before: &Self, name: &str) -> f64 {
        self.value(name) - before.value(name)
    }

    /// The upper bound of the histogram bucket that holds the quantile.
    #[must_use]
    pub fn quantile(&self, before: &Self, histogram: &str, quantile: f64) -> f64 {
        let count = self.grown(before, &format!("{histogram}_count"));
        let prefix = format!("{histogram}_bucket{{le=\"");
        let mut bounds: Vec<(f64, f64)> = self
            .0
            .keys()
            .filter_map(|name| {
                let bound = name.strip_prefix(&prefix)?.strip_suffix("\"}")?;
                Some((
                    bound.parse().unwrap_or(f64::INFINITY),
                    self.grown(before, name),
                ))
            })
            .collect();
        bounds.sort_by(|a, b| a.0.total_cmp(&b.0));
        bounds
            .iter()
            .find(|(_, within)| *within >= count * quantile)
            .map_or(f64::INFINITY, |(bound, _)| *bound)
    }
}
