//! The state-sync core: pure, deterministic, without IO.
