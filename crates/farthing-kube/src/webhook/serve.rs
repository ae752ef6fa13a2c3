//! The webhook over TLS: the few words of HTTP/1.1 that an API server says to one.
//!
//! One thread for each connection, bounded in number, in bytes and in time. Who asks is not known,
//! and need not be: an answer says nothing but what becomes of the job that was sent.

use super::Webhook;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// An API server gives up after at most half a minute.
const PATIENCE: Duration = Duration::from_secs(30);
/// Objects have at most 1.5 MiB, and a question may have two.
const BODY_BYTES_MAX: usize = 4 << 20;
const HEAD_BYTES_MAX: u64 = 64 << 10;
/// Connections at the same time: an API server keeps a few.
const CONNECTIONS_MAX: usize = 64;

/// Why nothing can be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The certificate or its key.
    #[error("the webhook's certificate: {0}")]
    Certificate(String),
    /// The address.
    #[error("the webhook cannot listen")]
    Listen(#[source] io::Error),
}

/// Answers for as long as the process runs, on threads of its own. `certificate` and `key` are PEM.
///
/// # Errors
/// The certificate and the key are none, or do not belong together.
pub fn serve(
    listener: TcpListener,
    (certificate, key): (&[u8], &[u8]),
    webhook: Webhook,
) -> Result<(), ServeError> {
    let config = Arc::new(tls(certificate, key).map_err(ServeError::Certificate)?);
    std::thread::Builder::new()
        .name("webhook".to_owned())
        .spawn(move || accept(&listener, &config, &webhook))
        .map_err(ServeError::Listen)?;
    Ok(())
}

fn tls(certificate: &[u8], key: &[u8]) -> Result<ServerConfig, String> {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let chain = CertificateDer::pem_slice_iter(certificate).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| error.to_string())?;
    if chain.is_empty() {
        return Err("there is none in it".to_owned());
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| format!("its key: {error}"))?;
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|it| it.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| error.to_string())
}

fn accept(listener: &TcpListener, config: &Arc<ServerConfig>, webhook: &Webhook) {
    let open = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        let Ok(stream) = stream else { continue };
        if open.fetch_add(1, Ordering::AcqRel) >= CONNECTIONS_MAX {
            open.fetch_sub(1, Ordering::AcqRel);
            continue;
        }
        let (config, webhook, own) = (Arc::clone(config), webhook.clone(), Arc::clone(&open));
        let spawned = std::thread::Builder::new().name("webhook".to_owned()).spawn(move || {
            // Whoever does not speak as it should is hung up on.
            let _ = talk(stream, config, &webhook);
            own.fetch_sub(1, Ordering::AcqRel);
        });
        if spawned.is_err() {
            open.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

fn talk(stream: TcpStream, config: Arc<ServerConfig>, webhook: &Webhook) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let connection = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    while let Some(question) = read(&mut stream)? {
        let (status, body) = match question {
            Question::Review(body) => match webhook.answer(&body) {
                Ok(answer) => ("200 OK", answer),
                Err(why) => ("400 Bad Request", why.into_bytes()),
            },
            Question::Refused(status) => (status, Vec::new()),
        };
        let out = stream.get_mut();
        write!(
            out,
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )?;
        out.write_all(&body)?;
        out.flush()?;
        if status != "200 OK" {
            break;
        }
    }
    Ok(())
}

enum Question {
    Review(Vec<u8>),
    Refused(&'static str),
}

/// Reads one question; `None` where the other side is done.
fn read(stream: &mut BufReader<impl Read>) -> io::Result<Option<Question>> {
    let mut head = Vec::new();
    let mut length = None;
    let mut goes_on = false;
    loop {
        let start = head.len();
        let left = HEAD_BYTES_MAX.saturating_sub(start as u64);
        let read = stream.by_ref().take(left).read_until(b'\n', &mut head)?;
        if read == 0 {
            let cut = start > 0 && left == 0;
            return Ok(cut.then_some(Question::Refused("431 Request Header Fields Too Large")));
        }
        let line = head[start..].trim_ascii();
        if line.is_empty() {
            break;
        }
        let text = String::from_utf8_lossy(line).to_ascii_lowercase();
        if let Some(value) = text.strip_prefix("content-length:") {
            length = value.trim().parse::<usize>().ok();
        }
        goes_on |= text.strip_prefix("expect:").is_some_and(|it| it.trim() == "100-continue");
    }
    if !head.starts_with(b"POST ") {
        return Ok(Some(Question::Refused("405 Method Not Allowed")));
    }
    let Some(length) = length else { return Ok(Some(Question::Refused("411 Length Required"))) };
    if length > BODY_BYTES_MAX || goes_on {
        return Ok(Some(Question::Refused("413 Content Too Large")));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(Some(Question::Review(body)))
}
