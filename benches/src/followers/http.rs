//! A follower by HTTP: one connection that is kept alive, and one request after the other for `/rooms/NAME/state`.

use super::received::Received;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

/// When the next request goes out.
#[derive(Clone, Copy, Debug)]
pub enum Polling {
    /// Once in this time.
    Short(Duration),
    /// As soon as the one before is answered; the server answers when there is a newer tick.
    Long,
}

impl Polling {
    /// Followers begin at different times within this.
    #[must_use]
    pub const fn spread(self) -> Duration {
        match self {
            Self::Short(interval) => interval,
            Self::Long => Duration::from_millis(100),
        }
    }
}

/// Follows `room` for ever, after a `delay`.
///
/// # Errors
/// If the connection ends, or the server answers anything but 200 and 304.
pub async fn follow(
    address: SocketAddr,
    room: String,
    polling: Polling,
    delay: Duration,
    received: Rc<Received>,
) -> io::Result<()> {
    let mut follower = Follower {
        stream: TcpStream::connect(address).await?,
        buffer: Vec::new(),
        etag: String::new(),
        received,
    };
    follower.stream.set_nodelay(true)?;
    let path = format!("/rooms/{room}/state");
    let mut due = Instant::now() + delay;
    sleep_until(due).await;
    follower.request(address, &path).await?;
    match polling {
        Polling::Short(interval) => loop {
            due = (due + interval).max(Instant::now());
            sleep_until(due).await;
            follower.request(address, &path).await?;
        },
        Polling::Long => loop {
            let tick = follower.received.tick();
            let path = format!("{path}?after={tick}");
            follower.request(address, &path).await?;
        },
    }
}

struct Follower {
    stream: TcpStream,
    /// Of the answer that is being read.
    buffer: Vec<u8>,
    /// Of the newest state.
    etag: String,
    received: Rc<Received>,
}

impl Follower {
    async fn request(&mut self, address: SocketAddr, path: &str) -> io::Result<()> {
        let known = match &*self.etag {
            "" => String::new(),
            etag => format!("if-none-match: {etag}\r\n"),
        };
        let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n{known}\r\n");
        self.stream.write_all(request.as_bytes()).await?;
        self.received.up(request.len());
        let head_end = self.read_head().await?;
        let head = String::from_utf8_lossy(&self.buffer[..head_end]).into_owned();
        let header = |name: &str| {
            let lines = head.lines().filter_map(|line| line.split_once(": "));
            let mut values = lines.filter(|(header, _)| header.eq_ignore_ascii_case(name));
            values.next().map(|(_, value)| value)
        };
        let length: usize = match head.get(9..12) {
            Some("200") => header("content-length").and_then(|length| length.parse().ok()),
            Some("304") => Some(0),
            _ => None,
        }
        .ok_or_else(|| io::Error::other(head.clone()))?;
        while self.buffer.len() < head_end + length {
            self.read_more().await?;
        }
        if let Some(etag) = header("etag") {
            etag.clone_into(&mut self.etag);
        }
        if let Some(tick) = tick_of(&self.buffer[head_end..head_end + length]) {
            self.received.state(tick);
        }
        self.buffer.drain(..head_end + length);
        Ok(())
    }

    async fn read_head(&mut self) -> io::Result<usize> {
        loop {
            let mut fours = self.buffer.windows(4);
            if let Some(at) = fours.position(|four| four == b"\r\n\r\n") {
                return Ok(at + 4);
            }
            self.read_more().await?;
        }
    }

    async fn read_more(&mut self) -> io::Result<()> {
        self.buffer.reserve(16 << 10);
        let read = self.stream.read_buf(&mut self.buffer).await?;
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.received.down(read);
        Ok(())
    }
}

/// The tick of a state. It is near the end, as the names of the JSON are sorted.
fn tick_of(json: &[u8]) -> Option<u32> {
    const NAME: &[u8] = b"\"tick\":";
    let at = json.windows(NAME.len()).rposition(|name| name == NAME)?;
    let digits = json[at + NAME.len()..].iter();
    let digits = digits.take_while(|byte| byte.is_ascii_digit());
    let tick = digits.fold(0, |tick: u32, digit| {
        tick.wrapping_mul(10).wrapping_add(u32::from(digit - b'0'))
    });
    Some(tick)
}

#[cfg(test)]
mod tests {
    use super::tick_of;

    #[test]
    fn a_states_tick_is_found() {
        let state =
            br#"{"entities":[{"texts":{"tick":"7"}}],"room":"a","tick":421,"tick_rate":60}"#;
        assert_eq!(tick_of(state), Some(421));
        assert_eq!(tick_of(b"{}"), None);
    }
}
