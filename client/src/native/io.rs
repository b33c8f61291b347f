//! Opens a stream: TCP, TLS, the WebSocket handshake.
//!
//! In: a target. Out: a WebSocket stream, or an error that tells a person what to check. Never retries.

use crate::WantedRules;
use rustls_pki_types::ServerName;
use std::sync::Arc;
use thiserror::Error;
use tickwire_rules_wasm::WasmRules;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error as WebSocketError;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Uri};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// Snapshots are small, and the library zeroes a whole buffer before each read.
const READ_BUFFER_BYTES: usize = 2 * 1024;

/// The largest message that a client takes. Large maps and crowded cells come in parts, so a real one has some hundred KB.
const MAX_MESSAGE_BYTES: usize = 16 << 20;

/// The rules that were loaded last from a target. Bots in one room want the same ones, and share them.
pub(super) type RulesCache = Mutex<Option<(WantedRules, WasmRules)>>;

/// Why a socket could not be opened.
#[derive(Debug, Error)]
pub enum ShellError {
    /// The URL cannot be used.
    #[error("{0} is not a ws:// or wss:// URL")]
    Url(String),
    /// The TCP connection failed.
    #[error("no connection: {0}")]
    Connect(#[from] std::io::Error),
    /// TLS cannot be set up on this machine.
    #[error("TLS cannot be used: {0}")]
    Tls(#[from] TlsError),
    /// The server does not use TLS.
    #[error("the server does not answer in TLS ({0}): is the URL ws://, not wss://?")]
    NoTls(TlsError),
    /// The server's certificate is not trusted.
    #[error(
        "the server's certificate is not trusted ({0}): for a development server, take any certificate \
         (`insecure` of `Target::new`, `--insecure` of tickwire-bot)"
    )]
    Certificate(TlsError),
    /// The server does not answer in HTTP.
    #[error("the server does not answer in HTTP ({0}): is the URL wss://, not ws://?")]
    NoHttp(Box<WebSocketError>),
    /// The server has no game at the URL's path.
    #[error("there is no game at this path (HTTP {0}): is it /ws?")]
    Path(u16),
    /// The server refused the WebSocket handshake.
    #[error("the server refused the WebSocket handshake: {0}")]
    Handshake(Box<WebSocketError>),
}

impl From<WebSocketError> for ShellError {
    fn from(error: WebSocketError) -> Self {
        match error {
            WebSocketError::Protocol(ProtocolError::HttparseError(_)) => {
                Self::NoHttp(Box::new(error))
            }
            WebSocketError::Http(answer) if matches!(answer.status().as_u16(), 200..=299 | 404) => {
                Self::Path(answer.status().as_u16())
            }
            _ => Self::Handshake(Box::new(error)),
        }
    }
}

/// The address to connect to, and how to trust the server.
#[derive(Debug)]
pub struct Target {
    uri: Uri,
    host: String,
    port: u16,
    tls: Option<Arc<ClientConfig>>,
    /// The rules of the server's rooms, which the shells of one process share.
    pub(super) rules: RulesCache,
}

impl Target {
    /// Parses a `ws://` or `wss://` URL. `insecure` accepts any certificate: for development servers only.
    ///
    /// # Errors
    /// If the URL has another form, or TLS cannot be set up.
    pub fn new(url: &str, insecure: bool) -> Result<Self, ShellError> {
        let bad_url = || ShellError::Url(url.to_owned());
        let (scheme, rest) = url.split_once("://").ok_or_else(bad_url)?;
        let scheme = scheme.to_ascii_lowercase();
        let is_tls = match scheme.as_str() {
            "ws" => false,
            "wss" => true,
            _ => return Err(bad_url()),
        };
        let uri: Uri = format!("{scheme}://{rest}")
            .parse()
            .map_err(|_| bad_url())?;
        // An invalid port must not silently become the default one.
        let authority = uri.authority().ok_or_else(bad_url)?.as_str();
        let authority = authority.rsplit('@').next().unwrap_or(authority);
        let has_port = authority
            .rsplit(']')
            .next()
            .is_some_and(|end| end.contains(':'));
        if has_port && uri.port_u16().is_none() {
            return Err(bad_url());
        }
        let host = uri
            .host()
            .ok_or_else(bad_url)?
            .trim_matches(['[', ']'])
            .to_owned();
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let tls = is_tls.then(|| tls_config(insecure)).transpose()?;
        Ok(Self {
            uri,
            host,
            port,
            tls,
            rules: RulesCache::default(),
        })
    }

    /// The folder that the URL's path is in, from slash to slash.
    pub(super) fn folder(&self) -> &str {
        let path = self.uri.path();
        path.rfind('/').map_or("/", |end| &path[..=end])
    }

    /// Host and port as the URL has them, for HTTP.
    pub(super) fn authority(&self) -> &str {
        let authority = self.uri.authority().map_or("", |all| all.as_str());
        authority.rsplit('@').next().unwrap_or(authority)
    }

    /// Host and port, for TCP.
    pub(super) fn address(&self) -> (&str, u16) {
        (&self.host, self.port)
    }
}

/// Any stream of bytes.
pub(super) trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for S {}

/// A boxed stream: TCP, TLS over TCP, or either over an emulated path.
pub(super) type Io = Box<dyn ByteStream>;

pub(super) async fn connect(target: Arc<Target>) -> Result<WebSocketStream<Io>, ShellError> {
    let io = connect_tcp(&target).await?;
    handshake(&target, io).await
}

/// A stream to the server for HTTP: TCP, and TLS if the target wants it.
pub(super) async fn connect_http(target: &Target) -> Result<Io, ShellError> {
    let io = connect_tcp(target).await?;
    secure(target, io).await
}

async fn connect_tcp(target: &Target) -> Result<Io, ShellError> {
    let tcp = TcpStream::connect(target.address()).await?;
    tcp.set_nodelay(true)?;
    Ok(Box::new(tcp))
}

/// Does the TLS handshake if the target wants it.
async fn secure(target: &Target, io: Io) -> Result<Io, ShellError> {
    let Some(config) = &target.tls else {
        return Ok(io);
    };
    let name = ServerName::try_from(target.host.clone())
        .map_err(|_| ShellError::Url(target.host.clone()))?;
    let connecting = TlsConnector::from(Arc::clone(config)).connect(name, io);
    Ok(Box::new(connecting.await.map_err(tls_failure)?))
}

/// Does the TLS and WebSocket handshakes over a connected stream.
pub(super) async fn handshake(target: &Target, io: Io) -> Result<WebSocketStream<Io>, ShellError> {
    let io = secure(target, io).await?;
    let mut request = target.uri.clone().into_client_request()?;
    request.headers_mut().insert(
        "sec-websocket-protocol",
        HeaderValue::from_static(tickwire_proto::SUBPROTOCOL),
    );
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES));
    let (stream, _) =
        tokio_tungstenite::client_async_with_config(request, io, Some(config)).await?;
    Ok(stream)
}

/// Finds the TLS error that tokio-rustls wraps into an IO error.
fn tls_failure(error: std::io::Error) -> ShellError {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(tls @ TlsError::InvalidCertificate(_)) => ShellError::Certificate(tls.clone()),
        Some(tls @ TlsError::InvalidMessage(_)) => ShellError::NoTls(tls.clone()),
        _ => error.into(),
    }
}

/// The TLS settings of a client: trusts the system's certificates, or any with `insecure`.
///
/// # Errors
/// Never, with the built-in crypto provider.
pub fn tls_config(insecure: bool) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let config = if insecure {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
            .with_no_client_auth()
    } else {
        let mut roots = RootCertStore::empty();
        // One unreadable certificate in the system's store does not prevent the use of the others.
        let _ = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        builder.with_root_certificates(roots).with_no_client_auth()
    };
    Ok(Arc::new(config))
}

/// Accepts any certificate, but still verifies that the server holds its key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &rustls_pki_types::CertificateDer<'_>,
        _: &[rustls_pki_types::CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: rustls_pki_types::UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &rustls_pki_types::CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        tokio_rustls::rustls::crypto::verify_tls12_signature(
            message,
            cert,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &rustls_pki_types::CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        tokio_rustls::rustls::crypto::verify_tls13_signature(
            message,
            cert,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_a_game_is_beside_its_socket() {
        for (url, folder, authority) in [
            ("ws://localhost:7777/ws?room=a", "/", "localhost:7777"),
            (
                "wss://a:b@example.org/games/tag/ws",
                "/games/tag/",
                "example.org",
            ),
            ("ws://[::1]", "/", "[::1]"),
        ] {
            let target = Target::new(url, true).unwrap();
            assert_eq!((target.folder(), target.authority()), (folder, authority));
        }
    }

    #[test]
    fn an_invalid_port_is_refused() {
        let port = |url: &str| Target::new(url, false).map(|target| target.port).ok();
        assert_eq!(port("ws://localhost:7777/ws"), Some(7777));
        assert_eq!(port("WSS://[::1]/ws"), Some(443));
        assert_eq!(port("ws://[::1]:81/ws"), Some(81));
        assert_eq!(port("ws://user:word@localhost/ws"), Some(80));
        for bad in [
            "ws://localhost:99999/ws",
            "ws://localhost:/ws",
            "ws://localhost:-1/ws",
            "http://localhost/ws",
            "localhost:7777",
        ] {
            assert_eq!(port(bad), None, "{bad}");
        }
    }
}
