//! A connection for commands that is made anew whenever it is found broken.

use super::error::DirectoryError;
use ::redis::aio::MultiplexedConnection;
use ::redis::io::tcp::TcpSettings;
use ::redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, FromRedisValue, IntoConnectionInfo,
    ProtocolVersion, RedisError, RedisResult, ScriptInvocation, Value, from_redis_value,
};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::timeout;

/// How long a command waits for its answer.
pub(super) const RESPONSE_TIMEOUT: Duration = Duration::from_millis(500);
/// How long a connection may take, with TLS and the password.
pub(super) const CONNECTION_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a command may take in all, with the connection that it may have to make.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(1);

/// A client that connects as all of this crate's connections do.
pub(super) fn client(url: &str, protocol: ProtocolVersion) -> Result<Client, DirectoryError> {
    let info = url
        .into_connection_info()
        .map_err(|error| DirectoryError::Url(error.category().to_owned()))?;
    if let ConnectionAddr::TcpTls { .. } = info.addr() {
        // A game may link a second provider; redis-rs would then panic for want of a default.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    let settings = info
        .redis_settings()
        .clone()
        .set_protocol(protocol)
        .set_skip_set_lib_name();
    let info = info
        .set_redis_settings(settings)
        .set_tcp_settings(TcpSettings::default().set_nodelay(true));
    Ok(Client::open(info)?)
}

/// Runs commands, many at once, over one connection.
pub(super) struct CommandConnection {
    client: Client,
    current: Mutex<Option<Numbered>>,
    /// Held by whoever connects, so that many commands make one connection.
    connecting: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Numbered {
    number: u64,
    connection: MultiplexedConnection,
}

#[derive(Clone, Copy)]
enum Request<'a> {
    Command(&'a Cmd),
    Script(&'a ScriptInvocation<'a>),
}

/// A connection, and whether it was made for this very command.
struct Obtained {
    numbered: Numbered,
    is_new: bool,
}

impl CommandConnection {
    /// Connects when it is first used.
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            current: Mutex::new(None),
            connecting: tokio::sync::Mutex::new(()),
        }
    }

    /// Runs a command for at most 1 s.
    pub(super) async fn query<T: FromRedisValue>(
        &self,
        command: &Cmd,
    ) -> Result<T, DirectoryError> {
        read_value(self.run(Request::Command(command)).await?)
    }

    /// Runs a script for at most 1 s.
    pub(super) async fn invoke<T: FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, DirectoryError> {
        read_value(self.run(Request::Script(script)).await?)
    }

    async fn run(&self, request: Request<'_>) -> Result<Value, DirectoryError> {
        let mut used = None;
        let result = timeout(COMMAND_TIMEOUT, async {
            loop {
                let Obtained {
                    numbered:
                        Numbered {
                            number,
                            mut connection,
                        },
                    is_new,
                } = self.obtain().await?;
                used = Some(number);
                match request.send(&mut connection).await {
                    // Redis closed the connection at some time since the last command, most likely because it restarted. Every command of
                    // this crate may run twice.
                    Err(error) if error.is_connection_dropped() && !is_new => self.give_up(number),
                    result => return result,
                }
            }
        })
        .await
        .unwrap_or_else(|_elapsed| Err(io::Error::from(io::ErrorKind::TimedOut).into()));
        result.map_err(|error| {
            if is_broken(&error)
                && let Some(number) = used
            {
                self.give_up(number);
            }
            error.into()
        })
    }

    async fn obtain(&self) -> RedisResult<Obtained> {
        if let Some(numbered) = self.lock().clone() {
            return Ok(Obtained {
                numbered,
                is_new: false,
            });
        }
        let _connecting = self.connecting.lock().await;
        if let Some(numbered) = self.lock().clone() {
            return Ok(Obtained {
                numbered,
                is_new: true,
            });
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECTION_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT));
        let connection = self
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        let numbered = Numbered {
            number: rand::random(),
            connection,
        };
        *self.lock() = Some(numbered.clone());
        Ok(Obtained {
            numbered,
            is_new: true,
        })
    }

    /// Drops a connection, unless another one has taken its place.
    fn give_up(&self, number: u64) {
        let mut current = self.lock();
        if current
            .as_ref()
            .is_some_and(|numbered| numbered.number == number)
        {
            *current = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Numbered>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Request<'_> {
    async fn send(&self, connection: &mut MultiplexedConnection) -> RedisResult<Value> {
        match self {
            Self::Command(command) => command.query_async(connection).await,
            Self::Script(script) => script.invoke_async(connection).await,
        }
    }
}

/// Reads a part of an answer.
pub(super) fn read_value<T: FromRedisValue>(value: Value) -> Result<T, DirectoryError> {
    Ok(from_redis_value(value).map_err(RedisError::from)?)
}

/// Whether the next command needs another connection. A connection without answers is given up, because a line that was cut looks like that
/// for many minutes; a replica is left, because the name of the server may lead to the new primary.
fn is_broken(error: &RedisError) -> bool {
    error.is_io_error() || error.is_unrecoverable_error() || error.code() == Some("READONLY")
}
