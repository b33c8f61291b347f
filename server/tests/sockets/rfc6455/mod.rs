//! The RFC 6455 conformance suite: 247 cases against `/echo`, over `ws`, over `wss`, and over `wss` in small TCP segments.
//!
//! Which cases there are, and their numbers, follows the Autobahn test suite, so that reports can be compared; what each sends and
//! expects is written from the RFC. Groups: 1 framing, 2 pings and pongs, 3 reserved bits, 4 opcodes, 5 fragmentation, 6 UTF-8,
//! 7 closing, 10 long fragmented messages. Groups 9 (speed), 12 and 13 (compression, which the server never negotiates) have no
//! place here. Each group is a table in a file of its own; [`case`] holds what a case is, and [`peer`] plays one. A test plays all
//! cases of its group, and lists every case that failed.
//!
//! The suite is as strict as the server. The RFC leaves some of it open: each such case says so ([`Case::left_open`]). One thing is
//! left open for all cases that fail the connection: a close frame with a fitting code is a SHOULD (section 7.1.7). The server
//! sends it, so the suite demands it.

mod case;
mod closing;
mod cut_writes;
mod fragmentation;
mod framing;
mod opcodes;
mod opening;
mod peer;
mod pings;
mod reserved_bits;
mod utf8;

use std::collections::BTreeSet;
use std::fmt;

use futures_util::{StreamExt as _, stream};
use tokio::net::TcpStream;

use self::case::Case;
use self::cut_writes::CutWrites;
use self::peer::{AnyStream, play};
use crate::support::{Client, TestServer};
use crate::tls;

/// Cases of one group that are played at a time.
const CASES_AT_A_TIME: usize = 32;

/// What carries the WebSocket.
#[derive(Clone, Copy, Debug)]
enum Transport {
    Ws,
    Wss,
    /// The client's TLS records arrive in pieces of a few bytes.
    WssInPieces,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ws => "ws",
            Self::Wss => "wss",
            Self::WssInPieces => "wss in pieces",
        })
    }
}

impl Transport {
    fn start_server(self) -> TestServer {
        match self {
            Self::Ws => TestServer::start(&["--ws-echo"]),
            Self::Wss | Self::WssInPieces => TestServer::start(&["--ws-echo", "--tls-self-signed"]),
        }
    }

    async fn connect(self, server: &TestServer) -> AnyStream {
        let tcp = TcpStream::connect(server.addr).await.unwrap();
        // Without this, the system would put octets that are sent one by one back together.
        tcp.set_nodelay(true).unwrap();
        match self {
            Self::Ws => Box::new(tcp),
            Self::Wss => Box::new(tls::connect_over(server, tcp).await),
            Self::WssInPieces => Box::new(tls::connect_over(server, CutWrites::new(tcp)).await),
        }
    }
}

/// Plays one case on a connection of its own.
///
/// A case whose bytes must arrive in pieces has a server of its own as well: its count of received bytes says when a piece was read.
async fn run(case: &Case, transport: Transport, shared: &TestServer) -> Result<(), String> {
    let own = case.is_chopped().then(|| transport.start_server());
    let server = own.as_ref().unwrap_or(shared);
    let stream = transport.connect(server).await;
    let stream = Client::over(stream, "/echo", "").await.stream;
    let meter = own.as_ref().map(|server| &*server.metrics);
    case.check(&play(case, stream, meter).await)
}

/// Plays all cases of a group, and fails with a list of those that did not end as they must.
async fn conforms(cases: &[Case], transport: Transport) {
    let shared = transport.start_server();
    let failures: Vec<String> = stream::iter(cases)
        .map(|case| run(case, transport, &shared))
        .buffered(CASES_AT_A_TIME)
        .filter_map(async |result| result.err())
        .collect()
        .await;
    assert!(
        failures.is_empty(),
        "{} of {} cases failed over {transport}:\n{}",
        failures.len(),
        cases.len(),
        failures.concat()
    );
}

/// A test for each group.
macro_rules! conformance_tests {
    ($transport:expr) => {
        use super::*;

        #[tokio::test]
        async fn framing_conforms() {
            conforms(&framing::cases(), $transport).await;
        }

        #[tokio::test]
        async fn pings_conform() {
            conforms(&pings::cases(), $transport).await;
        }

        #[tokio::test]
        async fn reserved_bits_conform() {
            conforms(&reserved_bits::cases(), $transport).await;
        }

        #[tokio::test]
        async fn opcodes_conform() {
            conforms(&opcodes::cases(), $transport).await;
        }

        #[tokio::test]
        async fn fragmentation_conforms() {
            conforms(&fragmentation::cases(), $transport).await;
        }

        #[tokio::test]
        async fn utf8_conforms() {
            conforms(&utf8::cases(), $transport).await;
        }

        #[tokio::test]
        async fn closing_conforms() {
            conforms(&closing::cases(), $transport).await;
        }

        #[tokio::test]
        async fn long_fragmented_messages_conform() {
            conforms(&fragmentation::long_cases(), $transport).await;
        }
    };
}

mod over_ws {
    conformance_tests!(Transport::Ws);
}

mod over_wss {
    conformance_tests!(Transport::Wss);
}

mod over_wss_in_pieces {
    conformance_tests!(Transport::WssInPieces);
}

#[test]
fn the_suite_has_all_its_cases_once() {
    let groups = [
        (1, framing::cases(), 16),
        (2, pings::cases(), 11),
        (3, reserved_bits::cases(), 7),
        (4, opcodes::cases(), 10),
        (5, fragmentation::cases(), 20),
        (6, utf8::cases(), 145),
        (7, closing::cases(), 37),
        (10, fragmentation::long_cases(), 1),
    ];
    let mut numbers = BTreeSet::new();
    for (group, cases, count) in &groups {
        assert_eq!(cases.len(), *count, "group {group}");
        for case in cases {
            let (number, _) = case.name().split_once(": ").unwrap();
            assert!(number.starts_with(&format!("{group}.")), "{}", case.name());
            assert!(numbers.insert(number.to_owned()), "{number} twice");
        }
    }
    assert_eq!(numbers.len(), 247);
}
