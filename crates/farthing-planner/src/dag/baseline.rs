//! What simpler rules make of the same DAG, within the same deadlines, caps and limits: what people
//! and other planners do by hand. Nothing here is searched, and nothing of it reaches the plan.

use super::candidate::{Candidate, Candidates};
use super::explain::Report;
use super::hours;
use super::program::{Label, Transfer};
use super::report::DagBaseline;
use farthing_model::{Money, Objective};
use jiff::SignedDuration;
use std::collections::BTreeSet;

impl Report<'_, '_> {
    /// The outcome of every rule.
    pub(super) fn baselines(&self, candidates: &[Candidates]) -> Vec<DagBaseline> {
        let cheapest = self.each(candidates, |it| (it.cost, i128::from(it.run)));
        let fastest = self.each(candidates, |it| (i128::from(it.run), it.cost));
        let rules = [
            ("cheapest-each", self.judged(&cheapest)),
            ("fastest-each", self.judged(&fastest)),
            ("step-by-step", self.judged(&self.in_order(candidates))),
            ("one-region", self.one_region(candidates)),
        ];
        rules.into_iter().map(|(name, outcome)| DagBaseline { name, outcome }).collect()
    }

    /// Each task on its own cheapest offer, blind to egress, if that is in time and priced.
    pub(super) fn reference(&self, candidates: &[Candidates]) -> Option<(Money, Vec<Label>)> {
        let labels = self.each(candidates, |it| (it.cost, i128::from(it.run)));
        let sum = self.program.sum(&labels);
        let in_time = self.are_in_time(&labels);
        (sum.unpriced == 0 && in_time).then(|| (self.money(sum.known()), labels))
    }

    /// Each task on the best of its own offers, ties by offer.
    fn each(
        &self,
        candidates: &[Candidates],
        key: impl Fn(&Candidate) -> (i128, i128),
    ) -> Vec<Label> {
        let mut labels = self.chosen.labels.clone();
        for (label, candidates) in labels.iter_mut().zip(candidates) {
            let best = candidates.best.iter().min_by_key(|it| (key(it), it.offer));
            if let Some(best) = best {
                *label = self.label(best);
            }
        }
        labels
    }

    /// Each task in its turn where it is cheapest with the data that comes to it, blind to where
    /// its own data goes.
    fn in_order(&self, candidates: &[Candidates]) -> Vec<Label> {
        let mut labels = self.chosen.labels.clone();
        for vertex in &self.program.problem.timing.order {
            let Some(candidates) = candidates.get(*vertex) else { continue };
            let comes = |class: usize| {
                let mut sum = (0, 0);
                for transfer in self.coming(*vertex) {
                    match self.program.charge(transfer, labels[transfer.from].class, class) {
                        Some(charge) => sum.1 += charge,
                        None => sum.0 += u128::from(transfer.bytes),
                    }
                }
                sum
            };
            let best = candidates.best.iter().min_by_key(|it| {
                let (unpriced, moving) = comes(self.program.class(it));
                (unpriced, it.cost + moving, it.run, it.offer)
            });
            if let Some(best) = best {
                labels[*vertex] = self.label(best);
            }
        }
        labels
    }

    /// Everything in the region where that is best by the objective, each task on what is cheapest
    /// there.
    fn one_region(&self, candidates: &[Candidates]) -> Option<(Money, SignedDuration)> {
        let places: BTreeSet<u32> =
            candidates.iter().flat_map(|it| &it.best).map(|it| it.place).collect();
        let outcomes = places.into_iter().filter_map(|place| {
            let mut labels = self.chosen.labels.clone();
            for (label, candidates) in labels.iter_mut().zip(candidates) {
                let there = candidates.best.iter().filter(|it| it.place == place);
                let best = there.min_by_key(|it| (it.cost, it.run, it.offer))?;
                *label = self.label(best);
            }
            self.judged(&labels)
        });
        outcomes.min_by_key(|(cost, makespan)| match self.input.dag.objective {
            Objective::Time => (makespan.as_millis(), cost.pico()),
            Objective::Cost | Objective::Carbon => (0, cost.pico()),
        })
    }

    fn label(&self, candidate: &Candidate) -> Label {
        Label { candidate: Some(*candidate), class: self.program.class(candidate) }
    }

    /// Cost and length of a choice, if it keeps all that a plan must keep.
    fn judged(&self, labels: &[Label]) -> Option<(Money, SignedDuration)> {
        let sum = self.program.sum(labels);
        let ends = self.ends(labels);
        let in_time = self.are_in_time(labels);
        let cap = self.input.dag.cost_max.map_or(i128::MAX, Money::pico);
        let affordable = sum.known() <= cap && self.takes(labels);
        let holds = sum.unpriced == 0 && in_time && affordable && self.are_there(labels);
        let last = ends.into_iter().max().unwrap_or(0);
        holds.then(|| (self.money(sum.known()), SignedDuration::from_millis(last)))
    }

    /// Whether it takes no more accelerator time than it may.
    fn takes(&self, labels: &[Label]) -> bool {
        let (dag, market) = (self.input.dag, self.program.market);
        let Some(cap) = dag.gpu_hours_max_milli else { return true };
        let of = dag.tasks.iter().zip(labels).filter_map(|(task, label)| {
            let candidate = label.candidate?;
            let count = market.count[candidate.offer as usize];
            Some(hours::taken(count, task.nodes, candidate.run))
        });
        of.sum::<i128>() <= hours::cap(cap)
    }

    /// Whether nothing is late, with late boots where the plan is in time with them.
    fn are_in_time(&self, labels: &[Label]) -> bool {
        let ends = self.ends_of(labels, |label| self.run(label));
        ends.iter().zip(&self.chosen.due).all(|(end, due)| end <= due)
    }

    /// When each vertex ends.
    fn ends(&self, labels: &[Label]) -> Vec<i64> {
        self.ends_of(labels, Label::run)
    }

    fn ends_of(&self, labels: &[Label], run: impl Fn(&Label) -> i64) -> Vec<i64> {
        let mut ends = vec![0_i64; labels.len()];
        for vertex in &self.program.problem.timing.order {
            let ready = self.coming(*vertex).map(|transfer| {
                let (from, to) = (labels[transfer.from].class, labels[transfer.to].class);
                ends[transfer.from].saturating_add(self.delay(transfer, from, to))
            });
            let ready = ready.max().unwrap_or(0);
            ends[*vertex] = ready.saturating_add(run(&labels[*vertex]));
        }
        ends
    }

    /// Whether there are as many nodes as are held at once.
    fn are_there(&self, labels: &[Label]) -> bool {
        let ends = self.ends(labels);
        let start = |task: usize| ends[task] - labels[task].run();
        let offer = |task: usize| labels[task].candidate.map(|it| it.offer);
        (0..self.program.tasks).all(|task| {
            let Some(own) = offer(task) else { return true };
            let Some(available) = self.program.market.offer(own).available else { return true };
            let held = (0..self.program.tasks).filter(|other| {
                let at_once = start(*other) <= start(task) && start(task) < ends[*other];
                offer(*other) == Some(own) && at_once
            });
            let held: u64 = held.map(|it| u64::from(self.input.dag.tasks[it].nodes)).sum();
            held <= available.into()
        })
    }

    fn coming(&self, vertex: usize) -> impl Iterator<Item = &Transfer> {
        let transfers = self.around[vertex].iter().map(|at| &self.program.transfers[*at]);
        transfers.filter(move |transfer| transfer.to == vertex)
    }
}
