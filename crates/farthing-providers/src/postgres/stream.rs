//! The bytes between us and a server: over a network, a socket of this machine, or TLS. Each wait
//! has an end (ADR 0003).

use super::fault::Fault;
use super::url::{PgUrl, Place, Tls};
use super::wire::Outgoing;
use crate::trust;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long connecting may take, for each address of a host.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an answer may take: the server itself gives up before.
pub(crate) const ANSWER: Duration = Duration::from_secs(40);

/// A connection.
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    /// Connects.
    pub(crate) fn open(url: &PgUrl) -> Result<Self, Fault> {
        let (host, port) = match &url.place {
            Place::Unix { folder, port } => {
                let stream = UnixStream::connect(folder.join(format!(".s.PGSQL.{port}")))?;
                stream.set_read_timeout(Some(ANSWER))?;
                stream.set_write_timeout(Some(ANSWER))?;
                return Ok(Self::Unix(stream));
            }
            Place::Tcp { host, port } => (host.as_str(), *port),
        };
        let mut stream = connect(host, port)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER))?;
        stream.set_write_timeout(Some(ANSWER))?;
        let Tls::Verified { roots } = &url.tls else { return Ok(Self::Tcp(stream)) };
        let mut ask = Outgoing::default();
        ask.ask_for_tls();
        stream.write_all(ask.bytes())?;
        let mut answer = [0];
        stream.read_exact(&mut answer)?;
        if answer != *b"S" {
            return Err(Fault::Tls("the server has no TLS".to_owned()));
        }
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|error| Fault::Tls(format!("`{host}`: {error}")))?;
        let session = ClientConnection::new(config(roots.as_deref())?, name);
        let mut session = session.map_err(|error| Fault::Tls(error.to_string()))?;
        // Agreed on now, so that a fault of the certificate is not one of what comes after.
        session.complete_io(&mut stream).map_err(|error| match error.get_ref() {
            Some(inner) if inner.is::<rustls::Error>() => Fault::Tls(inner.to_string()),
            _ => Fault::Io(error),
        })?;
        Ok(Self::Tls(Box::new(StreamOwned::new(session, stream))))
    }
}

fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn config(roots: Option<&Path>) -> Result<Arc<ClientConfig>, Fault> {
    let tls = |error: trust::TrustError| Fault::Tls(error.to_string());
    let roots = match roots {
        Some(path) => {
            let wrong = |error: &dyn std::fmt::Display| {
                Fault::Tls(format!("sslrootcert {}: {error}", path.display()))
            };
            let text = std::fs::read(path).map_err(|error| wrong(&error))?;
            trust::read(&text).map_err(|error| wrong(&error))?
        }
        None => trust::system().map_err(tls)?,
    };
    Ok(Arc::new(trust::config(roots).map_err(tls)?))
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(into),
            Self::Unix(stream) => stream.read(into),
            Self::Tls(stream) => stream.read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.flush(),
            Self::Unix(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
