//! TLS 1.3 for direct links, with a certificate that is made at every start and that nobody verifies: it only makes a channel, and the
//! [`handshake`](super::handshake) proves who is at its ends.

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, ServerConfig, SignatureScheme, version::TLS13};
use std::sync::Arc;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// What the certificates are made for; no name is verified.
const NAME: &str = "tickwire-node";

/// Why the links' TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum LinkTlsError {
    /// The certificate cannot be made.
    #[error("the certificate for links to other nodes can't be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The certificate cannot be used.
    #[error("TLS for links to other nodes can't be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The name in the certificate is none.
    #[error("TLS for links to other nodes can't be set up: {0}")]
    Name(#[from] rustls::pki_types::InvalidDnsNameError),
}

/// Both ends of links' TLS.
#[derive(Clone)]
pub(crate) struct LinkTls {
    pub acceptor: TlsAcceptor,
    pub connector: TlsConnector,
    pub name: ServerName<'static>,
}

impl LinkTls {
    /// TLS with a new certificate.
    pub fn new() -> Result<Self, LinkTlsError> {
        let provider = Arc::new(ring::default_provider());
        let made = rcgen::generate_simple_self_signed(vec![NAME.to_owned()])?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)?;
        server.send_tls13_tickets = 0;
        let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate::new(&provider)))
            .with_no_client_auth();
        client.resumption = Resumption::disabled();
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(server)),
            connector: TlsConnector::from(Arc::new(client)),
            name: ServerName::try_from(NAME)?,
        })
    }
}

/// Takes any certificate whose key signed the handshake.
#[derive(Debug)]
struct AnyCertificate {
    algorithms: WebPkiSupportedAlgorithms,
}

impl AnyCertificate {
    fn new(provider: &CryptoProvider) -> Self {
        Self {
            algorithms: provider.signature_verification_algorithms,
        }
    }
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("links are TLS 1.3".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
