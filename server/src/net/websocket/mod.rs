//! RFC 6455 framing as a pure state machine: no IO, no clock.

pub(crate) mod frame;
mod utf8;
pub(crate) mod violation;
