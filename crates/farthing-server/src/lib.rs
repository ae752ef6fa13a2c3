//! What people and programs see of a running Farthing: JSON, metrics and one page.
//!
//! The only crate with JSON wire types: [`wire`] is used by the HTTP API here and by the command
//! line's `--output json`. The loop's thread publishes what a tick came to into a [`Published`];
//! [`Server`] answers from it and from the books, on its own thread, and never reaches the engine.
//!
//! It refuses to know how to plan, to meter or to act, and it changes nothing: every route is a
//! `GET`. There is no authentication yet, so it listens on loopback only and answers only
//! requests that were meant for a loopback name. A generated description of the API comes with
//! the API proper.

mod http;
mod metrics;
mod page;
mod publish;
pub mod wire;

pub use http::{Bound, Running, Server, ServerError};
pub use metrics::{METRICS_CONTENT_TYPE, metrics};
pub use page::page;
pub use publish::{About, Failure, NotReady, Published, Ticked, View};
