//! Headless bots.
