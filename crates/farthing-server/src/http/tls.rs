//! TLS by rustls: a certificate and a key from files, read again when they change.

use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tokio_rustls::TlsAcceptor;

/// Files are looked at again after this time, when someone connects.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is not what it should be.
    #[error("{path}: not {what} in PEM")]
    Pem {
        /// Which.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
        /// Why it is not.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// There is no certificate in a file.
    #[error("{0}: there is no certificate in it")]
    Empty(PathBuf),
    /// The certificate and the key are not of each other, or not good.
    #[error("{certificate} and {key} are no certificate with its key")]
    Pair {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// Why not.
        #[source]
        source: rustls::Error,
    },
}

/// A certificate with its key, from files.
#[derive(Clone, Debug)]
pub struct Tls(Arc<Files>);

#[derive(Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
    read: Mutex<Read>,
}

#[derive(Debug)]
struct Read {
    config: Arc<ServerConfig>,
    looked: Instant,
    written: Written,
}

/// When both files were written.
type Written = [Option<SystemTime>; 2];

impl Tls {
    /// Reads a certificate (with those that it is signed by) and its key.
    ///
    /// # Errors
    /// A file cannot be read, or they are not of each other.
    pub fn open(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let written = written(certificate, key);
        let read = Read { config: config(certificate, key)?, looked: Instant::now(), written };
        let (certificate, key) = (certificate.to_path_buf(), key.to_path_buf());
        Ok(Self(Arc::new(Files { certificate, key, read: Mutex::new(read) })))
    }

    /// What the next connection is answered with. Where the files have changed they are read again;
    /// ones that do not hold leave everything as it is, so that a renewal that is only half written
    /// ends no service.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let files = &*self.0;
        let mut read = files.read.lock().unwrap_or_else(PoisonError::into_inner);
        if read.looked.elapsed() >= LOOK_EVERY {
            read.looked = Instant::now();
            let written = written(&files.certificate, &files.key);
            if written != read.written
                && let Ok(config) = config(&files.certificate, &files.key)
            {
                (read.config, read.written) = (config, written);
            }
        }
        TlsAcceptor::from(Arc::clone(&read.config))
    }

    /// Has the files looked at with the next connection, whenever they were last.
    pub fn look_again(&self) {
        let mut read = self.0.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.looked = read.looked.checked_sub(LOOK_EVERY).unwrap_or(read.looked);
    }
}

fn written(certificate: &Path, key: &Path) -> Written {
    let when = |path: &Path| path.metadata().and_then(|file| file.modified()).ok();
    [when(certificate), when(key)]
}

fn config(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let pem = |path: &Path, what| {
        let path = path.to_path_buf();
        move |source| TlsError::Pem { path, what, source }
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(pem(certificate, "certificates"))?;
    if chain.is_empty() {
        return Err(TlsError::Empty(certificate.to_path_buf()));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(pem(key, "a private key"))?;
    let pair = |source| TlsError::Pair {
        certificate: certificate.to_path_buf(),
        key: key.to_path_buf(),
        source,
    };
    // The provider is named: the program has one, and which one is not left to chance.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(pair)?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(pair)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
