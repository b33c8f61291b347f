//! A bare thread that sleeps until each tick is due. How late it wakes is what the machine does to any tick loop: the control
//! beside the server's lateness.

use super::case::ROLE_CORE;
use hdrhistogram::Histogram;
use std::io;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Sleeps until each tick for `time`, and prints the 99.9th percentile of its lateness in microseconds.
pub fn run(time: Duration) {
    let mut lateness = Histogram::<u64>::new_with_max(60_000_000, 3).ok();
    let began = Instant::now();
    for tick in 1_u32.. {
        let due = began + Duration::from_nanos(u64::from(tick) * 1_000_000_000 / 60);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let late = Instant::now().saturating_duration_since(due);
        if let Some(lateness) = &mut lateness {
            lateness.saturating_record(late.as_micros() as u64);
        }
        if began.elapsed() >= time {
            break;
        }
    }
    println!("{}", lateness.map_or(0, |all| all.value_at_quantile(0.999)));
}

/// Runs the sleeper in a process of its own on the role's core. Returns the percentile in milliseconds.
///
/// # Errors
/// If the process does not start.
pub fn beside(time: Duration) -> io::Result<f64> {
    let output = Command::new(std::env::current_exe()?)
        .args(["sleeper", "--core", &ROLE_CORE.to_string()])
        .args(["--seconds", &time.as_secs().to_string()])
        .stdin(Stdio::null())
        .output()?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let micros: f64 = printed.trim().parse().map_err(io::Error::other)?;
    Ok(micros / 1e3)
}
