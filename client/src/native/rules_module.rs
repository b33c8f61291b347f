//! Fetches the rules module of a room from the server, and makes rules of it.
//!
//! In: a target, and what the client core wants. Out: rules, or an error that says for people why there are none. The module is a
//! stranger's code and the answer a stranger's bytes: both are bounded in size and time, and bytes of another hash are not loaded.

use super::io::{self, ShellError, Target};
use crate::{ModuleError, WantedRules};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::Request;
use hyper::body::{Body as _, Bytes};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, HOST};
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tickwire_rules_wasm::abi::MAX_MODULE_BYTES;
use tickwire_rules_wasm::{LoadError, WasmRules};

/// How long the server may take to send a module. Play goes on meanwhile.
const FETCH_TIMEOUT: Duration = Duration::from_secs(15);

/// Why a room's rules module cannot be used.
#[derive(Debug, Error)]
pub(super) enum RulesModuleError {
    #[error("the rules module cannot be fetched: {0}")]
    Connect(#[from] ShellError),
    #[error("the rules module cannot be fetched: {0}")]
    Http(#[from] hyper::Error),
    #[error("the server does not have the rules module that it named (HTTP {0})")]
    Status(u16),
    #[error("the rules module is larger than 1 MiB")]
    TooLarge,
    #[error("the rules module is too large, or its transfer broke off: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    #[error("the server took longer than {} s to send the rules module", FETCH_TIMEOUT.as_secs())]
    Timeout,
    #[error(transparent)]
    Check(#[from] ModuleError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("the rules module could not be compiled")]
    Stopped,
}

/// Loads the rules that the client core wants. Of several callers at once, one loads and the others wait.
pub(super) async fn load(
    target: Arc<Target>,
    wanted: WantedRules,
) -> Result<WasmRules, RulesModuleError> {
    let mut cached = target.rules.lock().await;
    if let Some((known, rules)) = &*cached
        && *known == wanted
    {
        return Ok(rules.clone());
    }
    let module = tokio::time::timeout(FETCH_TIMEOUT, fetch(&target, &wanted.path()))
        .await
        .map_err(|_| RulesModuleError::Timeout)??;
    wanted.check(&module)?;
    let key = wanted.clone();
    // Compiling takes milliseconds, in which the thread's other sessions would wait.
    let compiling = tokio::task::spawn_blocking(move || {
        let kinds: Vec<&str> = wanted.kinds.iter().map(String::as_str).collect();
        WasmRules::load(&module, &kinds, &wanted.map, wanted.rules_hash)
    });
    let rules = compiling.await.map_err(|_| RulesModuleError::Stopped)??;
    *cached = Some((key, rules.clone()));
    Ok(rules)
}

async fn fetch(target: &Target, path: &str) -> Result<Bytes, RulesModuleError> {
    let io = io::connect_http(target).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(io)).await?;
    let path = format!("{}{path}", target.folder());
    let exchange = async {
        let mut request = Request::new(Empty::<Bytes>::new());
        if let Ok(uri) = path.parse() {
            *request.uri_mut() = uri;
        }
        let headers = request.headers_mut();
        headers.insert(
            ACCEPT,
            hyper::header::HeaderValue::from_static("application/wasm"),
        );
        if let Ok(host) = target.authority().parse() {
            headers.insert(HOST, host);
        }
        let answer = sender.send_request(request).await?;
        if answer.status() != hyper::StatusCode::OK {
            return Err(RulesModuleError::Status(answer.status().as_u16()));
        }
        if answer.body().size_hint().lower() > MAX_MODULE_BYTES as u64 {
            return Err(RulesModuleError::TooLarge);
        }
        let body = Limited::new(answer.into_body(), MAX_MODULE_BYTES);
        let collected = body.collect().await.map_err(RulesModuleError::Body)?;
        Ok(collected.to_bytes())
    };
    // The connection moves the bytes, and ends with the exchange; what went wrong on the way, the exchange says.
    tokio::pin!(connection, exchange);
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        _ = &mut connection => exchange.await,
    }
}
