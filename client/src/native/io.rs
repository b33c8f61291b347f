//! Opening a socket: TCP, TLS, the emulated path, the WebSocket handshake.

use super::emulation::{Emulated, Emulation};
use rustls_pki_types::ServerName;
use std::sync::Arc;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
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

/// Snapshots are small, and the library fills this much with zeros before each read.
const READ_BUFFER: usize = 2 * 1024;
/// What the system may receive ahead of a slow reader, in bytes (Linux doubles it).
const SLOW_RECEIVE_BUFFER: u32 = 4 * 1024;

/// Why a socket could not be opened.
#[derive(Debug, Error)]
pub enum ShellError {
    /// The URL.
    #[error("{0} is no ws:// or wss:// URL")]
    Url(String),
    /// TCP.
    #[error("no connection: {0}")]
    Connect(#[from] std::io::Error),
    /// TLS cannot be set up.
    #[error("TLS cannot be used: {0}")]
    Tls(#[from] TlsError),
    /// The server does not speak TLS.
    #[error("the server does not answer in TLS ({0}): is the URL ws://, not wss://?")]
    NoTls(TlsError),
    /// The certificate.
    #[error(
        "the server's certificate is not trusted ({0}): for a development server, take any certificate \
         (`insecure` of `Target::new`, `--insecure` of tickwire-bot)"
    )]
    Certificate(TlsError),
    /// The server does not speak HTTP.
    #[error("the server does not answer in HTTP ({0}): is the URL wss://, not ws://?")]
    NoHttp(Box<WebSocketError>),
    /// Another path than that of the game.
    #[error("there is no game at this path (HTTP {0}): is it /ws?")]
    Path(u16),
    /// The handshake.
    #[error("the server does not let us in: {0}")]
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

/// Where to connect to.
#[derive(Debug)]
pub struct Target {
    uri: Uri,
    host: String,
    port: u16,
    tls: Option<Arc<ClientConfig>>,
}

impl Target {
    /// A `ws://` or `wss://` URL. `insecure` takes any certificate: for development servers only.
    ///
    /// # Errors
    /// If it is no such URL, or TLS cannot be set up.
    pub fn new(url: &str, insecure: bool) -> Result<Self, ShellError> {
        let wrong = || ShellError::Url(url.to_owned());
        let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
        let scheme = scheme.to_ascii_lowercase();
        let is_tls = match scheme.as_str() {
            "ws" => false,
            "wss" => true,
            _ => return Err(wrong()),
        };
        let uri: Uri = format!("{scheme}://{rest}").parse().map_err(|_| wrong())?;
        // What stands behind the colon and is no port must not become the default one.
        let authority = uri.authority().ok_or_else(wrong)?.as_str();
        let authority = authority.rsplit('@').next().unwrap_or(authority);
        let has_port = authority
            .rsplit(']')
            .next()
            .is_some_and(|end| end.contains(':'));
        if has_port && uri.port_u16().is_none() {
            return Err(wrong());
        }
        let host = uri
            .host()
            .ok_or_else(wrong)?
            .trim_matches(['[', ']'])
            .to_owned();
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let tls = is_tls.then(|| tls_config(insecure)).transpose()?;
        Ok(Self {
            uri,
            host,
            port,
            tls,
        })
    }
}

/// Anything that bytes go through.
pub(super) trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for S {}

/// A stream, whatever it is made of.
pub(super) type Io = Box<dyn ByteStream>;

pub(super) async fn connect(
    target: Arc<Target>,
    emulation: Emulation,
    connection: u32,
) -> Result<WebSocketStream<Io>, ShellError> {
    let tcp = connect_tcp(&target, emulation.read_rate.is_some()).await?;
    tcp.set_nodelay(true)?;
    let mut io: Io = Box::new(tcp);
    if emulation.is_needed() {
        io = Box::new(Emulated::new(io, emulation, u64::from(connection)));
    }
    if let Some(config) = &target.tls {
        let name = ServerName::try_from(target.host.clone())
            .map_err(|_| ShellError::Url(target.host.clone()))?;
        let connecting = TlsConnector::from(Arc::clone(config)).connect(name, io);
        io = Box::new(connecting.await.map_err(tls_failure)?);
    }
    let mut request = target.uri.clone().into_client_request()?;
    request.headers_mut().insert(
        "sec-websocket-protocol",
        HeaderValue::from_static(tickwire_proto::SUBPROTOCOL),
    );
    // The server's messages have no bound.
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .max_message_size(None)
        .max_frame_size(None);
    let (stream, _) =
        tokio_tungstenite::client_async_with_config(request, io, Some(config)).await?;
    Ok(stream)
}

/// What went wrong under TLS: tokio-rustls puts it into an IO error.
fn tls_failure(error: std::io::Error) -> ShellError {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(tls @ TlsError::InvalidCertificate(_)) => ShellError::Certificate(tls.clone()),
        Some(tls @ TlsError::InvalidMessage(_)) => ShellError::NoTls(tls.clone()),
        _ => error.into(),
    }
}

/// A slow reader's system must not read for it, or the server would never notice.
async fn connect_tcp(target: &Target, is_slow: bool) -> std::io::Result<TcpStream> {
    let host = (target.host.as_str(), target.port);
    if !is_slow {
        return TcpStream::connect(host).await;
    }
    let mut result = Err(std::io::ErrorKind::AddrNotAvailable.into());
    for address in tokio::net::lookup_host(host).await? {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        // Before the connection, as it decides on the window that is offered.
        socket.set_recv_buffer_size(SLOW_RECEIVE_BUFFER)?;
        result = socket.connect(address).await;
        if result.is_ok() {
            break;
        }
    }
    result
}

/// What a client believes: the system's certificates, or with `insecure` any.
///
/// # Errors
/// Never, with the provider that is built in.
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
        // A certificate of the system's store that cannot be read is no reason not to use the others.
        let _ = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        builder.with_root_certificates(roots).with_no_client_auth()
    };
    Ok(Arc::new(config))
}

/// Takes any certificate, and still checks that the server holds its key.
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
    fn what_is_no_port_does_not_become_the_usual_one() {
        let port = |url: &str| Target::new(url, false).map(|target| target.port).ok();
        assert_eq!(port("ws://localhost:7777/ws"), Some(7777));
        assert_eq!(port("WSS://[::1]/ws"), Some(443));
        assert_eq!(port("ws://[::1]:81/ws"), Some(81));
        assert_eq!(port("ws://user:word@localhost/ws"), Some(80));
        for wrong in [
            "ws://localhost:99999/ws",
            "ws://localhost:/ws",
            "ws://localhost:-1/ws",
            "http://localhost/ws",
            "localhost:7777",
        ] {
            assert_eq!(port(wrong), None, "{wrong}");
        }
    }
}
