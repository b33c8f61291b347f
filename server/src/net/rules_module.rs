//! The rules module of the rooms, for browsers and other clients: `/rules/HASH.wasm`.
//!
//! In: a GET for a hash. Out: the module with that SHA-256, which may be cached for ever. Pages of allowed origins may read it too.

use hyper::Request;
use hyper::body::Incoming;
use hyper::header::CACHE_CONTROL;
use ring::digest::{SHA256, digest};
use std::fmt::Write as _;

use super::asset::Asset;
use super::http::cross_origin;
use crate::http_answers::{self, Answer};

/// A rules module that is served.
#[derive(Debug)]
pub struct RulesModule {
    hash: [u8; 32],
    /// The URL's path.
    path: String,
    asset: Asset,
}

impl RulesModule {
    /// A module of these bytes.
    #[must_use]
    pub fn new(bytes: &'static [u8]) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
        let hex = hash.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        Self {
            hash,
            path: format!("/rules/{hex}.wasm"),
            asset: Asset::new("application/wasm", bytes, &hex),
        }
    }

    /// The SHA-256 of the bytes: `Welcome.rules_module`.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// The path of its URL on the game port.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// Answers a request for a rules module; 404 for another one than the rooms'.
///
/// # Errors
/// The answer that refuses the method.
pub(super) fn serve(
    request: &Request<Incoming>,
    module: Option<&RulesModule>,
    allowed_origins: &[String],
) -> Result<Answer, Box<Answer>> {
    http_answers::check_method(request.method(), "GET, HEAD")?;
    let path = request.uri().path();
    let mut answer = match module.filter(|module| module.path == path) {
        Some(module) => module.asset.answer(
            request.headers(),
            &[(CACHE_CONTROL, "public, max-age=31536000, immutable")],
        ),
        None => http_answers::text(
            hyper::StatusCode::NOT_FOUND,
            "this server does not play by these rules; join again for the hash of its own",
        ),
    };
    cross_origin::allow(&mut answer, request.headers(), allowed_origins);
    Ok(answer)
}
