//! What a role does to its own process: the core that it runs on, and how many sockets it may open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};
use std::io;

/// Binds this process to one core. To be called before threads start.
///
/// # Errors
/// If there is no such core.
pub fn pin(core: usize) -> io::Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    Ok(sched_setaffinity(None, &cores)?)
}

/// As many sockets as the system lets this process have.
pub fn raise_socket_limit() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit {
        current: maximum,
        maximum,
    };
    // If it is refused, a connection fails and says so.
    let _ = setrlimit(Resource::Nofile, limit);
}
