//! Traces of requests to models, one request after another.
//!
//! One module for each format says which columns it needs, in which units. `azure` has requests as
//! they came; `servegen` has rates by client, from which requests are drawn. Start with
//! [`RequestFormat::open`].

mod azure;
mod gaps;
mod servegen;

#[cfg(test)]
mod tests;

use super::table::TraceError;
use crate::rule;
use std::fmt;
use std::path::Path;

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// When it comes, in microseconds since 1970; traces without a date begin at 2020-01-01.
    pub at_us: i64,
    /// Tokens of the prompt.
    pub input_tokens: u32,
    /// Tokens of the answer.
    pub output_tokens: u32,
}

/// Requests in the order in which they come.
pub type RequestStream = Box<dyn Iterator<Item = Result<Request, TraceError>> + Send>;

/// More tokens has no request.
const TOKENS_MAX: i64 = 10_000_000;
/// All of the requests, in parts per million.
const ALL_PPM: u32 = 1_000_000;

/// What a trace of requests is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestFormat {
    /// Azure LLM inference, 2023.
    AzureLlm,
    /// Alibaba `ServeGen`, 2025.
    Servegen,
}

/// What of a trace is replayed.
#[derive(Clone, Copy, Debug)]
pub struct Sampled<'a> {
    /// Which service of the trace, where it has several.
    pub variant: Option<&'a str>,
    /// So much of the requests, in parts per million; at most all.
    pub share_ppm: u32,
    /// Of what is drawn.
    pub seed: u64,
}

impl RequestFormat {
    /// All, with their names on the command line.
    pub const ALL: [(Self, &'static str); 2] =
        [(Self::AzureLlm, "azure-llm"), (Self::Servegen, "servegen")];

    /// Its name.
    pub fn name(self) -> &'static str {
        rule::name(&Self::ALL, &self)
    }

    /// What such a trace is, with its columns.
    pub const fn what(self) -> &'static str {
        match self {
            Self::AzureLlm => {
                "requests with ts, context_tokens, generated_tokens (or TIMESTAMP, ContextTokens, \
                 GeneratedTokens); CSV or Parquet"
            }
            Self::Servegen => {
                "a folder with client_rate_windows (model, client, t_s, rate_rps, pattern, arg1) \
                 and client_token_stats (model, client, t_s, field, p50, p95, p99, max); Parquet \
                 or CSV"
            }
        }
    }

    /// Opens a trace: a file, or a folder that has it under its usual name.
    ///
    /// # Errors
    /// The file cannot be read, lacks a column, or has no such service. What is wrong in a row of
    /// requests comes when it is read.
    pub fn open(self, path: &Path, sampled: Sampled<'_>) -> Result<RequestStream, TraceError> {
        let sampled = Sampled { share_ppm: sampled.share_ppm.min(ALL_PPM), ..sampled };
        match self {
            Self::AzureLlm => azure::open(path, sampled),
            Self::Servegen => servegen::open(path, sampled),
        }
    }
}

impl fmt::Display for RequestFormat {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

/// A number of tokens that a request can have.
fn tokens(name: &str, value: i64) -> Result<u32, String> {
    let fits = (0..=TOKENS_MAX).contains(&value);
    u32::try_from(value)
        .ok()
        .filter(|_| fits)
        .ok_or_else(|| format!("{name} {value} is not a number of tokens from 0 to {TOKENS_MAX}"))
}
