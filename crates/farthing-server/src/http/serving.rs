//! The loop that takes connections, and speaks HTTP/1.1 on each, in the clear or by TLS.

use super::connection::{Bounded, Connection};
use super::tls::Tls;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::Response;
use futures::future::{Either, select};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

/// From the start of a connection, or the end of an answer, to the end of a request's head: one
/// that trickles in ends here.
const HEAD_MAX: Duration = Duration::from_secs(15);

/// For both to agree on TLS.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// Bytes of a head, at most; above [`super::guard::HEAD_BYTES_MAX`], so that most of what is too
/// long gets an answer that says so.
const BUFFER_MAX: usize = 128 << 10;

/// Lines of a head, at most.
const LINES_MAX: usize = 100;

/// From where a request came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Takes connections until it is told to stop; what is in flight may end.
pub(super) async fn serve(
    mut listener: Bounded,
    router: Router,
    tls: Option<Tls>,
    stopped: watch::Receiver<()>,
) {
    let mut open = tokio::task::JoinSet::new();
    loop {
        let accepted = {
            let mut stop = stopped.clone();
            let (accept, stop) = (pin!(listener.accept()), pin!(stop.changed()));
            match select(accept, stop).await {
                Either::Left((accepted, _)) => accepted,
                Either::Right(_) => break,
            }
        };
        let (router, tls, stopped) = (router.clone(), tls.clone(), stopped.clone());
        open.spawn(async move { connection(accepted, router, tls, stopped).await });
        while open.try_join_next().is_some() {}
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

async fn connection(
    (stream, from): (Connection, SocketAddr),
    router: Router,
    tls: Option<Tls>,
    stopped: watch::Receiver<()>,
) {
    let service = From { inner: TowerToHyperService::new(router), from };
    let Some(tls) = tls else { return http(stream, service, stopped).await };
    let handshake = tokio::time::timeout(HANDSHAKE_MAX, tls.acceptor().accept(stream));
    // Who does not speak TLS, or takes too long for it, is not talked to.
    if let Ok(Ok(stream)) = handshake.await {
        http(stream, service, stopped).await;
    }
}

async fn http<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    service: From,
    mut stopped: watch::Receiver<()>,
) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .max_buf_size(BUFFER_MAX)
        .max_headers(LINES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let stopped = {
        let stop = pin!(stopped.changed());
        matches!(select(connection.as_mut(), stop).await, Either::Right(_))
    };
    if stopped {
        connection.as_mut().graceful_shutdown();
        // That it ended badly concerns nobody but the other side.
        let _ = connection.await;
    }
}

/// The routes, for requests that know where they come from.
struct From {
    inner: TowerToHyperService<Router>,
    from: SocketAddr,
}

impl Service<hyper::Request<Incoming>> for From {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, mut request: hyper::Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(Peer(self.from));
        let request: Request = request.map(Body::new);
        Box::pin(self.inner.call(request))
    }
}
