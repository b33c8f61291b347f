//! What the command `tickwire` does for games. `typescript` writes a game's protocol as TypeScript, `fetch` asks a server for it.

pub mod fetch;
pub mod typescript;
