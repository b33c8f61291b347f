//! Tickets as a login service makes them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};
use tickwire_arena_tests::arena_server;
use tickwire_tests::TestServer;

/// The secret of every server that wants tickets here.
pub const SECRET: &[u8] = b"only the login service and this server know it";

/// A ticket with these claims.
pub fn ticket(claims: &Value, secret: &[u8]) -> String {
    signed(&json!({ "alg": "HS256", "typ": "JWT" }), claims, secret)
}

/// A token as a login service makes it: HS256 whatever the header says.
pub fn signed(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let message = format!("{header}.{claims}");
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes()));
    format!("{message}.{signature}")
}

/// Seconds since 1970.
pub fn now() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since_1970.as_secs()
}

/// The secret in a file, which goes with the test.
pub struct SecretFile(PathBuf);

impl SecretFile {
    /// `name` is the test's own.
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tickwire-{name}-{}", std::process::id()));
        std::fs::write(&path, SECRET).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A server that wants tickets, with more flags. `name` is the test's own.
#[allow(
    dead_code,
    reason = "some of the tests that have this module start servers of their own"
)]
pub fn server_with_tickets(name: &str, flags: &[&str]) -> TestServer {
    let secret = SecretFile::new(name);
    arena_server(
        &[
            &["--npcs", "0", "--ticket-secret-file", secret.path()],
            flags,
        ]
        .concat(),
    )
}
