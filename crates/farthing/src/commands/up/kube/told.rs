//! What a loop is told by objects in its cluster: read like files and together with those of
//! `--config`. Of an object that is wrong the last that was right stays. Refuses to know a server.

use farthing_kube::OurObject;
use farthing_model::{Currency, Limit};
use farthing_providers::manifest::{Fault, Given, IN_CLUSTER, Manifests, load_with};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Kinds that tell the loop something.
const KINDS: [&str; 3] = ["Budget", "Policy", "PriceBook"];

/// An object by kind and name.
pub(super) type Name = (String, String);

/// What came of reading an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// The generation that was read.
    pub(super) generation: i64,
    /// What is wrong with it; `None`: it is in force.
    pub(super) why: Option<String>,
    /// Whether an earlier version of it is in force instead.
    pub(super) stays: bool,
}

/// What was read.
pub(super) struct Reading {
    pub(super) manifests: Manifests,
    /// What is wrong in files.
    pub(super) of_files: Vec<Fault>,
}

/// The reader, with what was right before.
pub(super) struct Told {
    files: Vec<PathBuf>,
    /// That of the books: no other adds to them.
    currency: Currency,
    good: BTreeMap<Name, Given>,
    seen: Option<Vec<(Name, String, i64)>>,
    verdicts: BTreeMap<Name, Verdict>,
}

impl Told {
    pub(super) const fn new(files: Vec<PathBuf>, currency: Currency) -> Self {
        Self { files, currency, good: BTreeMap::new(), seen: None, verdicts: BTreeMap::new() }
    }

    /// Reads all of it again the next time.
    pub(super) fn forget_seen(&mut self) {
        self.seen = None;
    }

    /// What came of each object.
    pub(super) const fn verdicts(&self) -> &BTreeMap<Name, Verdict> {
        &self.verdicts
    }

    /// Reads files and objects, the oldest object first; `None` where no object changed.
    pub(super) fn read(&mut self, objects: &[OurObject], now: Timestamp) -> Option<Reading> {
        let own: Vec<&OurObject> = objects.iter().filter(|it| KINDS.contains(&it.kind)).collect();
        let seen = own.iter().map(|it| (name(it), it.uid.clone(), it.generation)).collect();
        if self.seen.as_ref() == Some(&seen) {
            return None;
        }
        self.seen = Some(seen);
        let given: Vec<Given> = own.iter().map(|it| of(it)).collect();
        let (mut manifests, mut faults) = load_with(&self.files, &given, now);
        let mut wrong = wrong(&faults, &given);
        self.other_currencies(&manifests, &given, &mut wrong);
        if !wrong.is_empty() {
            // What is wrong gives way to what it was, where that is known.
            let right = given.iter().filter_map(|it| {
                let name = (it.kind.clone(), it.name.clone());
                let is_wrong = wrong.contains_key(&name);
                if is_wrong { self.good.get(&name).cloned() } else { Some(it.clone()) }
            });
            let right: Vec<Given> = right.collect();
            (manifests, faults) = load_with(&self.files, &right, now);
        }
        let there: BTreeSet<Name> = own.iter().map(|it| name(it)).collect();
        self.good.retain(|name, _| there.contains(name));
        self.verdicts = own.iter().map(|it| self.verdict(it, &wrong)).collect();
        for given in given {
            let name = (given.kind.clone(), given.name.clone());
            if !wrong.contains_key(&name) {
                self.good.insert(name, given);
            }
        }
        let of_files = faults.into_iter().filter(|fault| fault.source != IN_CLUSTER).collect();
        Some(Reading { manifests, of_files })
    }

    /// Budgets of the cluster whose money does not add to that of the books.
    fn other_currencies(
        &self,
        manifests: &Manifests,
        given: &[Given],
        wrong: &mut BTreeMap<Name, Vec<String>>,
    ) {
        for object in given.iter().filter(|it| it.kind == "Budget") {
            let name = (object.kind.clone(), object.name.clone());
            let budget = manifests.budgets.iter().find(|it| it.id.as_str() == object.name);
            let Some(Limit::Money(limit)) = budget.map(|it| it.limit) else { continue };
            if limit.currency() != self.currency && !wrong.contains_key(&name) {
                let (own, other) = (self.currency, limit.currency());
                let what = format!("`limit` is in {other}, and the books are in {own}");
                wrong.insert(name, vec![what]);
            }
        }
    }

    fn verdict(&self, object: &OurObject, wrong: &BTreeMap<Name, Vec<String>>) -> (Name, Verdict) {
        let name = name(object);
        let why = wrong.get(&name).map(|all| all.join("; "));
        let stays = why.is_some() && self.good.contains_key(&name);
        (name, Verdict { generation: object.generation, why, stays })
    }
}

pub(super) fn name(object: &OurObject) -> Name {
    (object.kind.to_owned(), object.name.clone())
}

fn of(object: &OurObject) -> Given {
    Given {
        kind: object.kind.to_owned(),
        name: object.name.clone(),
        labels: object.labels.clone(),
        spec: object.spec.clone(),
    }
}

/// What is wrong with which object. Price books are one book: what is wrong with all of it is wrong
/// with each.
fn wrong(faults: &[Fault], given: &[Given]) -> BTreeMap<Name, Vec<String>> {
    let mut wrong: BTreeMap<Name, Vec<String>> = BTreeMap::new();
    for fault in faults {
        let is_book = fault.source == "PriceBook" && fault.object.is_none();
        let about = given.iter().filter(|it| {
            let named = || fault.object.as_deref() == Some(&format!("{} {}", it.kind, it.name));
            (is_book && it.kind == "PriceBook") || (fault.source == IN_CLUSTER && named())
        });
        for object in about {
            let name = (object.kind.clone(), object.name.clone());
            wrong.entry(name).or_default().push(fault.what.clone());
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn object(kind: &'static str, name: &str, generation: i64, spec: Value) -> OurObject {
        OurObject {
            kind,
            name: name.to_owned(),
            uid: format!("uid-{name}"),
            version: generation.to_string(),
            generation,
            created: Timestamp::UNIX_EPOCH,
            labels: BTreeMap::new(),
            spec,
            status: Value::Null,
            approver: None,
            is_retired: false,
        }
    }

    fn budget(name: &str, generation: i64, limit: &str) -> OurObject {
        let spec = json!({ "scope": "all", "limit": limit, "period": "month" });
        object("Budget", name, generation, spec)
    }

    fn limits(reading: &Reading) -> Vec<String> {
        reading.manifests.budgets.iter().map(|it| it.limit.amount().to_string()).collect()
    }

    #[test]
    fn of_a_budget_that_is_wrong_the_last_good_stays() {
        let now = Timestamp::UNIX_EPOCH;
        let mut told = Told::new(Vec::new(), Currency::USD);
        let first = told.read(&[budget("a", 1, "5 USD")], now).unwrap();
        assert_eq!(limits(&first), ["5.00 USD"]);
        assert!(told.read(&[budget("a", 1, "5 USD")], now).is_none(), "nothing is new");
        let second = [budget("a", 2, "five"), budget("b", 1, "6"), budget("c", 1, "7 USD")];
        assert_eq!(limits(&told.read(&second, now).unwrap()), ["5.00 USD", "7.00 USD"]);
        let of = |name: &str| told.verdicts()[&("Budget".to_owned(), name.to_owned())].clone();
        assert!(of("a").stays && of("a").why.unwrap().starts_with("`limit`"));
        assert!(!of("b").stays && of("b").why.is_some() && of("c").why.is_none());
        // Money that does not add to the books would stop every tick.
        let other = [budget("a", 3, "9 EUR"), budget("c", 1, "7 USD")];
        assert_eq!(limits(&told.read(&other, now).unwrap()), ["5.00 USD", "7.00 USD"]);
        // What was wrong is no memory; what is deleted is gone.
        assert_eq!(limits(&told.read(&[budget("a", 4, "8 USD")], now).unwrap()), ["8.00 USD"]);
        assert!(limits(&told.read(&[], now).unwrap()).is_empty());
        assert!(limits(&told.read(&[budget("a", 5, "nine")], now).unwrap()).is_empty());
    }

    #[test]
    fn the_older_of_two_policies_is_in_force() {
        let policy = |name: &str, mode: &str| object("Policy", name, 1, json!({ "mode": mode }));
        let mut told = Told::new(Vec::new(), Currency::USD);
        let both = [policy("old", "observe"), policy("new", "approve")];
        let read = told.read(&both, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(read.manifests.policy.unwrap().mode.name(), "observe");
        let new = &told.verdicts()[&("Policy".to_owned(), "new".to_owned())];
        assert!(new.why.as_ref().unwrap().contains("already a Policy"), "{new:?}");
    }
}
