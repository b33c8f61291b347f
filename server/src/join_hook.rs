//! The join hook: asks a URL whether a player may join.
//!
//! In: who wants to join which room. Out: the player is let in, perhaps under another name, or refused with a reason. One POST with JSON
//! for each question, over HTTP or HTTPS, with a time-out. What happens where no answer comes is the operator's choice. Runs in the
//! runtime, and never on a thread that reads sockets or ticks rooms.

use crate::close::{Close, CloseCode};
use crate::http_post::post_json;
use crate::metrics::{JoinHookOutcome, Metrics};
use crate::{clock, log_limit};
use bytes::Bytes;
use hyper::{StatusCode, Uri};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use serde::Deserialize;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;

/// How long an answer may take, from the beginning of the connection.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(2);
/// Questions under way; further players come again.
const MAX_UNDER_WAY: usize = 256;
/// Where systems keep the certificates that they trust. The variable `SSL_CERT_FILE` names another file.
const CERTIFICATE_FILES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
];

/// What happens to a player about whom no answer comes: `--join-hook-fails`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum JoinHookFails {
    /// The player is refused, and may try again.
    #[default]
    Closed,
    /// The player is let in.
    Open,
}

/// The address of a join hook.
#[derive(Clone, Debug)]
pub struct JoinHookUrl {
    uri: Uri,
    host: String,
    port: u16,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl JoinHookUrl {
    /// Reads an http or https URL; for https the system's certificates too.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text} is no URL; write it like https://login.example/join");
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let authority = uri.authority().ok_or_else(wrong)?;
        if authority.as_str().contains('@') {
            return Err(
                "a URL with a password would be in every log; use a secret path".to_owned(),
            );
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let (default_port, is_tls) = match uri.scheme_str() {
            Some("http") => (80, false),
            Some("https") => (443, true),
            _ => return Err(wrong()),
        };
        let tls = if is_tls {
            let name = ServerName::try_from(host.clone()).map_err(|_| wrong())?;
            Some((Arc::new(client_config()?), name))
        } else {
            None
        };
        Ok(Self {
            port: authority.port_u16().unwrap_or(default_port),
            host,
            tls,
            uri,
        })
    }
}

/// TLS that trusts whom the system trusts.
fn client_config() -> Result<ClientConfig, String> {
    let given = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let known = CERTIFICATE_FILES.iter().map(PathBuf::from);
    let file = given.or_else(|| known.into_iter().find(|file| file.exists()));
    let file = file.ok_or(
        "https needs the system's certificates, which are nowhere; name their file in SSL_CERT_FILE",
    )?;
    let roots = roots_in(&file)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn roots_in(file: &Path) -> Result<RootCertStore, String> {
    let shown = file.display();
    let certificates =
        CertificateDer::pem_file_iter(file).map_err(|error| format!("{shown}: {error}"))?;
    let mut roots = RootCertStore::empty();
    // One unreadable certificate in the system's store does not prevent the use of the others.
    let (added, _) = roots.add_parsable_certificates(certificates.filter_map(Result::ok));
    match added {
        0 => Err(format!("{shown} has no certificate")),
        _ => Ok(roots),
    }
}

/// Who wants to join.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub room: String,
    pub name: String,
    pub subject: Option<String>,
    pub address: Option<IpAddr>,
    pub is_spectator: bool,
}

/// What the hook says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The player may join; under this name, if there is one.
    Admit { name: Option<String> },
    /// The player is refused.
    Refuse(Close),
}

/// Asks the hook.
#[derive(Debug)]
pub(crate) struct JoinHook {
    url: JoinHookUrl,
    fails: JoinHookFails,
    metrics: Arc<Metrics>,
    under_way: Semaphore,
}

impl JoinHook {
    pub fn new(url: JoinHookUrl, fails: JoinHookFails, metrics: Arc<Metrics>) -> Self {
        Self {
            url,
            fails,
            metrics,
            under_way: Semaphore::new(MAX_UNDER_WAY),
        }
    }

    /// Asks about a player. Takes two seconds at most.
    pub async fn ask(&self, question: &Question) -> Verdict {
        let count = |outcome| self.metrics.join_hook.get(outcome).inc();
        // Also where the hook fails open: whoever makes many questions would else let themselves in.
        let Ok(_place) = self.under_way.try_acquire() else {
            count(JoinHookOutcome::Busy);
            let reason = "too many players join at once; try again in a few seconds";
            return Verdict::Refuse(Close::new(CloseCode::Full, reason));
        };
        let answered = match tokio::time::timeout(TIMEOUT, self.post(question)).await {
            Ok(answered) => answered,
            Err(_) => Err(format!("no answer came within {TIMEOUT:?}")),
        };
        let verdict = match answered {
            Ok((status, body)) => verdict_of(status, &body),
            Err(problem) => Err(problem),
        };
        match verdict {
            Ok(verdict) => {
                count(match verdict {
                    Verdict::Admit { .. } => JoinHookOutcome::Admitted,
                    Verdict::Refuse(_) => JoinHookOutcome::Refused,
                });
                verdict
            }
            Err(problem) => {
                count(JoinHookOutcome::Failed);
                if log_limit::admits("join_hook", clock::now()) {
                    let fails = self.fails;
                    tracing::warn!(?fails, "the join hook does not answer: {problem}");
                }
                match self.fails {
                    JoinHookFails::Open => Verdict::Admit { name: None },
                    JoinHookFails::Closed => {
                        let reason = "who may join can't be checked now; try again in a moment";
                        Verdict::Refuse(Close::new(CloseCode::Full, reason))
                    }
                }
            }
        }
    }

    async fn post(&self, question: &Question) -> Result<(StatusCode, Bytes), String> {
        let body = json!({
            "room": question.room,
            "name": question.name,
            "subject": question.subject,
            "address": question.address.map(|address| address.to_canonical()),
            "spectator": question.is_spectator,
        });
        let uri = &self.url.uri;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let socket = TcpStream::connect((&*self.url.host, self.url.port));
        let socket = socket.await.map_err(|error| error.to_string())?;
        match &self.url.tls {
            None => post_json(socket, authority, path, &body).await,
            Some((config, name)) => {
                let connector = TlsConnector::from(Arc::clone(config));
                let stream = connector.connect(name.clone(), socket).await;
                let stream = stream.map_err(|error| error.to_string())?;
                post_json(stream, authority, path, &body).await
            }
        }
    }
}

/// What an answer means. An error says why it means nothing.
fn verdict_of(status: StatusCode, body: &[u8]) -> Result<Verdict, String> {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |field: &str| answer.get(field).and_then(Value::as_str);
    if status.is_success() {
        let name = text("name").filter(|name| !name.trim().is_empty());
        return Ok(Verdict::Admit {
            name: name.map(str::to_owned),
        });
    }
    if status != StatusCode::FORBIDDEN {
        return Err(format!("it answers {status}"));
    }
    let reason = text("reason")
        .unwrap_or_default()
        .replace(char::is_control, "");
    let reason = match reason.trim() {
        "" => "you may not join this room",
        reason => reason,
    };
    let close = Close::new(CloseCode::Policy, reason.to_owned());
    Ok(Verdict::Refuse(close))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_urls_are_hooks() {
        let url = JoinHookUrl::parse("http://127.0.0.1:8080/join?key=1").unwrap();
        assert_eq!((&*url.host, url.port), ("127.0.0.1", 8080));
        assert_eq!(JoinHookUrl::parse("http://[::1]/").unwrap().host, "::1");
        for wrong in [
            "",
            "login.example",
            "ftp://login.example/",
            "/join",
            "http://a:b@c/",
        ] {
            let problem = JoinHookUrl::parse(wrong).unwrap_err();
            assert_eq!(problem.lines().count(), 1, "{problem}");
        }
    }

    #[test]
    fn the_status_decides_and_the_body_explains() {
        let of = |status: u16, body: &str| {
            verdict_of(StatusCode::from_u16(status).unwrap(), body.as_bytes())
        };
        let admitted = |name: Option<&str>| {
            Ok(Verdict::Admit {
                name: name.map(str::to_owned),
            })
        };
        assert_eq!(of(200, r#"{"name": "Ada"}"#), admitted(Some("Ada")));
        for body in ["", "ok", "[]", r#"{"name": 7}"#, r#"{"name": " "}"#] {
            assert_eq!(of(204, body), admitted(None), "{body}");
        }
        let refused = |reason: &str| {
            let close = Close::new(CloseCode::Policy, reason.to_owned());
            Ok(Verdict::Refuse(close))
        };
        assert_eq!(
            of(403, r#"{"reason": "not on\u0007 Sundays"}"#),
            refused("not on Sundays")
        );
        assert_eq!(of(403, ""), refused("you may not join this room"));
        for status in [302, 400, 404, 500] {
            assert!(of(status, "").is_err(), "{status}");
        }
    }
}
