//! `tickwire dev`: builds a game, serves it with the page's folder, and builds and serves it anew when a source changes.
//!
//! In: a project's folder, and flags for its server. Out: lines for the person at the terminal. While a build fails, the server before
//! it goes on. All that was started ends, by its process id, on SIGINT and SIGTERM.

mod build;
mod process;
mod server;
mod sources;

use anyhow::{Context as _, bail};
use build::Build;
use server::Server;
use sources::{Change, Sources};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Instant;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What `tickwire dev` is asked for.
#[derive(Clone, Debug, Default)]
pub struct DevOptions {
    /// The folder of the game's package.
    pub folder: PathBuf,
    /// Build with optimisation.
    pub is_release: bool,
    /// The program, where the package has several.
    pub program: Option<String>,
    /// Flags for the game's server.
    pub flags: Vec<OsString>,
}

/// Builds and serves until it is asked to stop.
///
/// # Errors
/// If the folder is no package, or a process cannot be started.
pub async fn develop(options: DevOptions) -> anyhow::Result<()> {
    if !options.folder.join("Cargo.toml").is_file() {
        bail!(
            "there is no Cargo.toml in {}: go into the folder of a game, or make one with `tickwire new NAME`",
            options.folder.display()
        );
    }
    let mut stop = Stop::listen().context("signals cannot be received")?;
    let mut server: Option<Server> = None;
    loop {
        let sources = Sources::read(&options.folder);
        let began = Instant::now();
        say(if server.is_none() {
            "building (a first build takes some minutes)"
        } else {
            "building"
        });
        let mut build = Build::start(&options)?;
        let outcome = {
            let finish = build.finish();
            tokio::pin!(finish);
            loop {
                tokio::select! {
                    built = &mut finish => break Some(built),
                    () = stop.asked() => break None,
                    how = Server::end_of(&mut server) => {
                        server = None;
                        say(&format!("the server ended ({how})"));
                    }
                }
            }
        };
        let Some(built) = outcome else {
            build.stop().await;
            break;
        };
        match built {
            Ok(program) => {
                say(&format!("built in {:.1} s", began.elapsed().as_secs_f32()));
                if let Some(mut old) = server.take() {
                    old.stop().await;
                }
                server = Some(Server::start(&program, &options)?);
            }
            Err(reason) if server.is_some() => {
                say(&format!("{reason}; the server before this change goes on"));
            }
            Err(reason) => say(&format!("{reason}; waiting for a change")),
        }
        if !wait_for_code(sources, &mut server, &mut stop).await {
            break;
        }
    }
    if let Some(mut server) = server {
        server.stop().await;
    }
    Ok(())
}

/// Waits until there is something to build. Returns `false` if the command is asked to stop.
async fn wait_for_code(mut sources: Sources, server: &mut Option<Server>, stop: &mut Stop) -> bool {
    loop {
        tokio::select! {
            () = stop.asked() => return false,
            change = sources.changed() => match change {
                Change::Code(file) => {
                    say(&format!("{} changed", file.display()));
                    return true;
                }
                Change::Page(file) => say(&format!("{} changed: open pages reload", file.display())),
            },
            how = Server::end_of(server) => {
                *server = None;
                say(&format!("the server ended ({how}); waiting for a change"));
            }
        }
    }
}

/// One line for the person at the terminal. Standard output belongs to it: cargo and the server write to standard error.
fn say(line: &str) {
    println!("tickwire dev: {line}");
}

/// Tells when the command is asked to stop.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
