//! What happens when a thread of the server ends that must not: the process says so and ends too.
//!
//! A worker that is gone takes its rooms with it, and a poller its connections, while the process looks alive. So whoever runs
//! the process starts it again. In: the thread's work. Out: exit code 1 and a sentence on standard error, if it panics.

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// The exit code of a process that can no longer serve.
const EXIT_FAILED: i32 = 1;
/// How long the log may take to write the panic.
const LOG_GRACE: Duration = Duration::from_millis(200);

/// Runs a thread's work. If it panics, the process ends.
pub(crate) fn end_process_on_panic(name: &str, work: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(work)).is_err() {
        // The log's thread writes the panic meanwhile.
        std::thread::sleep(LOG_GRACE);
        // Not logged: the log's thread would not live to write the line.
        let _ = writeln!(
            std::io::stderr(),
            "the thread {name} has died of a bug, so this server ends; start it again, and report the panic above"
        );
        std::process::exit(EXIT_FAILED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Set in the process that shall die.
    const VARIABLE: &str = "TICKWIRE_TEST_DEAD_THREAD";

    #[test]
    fn a_dead_thread_ends_the_process_with_exit_code_1() {
        if std::env::var_os(VARIABLE).is_some() {
            let work = || panic!("the test wants a panic");
            let thread = std::thread::spawn(move || end_process_on_panic("worker-7", work));
            let _ = thread.join();
            unreachable!("the process lives on");
        }
        let name = "thread_end::tests::a_dead_thread_ends_the_process_with_exit_code_1";
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(VARIABLE, "1")
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(EXIT_FAILED), "{stderr}");
        assert!(stderr.contains("the thread worker-7 has died"), "{stderr}");
    }
}
