//! The load bench: real servers on one core, real connections from another, and the floor beside them.
//!
//! Three roles, each a process of the same program: the *server* runs [`game::Turning`] on the library that games are
//! built on; the *floor* only calls `write` with a prebuilt frame of the same size on every socket and reads the inputs
//! away; the *players* (here, in the first process) speak to either, and cannot tell them apart. What a server costs is
//! read from the kernel's accounts of its process, what it gives is counted where it arrives.

pub mod case;
pub mod child;
pub mod floor;
pub mod game;
pub mod measure;
pub mod player;
pub mod players;
pub mod process;
pub mod sleeper;
pub mod storm;
pub mod stream;
