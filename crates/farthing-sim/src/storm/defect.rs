//! Defects: what a controller, a journal, a world or the books may get wrong, put between a sound
//! engine and a sound world as it would look from outside. They show that the laws see what they
//! are there for; nothing of the product knows of them.

use super::laws::Law;
use crate::storm::trouble::Trouble;
use farthing_edge::{Measured, NewRecord, Record, RecordKind};
use farthing_engine::{Body, Config};
use farthing_model::{Coverage, Limit, Mode, Money, NodeId, Ratio, Snapshot};

/// Something that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// The journal answers before it has written: what was appended last is gone after a crash.
    LosesARecord,
    /// The journal takes what was decided before others wrote.
    IgnoresAConflict,
    /// Who lost the lease goes on writing.
    SkipsTheLease,
    /// A step is begun and nobody wrote that it would be.
    WritesNoIntent,
    /// What came of a step is never written down.
    WritesNoReceipt,
    /// A reservation is forgotten.
    ForgetsAReservation,
    /// Half of what a step costs is set aside.
    ReservesHalf,
    /// What was set aside is freed again and again.
    SettlesTwice,
    /// What was set aside is never freed.
    ForgetsToSettle,
    /// The posted amount of a settled step is another one.
    SettlesMore,
    /// The world does a step whenever it is asked, under a name of its own.
    ActsTwice,
    /// A step is tried again after a time-out, as if it had not been done.
    TriesAgain,
    /// A step that was refused, as its target had changed, counts as done.
    TakesARefusalForDone,
    /// The world forgets what it did.
    Forgets,
    /// The world never says what became of a step.
    NeverAnswers,
    /// A step that is taken back is not.
    UndoesNothing,
    /// Old data is shown as fresh.
    ShowsOldAsFresh,
    /// What was not measured counts as measured.
    HidesAGap,
    /// A node is left out of what is measured.
    MissesANode,
    /// A node is measured twice, by two names.
    MetersTwice,
    /// A price that changed inside of a window counts from its end.
    TakesTheOldPrice,
    /// A window that could not be measured counts as one in which nothing was paid.
    TakesAFailureForNothing,
    /// The engine is not told of a budget's limit.
    OverlooksABudget,
    /// The engine is not told how many steps an hour and nodes a tick may have.
    OverlooksALimit,
    /// The engine acts where it was to ask.
    AsksNobody,
    /// The books answer before they have kept the telemetry.
    LosesTelemetry,
    /// The books answer before they have posted the charges.
    LosesCharges,
}

impl Defect {
    /// All, in the order of tables.
    pub const ALL: [Self; 27] = [
        Self::LosesARecord,
        Self::IgnoresAConflict,
        Self::SkipsTheLease,
        Self::WritesNoIntent,
        Self::WritesNoReceipt,
        Self::ForgetsAReservation,
        Self::ReservesHalf,
        Self::SettlesTwice,
        Self::ForgetsToSettle,
        Self::SettlesMore,
        Self::ActsTwice,
        Self::TriesAgain,
        Self::TakesARefusalForDone,
        Self::Forgets,
        Self::NeverAnswers,
        Self::UndoesNothing,
        Self::ShowsOldAsFresh,
        Self::HidesAGap,
        Self::MissesANode,
        Self::MetersTwice,
        Self::TakesTheOldPrice,
        Self::TakesAFailureForNothing,
        Self::OverlooksABudget,
        Self::OverlooksALimit,
        Self::AsksNobody,
        Self::LosesTelemetry,
        Self::LosesCharges,
    ];

    /// The name in tables and in the text of a case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LosesARecord => "loses-a-record",
            Self::IgnoresAConflict => "ignores-a-conflict",
            Self::SkipsTheLease => "skips-the-lease",
            Self::WritesNoIntent => "writes-no-intent",
            Self::WritesNoReceipt => "writes-no-receipt",
            Self::ForgetsAReservation => "forgets-a-reservation",
            Self::ReservesHalf => "reserves-half",
            Self::SettlesTwice => "settles-twice",
            Self::ForgetsToSettle => "forgets-to-settle",
            Self::SettlesMore => "settles-more",
            Self::ActsTwice => "acts-twice",
            Self::TriesAgain => "tries-again",
            Self::TakesARefusalForDone => "takes-a-refusal-for-done",
            Self::Forgets => "forgets",
            Self::NeverAnswers => "never-answers",
            Self::UndoesNothing => "undoes-nothing",
            Self::ShowsOldAsFresh => "shows-old-as-fresh",
            Self::HidesAGap => "hides-a-gap",
            Self::MissesANode => "misses-a-node",
            Self::MetersTwice => "meters-twice",
            Self::TakesTheOldPrice => "takes-the-old-price",
            Self::TakesAFailureForNothing => "takes-a-failure-for-nothing",
            Self::OverlooksABudget => "overlooks-a-budget",
            Self::OverlooksALimit => "overlooks-a-limit",
            Self::AsksNobody => "asks-nobody",
            Self::LosesTelemetry => "loses-telemetry",
            Self::LosesCharges => "loses-charges",
        }
    }

    /// The defect of a name, if there is one.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|defect| defect.name() == name)
    }

    /// The laws of which one must be broken by it.
    pub const fn breaches(self) -> &'static [Law] {
        match self {
            Self::LosesARecord => &[Law::ChainHolds, Law::JournalIsWorld],
            Self::IgnoresAConflict => &[Law::ChainHolds],
            Self::SkipsTheLease => &[Law::OneLeader],
            Self::WritesNoIntent => &[Law::OnceEach, Law::JournalIsWorld],
            Self::WritesNoReceipt | Self::NeverAnswers => &[Law::NoneLost],
            Self::ForgetsAReservation | Self::ReservesHalf => &[Law::ReservedFirst],
            Self::SettlesTwice | Self::ActsTwice => &[Law::OnceEach],
            Self::ForgetsToSettle => &[Law::NothingStaysOpen],
            Self::SettlesMore => &[Law::SettledIsPosted],
            Self::TriesAgain | Self::TakesARefusalForDone | Self::Forgets => {
                &[Law::JournalIsWorld, Law::OnceEach]
            }
            Self::UndoesNothing => &[Law::UndoRestores],
            Self::ShowsOldAsFresh | Self::HidesAGap => &[Law::DataIsFresh],
            Self::MissesANode | Self::MetersTwice | Self::TakesTheOldPrice => &[Law::PaidIsBill],
            Self::TakesAFailureForNothing => &[Law::GapsAreTold],
            Self::OverlooksABudget => &[Law::BudgetHolds],
            Self::OverlooksALimit => &[Law::LimitsHold],
            Self::AsksNobody => &[Law::ApprovedFirst],
            Self::LosesTelemetry => &[Law::BooksVerify, Law::PaidIsBill],
            Self::LosesCharges => &[Law::PaidIsBill, Law::BooksVerify],
        }
    }

    /// What must go wrong beside it for it to be seen.
    pub const fn needs(self) -> &'static [Trouble] {
        match self {
            Self::LosesARecord => &[Trouble::StopAfter],
            Self::IgnoresAConflict => &[Trouble::Meeting],
            Self::SkipsTheLease => &[Trouble::LostLease],
            Self::NeverAnswers | Self::TriesAgain | Self::Forgets => &[Trouble::Timeout],
            Self::TakesARefusalForDone => &[Trouble::Conflict],
            Self::ShowsOldAsFresh => &[Trouble::StaleObservation],
            Self::HidesAGap => &[Trouble::PartialTelemetry],
            Self::TakesTheOldPrice => &[Trouble::PriceChange],
            Self::TakesAFailureForNothing => &[Trouble::ApiError],
            _ => &[],
        }
    }

    /// What is written in place of some records.
    pub(super) fn writes(self, records: &[NewRecord]) -> Vec<NewRecord> {
        let changed = |record: &NewRecord| match (self, record.kind) {
            (Self::WritesNoIntent, RecordKind::Intended)
            | (Self::WritesNoReceipt, RecordKind::Receipted)
            | (Self::ForgetsAReservation, RecordKind::Reserved)
            | (Self::ForgetsToSettle, RecordKind::Settled) => Vec::new(),
            (Self::SettlesTwice, RecordKind::Settled) => vec![record.clone(), record.clone()],
            (Self::SettlesMore, RecordKind::Settled)
            | (Self::ReservesHalf, RecordKind::Reserved) => vec![other_amount(record)],
            _ => vec![record.clone()],
        };
        records.iter().flat_map(changed).collect()
    }

    /// What is told in place of a configuration.
    pub(super) fn tells(self, config: &mut Config) {
        match self {
            Self::OverlooksABudget => {
                for budget in &mut config.budgets {
                    if let Limit::Money(limit) = budget.limit {
                        let more = limit.pico().saturating_mul(1_000);
                        budget.limit = Limit::Money(Money::from_pico(more, limit.currency()));
                    }
                    budget.escalate.clear();
                }
            }
            Self::OverlooksALimit => {
                let limits = &mut config.policy.limits;
                (limits.steps_per_hour, limits.nodes_per_tick) = (u32::MAX, u32::MAX);
            }
            Self::AsksNobody => config.policy.mode = Mode::Enforce,
            // What was measured is told truly, and the limit on it is not.
            Self::HidesAGap => config.policy.limits.coverage_min = Ratio::ZERO,
            _ => {}
        }
    }

    /// What is shown in place of a snapshot.
    pub(super) fn shows(self, snapshot: &mut Snapshot) {
        match self {
            Self::ShowsOldAsFresh => {
                let at = snapshot.at;
                snapshot.ages.iter_mut().for_each(|age| age.as_of = at);
            }
            Self::HidesAGap => snapshot.coverage = Coverage::default(),
            _ => {}
        }
    }

    /// What is measured in place of what was.
    pub(super) fn measures(self, measured: &mut Measured) {
        match self {
            Self::MissesANode => drop(measured.spans.pop()),
            Self::MetersTwice => {
                if let Some(mut again) = measured.spans.last().cloned()
                    && let Ok(node) = NodeId::new(&format!("{}-again", again.node))
                {
                    again.node = node;
                    measured.spans.push(again);
                }
            }
            Self::TakesTheOldPrice => {
                for index in 1..measured.spans.len() {
                    if measured.spans[index].node == measured.spans[index - 1].node {
                        measured.spans[index].price = measured.spans[index - 1].price.clone();
                    }
                }
            }
            _ => {}
        }
    }
}

/// A settlement of one unit more, or a reservation of half.
fn other_amount(record: &NewRecord) -> NewRecord {
    let NewRecord { at, kind, body } = record.clone();
    let (previous, hash) = ([0; 32], [0; 32]);
    let body = match Body::read(&Record { seq: 1, at, kind, body, previous, hash }) {
        Ok(Body::Settled { step, posted }) => {
            let more = |money: Money| Money::from_pico(money.pico() + 1, money.currency());
            let posted = posted.parse().map(|money| more(money).to_string()).unwrap_or(posted);
            Body::Settled { step, posted }
        }
        Ok(Body::Reserved { step, workload, amount, posted_before, budgets, until, gpu }) => {
            let half = |money: Money| Money::from_pico(money.pico() / 2, money.currency());
            let amount = amount.parse().map(|money| half(money).to_string()).unwrap_or(amount);
            Body::Reserved { step, workload, amount, posted_before, budgets, until, gpu }
        }
        _ => return record.clone(),
    };
    body.seal(at).unwrap_or_else(|_| record.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_defect_has_a_name_and_laws_that_it_breaks() {
        for defect in Defect::ALL {
            assert_eq!(Defect::named(defect.name()), Some(defect));
            assert!(!defect.breaches().is_empty());
        }
    }
}
