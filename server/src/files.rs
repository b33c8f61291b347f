//! How many connections the process has files for: each one is a file, and the system gives a process only so many.
//!
//! In: `--max-connections`, and the system's limit, which is raised as far as it lets itself. Out: how many connections may be open, and
//! refused at a time, so that there are always files left for the operations port: a full server must not look like a dead one.

/// Files that are kept for the operations port and for what comes and goes.
const SPARE: usize = 16;
/// Connections that are being refused at a time: at most so many, and one part in so many of all files.
const MAX_REFUSALS: usize = 256;
const REFUSALS_PART: usize = 8;
/// Where as many connections are possible as one likes, fewer than these are worth a warning.
const FEW: usize = 10_000;

/// See the module's head.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Places {
    /// Connections that may be open; 0: as many as one likes.
    pub connections: usize,
    /// Connections that may be refused at a time.
    pub refusals: usize,
}

impl Places {
    /// The places of this process, which may open so many files more for itself. Says so if they are too few.
    pub fn of_process(max_connections: usize, more: usize) -> Self {
        let places = match limit() {
            Some(limit) => Self::within(limit, open_files() + more, max_connections),
            None => Self::within(usize::MAX, 0, max_connections),
        };
        let wanted = if max_connections == 0 {
            FEW
        } else {
            max_connections
        };
        if (1..wanted).contains(&places.connections) {
            tracing::warn!(
                "the limit of open files (ulimit -n) leaves {} connections; --max-connections is {max_connections}",
                places.connections
            );
        }
        places
    }

    fn within(limit: usize, own: usize, max_connections: usize) -> Self {
        let refusals = (limit / REFUSALS_PART).clamp(1, MAX_REFUSALS);
        let possible = limit.saturating_sub(own + SPARE + refusals).max(1);
        let connections = match max_connections {
            0 if limit == usize::MAX => 0,
            0 => possible,
            most => most.min(possible),
        };
        Self {
            connections,
            refusals,
        }
    }
}

/// Raises the limit of open files as far as the system lets it, and gives what it is then; `None`: there is none.
#[cfg(unix)]
fn limit() -> Option<usize> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    let limit = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        Err(_) => current,
    };
    limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

#[cfg(not(unix))]
fn limit() -> Option<usize> {
    None
}

/// Files that are open now; a guess where the system does not tell.
fn open_files() -> usize {
    const USUAL: usize = 32;
    std::fs::read_dir("/proc/self/fd").map_or(USUAL, |files| files.count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_files_are_always_left() {
        let places = |limit, max| {
            let places = Places::within(limit, 20, max);
            (places.connections, places.refusals)
        };
        assert_eq!(places(1_048_576, 10_000), (10_000, 256));
        assert_eq!(places(1_024, 10_000), (1_024 - 20 - 16 - 128, 128));
        assert_eq!(places(64, 10_000), (64 - 20 - 16 - 8, 8));
        assert_eq!(places(64, 5), (5, 8));
        assert_eq!(places(64, 0), (20, 8));
        assert_eq!(places(10, 0), (1, 1));
        assert_eq!(places(usize::MAX, 0), (0, 256));
    }
}
