//! Objects that are in no file: as JSON, from a server that keeps them. They are read by what reads
//! files, together with files, so that the two obey one rule and their names do not clash unseen.

use super::fault::{Fault, Report};
use super::object::Reader;
use super::shape::API_VERSION;
use super::table::Folder;
use super::{Manifests, Set};
use crate::yaml::{Key, Node, Spot, Value};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What the source of such an object is called in [`Fault::source`].
pub const IN_CLUSTER: &str = "the cluster";

/// An object that a server keeps.
#[derive(Clone, Debug, PartialEq)]
pub struct Given {
    /// Such as `Budget`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its spec. Numbers keep the digits that JSON has of them.
    pub spec: serde_json::Value,
}

/// Reads files and then objects of a server, and returns what is good, and what is wrong with the
/// rest: of two of one name the first is kept, files before objects. A fault of an object has
/// [`IN_CLUSTER`] as its source and `KIND NAME` as its object.
pub fn load_with(paths: &[PathBuf], given: &[Given], now: Timestamp) -> (Manifests, Vec<Fault>) {
    let mut set = Set::default();
    set.files(paths, now);
    let reader = Reader { now, folder: Folder(None) };
    for object in given {
        let mut report = Report::new(IN_CLUSTER);
        set.object(&object.node(), &reader, &mut report);
        // There are no lines in what a server keeps.
        set.faults.extend(report.faults.into_iter().map(|fault| Fault { spot: None, ..fault }));
    }
    set.finish(now)
}

impl Given {
    fn node(&self) -> Node {
        let text = |text: &str| node(Value::Scalar(text.to_owned()));
        let labels = self.labels.iter().map(|(name, value)| (key(name), text(value)));
        let metadata = Value::Map(vec![
            (key("name"), text(&self.name)),
            (key("labels"), node(Value::Map(labels.collect()))),
        ]);
        node(Value::Map(vec![
            (key("apiVersion"), text(API_VERSION)),
            (key("kind"), text(&self.kind)),
            (key("metadata"), node(metadata)),
            (key("spec"), of_json(&self.spec)),
        ]))
    }
}

fn node(value: Value) -> Node {
    Node { spot: Spot::default(), value }
}

fn key(name: &str) -> Key {
    Key { spot: Spot::default(), name: name.to_owned() }
}

/// The same tree as a manifest has it. JSON that was read is not nested deeper than 128.
fn of_json(json: &serde_json::Value) -> Node {
    use serde_json::Value as Json;
    node(match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Scalar(truth.to_string()),
        Json::Number(number) => Value::Scalar(number.to_string()),
        Json::String(text) => Value::Scalar(text.clone()),
        Json::Array(items) => Value::List(items.iter().map(of_json).collect()),
        Json::Object(entries) => {
            Value::Map(entries.iter().map(|(name, value)| (key(name), of_json(value))).collect())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn budget(name: &str, limit: &str) -> Given {
        let spec = json!({ "scope": { "team": "research" }, "limit": limit, "period": "month",
            "escalate": [{ "at": 0.8, "do": "notify" }] });
        Given { kind: "Budget".to_owned(), name: name.to_owned(), labels: BTreeMap::new(), spec }
    }

    #[test]
    fn objects_of_a_server_are_read_as_files_are() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("own.yaml");
        let text =
            "kind: Budget\nmetadata: {name: own}\nspec: {scope: all, limit: 5 USD, period: day}";
        std::fs::write(&file, text).unwrap();
        let policy = |name: &str| Given {
            kind: "Policy".to_owned(),
            name: name.to_owned(),
            labels: BTreeMap::new(),
            spec: json!({ "utilisation": { "gpu": { "max": 0.95, "reserve": 0.15 } } }),
        };
        let given = [
            budget("research", "12.5 USD"),
            budget("own", "6 USD"),
            budget("bad", "6"),
            policy("first"),
            policy("second"),
        ];
        let (read, faults) = load_with(std::slice::from_ref(&file), &given, Timestamp::UNIX_EPOCH);
        let names: Vec<_> = read.budgets.iter().map(|budget| budget.id.as_str()).collect();
        assert_eq!(names, ["own", "research"]);
        assert_eq!(read.budgets[0].limit.amount().to_string(), "5.00 USD");
        assert_eq!(read.budgets[1].escalate[0].at.ppm(), 800_000);
        let policy = read.policy.unwrap();
        assert_eq!(policy.bands.get(farthing_model::Resource::Gpu).max.ppm(), 950_000);
        let said: Vec<String> = faults.iter().map(ToString::to_string).collect();
        let file = file.display();
        let already = format!("there is already a Budget of this name at {file}:2:18; keep one");
        assert!(said[0].starts_with(&format!("the cluster: Budget own: {already}")), "{said:?}");
        assert!(said[1].starts_with("the cluster: Budget bad: `limit`: "), "{said:?}");
        let already = "Policy second: there is already a Policy in the cluster; keep one of them";
        assert_eq!(said[2], format!("the cluster: {already}"));
        assert_eq!(faults[1].object.as_deref(), Some("Budget bad"));
    }
}
