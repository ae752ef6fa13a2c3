//! Where `farthing up` listens, and whom it lets in.

use clap::Args;
use std::path::PathBuf;

/// Where the API and the page listen.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "one for each flag")]
pub(crate) struct ListenArgs {
    /// Where the API and the page listen; other addresses than loopback need a log-in and TLS
    #[arg(long = "listen", value_name = "ADDRESS", default_value = "127.0.0.1:4040")]
    pub(crate) address: String,
    /// Do not listen at all
    #[arg(long)]
    pub(crate) no_listen: bool,
    /// Ask everybody to log in, also on loopback
    #[arg(long)]
    pub(crate) auth: bool,
    /// A certificate in PEM, with those that it is signed by; read again when it changes
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The key of the certificate in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// A proxy is before it, speaks TLS to others, and says in X-Forwarded-For who asks
    #[arg(long, conflicts_with = "tls_cert")]
    pub(crate) behind_proxy: bool,
    /// Teams that have series of their own in /metrics, at most; the others are one, `other`
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    pub(crate) metrics_teams: usize,
    /// Listen on other addresses than loopback without TLS: tokens then cross the network in clear
    #[arg(long, conflicts_with_all = ["tls_cert", "behind_proxy"])]
    pub(crate) insecure_http: bool,
}
