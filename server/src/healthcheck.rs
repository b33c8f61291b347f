//! `--healthcheck`: asks a server on this machine whether it is healthy, so that a container needs no other program for that.
//!
//! In: the operations port of the server's own configuration. Out: nothing if `/healthz` says 200, else a sentence. Waits a second at most for
//! each step, as whoever asks has a time-out too.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(1);
/// More than the answer of a server that is well.
const MAX_ANSWER_BYTES: u64 = 4096;

/// Asks `/healthz` of this operations port.
pub(crate) fn ask(ops_listen: SocketAddr) -> Result<(), String> {
    let mut address = ops_listen;
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    let answer =
        answer_of(address).map_err(|error| format!("--healthcheck: {address}: {error}"))?;
    let status = answer.split(' ').nth(1).unwrap_or_default();
    if status == "200" {
        return Ok(());
    }
    let reason = answer.lines().last().unwrap_or_default();
    Err(format!(
        "--healthcheck: {address} answers {status}: {reason}"
    ))
}

fn answer_of(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    // HTTP/1.0: the connection ends with the answer.
    write!(stream, "GET /healthz HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER_BYTES).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
