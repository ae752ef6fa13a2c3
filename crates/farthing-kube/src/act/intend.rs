//! From a step and the objects as they are to what is changed in them, or why nothing is.
//!
//! Each function makes changes and calls nothing. Start at [`suspend`].

use super::change::{Change, Field, Object, REPLICAS_BEFORE, at, step_of, text};
use super::table::{Steered, steered};
use super::{Stop, conflict, guard, held};
use crate::object::wish;
use serde_json::{Value, json};

/// The annotation by which KEDA keeps a target at a number of replicas.
const KEDA_PAUSED: &str = "autoscaling.keda.sh/paused-replicas";

/// An object that was looked at, and what it is.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) kind: &'static Steered,
    pub(crate) object: Object,
    pub(crate) value: Value,
}

impl Seen {
    /// What an answer of the server is about.
    pub(crate) fn of(kind: &'static Steered, value: Value) -> Self {
        let name = |path: &[&str]| text(&value, path).map(ToOwned::to_owned);
        let object = Object {
            kind: kind.kind.to_owned(),
            namespace: name(&["metadata", "namespace"]),
            name: name(&["metadata", "name"]).unwrap_or_default(),
            uid: name(&["metadata", "uid"]).unwrap_or_default(),
        };
        Self { kind, object, value }
    }

    /// A number for what is wanted of it.
    pub(crate) fn wish(&self) -> u64 {
        let generation = at(&self.value, &["metadata", "generation"]).and_then(Value::as_i64);
        let version = text(&self.value, &["metadata", "resourceVersion"]).unwrap_or_default();
        wish(&self.object.uid, generation.unwrap_or(0), version)
    }

    pub(crate) fn change(&self, fields: Vec<Field>) -> Change {
        let mark = step_of(&self.value).map(str::to_owned);
        Change { object: self.object.clone(), wish: self.wish(), mark, fields }
    }

    fn number(&self, path: &[&str]) -> Option<u64> {
        at(&self.value, path).and_then(Value::as_u64)
    }

    /// Whether it is a job that is held back.
    pub(super) fn is_suspended(&self) -> bool {
        !self.kind.suspend.is_empty() && self.is(self.kind.suspend)
    }

    fn is(&self, path: &[&str]) -> bool {
        at(&self.value, path).and_then(Value::as_bool) == Some(true)
    }
}

/// Whether a job has ended.
pub(super) fn is_over(job: &Seen) -> bool {
    let conditions = at(&job.value, &["status", "conditions"]).and_then(Value::as_array);
    conditions.into_iter().flatten().any(|condition| {
        let kind = text(condition, &["type"]).unwrap_or_default();
        text(condition, &["status"]) == Some("True")
            && ["Complete", "Completed", "Succeeded", "Failed"].contains(&kind)
    })
}

fn suspend_field(job: &Seen) -> Result<&'static [&'static str], Stop> {
    match job.kind.suspend {
        [] => Err(held(format!("{}: its kind cannot be suspended", job.object))),
        field => Ok(field),
    }
}

/// Holds a running job back.
pub(crate) fn suspend(job: &Seen) -> Result<Vec<Change>, Stop> {
    let field = suspend_field(job)?;
    guard::may_be_interrupted(&job.value, &job.object.to_string())?;
    if job.is(field) {
        return Err(conflict(format!("{} is suspended already", job.object)));
    }
    if is_over(job) {
        return Err(conflict(format!("{} is over", job.object)));
    }
    Ok(vec![job.change(vec![Field::set(&job.value, field, json!(true))])])
}

/// Lets a job go on.
pub(crate) fn resume(job: &Seen) -> Result<Vec<Change>, Stop> {
    let field = suspend_field(job)?;
    guard::held_by_kueue(&job.value, &job.object.to_string())?;
    if !job.is(field) {
        return Err(conflict(format!("{} is not suspended", job.object)));
    }
    Ok(vec![job.change(vec![Field::set(&job.value, field, json!(false))])])
}

/// Sets the replicas of a service, through its autoscaler where it has one.
pub(crate) fn scale(
    service: &Seen,
    (from, to): (u32, u32),
    autoscaler: Option<&Seen>,
) -> Result<Vec<Change>, Stop> {
    let named = &service.object;
    if service.kind.replicas.is_empty() {
        return Err(held(format!("{named}: its kind has no replicas of its own")));
    }
    // Where the field is not there, the server means one.
    let now = service.number(service.kind.replicas).unwrap_or(1);
    if now != u64::from(from) {
        return Err(conflict(format!(
            "{named} has {now} replicas, not the {from} that the step is about"
        )));
    }
    guard::may_have(&service.value, to, &named.to_string())?;
    match autoscaler {
        Some(scaler) if scaler.kind.kind == "ScaledObject" => Ok(vec![keda(scaler, (from, to))]),
        // An autoscaler of Kubernetes rests while its target has no replicas, and takes over again
        // when it has some: only then are its bounds what decides.
        Some(scaler) if from > 0 && to > 0 => Ok(vec![bounds(scaler, (from, to))]),
        _ => Ok(vec![service.change(replicas(service, (from, to)))]),
    }
}

fn replicas(service: &Seen, (from, to): (u32, u32)) -> Vec<Field> {
    let annotation = ["metadata", "annotations", REPLICAS_BEFORE];
    let before = if to == 0 {
        Field::set(&service.value, &annotation, json!(from.to_string()))
    } else {
        Field::unset(&service.value, &annotation)
    };
    let mut fields = vec![Field::set(&service.value, service.kind.replicas, json!(to)), before];
    fields.retain(|field| !field.is_nothing());
    fields
}

/// Fewer: no more than so many. More: no less than so many.
fn bounds(scaler: &Seen, (from, to): (u32, u32)) -> Change {
    let (least, most) = (["spec", "minReplicas"], ["spec", "maxReplicas"]);
    narrowed(scaler, (&least, &most), (from, to))
}

fn narrowed(scaler: &Seen, (least, most): (&[&str], &[&str]), (from, to): (u32, u32)) -> Change {
    let to = u64::from(to);
    let (min, max) = (scaler.number(least).unwrap_or(1), scaler.number(most).unwrap_or(100));
    let (min, max) = if to < u64::from(from) { (min.min(to), to) } else { (to, max.max(to)) };
    let mut fields = vec![
        Field::set(&scaler.value, least, json!(min)),
        Field::set(&scaler.value, most, json!(max)),
    ];
    fields.retain(|field| !field.is_nothing());
    scaler.change(fields)
}

/// KEDA makes an autoscaler of its own and puts it right when it is changed: its own object is what
/// counts, and to none it is told by an annotation.
fn keda(scaler: &Seen, (from, to): (u32, u32)) -> Change {
    let paused = ["metadata", "annotations", KEDA_PAUSED];
    if to == 0 {
        return scaler.change(vec![Field::set(&scaler.value, &paused, json!("0"))]);
    }
    if at(&scaler.value, &paused).is_some() {
        return scaler.change(vec![Field::unset(&scaler.value, &paused)]);
    }
    let (least, most) = (["spec", "minReplicaCount"], ["spec", "maxReplicaCount"]);
    narrowed(scaler, (&least, &most), (from, to))
}

/// Whether an autoscaler is for a service.
pub(crate) fn is_for(scaler: &Value, service: &Object) -> bool {
    let target = ["spec", "scaleTargetRef"];
    let of = |name: &str| at(scaler, &target).and_then(|target| text(target, &[name]));
    // KEDA means a Deployment where nothing is said.
    of("name") == Some(&service.name) && of("kind").unwrap_or("Deployment") == service.kind
}

/// A list of autoscalers as the server says it, those for a service.
pub(crate) fn autoscalers(list: &Value, kind: &str, service: &Object) -> Vec<Seen> {
    let items = at(list, &["items"]).and_then(Value::as_array).into_iter().flatten();
    let own = items.filter(|item| is_for(item, service));
    own.filter_map(|item| Some(Seen::of(steered(kind)?, item.clone()))).collect()
}
