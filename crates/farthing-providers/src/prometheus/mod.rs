//! A Prometheus, or anything that speaks its HTTP API: Thanos, Mimir, `VictoriaMetrics`.
//!
//! [`Prometheus::read`] asks for the samples themselves (`query` with a range, which is what was
//! scraped and when), metric by metric in stretches of bounded length, and halves a stretch that is
//! too much for the server. A server that has only `query_range`, or a step that was asked for,
//! is asked for values at even distances instead. What it says goes into an
//! [`Intake`](crate::telemetry::Intake) by the same source map as text does, so that both give the
//! same table. [`Prometheus::pods`] asks what pods use now, by the metrics that tell it; nothing
//! else here knows what a metric means.

mod answer;
mod client;
mod pods;
mod read;

pub use answer::{Answer, AnswerError, Series};
pub use client::{Access, PrometheusError};
pub use pods::PodMeans;
pub use read::{Query, Read};

use client::Client;

/// A server to ask.
pub struct Prometheus {
    client: Client,
}

impl Prometheus {
    /// A server at `url`; nothing is asked yet.
    ///
    /// # Errors
    /// The address is none, or keys and certificates cannot be read.
    pub fn new(url: &str, access: &Access) -> Result<Self, PrometheusError> {
        Ok(Self { client: Client::new(url, access)? })
    }
}

impl std::fmt::Debug for Prometheus {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Prometheus({})", self.client.url())
    }
}

#[cfg(test)]
mod tests;
