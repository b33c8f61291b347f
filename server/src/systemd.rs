//! systemd: tells the service manager that the server is ready, alive and stopping.
//!
//! In: whether the workers move. Out: `READY=1`, `WATCHDOG=1` twice in the time that `WatchdogSec` allows, `STOPPING=1`. A unit without
//! `Type=notify` or `WatchdogSec` sets no variables, and then nothing here does anything. (sd_notify(3), sd_watchdog_enabled(3).)

#[cfg(target_os = "linux")]
use sd_notify::{NotifyState, notify, watchdog_enabled};
use std::future::Future;

/// The server listens, and its rooms can be joined.
#[cfg(target_os = "linux")]
pub(crate) fn ready() {
    tell(NotifyState::Ready, "ready");
}

/// The server drains. The manager waits for its end for `TimeoutStopSec`.
#[cfg(target_os = "linux")]
pub(crate) fn stopping() {
    tell(NotifyState::Stopping, "stopping");
}

#[cfg(target_os = "linux")]
fn tell(state: NotifyState<'_>, word: &str) {
    if let Err(error) = notify(&[state]) {
        tracing::warn!("systemd is not told that this server is {word}: {error}");
    }
}

/// Says that the server is alive while `is_alive` says so. A server whose workers are stuck is killed by systemd and started again. `None`
/// if the unit has no watchdog.
#[cfg(target_os = "linux")]
pub(crate) fn watchdog(
    is_alive: impl Fn() -> bool + Send + 'static,
) -> Option<impl Future<Output = ()> + Send + 'static> {
    let limit = watchdog_enabled()?;
    Some(async move {
        let mut reports = tokio::time::interval(limit / 2);
        loop {
            reports.tick().await;
            if is_alive() {
                // A manager that is gone asks for nothing.
                let _ = notify(&[NotifyState::Watchdog]);
            }
        }
    })
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn ready() {}

#[cfg(not(target_os = "linux"))]
pub(crate) fn stopping() {}

#[cfg(not(target_os = "linux"))]
pub(crate) fn watchdog(
    _: impl Fn() -> bool + Send + 'static,
) -> Option<impl Future<Output = ()> + Send + 'static> {
    None::<std::future::Pending<()>>
}
