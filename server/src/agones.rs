//! Agones: tells the SDK server beside this process that the game server is ready, healthy and at its end, over its REST API.
//!
//! In: the SDK server's address, whether the workers move, and whether the server drains. Out: `POST /ready` once, `POST /health` every two
//! seconds, `POST /shutdown` at the end. An SDK server that is down or slow holds nothing up: each call has a time-out, and what Agones then
//! does with this server is Agones' decision. Runs only with `--agones`.
//!
//! Source: Agones, "REST Game Server Client API" (Ready, Health and Shutdown of the stable SDK). Counters and lists are beta and player
//! tracking is alpha there, so no numbers of players go to Agones; a server that reserves or allocates itself takes decisions away from it.

use crate::http_post::post_json;
use crate::metrics::{AgonesOutcome, Metrics};
use crate::shutdown::Shutdown;
use crate::{clock, log_limit};
use hyper::Uri;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// Where the SDK server listens if nothing else is said.
const DEFAULT_PORT: u16 = 9358;
/// Agones sets this variable for the game server where the SDK server has another port.
const PORT_VARIABLE: &str = "AGONES_SDK_HTTP_PORT";
/// Time between two reports. Agones wants one within `health.periodSeconds`, by default 5, and takes a server for dead after three misses.
const REPORT_INTERVAL: Duration = Duration::from_secs(2);
/// How long a call may take, connecting included.
const CALL_TIMEOUT: Duration = Duration::from_secs(1);

/// The address of an SDK server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgonesAddress {
    host: String,
    port: u16,
    authority: String,
}

impl AgonesAddress {
    /// Reads the value of `--agones`: `on` stands for this machine's SDK server, at the port that Agones has set, else 9358.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text != "on" {
            return Self::of_url(text);
        }
        let port = match std::env::var(PORT_VARIABLE) {
            Ok(port) => port
                .parse()
                .map_err(|_| format!("{PORT_VARIABLE} is {port}, which is no port"))?,
            Err(_) => DEFAULT_PORT,
        };
        Self::of_url(&format!("http://localhost:{port}"))
    }

    fn of_url(url: &str) -> Result<Self, String> {
        let wrong =
            || format!("{url} is no address of an SDK server; write it like http://localhost:9358");
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let authority = uri.authority().ok_or_else(wrong)?;
        if uri.scheme_str() != Some("http")
            || authority.as_str().contains('@')
            || uri.path_and_query().is_some_and(|path| path != "/")
        {
            return Err(wrong());
        }
        Ok(Self {
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(80),
            authority: authority.to_string(),
        })
    }
}

/// The calls of the SDK server's REST API that this server makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Ready,
    Health,
    Shutdown,
}

impl Call {
    fn path(self) -> &'static str {
        match self {
            Self::Ready => "/ready",
            Self::Health => "/health",
            Self::Shutdown => "/shutdown",
        }
    }

    /// How a call that succeeded is counted.
    fn outcome(self) -> AgonesOutcome {
        match self {
            Self::Ready => AgonesOutcome::Ready,
            Self::Health => AgonesOutcome::Health,
            Self::Shutdown => AgonesOutcome::Shutdown,
        }
    }
}

/// Calls an SDK server.
#[derive(Debug)]
pub(crate) struct Agones {
    address: AgonesAddress,
    metrics: Arc<Metrics>,
    /// The last call failed, so that only the first failure and the next success are news.
    is_failing: AtomicBool,
}

impl Agones {
    pub fn new(address: AgonesAddress, metrics: Arc<Metrics>) -> Self {
        Self {
            address,
            metrics,
            is_failing: AtomicBool::new(false),
        }
    }

    /// Says that the server is ready, again until that was heard, and then and meanwhile that it is healthy while `is_alive` says so. A
    /// server that drains is not called ready any more, and healthy to its end. Never returns.
    pub async fn report(&self, is_alive: impl Fn() -> bool, draining: Shutdown) {
        let mut is_ready_known = false;
        let mut reports = interval(REPORT_INTERVAL);
        reports.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            reports.tick().await;
            if !is_alive() {
                continue;
            }
            if !is_ready_known && !draining.is_requested() {
                is_ready_known = self.call(Call::Ready, CALL_TIMEOUT).await;
            }
            self.call(Call::Health, CALL_TIMEOUT).await;
        }
    }

    /// Says that the server is at its end, so that Agones removes it. Takes at most `limit`.
    pub async fn shut_down(&self, limit: Duration) {
        self.call(Call::Shutdown, limit.min(CALL_TIMEOUT)).await;
    }

    /// Makes a call. Returns whether the SDK server took it.
    async fn call(&self, call: Call, limit: Duration) -> bool {
        let answered = match timeout(limit, self.post(call)).await {
            Ok(answered) => answered,
            Err(_) => Err(format!("no answer came within {limit:?}")),
        };
        let is_taken = answered.is_ok();
        let outcome = if is_taken {
            call.outcome()
        } else {
            AgonesOutcome::Failed
        };
        self.metrics.agones.get(outcome).inc();
        let was_failing = self.is_failing.swap(!is_taken, Ordering::Relaxed);
        let is_news = match call {
            Call::Ready => is_taken || !was_failing,
            Call::Health => was_failing == is_taken,
            Call::Shutdown => true,
        };
        if is_news && log_limit::admits("agones", clock::now()) {
            let sdk_server = &*self.address.authority;
            match &answered {
                Ok(()) => tracing::info!(sdk_server, "Agones was told: {}", call.path()),
                Err(problem) => {
                    tracing::warn!(
                        sdk_server,
                        "Agones does not hear {}: {problem}",
                        call.path()
                    );
                }
            }
        }
        is_taken
    }

    async fn post(&self, call: Call) -> Result<(), String> {
        let address = &self.address;
        let stream = TcpStream::connect((&*address.host, address.port)).await;
        let stream = stream.map_err(|error| error.to_string())?;
        let (status, _) = post_json(stream, &address.authority, call.path(), &json!({})).await?;
        if status.is_success() {
            Ok(())
        } else {
            Err(format!("the SDK server answers {status}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;

    #[test]
    fn only_addresses_without_a_path_are_sdk_servers() {
        let address = AgonesAddress::parse("http://localhost:9358/").unwrap();
        assert_eq!((&*address.host, address.port), ("localhost", 9358));
        assert_eq!(AgonesAddress::parse("http://[::1]:7").unwrap().host, "::1");
        for wrong in [
            "",
            "localhost:9358",
            "https://localhost:9358",
            "http://localhost:9358/ready",
            "http://a:b@localhost/",
            "off",
        ] {
            let problem = AgonesAddress::parse(wrong).unwrap_err();
            assert_eq!(problem.lines().count(), 1, "{problem}");
        }
    }

    /// An SDK server that answers each call, and tells which they were.
    async fn sdk_server() -> (AgonesAddress, mpsc::UnboundedReceiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (calls, made) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut bytes = Vec::new();
                while !bytes.ends_with(b"{}") {
                    stream.read_buf(&mut bytes).await.unwrap();
                }
                let text = String::from_utf8(bytes).unwrap();
                calls.send(text.lines().next().unwrap().to_owned()).unwrap();
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
                stream.write_all(answer).await.unwrap();
            }
        });
        (AgonesAddress::parse(&url).unwrap(), made)
    }

    #[tokio::test]
    async fn a_stuck_or_draining_server_is_not_called_ready() {
        let (address, mut made) = sdk_server().await;
        let agones = Arc::new(Agones::new(address, Arc::new(Metrics::new().unwrap())));
        let is_alive = Arc::new(AtomicBool::new(false));
        let draining = Shutdown::new();
        let (alive, asked) = (Arc::clone(&is_alive), mpsc::unbounded_channel());
        let (asking, mut asked) = asked;
        let report = tokio::spawn({
            let (agones, draining) = (Arc::clone(&agones), draining.clone());
            async move {
                let is_alive = move || {
                    let _ = asking.send(());
                    alive.load(Ordering::Relaxed)
                };
                agones.report(is_alive, draining).await;
            }
        });
        // Asked twice, the server is stuck, and nothing was said.
        asked.recv().await.unwrap();
        asked.recv().await.unwrap();
        assert!(made.try_recv().is_err());
        draining.request();
        is_alive.store(true, Ordering::Relaxed);
        assert_eq!(made.recv().await.unwrap(), "POST /health HTTP/1.1");
        report.abort();
        agones.shut_down(CALL_TIMEOUT).await;
        assert_eq!(made.recv().await.unwrap(), "POST /shutdown HTTP/1.1");
        assert_eq!(agones.metrics.agones.get(AgonesOutcome::Ready).get(), 0);
        assert_eq!(agones.metrics.agones.get(AgonesOutcome::Shutdown).get(), 1);
    }
}
