//! The native shell against a real server: plain and over TLS, and the errors for wrong URLs.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::time::Instant;
use tickwire_arena_tests::arena_server;
use tickwire_client::native::{Shell, SocketEvent, Target};
use tickwire_client::{Action, LinkId};
use tickwire_tests::{PATIENCE, TestServer};

/// The first event of a new link.
async fn first_event(scheme: &str, server: &TestServer, insecure: bool) -> SocketEvent {
    let url = format!("{scheme}://{}/ws", server.addr);
    let mut shell = Shell::new(Target::new(&url, insecure).unwrap());
    shell.perform(Action::Open(LinkId(1)));
    shell.next_event(Instant::now() + PATIENCE).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_connects_plain_and_over_tls() {
    let plain = arena_server(&[]);
    assert_eq!(
        first_event("ws", &plain, false).await,
        SocketEvent::Opened(LinkId(1))
    );
    let tls = arena_server(&["--tls-self-signed"]);
    assert_eq!(
        first_event("wss", &tls, true).await,
        SocketEvent::Opened(LinkId(1))
    );
}

/// The error of a link that cannot be opened.
async fn refusal(scheme: &str, server: &TestServer) -> String {
    match first_event(scheme, server, false).await {
        SocketEvent::Closed(_, None, reason) => reason,
        event => panic!("{event:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_error_for_a_wrong_scheme_names_the_right_one() {
    let plain = arena_server(&[]);
    let reason = refusal("wss", &plain).await;
    assert!(
        reason.ends_with("is the URL ws://, not wss://?"),
        "{reason}"
    );
    let tls = arena_server(&["--tls-self-signed"]);
    let reason = refusal("ws", &tls).await;
    assert!(
        reason.ends_with("is the URL wss://, not ws://?"),
        "{reason}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_error_for_a_self_signed_certificate_tells_a_way() {
    let tls = arena_server(&["--tls-self-signed"]);
    let reason = refusal("wss", &tls).await;
    assert!(
        reason.starts_with("the server's certificate is not trusted")
            && reason.contains("--insecure"),
        "{reason}"
    );
}
