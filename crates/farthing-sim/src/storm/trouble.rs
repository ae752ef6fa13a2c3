//! What can go wrong in a run, what a controller does meanwhile, and how often both met.

use crate::faults::{FaultKind, FaultRates};
use std::fmt;

/// Something that goes wrong. The first twelve happen in the world itself; the others between the
/// controller and what is outside of it, or with the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// A node is gone without notice.
    NodeLoss,
    /// A spot node is taken away.
    SpotKill,
    /// A node takes longer to boot.
    BootDelay,
    /// An offer has nothing left although it says so.
    NoCapacity,
    /// A step fails before it took effect, without a receipt.
    ActError,
    /// The target changes between being seen and being acted on.
    Conflict,
    /// A step takes effect, and the answer is lost.
    Timeout,
    /// The world is shown as it was before, and says so.
    StaleObservation,
    /// A node is not measured in a window.
    PartialTelemetry,
    /// A sample comes twice.
    DuplicateSample,
    /// Samples come in another order.
    SampleOrder,
    /// A price changes inside of an hour.
    PriceChange,
    /// Workloads are shown as they were before, nodes as they are; the ages say so.
    WatchGap,
    /// One workload is shown as it was before, and nothing says so.
    MissedEvent,
    /// A sample holds a number that stands for "no number": below zero, or beyond all machines.
    Sentinel,
    /// A counter began anew: nobody knows what was used of a resource of a node.
    CounterReset,
    /// The other side cannot be reached: nothing took effect.
    ApiError,
    /// It took effect, and the answer is lost.
    LostAnswer,
    /// Nothing can be written for some ticks, neither to the journal nor to the books.
    DiskFull,
    /// The clock jumps ahead.
    ClockAhead,
    /// The clock jumps back.
    ClockBack,
    /// The controller stops before a call took effect.
    StopBefore,
    /// The controller stops after a call took effect, and nobody heard.
    StopAfter,
    /// Another controller runs a tick in the middle of this one's.
    Meeting,
    /// This one sleeps in the middle of its tick, and another one takes the lead.
    LostLease,
}

impl Trouble {
    /// All, in the order of tables.
    pub const ALL: [Self; 25] = [
        Self::NodeLoss,
        Self::SpotKill,
        Self::BootDelay,
        Self::NoCapacity,
        Self::ActError,
        Self::Conflict,
        Self::Timeout,
        Self::StaleObservation,
        Self::PartialTelemetry,
        Self::DuplicateSample,
        Self::SampleOrder,
        Self::PriceChange,
        Self::WatchGap,
        Self::MissedEvent,
        Self::Sentinel,
        Self::CounterReset,
        Self::ApiError,
        Self::LostAnswer,
        Self::DiskFull,
        Self::ClockAhead,
        Self::ClockBack,
        Self::StopBefore,
        Self::StopAfter,
        Self::Meeting,
        Self::LostLease,
    ];

    /// The name in tables and in the text of a case; faults of the world have theirs.
    pub const fn name(self) -> &'static str {
        if let Some(kind) = self.in_world() {
            return kind.name();
        }
        match self {
            Self::WatchGap => "watch-gap",
            Self::MissedEvent => "missed-event",
            Self::Sentinel => "sentinel",
            Self::CounterReset => "counter-reset",
            Self::ApiError => "api-error",
            Self::LostAnswer => "lost-answer",
            Self::DiskFull => "disk-full",
            Self::ClockAhead => "clock-ahead",
            Self::ClockBack => "clock-back",
            Self::StopBefore => "stop-before",
            Self::StopAfter => "stop-after",
            Self::Meeting => "meeting",
            Self::LostLease => "lost-lease",
            _ => "",
        }
    }

    /// The trouble of a name, if there is one.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trouble| trouble.name() == name)
    }

    /// How often it strikes by itself, in parts per million of what [`FaultRates`] counts, or of
    /// calls, observations, samples or ticks.
    pub(super) const fn rate(self) -> u32 {
        match self {
            Self::NodeLoss => 30_000,
            Self::SpotKill => 200_000,
            Self::BootDelay | Self::SampleOrder | Self::PriceChange | Self::WatchGap => 100_000,
            Self::NoCapacity | Self::ActError | Self::Conflict | Self::Timeout => 60_000,
            Self::StaleObservation | Self::MissedEvent => 50_000,
            Self::PartialTelemetry | Self::ClockAhead | Self::ClockBack => 20_000,
            Self::DuplicateSample | Self::Sentinel | Self::CounterReset | Self::Meeting => 10_000,
            Self::ApiError | Self::LostAnswer | Self::LostLease => 4_000,
            Self::DiskFull => 15_000,
            Self::StopBefore | Self::StopAfter => 2_500,
        }
    }

    /// The fault of the world that it is, if it is one.
    pub(super) const fn in_world(self) -> Option<FaultKind> {
        Some(match self {
            Self::NodeLoss => FaultKind::NodeLoss,
            Self::SpotKill => FaultKind::SpotKill,
            Self::BootDelay => FaultKind::BootDelay,
            Self::NoCapacity => FaultKind::NoCapacity,
            Self::ActError => FaultKind::ActError,
            Self::Conflict => FaultKind::Conflict,
            Self::Timeout => FaultKind::Timeout,
            Self::StaleObservation => FaultKind::StaleObservation,
            Self::PartialTelemetry => FaultKind::PartialTelemetry,
            Self::DuplicateSample => FaultKind::DuplicateSample,
            Self::SampleOrder => FaultKind::SampleOrder,
            Self::PriceChange => FaultKind::PriceChange,
            _ => return None,
        })
    }

    /// Whether it can strike during an operation. What has no operation of its own strikes while
    /// time passes, which is when the world is looked at or asked.
    pub const fn can_meet(self, during: Op) -> bool {
        match self {
            Self::NodeLoss | Self::SpotKill | Self::PriceChange => {
                matches!(during, Op::Observe | Op::Ask)
            }
            Self::BootDelay | Self::NoCapacity => matches!(during, Op::Start | Op::Scale),
            Self::ActError | Self::Timeout => during.is_act(),
            Self::Conflict => during.is_act() && !matches!(during, Op::Release),
            Self::StaleObservation
            | Self::WatchGap
            | Self::MissedEvent
            | Self::ClockAhead
            | Self::ClockBack => matches!(during, Op::Observe),
            Self::PartialTelemetry
            | Self::DuplicateSample
            | Self::SampleOrder
            | Self::Sentinel
            | Self::CounterReset => matches!(during, Op::Measure),
            Self::ApiError => !during.is_act(),
            Self::LostAnswer => during.is_write() || matches!(during, Op::Undo),
            Self::DiskFull => during.is_write() && !matches!(during, Op::DeleteBooks),
            Self::StopBefore | Self::StopAfter | Self::Meeting | Self::LostLease => true,
        }
    }
}

/// Rates of the world for the troubles that are on, times `percent`.
pub(super) fn world_rates(on: impl Fn(Trouble) -> bool, percent: u32) -> FaultRates {
    let rate = |trouble: Trouble| if on(trouble) { trouble.rate() / 100 * percent } else { 0 };
    FaultRates {
        node_loss_per_hour: rate(Trouble::NodeLoss),
        spot_kill_per_hour: rate(Trouble::SpotKill),
        boot_delay: rate(Trouble::BootDelay),
        no_capacity: rate(Trouble::NoCapacity),
        act_error: rate(Trouble::ActError),
        conflict: rate(Trouble::Conflict),
        timeout: rate(Trouble::Timeout),
        stale_observation: rate(Trouble::StaleObservation),
        partial_telemetry: rate(Trouble::PartialTelemetry),
        duplicate_sample: rate(Trouble::DuplicateSample),
        sample_order: rate(Trouble::SampleOrder),
        price_change_per_hour: rate(Trouble::PriceChange),
        clock_jump: 0,
    }
}

/// What a controller does with the outside: each is a call that can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    /// Look at the world.
    Observe,
    /// Measure a window.
    Measure,
    /// Ask for offers.
    Quote,
    /// Start members of a job.
    Start,
    /// Set the replicas of a service.
    Scale,
    /// Suspend a job.
    Suspend,
    /// Resume a job.
    Resume,
    /// Give a node back.
    Release,
    /// Ask what became of a step.
    Ask,
    /// Take a step back.
    Undo,
    /// Read the journal.
    ReadJournal,
    /// Write a plan.
    WritePlan,
    /// Write that a step is about to be done, with what is set aside for it.
    WriteIntent,
    /// Write what came of a step.
    WriteReceipt,
    /// Write what was posted for a step that ended.
    WriteSettlement,
    /// Write anything else: a run that begins or ends, a person's word, a note.
    WriteNote,
    /// Keep the telemetry of a tick.
    KeepTelemetry,
    /// Fold the telemetry of an hour into one file.
    FoldTelemetry,
    /// Put the charges of an hour in the place of those that were there.
    PostCharges,
    /// Read a file of the books.
    ReadBooks,
    /// List the files of the books.
    ListBooks,
    /// Delete a file of the books.
    DeleteBooks,
}

impl Op {
    /// All, in the order of tables.
    pub const ALL: [Self; 22] = [
        Self::Observe,
        Self::Measure,
        Self::Quote,
        Self::Start,
        Self::Scale,
        Self::Suspend,
        Self::Resume,
        Self::Release,
        Self::Ask,
        Self::Undo,
        Self::ReadJournal,
        Self::WritePlan,
        Self::WriteIntent,
        Self::WriteReceipt,
        Self::WriteSettlement,
        Self::WriteNote,
        Self::KeepTelemetry,
        Self::FoldTelemetry,
        Self::PostCharges,
        Self::ReadBooks,
        Self::ListBooks,
        Self::DeleteBooks,
    ];

    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Measure => "measure",
            Self::Quote => "quote",
            Self::Start => "start",
            Self::Scale => "scale",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Release => "release",
            Self::Ask => "ask",
            Self::Undo => "undo",
            Self::ReadJournal => "read-journal",
            Self::WritePlan => "write-plan",
            Self::WriteIntent => "write-intent",
            Self::WriteReceipt => "write-receipt",
            Self::WriteSettlement => "write-settlement",
            Self::WriteNote => "write-note",
            Self::KeepTelemetry => "keep-telemetry",
            Self::FoldTelemetry => "fold-telemetry",
            Self::PostCharges => "post-charges",
            Self::ReadBooks => "read-books",
            Self::ListBooks => "list-books",
            Self::DeleteBooks => "delete-books",
        }
    }

    /// Whether it is a step in the world.
    pub(super) const fn is_act(self) -> bool {
        matches!(self, Self::Start | Self::Scale | Self::Suspend | Self::Resume | Self::Release)
    }

    /// Whether it writes to the journal.
    pub(super) const fn is_record(self) -> bool {
        matches!(
            self,
            Self::WritePlan
                | Self::WriteIntent
                | Self::WriteReceipt
                | Self::WriteSettlement
                | Self::WriteNote
        )
    }

    /// Whether it writes to the journal or changes the books.
    pub(super) const fn is_write(self) -> bool {
        self.is_record()
            || matches!(
                self,
                Self::KeepTelemetry | Self::FoldTelemetry | Self::PostCharges | Self::DeleteBooks
            )
    }
}

/// How often each operation was done, and how often each trouble met it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    ops: [u64; Op::ALL.len()],
    met: [[u64; Op::ALL.len()]; Trouble::ALL.len()],
}

impl Default for Coverage {
    fn default() -> Self {
        Self { ops: [0; Op::ALL.len()], met: [[0; Op::ALL.len()]; Trouble::ALL.len()] }
    }
}

impl Coverage {
    pub(super) const fn did(&mut self, op: Op) {
        self.ops[op as usize] += 1;
    }

    pub(super) const fn struck(&mut self, trouble: Trouble, during: Op, times: u64) {
        self.met[trouble as usize][during as usize] += times;
    }

    /// How often an operation was done.
    pub const fn of(&self, op: Op) -> u64 {
        self.ops[op as usize]
    }

    /// How often a trouble struck.
    pub fn strikes(&self, trouble: Trouble) -> u64 {
        self.met[trouble as usize].iter().sum()
    }

    /// How often a trouble struck during an operation.
    pub const fn met(&self, trouble: Trouble, during: Op) -> u64 {
        self.met[trouble as usize][during as usize]
    }

    /// Adds what another run met.
    pub fn add(&mut self, other: &Self) {
        for (sum, more) in self.ops.iter_mut().zip(other.ops) {
            *sum += more;
        }
        for (sums, more) in self.met.iter_mut().zip(&other.met) {
            for (sum, more) in sums.iter_mut().zip(more) {
                *sum += more;
            }
        }
    }

    /// The pairs that can meet.
    pub fn pairs() -> impl Iterator<Item = (Trouble, Op)> {
        let pair = |trouble: Trouble| Op::ALL.into_iter().map(move |op| (trouble, op));
        Trouble::ALL.into_iter().flat_map(pair).filter(|(trouble, op)| trouble.can_meet(*op))
    }

    /// The pairs that can meet and never did.
    pub fn never_met(&self) -> Vec<(Trouble, Op)> {
        Self::pairs().filter(|(trouble, op)| self.met(*trouble, *op) == 0).collect()
    }
}

impl fmt::Display for Coverage {
    /// A row for each trouble: how often it struck, and during what.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for trouble in Trouble::ALL {
            let during = Op::ALL.into_iter().filter(|op| self.met(trouble, *op) > 0);
            let during = during.map(|op| format!("{} {}", op.name(), self.met(trouble, op)));
            let during: Vec<String> = during.collect();
            writeln!(
                out,
                "{:<18}{:>8}  {}",
                trouble.name(),
                self.strikes(trouble),
                during.join(", ")
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_places_agree() {
        for (index, trouble) in Trouble::ALL.into_iter().enumerate() {
            assert_eq!(trouble as usize, index);
            assert!(!trouble.name().is_empty());
            assert_eq!(Trouble::named(trouble.name()), Some(trouble));
            assert!(Op::ALL.into_iter().any(|op| trouble.can_meet(op)), "{}", trouble.name());
        }
        for (index, op) in Op::ALL.into_iter().enumerate() {
            assert_eq!(op as usize, index);
        }
    }

    #[test]
    fn what_was_met_is_counted_and_what_was_not_is_listed() {
        let mut one = Coverage::default();
        let all = Coverage::pairs().count();
        assert_eq!(one.never_met().len(), all);
        one.struck(Trouble::DiskFull, Op::WritePlan, 2);
        let mut sum = one.clone();
        sum.add(&one);
        assert_eq!(sum.met(Trouble::DiskFull, Op::WritePlan), 4);
        assert_eq!(sum.strikes(Trouble::DiskFull), 4);
        assert_eq!(sum.never_met().len(), all - 1);
        assert!(sum.to_string().contains("write-plan 4"), "{sum}");
    }
}
