//! Adapters to the outside: this machine, NVML, telemetry, price books, manifests, `SQLite`,
//! PostgreSQL.
//!
//! Each adapter turns something foreign into the nouns of `farthing-model` or implements a
//! contract of `farthing-edge`. What is wrong in a foreign file is a value that names the file,
//! the line and the object and says what would be right; nothing here prints, exits or guesses.
//!
//! - [`alert`]: webhook, Slack, Alertmanager and e-mail.
//! - [`manifest`]: workloads, DAGs, budgets, policies and price books from YAML.
//! - [`archive`]: a journal in a file, to back up, hand out and move.
//! - `bucket`: object stores of clouds, by URL (feature `cloud`).
//! - [`catalog`]: price books from CSV, Parquet and the default that ships in the binary.
//! - [`egress`]: what moving data costs, from CSV.
//! - [`estimate`]: what a job asks for, from the file that it is submitted with.
//! - [`telemetry`]: clusters out of metrics; [`exposition`] reads them as text, [`prometheus`] asks
//!   a server for them.
//! - [`hardware`]: what a machine that one owns costs per hour, and the tables beside it.
//! - [`local`]: this machine, its processes and containers.
//! - [`nvml`]: NVIDIA devices, loaded at run time.
//! - [`postgres`]: the journal in a PostgreSQL database, for several replicas with one leader.
//! - [`signing`]: signed checkpoints of a journal, and the keys for them.
//! - [`sqlite`]: the journal in a `SQLite` file, and how to verify it.
//! - [`trust`]: whom secure connections believe.
//! - [`web`]: one question to a server of someone else, for those who open no connections.

pub mod alert;
pub mod archive;
mod base64;
#[cfg(feature = "cloud")]
pub mod bucket;
pub mod catalog;
pub mod egress;
pub mod estimate;
pub mod exposition;
pub mod hardware;
pub mod local;
pub mod manifest;
pub mod nvml;
pub mod postgres;
pub mod prometheus;
pub mod signing;
pub mod sqlite;
pub mod telemetry;
pub mod text;
pub mod trust;
pub mod web;
mod yaml;

pub use yaml::Spot;
