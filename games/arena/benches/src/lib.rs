//! Benches that duel: the netcode simulator. The program `lines` beside it plays over real lines.

pub mod netcode;
