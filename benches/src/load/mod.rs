//! The load bench: a real server on one core, real connections from another, and the floor beside them.
//!
//! One program plays three roles, each in a process of its own. The *server* runs [`game::Turning`] on the library that games
//! are built on. The *floor* only calls `write` with a prebuilt frame of the same size on every socket, and reads the inputs
//! away. The *players*, in the first process, talk to either and cannot tell them apart. The kernel's accounts say what a
//! server costs; what it delivers is counted where it arrives.

pub mod case;
pub mod child;
pub mod floor;
pub mod game;
pub mod measure;
pub mod player;
pub mod players;
pub mod process;
pub mod server;
pub mod sleeper;
pub mod storm;
pub mod stream;
