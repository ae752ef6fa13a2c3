//! Readers of the traces that scenarios replay: CSV with a header line.
//!
//! A reader takes whole files or nothing: a bad line is an error that names the file, the line and
//! what would be right. Windows of spot availability may also be Parquet. Jobs of whole clusters
//! are streamed ([`jobs`]).

mod azure;
mod chronus;
mod day;
mod gavel;
pub mod jobs;
mod openb;
mod philly;
mod power;
mod rates;
mod scaling;
mod speed;
mod table;
mod windows;

pub use azure::{LlmRequest, read_azure};
pub use chronus::{ChronusJob, read_chronus};
pub use day::read_day_shape;
pub use gavel::{GavelJob, Throughputs, read_gavel, read_throughputs};
pub use openb::{OpenbNodes, read_openb_nodes, read_openb_pods};
pub use philly::{PhillyJob, read_philly};
pub use power::{PowerHours, read_power};
pub use rates::{DemandSlots, read_rates};
pub use scaling::{ElasticAsked, ElasticTrace, read_elastic};
pub use speed::{Speed, read_speeds};
pub use table::TraceError;
pub use windows::{SpotWindow, read_gang_windows, read_windows, spread};
