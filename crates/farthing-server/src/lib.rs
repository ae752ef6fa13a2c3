//! What people and programs see of a running Farthing: JSON, metrics and one page.
//!
//! The only crate with JSON wire types: [`wire`] is used by the HTTP API here and by the command
//! line's `--output json`. The loop's thread publishes what a tick came to into a [`Published`];
//! [`Server`] answers from it, from the books and from the journal, on its own threads. What people
//! say goes to the loop's [`Desk`] as an [`Order`], and the loop answers: nothing here reaches the
//! engine.
//!
//! It refuses to know how to plan, to meter or to act. Who asks is told by `identity`, and what he
//! may see is handed out by `scope`: handlers have no other way to data (ADR 0019).

mod http;
mod identity;
mod metrics;
mod orders;
mod page;
mod publish;
mod reader;
mod scope;
pub mod wire;

pub use http::{
    Behind, Bound, Market, RankOffers, Running, Server, ServerError, Tls, TlsError, openapi,
};
pub use identity::{
    AccessRules, Deed, Grant, Minted, Oidc, OidcSettings, Role, Sessions, SessionsError, TokenId,
    mint,
};
pub use metrics::{METRICS_CONTENT_TYPE, metrics};
pub use orders::{Carried, Desk, NotCarried, Order, Orders, orders};
pub use page::page;
pub use publish::{About, Failure, NotReady, Published, Ticked, View};
