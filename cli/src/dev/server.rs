//! The game's server, while it is developed.
//!
//! In: the program and its flags. Out: its ready line, and the address to open. It reads the page from `page/`, not from the program.

use super::{DevOptions, process, say};
use anyhow::Context as _;
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// The folder of the page, within the project.
const PAGE: &str = "page";

/// A running server.
pub struct Server {
    child: Child,
    /// What it prints; `None` once there is nothing more to come.
    lines: Option<Lines<BufReader<ChildStdout>>>,
}

impl Server {
    pub fn start(program: &Path, options: &DevOptions) -> anyhow::Result<Self> {
        let mut command = Command::new(program);
        command
            .args(&options.flags)
            .current_dir(&options.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        // As variables, these give way to flags of the same name.
        let defaults = [
            ("TICKWIRE_PAGE", PAGE, options.folder.join(PAGE).is_dir()),
            ("TICKWIRE_PAGE_RELOAD", "true", true),
            // Whoever waits for a change should not wait for a drain.
            ("TICKWIRE_DRAIN_TIMEOUT", "1s", true),
        ];
        for (name, value, is_wanted) in defaults {
            if is_wanted && std::env::var_os(name).is_none() {
                command.env(name, value);
            }
        }
        let mut child = command
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        let lines = child
            .stdout
            .take()
            .map(|stdout| BufReader::new(stdout).lines());
        Ok(Self { child, lines })
    }

    /// Passes on what the server prints, and returns how it ended. Never returns if there is none.
    pub async fn end_of(server: &mut Option<Self>) -> String {
        let Some(server) = server else {
            return std::future::pending().await;
        };
        while let Some(lines) = &mut server.lines {
            match lines.next_line().await {
                Ok(Some(line)) => pass_on(&line),
                _ => server.lines = None,
            }
        }
        match server.child.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        }
    }

    pub async fn stop(&mut self) {
        // Nobody reads any more: a server that still wrote would wait.
        self.lines = None;
        process::end(&mut self.child).await;
    }
}

fn pass_on(line: &str) {
    println!("{line}");
    if let Some(page) = page_address(line) {
        say(&format!("open {page}"));
    }
}

/// The address of the page, if this is the ready line.
fn page_address(line: &str) -> Option<String> {
    let socket = line.strip_prefix("tickwire ready ws")?.split(' ').next()?;
    Some(format!("http{}/", socket.strip_suffix("/ws")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_says_what_to_open() {
        let line = "tickwire ready ws://127.0.0.1:7777/ws ops http://127.0.0.1:9777";
        assert_eq!(page_address(line).unwrap(), "http://127.0.0.1:7777/");
        let line = "tickwire ready wss://[::1]:1/ws ops http://127.0.0.1:2";
        assert_eq!(page_address(line).unwrap(), "https://[::1]:1/");
        assert_eq!(page_address("hello"), None);
    }
}
