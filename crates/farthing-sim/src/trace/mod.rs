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
pub mod requests;
mod serving;
mod speed;
mod spot_traces;
mod table;
mod windows;

pub use azure::{LlmRequest, read_azure};
pub use chronus::{ChronusJob, read_chronus};
pub use day::read_day_shape;
pub use gavel::{GavelJob, Throughputs, read_gavel, read_throughputs};
pub use openb::{OpenbNodes, read_openb_nodes, read_openb_pods};
pub use philly::{PhillyJob, read_philly};
pub use serving::read_serving;
pub use speed::{Speed, read_speeds};
pub use spot_traces::read_spot_traces;
pub use table::TraceError;
pub use windows::{SpotWindow, read_windows, spread};
