//! The usual `process_*` metrics of this process, read from `/proc/self` at every scrape.
//!
//! Written by hand because the collector of the `prometheus` crate cuts processor time to whole seconds: a light server would
//! show no use, and then a whole second at once. Where the system has no `/proc`, only processor time is shown.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, IntGauge};
use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

/// The metrics of one process. Gauges keep their last value where the system does not tell a new one.
pub(super) struct ProcessMetrics {
    cpu_seconds: Counter,
    open_fds: IntGauge,
    max_fds: IntGauge,
    virtual_bytes: IntGauge,
    resident_bytes: IntGauge,
    start_time: IntGauge,
    threads: IntGauge,
}

impl ProcessMetrics {
    pub fn new() -> prometheus::Result<Self> {
        Ok(Self {
            cpu_seconds: Counter::new(
                "process_cpu_seconds_total",
                "Total user and system CPU time spent in seconds.",
            )?,
            open_fds: IntGauge::new("process_open_fds", "Number of open file descriptors.")?,
            max_fds: IntGauge::new(
                "process_max_fds",
                "Maximum number of open file descriptors.",
            )?,
            virtual_bytes: IntGauge::new(
                "process_virtual_memory_bytes",
                "Virtual memory size in bytes.",
            )?,
            resident_bytes: IntGauge::new(
                "process_resident_memory_bytes",
                "Resident memory size in bytes.",
            )?,
            start_time: IntGauge::new(
                "process_start_time_seconds",
                "Start time of the process since unix epoch in seconds.",
            )?,
            threads: IntGauge::new("process_threads", "Number of OS threads in the process.")?,
        })
    }

    fn read(&self) {
        let used = clock_gettime(ClockId::ProcessCPUTime);
        let used_seconds = used.tv_sec as f64 + used.tv_nsec as f64 / 1e9;
        // A scrape at the same time may have added more already; a counter takes no negative steps.
        let more = used_seconds - self.cpu_seconds.get();
        self.cpu_seconds.inc_by(more.max(0.0));
        if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
            self.open_fds.set(files.count() as i64);
        }
        if let Some(limit) = getrlimit(Resource::Nofile).current {
            self.max_fds.set(i64::try_from(limit).unwrap_or(i64::MAX));
        }
        let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let Some(stat) = Stat::parse(&text) else {
            return;
        };
        self.threads.set(stat.threads);
        self.virtual_bytes.set(stat.virtual_bytes);
        self.resident_bytes
            .set(stat.resident_pages.saturating_mul(page_size() as i64));
        if let Some(boot_seconds) = boot_time_seconds() {
            let seconds = stat.start_ticks / clock_ticks_per_second() as i64;
            self.start_time.set(boot_seconds + seconds);
        }
    }

    fn each(&self) -> [&dyn Collector; 7] {
        [
            &self.cpu_seconds,
            &self.open_fds,
            &self.max_fds,
            &self.virtual_bytes,
            &self.resident_bytes,
            &self.start_time,
            &self.threads,
        ]
    }
}

impl Collector for ProcessMetrics {
    fn desc(&self) -> Vec<&Desc> {
        self.each().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.read();
        self.each()
            .into_iter()
            .flat_map(Collector::collect)
            .collect()
    }
}

/// The fields of `/proc/self/stat` that the metrics need (proc_pid_stat(5)).
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    threads: i64,
    /// After the system's boot, in clock ticks.
    start_ticks: i64,
    virtual_bytes: i64,
    resident_pages: i64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The second field is the program's name in parentheses, which may hold spaces and parentheses.
        let (_, after_name) = text.rsplit_once(')')?;
        let fields: Vec<&str> = after_name.split_ascii_whitespace().collect();
        // The manual counts from 1, and the first two fields are cut off.
        let field = |number: usize| fields.get(number - 3)?.parse().ok();
        Some(Self {
            threads: field(20)?,
            start_ticks: field(22)?,
            virtual_bytes: field(23)?,
            resident_pages: field(24)?,
        })
    }
}

/// When the system booted, in seconds since 1970.
fn boot_time_seconds() -> Option<i64> {
    let text = std::fs::read_to_string("/proc/stat").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_name_with_spaces_and_parentheses_is_skipped() {
        let text = "4242 (a) b (c) S 1 2 3 0 -1 4194560 5 6 7 8 90 91 0 0 20 0 17 0 12345 67890 321 18446744073709551615";
        let expected = Stat {
            threads: 17,
            start_ticks: 12_345,
            virtual_bytes: 67_890,
            resident_pages: 321,
        };
        assert_eq!(Stat::parse(text), Some(expected));
        assert_eq!(Stat::parse("4242 (short) S 1"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_has_files_threads_memory_and_a_start() {
        let metrics = ProcessMetrics::new().unwrap();
        let families = metrics.collect();
        let value = |name: &str| {
            let family = families
                .iter()
                .find(|family| family.name() == name)
                .unwrap();
            let metric = &family.get_metric()[0];
            metric.get_gauge().get_value() + metric.get_counter().get_value()
        };
        assert!(value("process_cpu_seconds_total") > 0.0);
        assert!(value("process_open_fds") >= 3.0);
        assert!(value("process_max_fds") >= value("process_open_fds"));
        assert!(value("process_threads") >= 1.0);
        assert!(value("process_resident_memory_bytes") > 1e5);
        assert!(value("process_virtual_memory_bytes") > value("process_resident_memory_bytes"));
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
        let age = now - value("process_start_time_seconds");
        assert!((-2.0..86_400.0).contains(&age), "{age} s old");
    }
}
