//! The HTTP server: one thread that answers and five that read or plan.
//!
//! Everything has a limit: connections, the time for a request to arrive and be answered, the size
//! of a request, statements that wait for the books, and the time for a clean stop.

mod allocation;
mod api;
mod budgets;
mod connection;
mod dashboard;
mod etag;
mod events;
mod guard;
mod journal;
mod kept;
mod live;
mod offers;
mod oidc;
mod openapi;
mod page;
mod parameters;
mod problem;
mod reports;
mod request_id;
mod routes;
mod seen;
mod serving;
mod session;
mod statement;
mod steps;
mod tls;
mod utilisation;
mod what_if;

pub use openapi::openapi;
pub use tls::{Tls, TlsError};

use crate::identity::{AccessRules, Door, Oidc, Sessions};
use crate::orders::Orders;
use crate::publish::Published;
use crate::scope::Sources;
use connection::Bounded;
use farthing_edge::Store;
use farthing_ledger::Books;
use farthing_model::Offer;

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::watch;

/// Requests in flight get this long to end when the server stops.
const STOP_MAX: Duration = Duration::from_secs(2);

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address can be reached from other machines, and nobody would have to log in.
    #[error("{0} can be reached from other machines, and nobody would have to log in")]
    Open(SocketAddr),
    /// The address can be reached from other machines, and tokens would go over the wire in clear.
    #[error("{0} can be reached from other machines, and nothing would be encrypted")]
    Clear(SocketAddr),
    /// Someone else listens there.
    #[error(
        "{0} is in use: stop what listens there, choose another port with \
         `--listen 127.0.0.1:PORT`, or let the system choose one with `--listen 127.0.0.1:0`"
    )]
    Taken(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The server's thread or its runtime cannot be started.
    #[error("the server's thread cannot be started")]
    Start(#[source] io::Error),
}

/// What a server answers from.
pub struct Behind {
    /// What the loop publishes.
    pub published: Published,
    /// The books.
    pub books: Books,
    /// The journal, opened once more for reading; without it there is no history.
    pub journal: Option<Box<dyn Store + Send>>,
    /// The way to the loop; without it everything is read only.
    pub orders: Option<Orders>,
    /// The price book; without it nobody can ask for offers.
    pub offers: Option<Market>,
    /// A provider of identities; without it one logs in by tokens only.
    pub oidc: Option<Oidc>,
    /// Who is logged in.
    pub sessions: Sessions,
}

/// Answers a request for offers, given as names and values of its parameters, with what
/// [`crate::wire::offers`] makes; or says which parameter is wrong, and why.
pub type RankOffers =
    Arc<dyn Fn(&[(String, String)]) -> Result<serde_json::Value, String> + Send + Sync>;

/// What can be bought.
#[derive(Clone)]
pub struct Market {
    /// Ranks offers.
    pub rank: RankOffers,
    /// All that there are.
    pub all: Arc<dyn Fn() -> Arc<[Offer]> + Send + Sync>,
}

/// The HTTP server.
#[derive(Debug)]
pub struct Server;

/// A server that holds its address and does not answer yet.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    rules: AccessRules,
    tls: Option<Tls>,
}

/// A server that answers. Dropping it stops it.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    encrypted: bool,
    door: Arc<Door>,
    stop: Option<watch::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Takes `address`, so that a port in use is known before anything else is started.
    ///
    /// # Errors
    /// The address is in use, or cannot be listened on; or it can be reached from other machines,
    /// and nobody has to log in, or nothing is encrypted and that was not asked for.
    pub fn bind(
        address: SocketAddr,
        rules: AccessRules,
        tls: Option<Tls>,
    ) -> Result<Bound, ServerError> {
        if !address.ip().is_loopback() {
            if !rules.required {
                return Err(ServerError::Open(address));
            }
            if tls.is_none() && !rules.proxied && !rules.insecure {
                return Err(ServerError::Clear(address));
            }
        }
        let rules = AccessRules { tls: rules.tls || tls.is_some(), ..rules };
        let fault = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => ServerError::Taken(address),
            _ => ServerError::Bind { address, source },
        };
        let listener = TcpListener::bind(address).map_err(fault)?;
        let address = listener.local_addr().map_err(fault)?;
        listener.set_nonblocking(true).map_err(fault)?;
        Ok(Bound { listener, address, rules, tls })
    }
}

impl Bound {
    /// Where it listens; the port that the system chose, where it was asked to.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it speaks TLS.
    pub const fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// Answers from `behind` on a thread of its own, until it is stopped.
    ///
    /// # Errors
    /// A thread or the runtime cannot be started.
    pub fn serve(self, behind: Behind) -> Result<Running, ServerError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(ServerError::Start)?;
        let listener = {
            // Registering a socket needs the runtime that will drive it.
            let _entered = runtime.enter();
            tokio::net::TcpListener::from_std(self.listener).map_err(ServerError::Start)?
        };
        let sources = Sources::start(behind, self.rules).map_err(ServerError::Start)?;
        let door = Arc::clone(sources.door());
        let router = routes::router(sources);
        let encrypted = self.tls.is_some();
        let tls = self.tls;
        let (stop, stopped) = watch::channel(());
        let thread = std::thread::Builder::new()
            .name("http".to_owned())
            .spawn(move || {
                let serve = serving::serve(Bounded::new(listener), router, tls, stopped.clone());
                runtime.block_on(run(serve, stopped));
                // Connections that did not end in time are dropped with it.
                runtime.shutdown_background();
            })
            .map_err(ServerError::Start)?;
        Ok(Running {
            address: self.address,
            encrypted,
            door,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

async fn run(serve: impl Future<Output = ()> + Send + 'static, mut stopped: watch::Receiver<()>) {
    let serve = tokio::spawn(serve);
    // Nothing is ever sent: the channel closes when the server shall stop.
    let _ = stopped.changed().await;
    let _ = tokio::time::timeout(STOP_MAX, serve).await;
}

impl Running {
    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it speaks TLS.
    pub const fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    /// Takes another provider of identities from now on, or none: who came by what it does not
    /// grant any more has to log in again.
    pub fn identify(&self, oidc: Option<Oidc>) {
        self.door.identify(oidc);
    }

    /// Stops taking requests, lets those in flight end (two seconds at most), and frees the port.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of that thread was its own end; there is nothing left to stop.
            let _ = thread.join();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}
