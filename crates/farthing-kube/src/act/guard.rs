//! What may be touched: what objects and their namespaces say about it, and what never is.
//!
//! Annotations of an object or its namespace: `farthing.dev/exclude` (never touched),
//! `farthing.dev/managed` (`"true"` where only what is managed is touched; `"false"`: not this
//! one), `farthing.dev/interruptible` of a job (`"true"`, or what it takes:
//! `checkpoint=120s,restart=10m`), `farthing.dev/elastic` of what does with any number of members
//! between two (`min=2,max=8`, and `of=NAME` where it has several groups of them). Refuses to know
//! what is to be done; start at [`Rules::allow`].

use super::change::{at, text};
use super::{Stop, held};
use farthing_model::{Interruptible, is_excluded, yes_or_no};
use jiff::SignedDuration;
use serde_json::Value;
use std::collections::BTreeSet;

/// What runs the cluster itself is left alone.
const SYSTEM: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];
/// How long pods get to end where they do not say it.
const GRACE_S: i64 = 30;
/// The label by which Kueue takes a job over.
const QUEUE: &str = "kueue.x-k8s.io/queue-name";

/// What a person says about what may be touched, beside annotations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Only what says `farthing.dev/managed: "true"`, or whose namespace does.
    pub only_managed: bool,
    /// Namespaces that are never touched, beside those of the system.
    pub excluded: BTreeSet<String>,
}

/// An annotation of ours on an object.
fn mark<'v>(object: &'v Value, name: &str) -> Option<&'v str> {
    text(object, &["metadata", "annotations", &format!("farthing.dev/{name}")])
}

impl Rules {
    /// Whether an object may be touched. `named` is what it is called.
    pub(crate) fn allow(
        &self,
        object: &Value,
        namespace: Option<&Value>,
        named: &str,
    ) -> Result<(), Stop> {
        if let Some(name) = namespace.and_then(|it| text(it, &["metadata", "name"]))
            && (SYSTEM.contains(&name) || self.excluded.contains(name))
        {
            return Err(held(format!("{named}: the namespace {name} is left alone")));
        }
        let of_namespace = |name: &str| namespace.and_then(|namespace| mark(namespace, name));
        if mark(object, "exclude").is_some_and(is_excluded) {
            return Err(held(format!("{named} says farthing.dev/exclude: it is left alone")));
        }
        if of_namespace("exclude").is_some_and(is_excluded) {
            let why = "its namespace says farthing.dev/exclude: it is left alone";
            return Err(held(format!("{named}: {why}")));
        }
        let read = |said: Option<&str>| {
            said.map(yes_or_no)
                .transpose()
                .map_err(|why| held(format!("{named}: farthing.dev/managed {why}")))
        };
        let managed = read(mark(object, "managed"))?;
        if managed == Some(false) {
            return Err(held(format!("{named} says farthing.dev/managed: \"false\"")));
        }
        let managed = match managed {
            None => read(of_namespace("managed"))?,
            own => own,
        };
        if self.only_managed && managed != Some(true) {
            return Err(held(format!("{named} does not say farthing.dev/managed: \"true\"")));
        }
        Ok(())
    }
}

/// Whether a job may be interrupted, and whether its pods get the time that a checkpoint takes.
pub(crate) fn may_be_interrupted(job: &Value, named: &str) -> Result<(), Stop> {
    held_by_kueue(job, named)?;
    let says = mark(job, "interruptible").filter(|said| yes_or_no(said) != Ok(false));
    let Some(said) = says else {
        let why = "must not be interrupted: it does not say farthing.dev/interruptible";
        return Err(held(format!("{named} {why}")));
    };
    let interruptible = interruptible(said)
        .map_err(|why| held(format!("{named}: farthing.dev/interruptible `{said}`: {why}")))?;
    let grace = grace_s(job).unwrap_or(GRACE_S);
    let checkpoint = interruptible.checkpoint.as_secs();
    if checkpoint > grace {
        return Err(held(format!(
            "{named}: its pods get {grace} s to end and a checkpoint takes {checkpoint} s: raise \
             terminationGracePeriodSeconds"
        )));
    }
    Ok(())
}

/// A job in a queue of Kueue is Kueue's to hold and to let go.
pub(crate) fn held_by_kueue(job: &Value, named: &str) -> Result<(), Stop> {
    match text(job, &["metadata", "labels", QUEUE]) {
        Some(queue) => {
            Err(held(format!("{named} is in the queue {queue} of Kueue, which holds it")))
        }
        None => Ok(()),
    }
}

/// How a job takes an interruption, as an annotation says it. `true`: at once.
///
/// # Errors
/// It is neither `true` nor `checkpoint=DURATION,restart=DURATION`, of which one is enough.
pub(crate) fn interruptible(said: &str) -> Result<Interruptible, String> {
    let mut found =
        Interruptible { checkpoint: SignedDuration::ZERO, restart: SignedDuration::ZERO };
    if !said.trim().is_empty() && yes_or_no(said) == Ok(true) {
        return Ok(found);
    }
    for part in said.split(',') {
        let form = || "write it like `true` or `checkpoint=120s,restart=10m`".to_owned();
        let (name, length) = part.split_once('=').ok_or_else(form)?;
        let length: SignedDuration = length.trim().parse().map_err(|_| form())?;
        if length.is_negative() {
            return Err(form());
        }
        match name.trim() {
            "checkpoint" => found.checkpoint = length,
            "restart" => found.restart = length,
            _ => return Err(form()),
        }
    }
    Ok(found)
}

/// The fewest and the most members, as an annotation says them.
///
/// # Errors
/// As of [`elastic_of`].
pub(crate) fn elastic(said: &str) -> Result<(u32, u32), String> {
    elastic_of(said).map(|(least, most, _)| (least, most))
}

/// The fewest and the most members, and of which group of them, where that is said.
///
/// # Errors
/// It is not `min=NUMBER,max=NUMBER` with at least one, and no more at least than at most, and
/// `of=NAME` where there are several groups.
pub(crate) fn elastic_of(said: &str) -> Result<(u32, u32, Option<&str>), String> {
    let form = || "write it like `min=2,max=8`".to_owned();
    let (mut least, mut most, mut of) = (None, None, None);
    for part in said.split(',') {
        let (name, value) = part.split_once('=').ok_or_else(form)?;
        let (name, value) = (name.trim(), value.trim());
        let bound = match name {
            "min" => &mut least,
            "max" => &mut most,
            "of" if of.is_none() && !value.is_empty() => {
                of = Some(value);
                continue;
            }
            _ => return Err(form()),
        };
        if bound.replace(value.parse().map_err(|_| form())?).is_some() {
            return Err(form());
        }
    }
    match (least, most) {
        (Some(least), Some(most)) if 0 < least && least <= most => Ok((least, most, of)),
        _ => Err(form()),
    }
}

/// Whether something may have so many members: whoever says between how many is asked.
pub(crate) fn may_have(object: &Value, to: u32, named: &str) -> Result<(), Stop> {
    let Some(said) = mark(object, "elastic") else { return Ok(()) };
    let (least, most) = elastic(said)
        .map_err(|why| held(format!("{named}: farthing.dev/elastic `{said}`: {why}")))?;
    if (least..=most).contains(&to) {
        return Ok(());
    }
    Err(held(format!("{named} says farthing.dev/elastic: \"{said}\", and {to} is not within that")))
}

/// The least time that any of an owner's pods gets to end; `None` where it has no template.
fn grace_s(object: &Value) -> Option<i64> {
    match object {
        Value::Object(fields) if fields.get("containers").is_some_and(Value::is_array) => {
            let said = at(object, &["terminationGracePeriodSeconds"]).and_then(Value::as_i64);
            Some(said.unwrap_or(GRACE_S))
        }
        Value::Object(fields) => fields.values().filter_map(grace_s).min(),
        Value::Array(items) => items.iter().filter_map(grace_s).min(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn why(allowed: Result<(), Stop>) -> String {
        match allowed {
            Err(Stop::Held(why)) => why,
            other => format!("{other:?}"),
        }
    }

    fn object(annotations: &Value) -> Value {
        json!({"metadata": {"name": "n", "annotations": annotations}})
    }

    #[test]
    fn what_says_exclude_is_never_touched() {
        let nothing = object(&json!({}));
        let exclude = object(&json!({"farthing.dev/exclude": ""}));
        let rules = Rules::default();
        let allow = |one: &Value, other: &Value| rules.allow(one, Some(other), "Job n/j");
        assert!(allow(&nothing, &nothing).is_ok());
        assert!(why(allow(&exclude, &nothing)).contains("says farthing.dev/exclude"));
        assert!(why(allow(&nothing, &exclude)).contains("its namespace says"));
        assert!(allow(&object(&json!({"farthing.dev/exclude": "false"})), &nothing).is_ok());
        assert!(allow(&object(&json!({"farthing.dev/exclude": "No"})), &nothing).is_ok());
        let unclear = object(&json!({"farthing.dev/managed": "perhaps"}));
        let unclear = why(allow(&unclear, &nothing));
        assert!(unclear.contains("`perhaps` is neither yes nor no"), "{unclear}");
        let system = json!({"metadata": {"name": "kube-system"}});
        assert!(why(allow(&nothing, &system)).contains("kube-system is left alone"));
    }

    #[test]
    fn where_only_what_is_managed_is_touched_it_has_to_say_so() {
        let rules = Rules { only_managed: true, excluded: BTreeSet::from(["off".to_owned()]) };
        let (nothing, yes) = (object(&json!({})), object(&json!({"farthing.dev/managed": "true"})));
        let no = object(&json!({"farthing.dev/managed": "false"}));
        let allow = |one: &Value, other: &Value| rules.allow(one, Some(other), "Job n/j");
        assert!(why(allow(&nothing, &nothing)).contains("does not say farthing.dev/managed"));
        assert!(allow(&yes, &nothing).is_ok() && allow(&nothing, &yes).is_ok());
        assert!(why(allow(&no, &yes)).contains("\"false\""));
        assert!(why(Rules::default().allow(&no, None, "Job n/j")).contains("\"false\""));
        let off =
            json!({"metadata": {"name": "off", "annotations": {"farthing.dev/managed": "1"}}});
        assert!(why(allow(&yes, &off)).contains("the namespace off"));
    }

    #[test]
    fn a_job_says_what_an_interruption_takes() {
        let take = |checkpoint, restart| {
            let seconds = SignedDuration::from_secs;
            Ok(Interruptible { checkpoint: seconds(checkpoint), restart: seconds(restart) })
        };
        assert_eq!(interruptible("true"), take(0, 0));
        assert_eq!(interruptible("checkpoint=120s, restart=10m"), take(120, 600));
        assert_eq!(interruptible("restart=1h30m"), take(0, 5_400));
        for wrong in ["", "soon", "checkpoint", "checkpoint=2", "pause=1s", "checkpoint=-1s"] {
            assert!(interruptible(wrong).unwrap_err().contains("write it like"), "{wrong}");
        }
    }

    #[test]
    fn what_is_elastic_says_between_how_many() {
        assert_eq!(elastic("min=2,max=8"), Ok((2, 8)));
        assert_eq!(elastic(" max=3 , min=3 "), Ok((3, 3)));
        assert_eq!(elastic_of("min=1,max=4,of=gpu"), Ok((1, 4, Some("gpu"))));
        let twice = ["min=1,min=2,max=3", "min=1,max=2,of=a,of=b", "min=1,max=2,of="];
        for wrong in ["", "2-8", "min=2", "min=0,max=2", "min=4,max=3"].iter().chain(&twice) {
            assert!(elastic(wrong).unwrap_err().contains("write it like"), "{wrong}");
        }
        let chat = object(&json!({"farthing.dev/elastic": "min=2,max=8"}));
        assert!(may_have(&chat, 2, "c").is_ok() && may_have(&object(&json!({})), 0, "c").is_ok());
        assert!(why(may_have(&chat, 1, "Deployment s/c")).contains("1 is not within that"));
        let odd = object(&json!({"farthing.dev/elastic": "some"}));
        assert!(why(may_have(&odd, 3, "c")).contains("write it like"), "unknown is not any");
    }

    #[test]
    fn a_checkpoint_needs_its_time() {
        let job = |said: &str, grace: i64| {
            json!({
                "metadata": {"annotations": {"farthing.dev/interruptible": said}},
                "spec": {"replicatedJobs": [{"template": {"spec": {"template": {"spec": {
                    "containers": [{}], "terminationGracePeriodSeconds": grace}}}}}]},
            })
        };
        assert!(may_be_interrupted(&job("checkpoint=2m", 120), "j").is_ok());
        let short = why(may_be_interrupted(&job("checkpoint=2m", 60), "JobSet n/j"));
        assert!(short.contains("get 60 s to end and a checkpoint takes 120 s"), "{short}");
        assert!(
            why(may_be_interrupted(&job("false", 60), "j")).contains("must not be interrupted")
        );
        let mut queued = job("true", 30);
        queued["metadata"]["labels"] = json!({QUEUE: "gpus"});
        assert!(why(may_be_interrupted(&queued, "j")).contains("queue gpus of Kueue"));
    }
}
