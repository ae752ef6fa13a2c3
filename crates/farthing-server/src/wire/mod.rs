//! The JSON wire types of the project: what the HTTP API and `--output json` write.
//!
//! Forms, everywhere the same: money is an exact decimal string without its currency, which
//! stands once beside it; times are RFC 3339 in UTC; durations are numbers of seconds (`_s`) or
//! milliseconds (`_ms`); ratios are numbers with at most six decimals, 1 = the whole; amounts of
//! resources are numbers of hours with at most nine decimals; what is not known is `null`. Keys may
//! be added, none is renamed.

mod allocation;
mod binding;
mod budget;
mod consolidation;
mod cost;
mod dag;
mod explain;
mod health;
mod heat;
mod hindsight;
mod idle;
mod journal;
mod ladder;
mod offers;
mod packing;
mod plan;
mod prices;
mod scalar;
mod service;
mod step;
mod tick;
mod verify;
mod world;

pub use allocation::{allocations, assets};
pub use binding::BindingJson;
pub use budget::{
    AllowedJson, AnomalyJson, BudgetRungJson, BudgetStateJson, BurnJson, ClaimJson, DriverJson,
    ForecastJson, PeriodJson, ShortJson, Taken, budget_states, claim, looked, short,
};
pub use consolidation::{
    ConsolidationJson, ConsolidationStepJson, StillWaitingJson, consolidation,
};
pub use cost::{
    CorrectionJson, CostJson, CostRowJson, UnpricedJson, corrections, cost, reconciliation,
};
pub use dag::{
    AlternativeJson, BaselineJson, DagPlanJson, DagStepJson, ObstacleJson, SearchJson,
    TransferJson, dag_plan,
};
pub use explain::{ExplanationJson, LineJson, SampleJson, explanation};
pub use health::{HealthJson, ScoresJson, health, scores};
pub use heat::{AmountsJson, NodeUseJson, UseJson, UtilisationOverTimeJson, utilisation_over_time};
pub use hindsight::{Hind, HindsightJson, PastPolicyJson, PastRowJson, PastWaitJson, hindsight};
pub use idle::{DeviceJson, DeviceVerdictJson, IdleJson, LadderJson, RungJson, VerdictJson, idle};
pub use journal::{PageJson, RecordJson, record};
pub use ladder::{LadderStepJson, ReliefCutJson, ReliefJson};
pub use offers::{Book, Listed, Listing, NearJson, OfferJson, OffersJson, offers};
pub use packing::{PackedNodeJson, PackedStepJson, PackingJson, PackingSearchJson, packing};
pub use plan::{
    BudgetJson, CutJson, PlacementJson, PlanJson, SolverJson, StepJson, UtilisationJson,
    WaitingJson, plan,
};
pub use prices::{PricePointJson, PriceSeriesJson, PricesJson, price_series};
pub use scalar::WindowJson;
pub use service::{
    BucketJson, DayJson, MixJson, ServiceJson, SpanJson, SpanReplicasJson, TakenJson,
};
pub use step::{HappenedJson, OpenStepJson, StoryJson, open_step, open_steps, story};
pub(crate) use tick::utilisation;
pub use tick::{
    AgeJson, HeldJson, ReceiptJson, ResourceJson, TickBudgetJson, TickJson, VerifiedJson,
    WorkloadsJson, WorldJson, tick,
};
pub use verify::{CheckJson, FaultJson, JournalCheck, VerifyJson, verify};
pub use world::{CapacityJson, MachineJson, NodeJson, SnapshotJson, WorkloadJson, snapshot};
