//! The game port's certificate: from PEM files, or made in memory for development.
//!
//! rustls asks for the certificate at every handshake, so a reload only swaps the value that it gets, and open connections go
//! on. A reload that fails changes nothing. Reloads come by SIGHUP, and when the files have changed.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

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
    /// Made in memory at every start, for localhost.
    SelfSigned,
}

/// Why the certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate's file cannot be read.
    #[error("--tls-cert {path}: {error}", path = path.display())]
    Cert {
        /// The file.
        path: PathBuf,
        /// The problem with it.
        error: rustls_pki_types::pem::Error,
    },
    /// The certificate's file contains no certificate.
    #[error("--tls-cert {path}: there is no certificate in it", path = .0.display())]
    NoCert(PathBuf),
    /// The key's file cannot be read.
    #[error("--tls-key {path}: {error}", path = path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// The problem with it.
        error: rustls_pki_types::pem::Error,
    },
    /// The certificate and the key do not belong together, or are of an unsupported kind.
    #[error("--tls-cert and --tls-key can't be used: {0}")]
    Unusable(#[from] rustls::Error),
    /// The development certificate cannot be made.
    #[error("--tls-self-signed: the certificate can't be made: {0}")]
    SelfSigned(#[from] rcgen::Error),
}

/// How often the certificate's files are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// The certificate in use, and where a reload gets the next one.
#[derive(Debug)]
pub struct Tls {
    source: TlsSource,
    /// The files' stamps from before the first load: a change while it goes on, or before the first look, is a change.
    first_stamps: Stamps,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Tls {
    /// Loads the certificate.
    ///
    /// # Errors
    /// If the certificate cannot be read, made or used.
    pub fn load(source: TlsSource) -> Result<Arc<Self>, TlsError> {
        let first_stamps = match &source {
            TlsSource::Files { cert, key } => [stamp(cert), stamp(key)],
            TlsSource::SelfSigned => Stamps::default(),
        };
        let current = RwLock::new(load(&source)?);
        Ok(Arc::new(Self {
            source,
            first_stamps,
            current,
        }))
    }

    /// The acceptor of TLS connections: TLS 1.3 and 1.2, with HTTP/1.1 inside because the WebSocket upgrade needs that.
    ///
    /// # Errors
    /// Never with the built-in cryptography.
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
    /// If the new certificate cannot be used; the old one stays.
    pub fn reload(&self) -> Result<(), TlsError> {
        if self.source != TlsSource::SelfSigned {
            let fresh = load(&self.source)?;
            *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        }
        Ok(())
    }

    /// Loads the files again when they have changed, and then stayed the same for one look: two files are not replaced at one moment.
    /// Never ends, where there are files.
    pub(crate) async fn follow_files(self: Arc<Self>) {
        let TlsSource::Files { cert, key } = self.source.clone() else {
            return;
        };
        let files = Arc::new([cert, key]);
        let look = async || {
            let files = Arc::clone(&files);
            let stamps = move || files.each_ref().map(|file| stamp(file));
            // A file system may be slow.
            (tokio::task::spawn_blocking(stamps).await).unwrap_or_default()
        };
        let mut loaded = self.first_stamps;
        let mut last = loaded;
        loop {
            tokio::time::sleep(LOOK_INTERVAL).await;
            let current = look().await;
            let has_settled = current == last;
            last = current;
            if current == loaded || !has_settled {
                continue;
            }
            // What cannot be used is said once.
            loaded = current;
            match self.reload() {
                Ok(()) => tracing::info!("the certificate's files changed: it was reloaded"),
                Err(error) => {
                    tracing::error!("the certificate's files changed; the old one stays: {error}");
                }
            }
        }
    }

    /// The chain in use, for a client that is to trust it.
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

/// Those of the certificate's file and of the key's.
type Stamps = [Option<(SystemTime, u64)>; 2];

/// When a file was written, and its length; `None` while there is none.
fn stamp(file: &Path) -> Option<(SystemTime, u64)> {
    let meta = std::fs::metadata(file).ok()?;
    Some((meta.modified().ok()?, meta.len()))
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
            let generated = rcgen::generate_simple_self_signed(names)?;
            let key = PrivatePkcs8KeyDer::from(generated.signing_key.serialize_der());
            (vec![generated.cert.der().clone()], key.into())
        }
    };
    Ok(Arc::new(CertifiedKey::from_der(chain, key, &provider())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate and its key in a directory that is removed after the test.
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
            let generated = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            let (cert, key) = (generated.cert.pem(), generated.signing_key.serialize_pem());
            std::fs::write(self.dir.join("cert.pem"), cert).unwrap();
            std::fs::write(self.dir.join("key.pem"), key).unwrap();
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
