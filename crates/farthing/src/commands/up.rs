//! `farthing up`: the loop, on this machine, its containers, a Kubernetes cluster or a simulated
//! one.

mod bell;
mod board;
mod cycle;
mod demo;
mod docker;
mod hearing;
mod identity;
mod kube;
mod kueue;
mod lead;
mod local;
mod reload;
mod serve;

pub(crate) use kube::{SystemClock, access as cluster_access, world as kube_world};
pub(crate) use local::{machine_offer, owned};

use super::duration;
use super::plan::chain;
use crate::args::UpArgs;
use crate::home::Home;
use crate::outcome::{Outcome, WrongUse};
use anyhow::Context as _;
use farthing_model::{Currency, Mode, Policy};
use farthing_providers::manifest::{self, Manifests};
use jiff::{SignedDuration, Timestamp};
use reload::{Asked, Reload};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A signal is noticed within this time.
const NAP: Duration = Duration::from_millis(50);

/// Runs the loop until it is told to stop.
pub(crate) fn run(args: &UpArgs, home: &Home) -> anyhow::Result<Outcome> {
    // Before there is another thread, which would take the signal.
    let reload = if args.demo || args.config.is_empty() { None } else { Some(Reload::listen()?) };
    let stop = Stop::new(args.r#for.as_deref(), reload)?;
    if let Some(socket) = &args.docker.socket {
        return docker::run(args, socket.as_deref(), home, &stop);
    }
    match &args.kube.context {
        Some(context) => kube::run(args, context.as_deref(), home, &stop),
        None if args.demo => demo::run(args, home, &stop),
        None => local::run(args, home, &stop),
    }
}

/// What the manifests of `--config` say, with a policy of a mode where they have none; workloads in
/// them are not this command's business.
pub(crate) fn told(args: &UpArgs, mode: Mode) -> anyhow::Result<Manifests> {
    let told = read(args, mode)?;
    let planned = told.workloads.is_empty() && told.dags.is_empty() && told.nodes.is_empty();
    if planned && told.price_book.is_none() {
        return Ok(told);
    }
    let what = "--config is for budgets, a policy and an identity; it has workloads, nodes, DAGs \
                or price books";
    Err(WrongUse::new(what).hint("plan those with `farthing plan -f FILE`").into())
}

/// The same, with workloads that say what container they are.
fn queue(args: &UpArgs, mode: Mode) -> anyhow::Result<Manifests> {
    let told = read(args, mode)?;
    if !told.dags.is_empty() || !told.nodes.is_empty() || told.price_book.is_some() {
        let what = "--config has DAGs, nodes or price books, which containers have no use for";
        return Err(WrongUse::new(what).hint("plan those with `farthing plan -f FILE`").into());
    }
    let none = told.workloads.iter().find(|workload| !told.containers.contains_key(&workload.id));
    if let Some(workload) = none {
        let what = format!("workload {} does not say what it runs", workload.id);
        let hint = "add `container: {image: ..., command: [...]}` to its spec";
        return Err(WrongUse::new(what).hint(hint).into());
    }
    Ok(told)
}

fn read(args: &UpArgs, mode: Mode) -> anyhow::Result<Manifests> {
    let told = manifest::load(&args.config, Timestamp::now());
    let mut told = told.map_err(|why| WrongUse::new(chain(&why)))?;
    // What the loop buys is priced in this currency, and its books are in it.
    told.in_currency(Currency::USD).map_err(|why| WrongUse::new(chain(&why)))?;
    if told.policy.is_none() {
        told.policy = Some(Policy { mode, ..Policy::default() });
    }
    Ok(told)
}

/// When to stop: a signal, or the end of the time that was given.
pub(crate) struct Stop {
    signalled: Arc<AtomicBool>,
    until: Option<Instant>,
    reload: Option<Reload>,
}

impl Stop {
    fn new(length: Option<&str>, reload: Option<Reload>) -> anyhow::Result<Self> {
        let until = match length {
            Some(text) => Some(Instant::now() + std_duration(duration("--for", text)?)?),
            None => None,
        };
        let signalled = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&signalled);
        ctrlc::set_handler(move || flag.store(true, Ordering::SeqCst))
            .context("Ctrl-C cannot be listened for")?;
        Ok(Self { signalled, until, reload })
    }

    /// Whether the manifests shall be read again: since this was asked last, a signal said so.
    /// Where the terminal is gone that it was started from, that signal means to stop.
    pub(crate) fn is_to_reload(&self) -> bool {
        match self.reload.as_ref().and_then(Reload::asked) {
            Some(Asked::Reload) => true,
            Some(Asked::Stop) => {
                self.signalled.store(true, Ordering::SeqCst);
                false
            }
            None => false,
        }
    }

    /// Passes the time until `moment` in naps; `false` when it was told to stop, or its time is up.
    pub(crate) fn nap_until(&self, moment: Instant, nap: &mut dyn FnMut(Duration)) -> bool {
        let until = self.until.map_or(moment, |until| until.min(moment));
        self.nap_until_signal(until, nap) && until == moment
    }

    /// Passes the time until `moment` in naps; `false` when it was told to stop by a signal. Where
    /// that moment has passed there is one nap of no length all the same: whoever waits for the
    /// loop is heard also when ticks take longer than they should.
    pub(crate) fn nap_until_signal(&self, moment: Instant, nap: &mut dyn FnMut(Duration)) -> bool {
        loop {
            if self.signalled.load(Ordering::SeqCst) {
                return false;
            }
            let left = moment.saturating_duration_since(Instant::now());
            nap(left.min(NAP));
            if left.is_zero() {
                return true;
            }
        }
    }
}

/// A duration of the system's clock.
pub(crate) fn std_duration(length: SignedDuration) -> anyhow::Result<Duration> {
    Duration::try_from(length).context("a duration below zero")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_loop_hears_people_once_a_tick() {
        let stop = Stop { signalled: Arc::default(), until: None, reload: None };
        let mut naps = Vec::new();
        let now = Instant::now();
        assert!(stop.nap_until_signal(now, &mut |nap| naps.push(nap)));
        assert!(stop.nap_until(now, &mut |nap| naps.push(nap)));
        assert_eq!(naps, [Duration::ZERO; 2]);
        stop.signalled.store(true, Ordering::SeqCst);
        assert!(!stop.nap_until_signal(now, &mut |_| panic!("it was told to stop")));
    }
}
