//! The game port's certificate: from PEM files, reloaded without dropping anyone, or made in memory
//! for development.
//!
//! rustls asks for the certificate at every handshake, so a reload only swaps what it gets;
//! connections that are open keep theirs. A reload that fails changes nothing.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

/// Where the certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsSource {
    /// PEM files: the chain, the server's certificate first, and its key.
    Files {
        /// `--tls-cert`.
        cert: PathBuf,
        /// `--tls-key`.
        key: PathBuf,
    },
    /// Made at every start, for localhost.
    SelfSigned,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate's file.
    #[error("--tls-cert {path}: {error}", path = path.display())]
    Cert {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: rustls_pki_types::pem::Error,
    },
    /// The certificate's file has none.
    #[error("--tls-cert {path}: there is no certificate in it", path = .0.display())]
    NoCert(PathBuf),
    /// The key's file.
    #[error("--tls-key {path}: {error}", path = path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: rustls_pki_types::pem::Error,
    },
    /// The two don't go together, or are of a sort that can't be used.
    #[error("--tls-cert and --tls-key can't be used: {0}")]
    Unusable(#[from] rustls::Error),
    /// The development certificate.
    #[error("--tls-self-signed: the certificate can't be made: {0}")]
    SelfSigned(#[from] rcgen::Error),
}

/// The certificate in use.
#[derive(Debug)]
pub struct Tls {
    source: TlsSource,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Tls {
    /// Loads the certificate.
    ///
    /// # Errors
    /// If it can't be read, made or used.
    pub fn load(source: TlsSource) -> Result<Arc<Self>, TlsError> {
        let current = RwLock::new(load(&source)?);
        Ok(Arc::new(Self { source, current }))
    }

    /// What accepts connections: TLS 1.3 and 1.2, HTTP/1.1 inside (WebSocket's upgrade is of that).
    ///
    /// # Errors
    /// Never, with the provider that is built in.
    pub fn acceptor(self: &Arc<Self>) -> Result<TlsAcceptor, TlsError> {
        let mut config = rustls::ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Loads the files again. A certificate made in memory stays.
    ///
    /// # Errors
    /// If the new one can't be used; the old one stays.
    pub fn reload(&self) -> Result<(), TlsError> {
        if self.source != TlsSource::SelfSigned {
            let fresh = load(&self.source)?;
            *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        }
        Ok(())
    }

    /// The chain in use, for a client that wants to trust it.
    #[must_use]
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.current().cert.clone()
    }

    fn current(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesServerCert for Tls {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn load(source: &TlsSource) -> Result<Arc<CertifiedKey>, TlsError> {
    let (chain, key) = match source {
        TlsSource::Files { cert, key } => {
            let cert_error = |error| TlsError::Cert {
                path: cert.clone(),
                error,
            };
            let chain = CertificateDer::pem_file_iter(cert)
                .map_err(cert_error)?
                .collect::<Result<Vec<_>, _>>()
                .map_err(cert_error)?;
            if chain.is_empty() {
                return Err(TlsError::NoCert(cert.clone()));
            }
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| TlsError::Key {
                path: key.clone(),
                error,
            })?;
            (chain, key)
        }
        TlsSource::SelfSigned => {
            let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
            let made = rcgen::generate_simple_self_signed(names)?;
            let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
            (vec![made.cert.der().clone()], key.into())
        }
    };
    Ok(Arc::new(CertifiedKey::from_der(chain, key, &provider())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate and key in a directory of their own.
    struct Files {
        dir: PathBuf,
        source: TlsSource,
    }

    impl Files {
        fn new(test: &str) -> Self {
            let dir = std::env::temp_dir().join(format!("tickwire-{test}-{}", std::process::id()));
            std::fs::create_dir_all(&dir).unwrap();
            let source = TlsSource::Files {
                cert: dir.join("cert.pem"),
                key: dir.join("key.pem"),
            };
            let files = Self { dir, source };
            files.renew();
            files
        }

        fn renew(&self) {
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            std::fs::write(self.dir.join("cert.pem"), made.cert.pem()).unwrap();
            std::fs::write(self.dir.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        }
    }

    impl Drop for Files {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }

    #[test]
    fn a_reload_takes_the_new_certificate() {
        let files = Files::new("reload");
        let tls = Tls::load(files.source.clone()).unwrap();
        let old = tls.chain();
        files.renew();
        tls.reload().unwrap();
        assert_ne!(tls.chain(), old);
        assert!(tls.acceptor().is_ok());
    }

    #[test]
    fn a_bad_reload_keeps_the_old_certificate() {
        let files = Files::new("bad-reload");
        let tls = Tls::load(files.source.clone()).unwrap();
        let old = tls.chain();
        std::fs::write(files.dir.join("cert.pem"), "not a certificate").unwrap();
        assert!(matches!(tls.reload(), Err(TlsError::NoCert(_))));
        assert_eq!(tls.chain(), old);
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let files = Files::new("other-key");
        let other = Files::new("other-key-2");
        std::fs::copy(other.dir.join("key.pem"), files.dir.join("key.pem")).unwrap();
        let error = Tls::load(files.source.clone()).unwrap_err();
        assert!(
            error.to_string().starts_with("--tls-cert and --tls-key"),
            "{error}"
        );
    }
}
