//! What can go wrong between a node and Redis.

use ::redis::{ErrorKind, RedisError};
use thiserror::Error;

/// Why Redis did not do what it was asked for. No variant's text holds the URL, which may hold a password.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DirectoryError {
    /// The URL of Redis is none.
    #[error(
        "the URL of Redis must be redis://HOST:PORT, rediss://HOST:PORT (TLS) or unix:///PATH, with USER:PASSWORD@ before the host if needed: {0}"
    )]
    Url(String),
    /// There is no connection, or no answer in time. What was asked may have been done all the same.
    #[error(
        "Redis can't be reached; see that it runs, and that this machine may connect to it: {0}"
    )]
    Unreachable(String),
    /// Redis answered with an error: a wrong password, no right to a command, no memory, still loading, a read-only replica.
    #[error("Redis refuses a command; see its own message: {0}")]
    Refused(String),
    /// Redis answered something that no version of this program stores. Two programs may share the cluster's keys.
    #[error(
        "Redis answers what is not of this program; see that nothing else uses the same keys: {0}"
    )]
    Unexpected(String),
}

impl From<RedisError> for DirectoryError {
    fn from(error: RedisError) -> Self {
        match error.kind() {
            ErrorKind::Io => Self::Unreachable(error.to_string()),
            ErrorKind::InvalidClientConfig => Self::Url(error.to_string()),
            // The text of these would hold the answer, which may be a secret or a checkpoint.
            ErrorKind::Parse | ErrorKind::UnexpectedReturnType => {
                Self::Unexpected(error.category().to_owned())
            }
            _ => Self::Refused(error.to_string()),
        }
    }
}
