//! The arguments of a replay of requests.

use crate::commands::duration;
use crate::commands::simulate::file::{read, unreadable};
use crate::commands::simulate::format;
use crate::commands::simulate::jobs::asked::{Prices, named_value, pools};
use crate::commands::simulate::names::unknown;
use crate::home::Home;
use crate::outcome::WrongUse;
use farthing_ledger::Books;
use farthing_model::Ratio;
use farthing_sim::cluster::ClusterError;
use farthing_sim::cluster::serving::{Kinds, ServingRule, ServingSpec};
use farthing_sim::trace::read_serving;
use farthing_sim::trace::requests::{RequestFormat, RequestStream, Sampled};
use jiff::SignedDuration;
use std::path::PathBuf;

/// Parameters, with what they are.
const PARAMETERS: [&str; 5] = ["ttft", "within", "boot", "target", "share"];
/// Bytes that the table of throughputs may unpack to.
const BYTES_MAX: u64 = 1 << 26;

/// What is to be replayed.
pub(super) struct Wanted<'a> {
    pub(super) format: RequestFormat,
    pub(super) trace: PathBuf,
    pub(super) limit: usize,
    pub(super) rules: Vec<ServingRule>,
    pub(super) spec: ServingSpec,
    pub(super) kinds: Kinds,
    pub(super) books: Option<Books>,
    sampled: Sampled<'a>,
}

impl<'a> Wanted<'a> {
    /// Reads them.
    pub(super) fn read(asked: &format::Asked<'a>, format: RequestFormat) -> anyhow::Result<Self> {
        let args = asked.args;
        if args.limit == Some(0) {
            return Err(WrongUse::new("--limit 0 leaves no request").into());
        }
        let rules = asked.policies.iter().map(|name| name.parse().map_err(WrongUse::new));
        let prices = Prices::read(asked)?;
        let pools = pools(asked, &prices)?;
        let table = format::Asked::needed(
            "--throughput",
            args.throughput.as_deref(),
            "--throughput examples/serving/throughput.csv",
        )?;
        let mut spec = ServingSpec {
            pools,
            throughput: read("--throughput", (table, BYTES_MAX), read_serving)?,
            ttft: SignedDuration::from_secs(2),
            within: Ratio::from_ppm(990_000),
            boot: SignedDuration::from_mins(3),
            target: Ratio::from_ppm(700_000),
        };
        let mut sampled = Sampled {
            variant: args.variant.as_deref(),
            share_ppm: Ratio::ONE.ppm(),
            seed: args.seed.unwrap_or(1),
        };
        for text in &args.set {
            set((&mut spec, &mut sampled), text)?;
        }
        let kinds = Kinds::of(&spec).map_err(|error| match error {
            ClusterError::Name(what) => WrongUse::new(format!("--cluster: {what}")).into(),
            other => anyhow::Error::new(other),
        })?;
        Ok(Self {
            format,
            trace: asked.trace.to_owned(),
            limit: args.limit.unwrap_or(usize::MAX),
            rules: rules.collect::<Result<_, _>>()?,
            spec,
            kinds,
            books: asked.books.map(Home::books_at).transpose()?,
            sampled,
        })
    }

    /// The requests, from the first one on.
    pub(super) fn open(&self) -> anyhow::Result<RequestStream> {
        let opened = self.format.open(&self.trace, self.sampled);
        opened.map_err(|error| unreadable("--trace", &error).into())
    }
}

/// Sets a parameter.
fn set((spec, sampled): (&mut ServingSpec, &mut Sampled<'_>), text: &str) -> anyhow::Result<()> {
    let (name, value) = named_value("--set", text)?;
    let part = || -> anyhow::Result<Ratio> {
        let ratio = value.parse::<Ratio>().ok();
        let ratio = ratio.filter(|ratio| *ratio > Ratio::ZERO && *ratio <= Ratio::ONE);
        let wrong = || {
            let what = "it is no part of the whole, such as 0.7 or 70%";
            WrongUse::new(format!("--set {text}: {what}"))
        };
        ratio.ok_or_else(|| wrong().into())
    };
    match name {
        "ttft" => spec.ttft = duration("--set ttft", value)?,
        "within" => spec.within = part()?,
        "boot" => {
            spec.boot = match value {
                "0" | "0s" | "0m" => SignedDuration::ZERO,
                text => duration("--set boot", text)?,
            }
        }
        "target" => spec.target = part()?,
        "share" => sampled.share_ppm = part()?.ppm(),
        other => return Err(unknown(("--set", "parameter"), other, &PARAMETERS).into()),
    }
    Ok(())
}
