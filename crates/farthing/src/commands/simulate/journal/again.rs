//! The recorded plans, made again by the planner that runs live: as they were, and with something
//! set otherwise.
//!
//! Each plan is made from exactly what was known when it was made. What is set otherwise changes
//! that plan alone: what would have been done after it is not known, as the world was what the
//! recorded plan made of it.

use crate::inputs;
use farthing_engine::{Again, PlanRecord, Planner, decide_again};
use farthing_ledger::Choice;
use farthing_model::{Money, Resource};
use farthing_planner::Input;
use serde_json::{Value, json};
use std::path::Path;

/// Plans that are named; the others are counted.
const NAMED_MAX: usize = 20;

/// What came of making plans again.
#[derive(Default)]
pub(super) struct Replay {
    /// Plans that were made again.
    pub(super) made: u64,
    /// Plans of which nobody kept what they were made from.
    pub(super) not_kept: u64,
    /// Those that came out otherwise than recorded, and how.
    pub(super) differ: Vec<(String, &'static str)>,
    /// For each choice.
    pub(super) choices: Vec<Otherwise>,
}

/// What one choice changes.
#[derive(Clone, Default)]
pub(super) struct Otherwise {
    /// Plans that would have been others.
    pub(super) changed: u64,
    /// Plans that the checker would have refused, or that could not be made.
    pub(super) refused: u64,
    /// Of the plans that would have been others: what they would have cost less, in 10^-12, each
    /// over its horizon, and how many members more would have waited.
    pub(super) saving: i128,
    pub(super) waits: i64,
    named: Vec<Value>,
}

impl Replay {
    pub(super) fn new(choices: usize) -> Self {
        Self { choices: vec![Otherwise::default(); choices], ..Self::default() }
    }

    /// Makes a recorded plan again.
    ///
    /// # Errors
    /// What was kept cannot be read, or not be planned for.
    pub(super) fn plan(
        &mut self,
        folder: &Path,
        recorded: &PlanRecord,
        choices: &[(String, Choice)],
    ) -> anyhow::Result<()> {
        let Some(input) = inputs::of_plan(folder, &recorded.plan)? else {
            self.not_kept += 1;
            return Ok(());
        };
        self.made += 1;
        let again = decide_again(Planner::Farthing, &input)?;
        if let Some(what) = differs(recorded, &again)? {
            self.differ.push((recorded.plan.clone(), what));
        }
        for ((_, choice), otherwise) in choices.iter().zip(&mut self.choices) {
            let mut input = input.clone();
            set(&mut input, *choice);
            match decide_again(Planner::Farthing, &input) {
                Ok(other) if other.refused.is_empty() => otherwise.compare(&again, &other)?,
                Ok(_) | Err(_) => otherwise.refused += 1,
            }
        }
        Ok(())
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let Self { made, not_kept, .. } = self;
        if self.made == 0 {
            return format!(
                "{not_kept} plans were recorded without what they were made from: none is made \
                 again"
            );
        }
        let without = if *not_kept > 0 {
            format!(", {not_kept} were recorded without what they were made from")
        } else {
            String::new()
        };
        let same = if self.differ.is_empty() {
            "each is the recorded one, byte for byte".to_owned()
        } else {
            let named = self.differ.iter().take(NAMED_MAX);
            let named = named.map(|(plan, what)| format!("{plan} ({what})"));
            format!("{} are others: {}", self.differ.len(), named.collect::<Vec<_>>().join(", "))
        };
        format!("{made} plans were made again: {same}{without}")
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        json!({
            "made": self.made,
            "same": self.made - u64::try_from(self.differ.len()).unwrap_or(u64::MAX),
            "not_kept": self.not_kept,
            "differ": self.differ.iter().map(|(plan, _)| plan).collect::<Vec<_>>(),
        })
    }
}

impl Otherwise {
    /// Counts a plan, if it is another one.
    fn compare(&mut self, was: &Again, other: &Again) -> anyhow::Result<()> {
        if was.record == other.record {
            return Ok(());
        }
        self.changed += 1;
        let cost = |again: &Again| again.planned.report.cost;
        let saving = cost(was).checked_sub(cost(other))?;
        let waits = waiting(other) - waiting(was);
        self.saving += saving.pico();
        self.waits += waits;
        if self.named.len() < NAMED_MAX {
            self.named.push(json!({
                "plan": was.record.plan,
                "at": was.planned.report.horizon.from().to_string(),
                "cost": cost(was).to_decimal(),
                "cost_otherwise": cost(other).to_decimal(),
                "steps": was.record.steps.len(),
                "steps_otherwise": other.record.steps.len(),
                "waiting": waiting(was),
                "waiting_otherwise": waiting(other),
            }));
        }
        Ok(())
    }

    /// What its plans would have cost less.
    pub(super) fn saved(&self, currency: farthing_model::Currency) -> Money {
        Money::from_pico(self.saving, currency)
    }

    /// For programs.
    pub(super) fn json(&self, currency: farthing_model::Currency) -> Value {
        json!({
            "plans_changed": self.changed,
            "plans_refused": self.refused,
            "planned_saving": self.saved(currency).to_decimal(),
            "more_waiting": self.waits,
            "plans": self.named,
        })
    }
}

fn waiting(again: &Again) -> i64 {
    again.record.waiting.iter().map(|waiting| i64::from(waiting.members)).sum()
}

/// How a plan that was made again is another one than was recorded.
fn differs(recorded: &PlanRecord, again: &Again) -> anyhow::Result<Option<&'static str>> {
    if !again.refused.is_empty() {
        return Ok(Some("the checker refuses it"));
    }
    // Byte for byte as in the journal, whose records are these bytes.
    if serde_json::to_vec(recorded)? == serde_json::to_vec(&again.record)? {
        return Ok(None);
    }
    Ok(Some(if recorded.steps != again.record.steps {
        "other steps"
    } else if recorded.cost != again.record.cost {
        "another cost"
    } else {
        "another report"
    }))
}

/// Sets something otherwise than it was.
fn set(input: &mut Input, choice: Choice) {
    match choice {
        Choice::Reserve(reserve) => {
            input.policy.bands.get_mut(Resource::Gpu).reserve = reserve;
        }
        Choice::Release { after, idle_too: false } => input.policy.idle_release = after,
        // What is stopped because it is idle is stopped beside the plan.
        Choice::Release { .. } | Choice::Paid(_) | Choice::Cheapest => {}
    }
}
