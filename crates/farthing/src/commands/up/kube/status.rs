//! What the loop says of an object that tells it something, as the object's `status`.

use super::told::Verdict;
use farthing_engine::Exposure;
use farthing_ledger::Outlook;
use farthing_model::{Limit, Money, MoneyError, gpu_hours};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Places of money in a status: as a bill has it. What is spent changes with every tick, and what
/// is written costs everybody who watches.
const PLACES: u32 = 2;

/// `Accepted`, with what the object is to do with the loop.
pub(super) fn verdict(verdict: &Verdict) -> Value {
    let Verdict { generation, why, stays } = verdict;
    let (status, reason, message) = match why {
        None => ("True", "InForce", "in force as it stands".to_owned()),
        Some(why) if *stays => {
            ("False", "Wrong", format!("{why}; what it said before stays in force"))
        }
        Some(why) => ("False", "Wrong", format!("{why}; nothing of it is in force")),
    };
    let mut accepted = condition("Accepted", status, (reason, &message));
    accepted["observedGeneration"] = json!(generation);
    json!({ "observedGeneration": generation, "conditions": [accepted] })
}

/// A condition; when it became what it is is known to whoever writes it.
pub(super) fn condition(name: &str, status: &str, (reason, message): (&str, &str)) -> Value {
    json!({ "type": name, "status": status, "reason": reason, "message": message })
}

/// A Budget: how it stands, where it is in force.
pub(super) fn budget(
    told: &Verdict,
    stands: Option<(&Exposure, Option<&Outlook>)>,
) -> Result<Value, MoneyError> {
    let mut status = verdict(told);
    let Some((exposure, outlook)) = stands else { return Ok(status) };
    let state = &exposure.state;
    let mut period = json!({ "from": state.period.from().to_string() });
    if state.period.to() != Timestamp::MAX {
        period["to"] = json!(state.period.to().to_string());
    }
    status["period"] = period;
    status["limit"] = json!(text(state.limit.amount()));
    let (spent, committed, reserved) = match state.limit {
        Limit::Money(_) => (state.spent, state.committed, exposure.claimed),
        Limit::GpuHoursMilli(_) => {
            let claimed = gpu_hours(exposure.gpu_claimed_milli);
            (gpu_hours(exposure.gpu_hours_milli), claimed, claimed)
        }
    };
    status["spent"] = json!(text(spent));
    status["committed"] = json!(text(committed));
    status["reserved"] = json!(text(reserved));
    // What is looked ahead at is money.
    let ahead = outlook.and_then(|it| it.ahead.as_ref()).filter(|_| is_money(state.limit));
    if let Some(ahead) = ahead {
        status["forecast"] = json!(text(ahead.p50));
    }
    if let Some(gone) = exposure.gone()? {
        status["gone"] = json!(percent(gone.ppm()));
    }
    if let Some(rung) = exposure.rung()? {
        status["rung"] = json!(format!("{}: {}", percent(rung.at.ppm()), rung.action.name()));
    }
    Ok(status)
}

const fn is_money(limit: Limit) -> bool {
    matches!(limit, Limit::Money(_))
}

fn text(money: Money) -> String {
    format!("{} {}", money.rounded(PLACES), money.currency())
}

fn percent(ppm: u32) -> String {
    format!("{}.{}%", ppm / 10_000, ppm % 10_000 / 1_000)
}
