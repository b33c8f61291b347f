//! Settings of a role's own process: the core that it runs on, and how many sockets it may open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};
use std::io;

/// Pins this process to one core. Call it before threads start.
///
/// # Errors
/// If there is no such core.
pub fn pin(core: usize) -> io::Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    Ok(sched_setaffinity(None, &cores)?)
}

/// Raises the limit of open sockets to what the system allows.
pub fn raise_socket_limit() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit {
        current: maximum,
        maximum,
    };
    // If it is refused, a connection fails and says so.
    let _ = setrlimit(Resource::Nofile, limit);
}
