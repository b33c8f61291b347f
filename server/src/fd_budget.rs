//! How many connections the process has file descriptors for.
//!
//! In: `--max-connections`, and the system's limit of open files, which is raised as far as the system allows. Out: how many
//! connections may be open, and how many may be refused at a time, so that descriptors are always left for the operations
//! port: a full server must not look like a dead one.

/// Descriptors that are kept for the operations port and for short-lived files.
const RESERVED: usize = 16;
/// Connections that may be refused at a time: at most this many, and at most one part in `REFUSALS_PART` of all descriptors.
const MAX_REFUSALS: usize = 256;
const REFUSALS_PART: usize = 8;
/// With `--max-connections 0`, a budget below this is worth a warning.
const FEW_CONNECTIONS: usize = 10_000;

/// The connections that the process has file descriptors for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FdBudget {
    /// Connections that may be open; 0: no limit.
    pub connections: usize,
    /// Connections that may be in the middle of being refused.
    pub refusals: usize,
}

impl FdBudget {
    /// The budget of this process, which will open `own_files` more files for itself. Logs a warning if it is less than
    /// `max_connections`.
    pub fn of_process(max_connections: usize, own_files: usize) -> Self {
        let budget = match raise_limit() {
            Some(limit) => Self::within(limit, open_files() + own_files, max_connections),
            None => Self::within(usize::MAX, 0, max_connections),
        };
        let wanted = match max_connections {
            0 => FEW_CONNECTIONS,
            limited => limited,
        };
        if (1..wanted).contains(&budget.connections) {
            tracing::warn!(
                "the limit of open files (ulimit -n) leaves {} connections; --max-connections is {max_connections}",
                budget.connections
            );
        }
        budget
    }

    fn within(limit: usize, own_files: usize, max_connections: usize) -> Self {
        let refusals = (limit / REFUSALS_PART).clamp(1, MAX_REFUSALS);
        let possible = limit.saturating_sub(own_files + RESERVED + refusals).max(1);
        let connections = match max_connections {
            0 if limit == usize::MAX => 0,
            0 => possible,
            wanted => wanted.min(possible),
        };
        Self {
            connections,
            refusals,
        }
    }
}

/// Raises the limit of open files as far as the system allows, and returns it. `None`: there is no limit.
#[cfg(unix)]
fn raise_limit() -> Option<usize> {
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
fn raise_limit() -> Option<usize> {
    None
}

/// Files that are open now; an estimate where the system has no `/proc`.
fn open_files() -> usize {
    const USUAL: usize = 32;
    std::fs::read_dir("/proc/self/fd").map_or(USUAL, |files| files.count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_always_left_for_operators() {
        let budget = |limit, max_connections| {
            let budget = FdBudget::within(limit, 20, max_connections);
            (budget.connections, budget.refusals)
        };
        assert_eq!(budget(1_048_576, 10_000), (10_000, 256));
        assert_eq!(budget(1_024, 10_000), (1_024 - 20 - 16 - 128, 128));
        assert_eq!(budget(64, 10_000), (64 - 20 - 16 - 8, 8));
        assert_eq!(budget(64, 5), (5, 8));
        assert_eq!(budget(64, 0), (20, 8));
        assert_eq!(budget(10, 0), (1, 1));
        assert_eq!(budget(usize::MAX, 0), (0, 256));
    }
}
