//! `binding`: what binds a plan, and what slack would be worth.

use farthing_engine::planner::{Sensitivity, Worth};
use serde::Serialize;

/// A constraint, some slack of it, and what that would change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BindingJson {
    /// `budget`, `capacity`, `deadline` or `residency`.
    pub constraint: &'static str,
    /// The budget, offer or workload.
    pub of: String,
    /// The slack: `+85 USD`, `+1 node`, `+6h`, `none` (no deadline), `anywhere`.
    pub slack: String,
    /// How much more the plan would cost; negative where it saves.
    pub cost_change: String,
    /// How much more value would be done.
    pub value_change: String,
    /// How many more members would be placed.
    pub members_change: i64,
    /// How many seconds sooner all would be done, where that is what the plan is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sooner_s: Option<i64>,
    /// Whether both plans are proven optimal.
    pub exact: bool,
}

/// The wire form of what binds.
pub(super) fn binding(sensitivity: &Sensitivity) -> Vec<BindingJson> {
    sensitivity.binding.iter().map(BindingJson::of).collect()
}

impl BindingJson {
    fn of(worth: &Worth) -> Self {
        let (constraint, of, slack) = worth.slack.told();
        Self {
            constraint,
            of,
            slack,
            cost_change: worth.cost.to_decimal(),
            value_change: worth.value.to_string(),
            members_change: worth.members,
            sooner_s: Some(worth.sooner.as_secs()).filter(|seconds| *seconds != 0),
            exact: worth.exact,
        }
    }
}
