//! The native shell against a real server: plain and over TLS, and what a person reads who took the wrong URL.

#![allow(clippy::unwrap_used)] // a test that unwraps nothing has failed

use std::time::Instant;
use tickwire_client::native::{Happened, Shell, Target};
use tickwire_client::{Action, LinkId};
use tickwire_tests::{PATIENCE, TestServer};

/// What comes of opening a link.
async fn opened(scheme: &str, server: &TestServer, insecure: bool) -> Happened {
    let url = format!("{scheme}://{}/ws", server.addr);
    let mut shell = Shell::new(Target::new(&url, insecure).unwrap());
    shell.act(Action::Open(LinkId(1)));
    shell.next(Instant::now() + PATIENCE).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_opens_links_plain_and_over_tls() {
    let plain = TestServer::start(&[]);
    assert_eq!(
        opened("ws", &plain, false).await,
        Happened::Opened(LinkId(1))
    );
    let tls = TestServer::start(&["--tls-self-signed"]);
    assert_eq!(opened("wss", &tls, true).await, Happened::Opened(LinkId(1)));
}

/// Why a link could not be opened.
async fn refusal(scheme: &str, server: &TestServer) -> String {
    match opened(scheme, server, false).await {
        Happened::Closed(_, None, reason) => reason,
        happened => panic!("{happened:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_the_wrong_url_is_told_which_may_be_right() {
    let plain = TestServer::start(&[]);
    let reason = refusal("wss", &plain).await;
    assert!(
        reason.ends_with("is the URL ws://, not wss://?"),
        "{reason}"
    );
    let tls = TestServer::start(&["--tls-self-signed"]);
    let reason = refusal("ws", &tls).await;
    assert!(
        reason.ends_with("is the URL wss://, not ws://?"),
        "{reason}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_meets_a_self_signed_certificate_is_told_how_to_take_it() {
    let tls = TestServer::start(&["--tls-self-signed"]);
    let reason = refusal("wss", &tls).await;
    assert!(
        reason.starts_with("the server's certificate is not trusted")
            && reason.contains("--insecure"),
        "{reason}"
    );
}
