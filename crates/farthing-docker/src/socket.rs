//! HTTP over a unix socket: the transport that `ureq` speaks through here.
//!
//! It knows bytes and times, and nothing of HTTP. Each question has a connection of its own: they
//! are cheap on one machine, and none can have gone stale. ADR 0023 says why not by `bollard`.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};
use ureq::{Agent, Error};

/// An agent that asks whoever listens at `path`.
pub(crate) fn agent(path: PathBuf, config: Config) -> Agent {
    Agent::with_parts(config, Socket(path), Nowhere)
}

/// Connects to one socket, whatever the address says.
#[derive(Debug)]
struct Socket(PathBuf);

impl Connector for Socket {
    type Out = Stream;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _chained: Option<()>,
    ) -> Result<Option<Stream>, Error> {
        let stream = UnixStream::connect(&self.0)?;
        let (input, output) =
            (details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Stream { stream, buffers: LazyBuffers::new(input, output) }))
    }
}

/// There is no network: every name is this address, which is never used.
#[derive(Debug)]
struct Nowhere;

impl Resolver for Nowhere {
    fn resolve(
        &self,
        _uri: &Uri,
        _config: &Config,
        _timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let mut all = self.empty();
        all.push(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        Ok(all)
    }
}

struct Stream {
    stream: UnixStream,
    buffers: LazyBuffers,
}

impl fmt::Debug for Stream {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Stream").finish_non_exhaustive()
    }
}

/// A socket that did not answer in time says that it would block.
fn timed_out(error: std::io::Error, timeout: NextTimeout) -> Error {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Error::Timeout(timeout.reason),
        _ => Error::Io(error),
    }
}

impl Transport for Stream {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.set_write_timeout(timeout.not_zero().map(|time| *time))?;
        let output = &self.buffers.output()[..amount];
        self.stream.write_all(output).map_err(|error| timed_out(error, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.set_read_timeout(timeout.not_zero().map(|time| *time))?;
        let input = self.buffers.input_append_buf();
        let read = loop {
            match self.stream.read(input) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other.map_err(|error| timed_out(error, timeout))?,
            }
        };
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    fn is_open(&mut self) -> bool {
        false
    }
}
