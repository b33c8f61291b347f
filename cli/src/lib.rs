//! What the command `tickwire` does for games. `project` writes a new one, `dev` builds and serves one while it is developed,
//! `typescript` writes a game's protocol as TypeScript, `fetch` asks a server for it, `schema_file` reads it from a file;
//! `replay` reads recordings.

pub mod dev;
pub mod fetch;
pub mod project;
pub mod replay;
pub mod schema_file;
pub mod typescript;
