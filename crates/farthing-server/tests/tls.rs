//! TLS with certificates that are made here: a client that trusts one, and one that changes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

mod world;

use farthing_server::{AccessRules, Behind, Running, Server, ServerError, Tls};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::error::Error as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use world::{books, published};

/// Writes a certificate of this machine with its key, and gives it.
fn certificate(folder: &Path) -> rustls::pki_types::CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

fn serve(folder: &Path) -> (Running, Tls) {
    let tls = Tls::open(&folder.join("cert.pem"), &folder.join("key.pem")).unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let bound = Server::bind(address, AccessRules::default(), Some(tls.clone())).unwrap();
    assert!(bound.is_encrypted());
    let behind = Behind {
        published: published(),
        books: books(),
        journal: None,
        orders: None,
        offers: None,
        oidc: None,
        sessions: farthing_server::Sessions::default(),
    };
    (bound.serve(behind).unwrap(), tls)
}

/// What a client that trusts one certificate gets.
fn ask(
    server: &Running,
    trusted: &rustls::pki_types::CertificateDer<'static>,
) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let client = ClientConnection::new(Arc::new(config), name).unwrap();
    let stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut stream = StreamOwned::new(client, stream);
    let port = server.address().port();
    write!(
        stream,
        "GET /api/v1/tick HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n"
    )?;
    let mut text = String::new();
    // Whether the other side says goodbye is of no matter once all has come.
    match stream.read_to_string(&mut text) {
        Err(error) if text.is_empty() => Err(error),
        _ => Ok(text),
    }
}

#[test]
fn a_client_that_trusts_the_certificate_gets_an_answer_and_another_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let first = certificate(folder.path());
    let (server, tls) = serve(folder.path());
    let answer = ask(&server, &first).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("strict-transport-security: max-age=31536000"), "{answer}");
    assert!(answer.contains("\"difference\":\"0.00\""));
    // In clear nobody is answered.
    let mut clear = TcpStream::connect(server.address()).unwrap();
    clear.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    clear.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut said = Vec::new();
    let _ = clear.read_to_end(&mut said);
    assert!(!said.starts_with(b"HTTP/"), "{said:?}");
    // Half a renewal changes nothing, and a whole one is taken up.
    fs::write(folder.path().join("cert.pem"), "-----BEGIN CERTIFICATE-----\n").unwrap();
    tls.look_again();
    assert!(ask(&server, &first).is_ok());
    let second = certificate(folder.path());
    tls.look_again();
    assert!(ask(&server, &second).unwrap().starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(ask(&server, &first).is_err());
}

#[test]
fn what_is_no_certificate_with_its_key_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    certificate(folder.path());
    fs::copy(path("cert.pem"), path("other.pem")).unwrap();
    certificate(folder.path());
    let pair = Tls::open(&path("other.pem"), &path("key.pem")).unwrap_err();
    assert!(pair.to_string().ends_with("are no certificate with its key"), "{pair}");
    assert!(pair.source().is_some());
    for (certificate, key, says) in [
        ("key.pem", "key.pem", "there is no certificate in it"),
        ("cert.pem", "cert.pem", "not a private key in PEM"),
        ("nowhere.pem", "key.pem", "not certificates in PEM"),
    ] {
        let error = Tls::open(&path(certificate), &path(key)).unwrap_err().to_string();
        assert!(error.ends_with(says), "{error}");
    }
}

#[test]
fn other_machines_are_listened_to_with_a_log_in_and_tls_only() {
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path());
    let tls = || Tls::open(&folder.path().join("cert.pem"), &folder.path().join("key.pem")).ok();
    let all = SocketAddr::from(([0, 0, 0, 0], 0));
    let open = AccessRules::default();
    let required = AccessRules { required: true, ..open };
    assert!(matches!(Server::bind(all, open, tls()), Err(ServerError::Open(_))));
    assert!(matches!(Server::bind(all, required, None), Err(ServerError::Clear(_))));
    assert!(Server::bind(all, required, tls()).is_ok());
    for said in [
        AccessRules { insecure: true, ..required },
        AccessRules { proxied: true, tls: true, ..required },
    ] {
        assert!(Server::bind(all, said, None).is_ok());
    }
}
