//! Requests to a model, served by replicas: how many of which kind, and how soon they answer.
//!
//! Start with [`Served`]; `asked` reads the arguments, `answer` sums up.

mod answer;
mod asked;

use super::file::unreadable;
use super::format::{Asked, Format, Policies};
use super::result::Simulated;
use crate::plot;
use crate::print::Progress;
use asked::Wanted;
use farthing_model::ClusterId;
use farthing_sim::cluster::ClusterError;
use farthing_sim::cluster::serving::{Service, ServingRule, ServingRun, Survey, serve};
use farthing_sim::trace::requests::RequestFormat;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A trace of requests, written in some form.
pub(super) struct Served(pub(super) RequestFormat);

/// One policy.
struct Ran {
    rule: ServingRule,
    run: ServingRun,
    took: Duration,
}

impl Format for Served {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn what(&self) -> &'static str {
        self.0.what()
    }

    fn takes(&self) -> &'static [&'static str] {
        &[
            "--cluster",
            "--price",
            "--prices",
            "--throughput",
            "--variant",
            "--limit",
            "--seed",
            "--set",
            "--plot",
        ]
    }

    fn policies(&self) -> Policies {
        let all = &["farthing", "static-peak", "hpa"];
        Policies { all, usual: all }
    }

    fn run(&self, asked: &Asked<'_>) -> anyhow::Result<Simulated> {
        let wanted = Wanted::read(asked, self.0)?;
        let survey = Survey::of(&wanted.kinds, wanted.open()?, wanted.limit);
        let survey = survey.map_err(|error| unreadable("--trace", &error))?;
        let ran = all(&wanted, &survey)?;
        if let Some(path) = &asked.args.plot {
            plot::write(path, &answer::picture(&wanted, &ran))?;
        }
        answer::simulated(&wanted, &ran)
    }
}

/// All policies, as many at a time as there are cores.
fn all(wanted: &Wanted<'_>, survey: &Survey) -> anyhow::Result<Vec<Ran>> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let progress = Mutex::new(Progress::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        while let Some(rule) = wanted.rules.get(next.fetch_add(1, Ordering::Relaxed)) {
            let ran = one(wanted, (survey, *rule), &progress);
            if let Ok(mut done) = done.lock() {
                done.push((*rule, ran));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads.min(wanted.rules.len()) {
            scope.spawn(work);
        }
    });
    if let Ok(mut progress) = progress.into_inner() {
        progress.end();
    }
    let mut done = done.into_inner().map_err(|_| anyhow::anyhow!("a replay broke off"))?;
    let place = |rule: &ServingRule| wanted.rules.iter().position(|other| other == rule);
    done.sort_by_key(|(rule, _)| place(rule));
    done.into_iter().map(|(_, ran)| ran).collect()
}

fn one(
    wanted: &Wanted<'_>,
    (survey, rule): (&Survey, ServingRule),
    progress: &Mutex<Progress>,
) -> anyhow::Result<Ran> {
    let started = Instant::now();
    let cluster = ClusterId::new(&format!("simulated-{}-{rule}", wanted.format))?;
    if let Some(books) = &wanted.books {
        books.forget(&cluster)?;
    }
    let service = Service {
        spec: &wanted.spec,
        kinds: &wanted.kinds,
        survey,
        rule,
        cluster: &cluster,
        books: wanted.books.as_ref(),
        limit: wanted.limit,
    };
    let all = survey.requests();
    let told = |count: u64| {
        let Ok(mut progress) = progress.try_lock() else { return };
        let gone = started.elapsed().as_secs();
        let left = gone * all.saturating_sub(count) / count.max(1);
        progress
            .tell(&format!("{}: {rule}, {count} of {all} requests, {left} s left", wanted.format));
    };
    let run = serve(&service, wanted.open()?, &told).map_err(|error| match error {
        ClusterError::Trace(error) => unreadable("--trace", &error).into(),
        other => anyhow::Error::new(other),
    })?;
    Ok(Ran { rule, run, took: started.elapsed() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policies_are_those_of_the_simulator() {
        let all = ServingRule::ALL.map(|(_, name)| name);
        assert_eq!(Served(RequestFormat::AzureLlm).policies().all, all);
    }
}
