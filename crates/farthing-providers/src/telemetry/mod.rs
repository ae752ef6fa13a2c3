//! Telemetry of clusters: from what exporters say to what was paid and used.
//!
//! ```text
//! text, Prometheus -> Intake -> series -> Cluster -> spans and samples for the books
//!                      ^ SourceMap (data)          -> a table of measurements, for people
//! ```
//!
//! [`Intake`] reads text by a [`SourceMap`]; `series` keeps points and knows counters, gaps and
//! replicas. What could not be read is a [`LineFault`] with its file and line, and the rest goes
//! on. Nothing here is guessed: what was not measured is unknown and is said to be.

mod cluster;
mod faults;
mod intake;
mod series;
mod sources;
mod table;

pub use cluster::{Bought, Cluster, ClusterError, ClusterOptions, NodePrices, Priced, measure};
pub use faults::LineFault;
pub use intake::{Intake, TextOptions, Totals};
pub use sources::{Field, SourceMap, SourceMapError};
pub use table::{Measure, Row, text};
