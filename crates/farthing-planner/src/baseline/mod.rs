//! Policies to compare with: how people place work today, each as published, defects and all.
//!
//! A baseline sees the same input as [`plan`](crate::plan()) and answers in the same shape, with
//! no bound, so that reports stand side by side. None of them ever exceeds a hard budget or the
//! nodes that can be had, and none touches what is placed already. Start with [`plan_as`];
//! [`reference`] is what savings are measured against.

mod draft;
mod ffd;
mod fifo;
mod finish;
mod greedy;
mod member;

use crate::{Input, PlanError, Planned};
use draft::{Budgets, Draft};
use farthing_model::{Money, WorkloadId};
use std::{collections::BTreeMap, fmt, str::FromStr};

/// A policy to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Baseline {
    /// First come, first served, on demand: what happens without a planner.
    ///
    /// Members in the order of submission, then name. Each takes the first configuration that its
    /// throughput lists (the user's habit) on the on-demand or owned offer that can start it first,
    /// the cheapest per hour of those, ties in list order. A service gets replicas for its measured
    /// or else declared rate on the first accelerator listed that serves every bucket. It does not
    /// look at deadlines: a member that ends after its own is placed, and says so. Where a hard
    /// budget does not allow a place, the next one that it would take is tried; what it allows
    /// nowhere waits, and the next in the queue has its turn.
    Fifo,
    /// The seeds' rule: sort by performance per money, take the first resource that is dear
    /// enough, stop when none is.
    ///
    /// With `P` = offer rate x horizon and `U = min(1, run time / horizon)`, a task costs
    /// `C = U x P` (or its quoted cost) and has `R = value / C`, the best over all resources.
    /// Tasks go by `R` descending; each takes the first resource in list order with `P >= C`; a
    /// resource is used up when taken, unless `available` says that there are more. The first
    /// task that fits nowhere, or that a hard budget does not allow, ends it.
    ///
    /// Known defects, kept: a run longer than the horizon is charged the horizon and called done;
    /// deadlines are not looked at; where every task costs more than every resource, nothing is
    /// placed at all. The report notes each where it happens.
    GreedyR,
    /// First fit decreasing, then cheapest.
    ///
    /// Workloads by size (accelerators x run time) descending, then name. Each member takes the
    /// cheapest offer *per hour* that fits its resources, has its throughput, and can end it by
    /// the deadline, at the earliest start. It compares hours, not finished work, and never looks
    /// back.
    FfdCheapest,
}

impl Baseline {
    /// All, in the order of tables.
    pub const ALL: [Self; 3] = [Self::Fifo, Self::GreedyR, Self::FfdCheapest];

    /// The name in tables, flags and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fifo => "fifo",
            Self::GreedyR => "greedy-r",
            Self::FfdCheapest => "ffd-cheapest",
        }
    }
}

impl FromStr for Baseline {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|baseline| baseline.name() == text)
            .ok_or_else(|| format!("`{text}` is not a baseline: fifo, greedy-r or ffd-cheapest"))
    }
}

impl fmt::Display for Baseline {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

/// What `baseline` does with `input`, in the shape of [`plan`](crate::plan()).
///
/// # Errors
/// Numbers that do not fit, or a plan id too long to name steps after. What cannot be placed is
/// no error: it waits, with its reason.
pub fn plan_as(baseline: Baseline, input: &Input) -> Result<Planned, PlanError> {
    let mut draft = Draft::new(input, Budgets::Hard)?;
    match baseline {
        Baseline::Fifo => fifo::place(&mut draft)?,
        Baseline::GreedyR => greedy::place(&mut draft)?,
        Baseline::FfdCheapest => ffd::place(&mut draft)?,
    }
    draft.finish(baseline.name(), &reference(input)?)
}

/// What [`Baseline::Fifo`] would pay for each workload that is not placed yet, with no budget in
/// its way: the whole of a job's remaining members, a service over the horizon at its measured
/// or else declared rate.
///
/// A workload of which fifo cannot place everything is absent. Already placed members do not
/// count.
///
/// # Errors
/// Numbers that do not fit.
pub fn reference(input: &Input) -> Result<BTreeMap<WorkloadId, Money>, PlanError> {
    let mut draft = Draft::new(input, Budgets::Ignored)?;
    fifo::place(&mut draft)?;
    draft.costs_of_the_whole()
}
