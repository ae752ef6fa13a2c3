//! Whom a secure connection believes: the authorities of this system, or those that are named.
//!
//! Everything here that speaks TLS to others asks this module. It verifies no certificate itself
//! (rustls does) and opens no connection.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use ureq::tls::{Certificate, ClientCert, RootCerts, TlsConfig};

/// Where systems keep the certificates that they trust; `SSL_CERT_FILE` goes before.
const SYSTEM_CERTS: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// A certificate of an authority.
pub(crate) type Root = CertificateDer<'static>;

/// Why nobody can be believed.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// Nothing to begin with.
    #[error("none of the usual files is there ({}): name one in SSL_CERT_FILE", .0.join(", "))]
    NoFile([&'static str; 4]),
    /// A text that is not PEM.
    #[error("{0}")]
    Pem(String),
    /// A text without a certificate.
    #[error("there is no certificate in PEM form")]
    Empty,
    /// The library that speaks TLS refuses.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
}

/// The certificates in a PEM text; what else stands in it is passed over.
pub(crate) fn read(pem: &[u8]) -> Result<Vec<Root>, TrustError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err(TrustError::Empty),
        Ok(found) => Ok(found),
        Err(error) => Err(TrustError::Pem(error.to_string())),
    }
}

/// The authorities that this system trusts, in PEM form: for those who speak TLS elsewhere.
///
/// # Errors
/// None of the files is there in which systems keep them.
pub fn system_pem() -> Result<Vec<u8>, TrustError> {
    let own = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let known = SYSTEM_CERTS.iter().map(|path| Path::new(path).to_owned());
    let text = own.into_iter().chain(known).find_map(|path| std::fs::read(path).ok());
    text.ok_or(TrustError::NoFile(SYSTEM_CERTS))
}

/// The authorities that this system trusts.
pub(crate) fn system() -> Result<Vec<Root>, TrustError> {
    read(&system_pem()?)
}

/// How a stream of our own speaks TLS to whoever one of `roots` vouches for. A root that cannot
/// be used is of no harm while another can.
pub(crate) fn config(roots: Vec<Root>) -> Result<ClientConfig, TrustError> {
    let mut store = RootCertStore::empty();
    let (added, _) = store.add_parsable_certificates(roots);
    if added == 0 {
        return Err(TrustError::Empty);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(store).with_no_client_auth())
}

/// Certificates as requests over HTTP take them.
pub(crate) fn as_shown(chain: &[Root]) -> Vec<Certificate<'static>> {
    chain.iter().map(|one| Certificate::from_der(one).to_owned()).collect()
}

/// The same as [`config`] for requests over HTTP, with what we show of ourselves.
pub(crate) fn over_http(roots: &[Root], identity: Option<ClientCert>) -> TlsConfig {
    TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&as_shown(roots)))
        .client_cert(identity)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build()
}
