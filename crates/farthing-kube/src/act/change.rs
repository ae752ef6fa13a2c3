//! What a step changes, as data: which fields of which objects, what they were, and what they
//! become.
//!
//! All that is done and taken back is one of these, so that what is written into the journal
//! before a call is all that taking it back needs, by any process and at any later time. Fields
//! that are not named here are nobody's business. Start at [`Change`].

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The annotation that says which step an object was last changed by.
pub(crate) const STEP: &str = "farthing.dev/step";
/// The annotation that says how many replicas there were before we scaled to none.
pub(crate) const REPLICAS_BEFORE: &str = "farthing.dev/replicas-before";

/// Which object: another one of the same name has another uid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Object {
    /// Its kind, as `Job`.
    pub(crate) kind: String,
    /// Its namespace; none for those of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) namespace: Option<String>,
    /// Its name.
    pub(crate) name: String,
    /// Its uid.
    pub(crate) uid: String,
}

impl std::fmt::Display for Object {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} ", self.kind)?;
        if let Some(namespace) = &self.namespace {
            write!(out, "{namespace}/")?;
        }
        out.write_str(&self.name)
    }
}

/// What is changed in one object, by one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    /// Which object.
    pub(crate) object: Object,
    /// What was wanted of it when it was looked at ([`crate::object::wish`]).
    pub(crate) wish: u64,
    /// The step that the object was last changed by before: once this one is taken back, that one
    /// can be, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mark: Option<String>,
    /// Which fields. The annotation that names the step is not among them: all changes have it.
    pub(crate) fields: Vec<Field>,
}

/// One field. A value that is not there is none, which is not the same as `null`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Field {
    /// The names on the way to it; of an item of a list `[name=VALUE]`, what it has there.
    pub(crate) path: Vec<String>,
    /// What it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) was: Option<Value>,
    /// What it becomes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) is: Option<Value>,
}

/// How an object stands to a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// All fields are as they were before.
    Before,
    /// Each field is as it was before or as the change left it, and some are as it left them.
    After,
    /// Someone else changed one of them; in words.
    Moved(String),
}

/// A value in an object, by the names on the way to it.
pub(crate) fn at<'v>(object: &'v Value, path: &[impl AsRef<str>]) -> Option<&'v Value> {
    path.iter().try_fold(object, |value, name| {
        let name = name.as_ref();
        match value {
            Value::Array(items) => items.get(place(items, name)?),
            value => value.get(name),
        }
    })
}

/// The name on the way to the item of a list that has `value` as its `key`.
pub(crate) fn item(key: &str, value: &str) -> String {
    format!("[{key}={value}]")
}

/// Where in a list an item is, by its name on the way.
fn place(items: &[Value], name: &str) -> Option<usize> {
    let (key, value) = name.strip_prefix('[')?.strip_suffix(']')?.split_once('=')?;
    items.iter().position(|item| item.get(key).and_then(Value::as_str) == Some(value))
}

/// A text in an object.
pub(crate) fn text<'v>(object: &'v Value, path: &[&str]) -> Option<&'v str> {
    at(object, path).and_then(Value::as_str)
}

/// The step that an object was last changed by.
pub(crate) fn step_of(object: &Value) -> Option<&str> {
    text(object, &["metadata", "annotations", STEP])
}

impl Field {
    /// A field of an object as it is seen, and what it is to become.
    pub(crate) fn set(object: &Value, path: &[&str], is: Value) -> Self {
        Self::change(object, path, Some(is))
    }

    /// A field of an object that is to be no more.
    pub(crate) fn unset(object: &Value, path: &[&str]) -> Self {
        Self::change(object, path, None)
    }

    fn change(object: &Value, path: &[&str], is: Option<Value>) -> Self {
        let path: Vec<String> = path.iter().map(|name| (*name).to_owned()).collect();
        Self { was: at(object, &path).cloned(), path, is }
    }

    /// Whether it changes nothing.
    pub(crate) fn is_nothing(&self) -> bool {
        self.was == self.is
    }
}

impl Change {
    /// How an object stands to it.
    pub(crate) fn standing(&self, object: &Value) -> Standing {
        let mut after = false;
        for field in &self.fields {
            let now = at(object, &field.path);
            if now == field.is.as_ref() {
                after |= !field.is_nothing();
            } else if now != field.was.as_ref() {
                let named = |value: Option<&Value>| {
                    value.map_or_else(|| "not set".to_owned(), |value| format!("{value}"))
                };
                return Standing::Moved(format!(
                    "{} has {} {} now; it was {} before the step, which made it {}",
                    self.object,
                    field.path.join("."),
                    named(now),
                    named(field.was.as_ref()),
                    named(field.is.as_ref()),
                ));
            }
        }
        if after { Standing::After } else { Standing::Before }
    }

    /// The part of it that has to be taken back first, where it let a job go and changed its
    /// template: the template of one that runs stays as it is.
    pub(crate) fn halt(&self) -> Option<Self> {
        let lets_go = |field: &&Field| {
            field.path.last().is_some_and(|name| name == "suspend") && field.was != field.is
        };
        let field = self.fields.iter().find(lets_go)?;
        let others = self.fields.len() > 1;
        others.then(|| Self { fields: vec![field.clone()], ..self.clone() })
    }

    /// What makes it, of the writing of the object that was seen.
    pub(crate) fn forth(&self, seen: &Value, step: &str) -> Value {
        let fields = self.fields.iter().map(|field| (&field.path, field.is.as_ref()));
        self.patch(seen, fields, Some(step))
    }

    /// What takes it back.
    pub(crate) fn back(&self, seen: &Value, step: &str) -> Value {
        let fields = self.fields.iter().map(|field| (&field.path, field.was.as_ref()));
        // The mark of a later step is not this one's to take away.
        let mark = step_of(seen).filter(|last| *last != step).or(self.mark.as_deref());
        self.patch(seen, fields, mark)
    }

    /// What takes it back as a first part, so that the rest is still known to be the step's.
    pub(crate) fn back_marked(&self, seen: &Value, step: &str) -> Value {
        let fields = self.fields.iter().map(|field| (&field.path, field.was.as_ref()));
        self.patch(seen, fields, Some(step_of(seen).unwrap_or(step)))
    }

    fn patch<'f>(
        &'f self,
        seen: &Value,
        fields: impl Iterator<Item = (&'f Vec<String>, Option<&'f Value>)>,
        mark: Option<&str>,
    ) -> Value {
        let version = at(seen, &["metadata", "resourceVersion"]);
        let mut patch = json!({ "metadata": {
            "uid": self.object.uid,
            "resourceVersion": version,
            "annotations": { STEP: mark },
        }});
        for (path, value) in fields {
            put(&mut patch, seen, path, value);
        }
        patch
    }
}

/// Puts a value into a patch. A list is merged whole: the one that was seen, with what changes in
/// it; that it is still the one is a precondition of the patch.
fn put(patch: &mut Value, seen: &Value, path: &[String], value: Option<&Value>) {
    let Some((last, on_the_way)) = path.split_last() else { return };
    let (mut into, mut like, mut whole) = (patch, Some(seen), false);
    for name in on_the_way {
        if name.starts_with('[') {
            if !into.is_array() {
                *into = like.cloned().unwrap_or_else(|| Value::Array(Vec::new()));
            }
            let Value::Array(items) = into else { return };
            let Some(index) = place(items, name) else { return };
            like = like.and_then(|like| like.get(index));
            (into, whole) = (&mut items[index], true);
            continue;
        }
        if !into.is_object() {
            *into = Value::Object(Map::new());
        }
        let Value::Object(map) = into else { return };
        like = like.and_then(|like| like.get(name));
        into = map.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()));
    }
    if last.starts_with('[') {
        if !into.is_array() {
            *into = like.cloned().unwrap_or_else(|| Value::Array(Vec::new()));
        }
        let Value::Array(items) = into else { return };
        match (place(items, last), value) {
            (Some(index), Some(value)) => items[index] = value.clone(),
            (Some(index), None) => drop(items.remove(index)),
            (None, Some(value)) => items.push(value.clone()),
            (None, None) => {}
        }
        return;
    }
    let Value::Object(map) = into else { return };
    match value {
        Some(value) => drop(map.insert(last.clone(), value.clone())),
        // What is merged is taken away by `null`; in a list that is put whole it is left out.
        None if whole => drop(map.remove(last)),
        None => drop(map.insert(last.clone(), Value::Null)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(suspend: Option<bool>, selector: Option<&str>) -> Value {
        let mut job = json!({
            "metadata": {"uid": "u", "resourceVersion": "7", "name": "train"},
            "spec": {"parallelism": 2, "template": {"spec": {}}},
        });
        if let Some(suspend) = suspend {
            job["spec"]["suspend"] = json!(suspend);
        }
        if let Some(zone) = selector {
            job["spec"]["template"]["spec"]["nodeSelector"] = json!({"zone": zone});
        }
        job
    }

    /// What a server makes of a merge patch (RFC 7386).
    fn merge(object: &mut Value, patch: &Value) {
        let (Value::Object(into), Value::Object(from)) = (&mut *object, patch) else {
            *object = patch.clone();
            return;
        };
        for (name, value) in from {
            if value.is_null() {
                into.remove(name);
            } else {
                merge(into.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
    }

    fn change(seen: &Value) -> Change {
        let object = Object {
            kind: "Job".to_owned(),
            namespace: Some("research".to_owned()),
            name: "train".to_owned(),
            uid: "u".to_owned(),
        };
        let selector = ["spec", "template", "spec", "nodeSelector", "zone"];
        let fields = vec![
            Field::set(seen, &["spec", "suspend"], json!(true)),
            Field::set(seen, &selector, json!("b")),
        ];
        Change { object, wish: 1, mark: step_of(seen).map(str::to_owned), fields }
    }

    #[test]
    fn what_is_done_and_taken_back_leaves_what_there_was() {
        for (suspend, zone) in [(None, None), (Some(false), Some("a")), (Some(true), Some("b"))] {
            let before = job(suspend, zone);
            let change = change(&before);
            let text = serde_json::to_string(&change).unwrap();
            let change: Change = serde_json::from_str(&text).unwrap();
            let mut object = before.clone();
            merge(&mut object, &change.forth(&before, "p1/1"));
            assert_eq!(step_of(&object), Some("p1/1"));
            assert_eq!(object["spec"]["suspend"], json!(true));
            // Others change what is theirs.
            object["spec"]["parallelism"] = json!(5);
            object["metadata"]["resourceVersion"] = json!("9");
            let nothing = (suspend, zone) == (Some(true), Some("b"));
            let expected = if nothing { Standing::Before } else { Standing::After };
            assert_eq!(change.standing(&object), expected);
            let back = change.back(&object, "p1/1");
            assert_eq!(back["metadata"]["resourceVersion"], "9");
            merge(&mut object, &back);
            assert_eq!(change.standing(&object), Standing::Before);
            assert_eq!(object["spec"].get("suspend"), before["spec"].get("suspend"));
            assert_eq!(object["spec"]["parallelism"], 5);
            assert_eq!(step_of(&object), None);
        }
    }

    #[test]
    fn a_field_that_moved_on_is_named() {
        let before = job(Some(false), None);
        let change = change(&before);
        let mut object = before.clone();
        merge(&mut object, &change.forth(&before, "p1/1"));
        object["spec"]["template"]["spec"]["nodeSelector"]["zone"] = json!("c");
        let expected = "Job research/train has spec.template.spec.nodeSelector.zone \"c\" now; it \
                        was not set before the step, which made it \"b\"";
        assert_eq!(change.standing(&object), Standing::Moved(expected.to_owned()));
        // That of an earlier one comes back with what it did.
        let later = Change { mark: Some("p0/1".to_owned()), ..change.clone() };
        assert_eq!(later.back(&object, "p1/1")["metadata"]["annotations"][STEP], "p0/1");
        // A later step's mark stays.
        object["metadata"]["annotations"][STEP] = json!("p2/1");
        assert_eq!(change.back(&object, "p1/1")["metadata"]["annotations"][STEP], "p2/1");
    }

    #[test]
    fn an_item_of_a_list_is_changed_and_the_others_stay_as_others_make_them() {
        let before = json!({
            "metadata": {"uid": "u", "resourceVersion": "7", "name": "ray"},
            "spec": {"groups": [{"name": "cpu", "replicas": 2}, {"name": "gpu", "max": 8}]},
        });
        let path = ["spec", "groups", &item("name", "gpu"), "replicas"];
        let field = Field::set(&before, &path, json!(3));
        assert_eq!(field.was, None);
        let mut all = change(&before);
        all.fields =
            vec![field, Field::set(&before, &["spec", "groups", "[name=gpu]", "max"], json!(4))];
        let mut object = before.clone();
        merge(&mut object, &all.forth(&before, "p1/1"));
        let groups =
            json!([{"name": "cpu", "replicas": 2}, {"name": "gpu", "max": 4, "replicas": 3}]);
        assert_eq!(object["spec"]["groups"], groups);
        assert_eq!(all.standing(&object), Standing::After);
        // Someone adds a group in front, and takes from another.
        let Value::Array(groups) = &mut object["spec"]["groups"] else { panic!("a list") };
        groups[0]["replicas"] = json!(1);
        groups.insert(0, json!({"name": "tpu"}));
        assert_eq!(all.standing(&object), Standing::After);
        let back = all.back(&object, "p1/1");
        merge(&mut object, &back);
        let groups =
            json!([{"name": "tpu"}, {"name": "cpu", "replicas": 1}, {"name": "gpu", "max": 8}]);
        assert_eq!(object["spec"]["groups"], groups);
        // A whole item comes and goes.
        let add = Field::set(&object, &["spec", "groups", "[name=dpu]"], json!({"name": "dpu"}));
        let add = Change { fields: vec![add], ..all.clone() };
        let others = object.clone();
        merge(&mut object, &add.forth(&others, "p2/1"));
        assert_eq!(object["spec"]["groups"][3], json!({"name": "dpu"}));
        assert_eq!(add.standing(&object), Standing::After);
        let back = add.back(&object, "p2/1");
        merge(&mut object, &back);
        assert_eq!(object["spec"], others["spec"]);
        // The group is gone: nobody's business any more.
        object["spec"]["groups"] = json!([]);
        assert!(matches!(all.standing(&object), Standing::Moved(_)));
    }
}
