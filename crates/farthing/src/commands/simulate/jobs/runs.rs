//! Every run that was asked for, on as many cores as there are.

use super::asked::Wanted;
use crate::commands::simulate::file::unreadable;
use crate::commands::simulate::pool;
use crate::print::Progress;
use farthing_model::ClusterId;
use farthing_sim::cluster::{
    ClusterError, ClusterRule, ClusterRun, ClusterSpec, Replay, replay_cluster,
};
use farthing_sim::trace::jobs::JobStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// One policy with one seed on one variant of the cluster.
pub(super) struct Ran {
    pub(super) rule: ClusterRule,
    pub(super) variant: usize,
    pub(super) run: ClusterRun,
    pub(super) took: Duration,
}

/// How far all of it is.
struct Board {
    started: Instant,
    /// Jobs of the trace, as soon as one run has read it to its end.
    jobs: AtomicU64,
    /// Jobs that each run has read.
    read: Vec<AtomicU64>,
    progress: Mutex<Progress>,
}

/// All runs, by variant, then policy, then seed.
pub(super) fn all(wanted: &Wanted) -> anyhow::Result<Vec<Ran>> {
    let mut asked: Vec<(usize, ClusterRule, u64)> = Vec::new();
    for variant in 0..wanted.variants.len() {
        for rule in &wanted.rules {
            asked.extend(wanted.seeds.iter().map(|seed| (variant, *rule, *seed)));
        }
    }
    let board = Board {
        started: Instant::now(),
        jobs: AtomicU64::new(0),
        read: asked.iter().map(|_| AtomicU64::new(0)).collect(),
        progress: Mutex::new(Progress::new()),
    };
    let ran = pool::all(asked.len(), |at| one_run(wanted, asked[at], (&board, at)));
    if let Ok(mut progress) = board.progress.into_inner() {
        progress.end();
    }
    ran
}

fn one_run(
    wanted: &Wanted,
    (variant, rule, seed): (usize, ClusterRule, u64),
    (board, at): (&Board, usize),
) -> anyhow::Result<Ran> {
    let started = Instant::now();
    let jobs = wanted.format.open(&wanted.trace).map_err(ClusterError::Trace).map_err(failed)?;
    let jobs: JobStream = Box::new(jobs.take(wanted.limit));
    let spec = ClusterSpec { seed, ..wanted.variants[variant].1.clone() };
    let cluster = ClusterId::new(&format!("simulated-{}-{rule}", wanted.format))?;
    if let Some(books) = &wanted.books {
        books.forget(&cluster)?;
    }
    let replay = Replay { spec: &spec, rule, cluster: &cluster, books: wanted.books.as_ref() };
    let run = replay_cluster(&replay, jobs, &|read| board.tell((wanted, rule), at, read));
    let run = run.map_err(failed)?;
    board.jobs.store(run.jobs, Ordering::Relaxed);
    board.read[at].store(run.jobs, Ordering::Relaxed);
    Ok(Ran { rule, variant, run, took: started.elapsed() })
}

fn failed(error: ClusterError) -> anyhow::Error {
    let ClusterError::Trace(error) = error else { return error.into() };
    unreadable("--trace", &error).into()
}

impl Board {
    /// One line on a terminal: how many jobs of how many, and how long it will take.
    fn tell(&self, (wanted, rule): (&Wanted, ClusterRule), at: usize, read: u64) {
        self.read[at].store(read, Ordering::Relaxed);
        let Ok(mut progress) = self.progress.try_lock() else { return };
        let done: u64 = self.read.iter().map(|read| read.load(Ordering::Relaxed)).sum();
        let runs = self.read.len();
        let known = self.jobs.load(Ordering::Relaxed);
        let format = wanted.format;
        if known == 0 {
            progress.tell(&format!("{format}: {rule}, {read} jobs of run {} of {runs}", at + 1));
            return;
        }
        let all = known * runs as u64;
        let gone = self.started.elapsed().as_secs();
        let left = gone * all.saturating_sub(done) / done.max(1);
        progress.tell(&format!("{format}: {done} of {all} jobs in {runs} runs, {left} s left"));
    }
}
