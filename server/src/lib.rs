//! The authoritative server.
