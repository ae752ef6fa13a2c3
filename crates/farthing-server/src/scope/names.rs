//! Names of others in texts for people: a reason may say who is in the way.

use super::Teams;
use farthing_model::{Budget, Scope, Snapshot, TeamId};
use std::collections::{BTreeSet, HashSet};

/// What is shown instead of a text that names others.
pub(super) const HIDDEN: &str = "for a reason that names others";

/// What is his of what is known by name, and what is not.
#[derive(Debug, Default)]
pub(super) struct Names {
    own: HashSet<String>,
    others: HashSet<String>,
    /// His teams.
    teams: BTreeSet<String>,
}

impl Names {
    /// The workloads of a snapshot, their teams, and budgets.
    pub(super) fn of<'a>(
        teams: &Teams,
        snapshots: impl IntoIterator<Item = &'a Snapshot>,
        budgets: impl IntoIterator<Item = &'a Budget>,
    ) -> Self {
        let his = teams.iter().map(ToString::to_string).collect();
        let mut names = Self { teams: his, ..Self::default() };
        for observed in snapshots.into_iter().flat_map(|snapshot| &snapshot.workloads) {
            let workload = &observed.workload;
            let is_own = workload.team.as_ref().is_some_and(|team| teams.contains(team));
            let all = if is_own { &mut names.own } else { &mut names.others };
            all.insert(workload.id.to_string());
            if let Some(team) = workload.team.as_ref().filter(|team| !teams.contains(*team)) {
                names.others.insert(team.to_string());
            }
        }
        for budget in budgets {
            let all = if sees(teams, budget) { &mut names.own } else { &mut names.others };
            all.insert(budget.id.to_string());
            let others = of_teams(&budget.scope).filter(|team| !teams.contains(*team));
            names.others.extend(others.map(ToString::to_string));
        }
        // Of a name that both have, nothing is his.
        names.own.retain(|name| !names.others.contains(name));
        names
    }

    /// Adds what the books know of workloads that are gone.
    pub(super) fn and(mut self, own: BTreeSet<String>, others: BTreeSet<String>) -> Self {
        self.others.extend(others);
        self.own.extend(own);
        self.own.retain(|name| !self.others.contains(name));
        self
    }

    /// Whether a workload is his.
    pub(super) fn owns(&self, workload: &str) -> bool {
        self.own.contains(workload)
    }

    /// Whether a team is his.
    pub(super) fn is_his(&self, team: &str) -> bool {
        self.teams.contains(team)
    }

    /// A text, unless it names what is not his.
    pub(super) fn text(&self, text: &str) -> String {
        let edge = |letter: char| letter.is_whitespace() || "`'\",()[]{}<>=|".contains(letter);
        let trim = |word: &str| word.trim_matches([';', ':', '.', '!', '?']).to_owned();
        let mut words = text.split(edge).map(trim);
        if words.any(|word| self.others.contains(&word)) {
            return HIDDEN.to_owned();
        }
        text.to_owned()
    }
}

/// Whether a budget is of his teams. What is of more than a team is not: its sums are others' too.
pub(super) fn sees(teams: &Teams, budget: &Budget) -> bool {
    of_teams(&budget.scope).any(|team| teams.contains(team))
}

/// The team that a scope lies within, if it lies within one.
fn of_teams(scope: &Scope) -> impl Iterator<Item = &TeamId> {
    scope.conditions().into_iter().filter_map(|condition| match condition {
        Scope::Team(team) => Some(team),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_names_others_is_not_shown() {
        let names = Names::default().and(
            BTreeSet::from(["finetune".to_owned()]),
            BTreeSet::from(["chat".to_owned(), "product".to_owned(), "a/b".to_owned()]),
        );
        for text in [
            "waits for chat",
            "waits for `chat`.",
            "budget of team=product holds (chat: 3 members)",
            "after a/b, which ends",
        ] {
            assert_eq!(names.text(text), HIDDEN, "{text}");
        }
        for text in ["cheapest of 14", "finetune runs here", "chatty words, productive ones"] {
            assert_eq!(names.text(text), text);
        }
    }
}
