//! Custom resources: the definitions of Budget, Policy, `PriceBook` and Plan for a Kubernetes
//! API server, written from the same tables that read manifests of files.
//!
//! A server checks by three means, each used for what it can do:
//!
//! - the structural schema: fields, types, words of a choice. A value that may be of two types (a
//!   number or `80%`; `all` or a map) has no type there, so its text is held to a pattern;
//! - rules (CEL) in the schema, for texts of one type, with the words of the command line;
//! - admission policies ([`rules`]) for what no schema can say: fields of a map that may also be a
//!   word, and what holds between fields.
//!
//! What passes them all and is still wrong (a currency that does not exist, two names alike) the
//! loop says in the object's conditions. Nothing here knows a server. Start with [`definitions`].

mod plan;
mod rules;
mod status;

use super::shape::{self, API_VERSION, Field, Form, Shape};
use crate::yaml;
use serde_json::{Map, Value, json};

/// The longest text that a rule looks at: the server must know it to bound what a rule costs.
const TEXT_MAX: usize = 256;
/// Items of lists in which rules may be used: what they cost is multiplied by it.
const FEW: usize = 16;

/// A kind of object that a server keeps for us.
struct Custom {
    kind: &'static str,
    plural: &'static str,
    singular: &'static str,
    doc: &'static str,
    /// What may be in `spec`.
    spec: Value,
    status: Value,
    columns: &'static [Column],
}

/// A column of `kubectl get`: its head, the JSON type, and where the value is.
type Column = (&'static str, &'static str, &'static str);

const ACCEPTED: Column =
    ("Accepted", "string", ".status.conditions[?(@.type==\"Accepted\")].status");
const AGE: Column = ("Age", "date", ".metadata.creationTimestamp");

const BUDGET: &[Column] = &[
    ("Limit", "string", ".spec.limit"),
    ("Spent", "string", ".status.spent"),
    ("Committed", "string", ".status.committed"),
    ("Forecast", "string", ".status.forecast"),
    ("Gone", "string", ".status.gone"),
    ACCEPTED,
    AGE,
];
const POLICY: &[Column] = &[
    ("Mode", "string", ".spec.mode"),
    ("In force", "string", ".status.mode"),
    ("Objective", "string", ".spec.objective"),
    ACCEPTED,
    AGE,
];
const PRICE_BOOK: &[Column] = &[("Offers", "integer", ".status.offers"), ACCEPTED, AGE];

/// The definitions as YAML documents, for `kubectl apply -f -`; and the admission policies.
pub fn definitions() -> String {
    let kinds = [
        Custom {
            kind: "Budget",
            plural: "budgets",
            singular: "budget",
            doc: shape::BUDGET.doc,
            spec: spec(&shape::BUDGET),
            status: status::budget(),
            columns: BUDGET,
        },
        Custom {
            kind: "Policy",
            plural: "policies",
            singular: "policy",
            doc: shape::POLICY.doc,
            spec: spec(&shape::POLICY),
            status: status::policy(),
            columns: POLICY,
        },
        Custom {
            kind: "PriceBook",
            plural: "pricebooks",
            singular: "pricebook",
            doc: shape::PRICE_BOOK.doc,
            spec: spec(&shape::PRICE_BOOK),
            status: status::price_book(),
            columns: PRICE_BOOK,
        },
        Custom {
            kind: "Plan",
            plural: "plans",
            singular: "plan",
            doc: plan::DOC,
            spec: plan::spec(),
            status: status::plan(),
            columns: plan::COLUMNS,
        },
    ];
    let mut documents: Vec<Value> = kinds.iter().map(Custom::definition).collect();
    documents.extend(rules::policies());
    documents.iter().fold(String::new(), |out, document| out + "---\n" + &yaml::write(document))
}

impl Custom {
    fn definition(&self) -> Value {
        let (group, version) = API_VERSION.split_once('/').unwrap_or((API_VERSION, "v1"));
        let columns = self
            .columns
            .iter()
            .map(|(name, kind, path)| json!({ "name": name, "type": kind, "jsonPath": path }));
        json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": { "name": format!("{}.{group}", self.plural) },
            "spec": {
                "group": group,
                "scope": "Cluster",
                "names": {
                    "kind": self.kind,
                    "listKind": format!("{}List", self.kind),
                    "plural": self.plural,
                    "singular": self.singular,
                    "categories": ["farthing"],
                },
                "versions": [{
                    "name": version,
                    "served": true,
                    "storage": true,
                    "subresources": { "status": {} },
                    "additionalPrinterColumns": columns.collect::<Vec<_>>(),
                    "schema": { "openAPIV3Schema": {
                        "type": "object",
                        "description": self.doc,
                        "required": ["spec"],
                        "properties": {
                            "apiVersion": { "type": "string" },
                            "kind": { "type": "string" },
                            "metadata": { "type": "object" },
                            "spec": self.spec,
                            "status": self.status,
                        },
                    } },
                }],
            },
        })
    }
}

/// The schema of a spec with the rules that hold between its fields.
fn spec(shape: &'static Shape) -> Value {
    let mut schema = map(shape, Among::Few);
    let rules = rules::of_spec(shape.name);
    if !rules.is_empty() {
        schema.insert("x-kubernetes-validations".to_owned(), Value::Array(rules));
    }
    Value::Object(schema)
}

/// Where a value stands: rules cost their price times the items of the lists around them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Among {
    /// In no list, or a short one.
    Few,
    /// In a list of any length, or where a server runs no rules: patterns only.
    Many,
}

type Schema = Map<String, Value>;

fn map(shape: &'static Shape, among: Among) -> Schema {
    let mut schema = typed("object");
    schema.extend(fields(shape, among));
    schema
}

/// The properties of a map, and which must be there.
fn fields(shape: &'static Shape, among: Among) -> Schema {
    let property = |field: &'static Field| {
        let mut schema = form(&field.form, among);
        schema.insert("description".to_owned(), json!(field.doc));
        (field.name.to_owned(), Value::Object(schema))
    };
    let properties: Schema = shape.fields.iter().map(property).collect();
    let must = shape.fields.iter().filter(|field| field.required).map(|field| field.name);
    let must: Vec<&str> = must.collect();
    let mut schema = Schema::new();
    schema.insert("properties".to_owned(), Value::Object(properties));
    if !must.is_empty() {
        schema.insert("required".to_owned(), json!(must));
    }
    schema
}

fn typed(name: &str) -> Schema {
    Schema::from_iter([("type".to_owned(), json!(name))])
}

/// Something that may be of more than one type.
fn untyped() -> Schema {
    Schema::from_iter([("x-kubernetes-preserve-unknown-fields".to_owned(), json!(true))])
}

fn form(form: &'static Form, among: Among) -> Schema {
    match form {
        Form::Map(shape) => map(shape, among),
        Form::List(item) => list(item, among),
        Form::Any(forms) => any(forms, among),
        Form::OneOf(words) => {
            let mut schema = typed("string");
            schema.insert("enum".to_owned(), json!(words));
            schema
        }
        Form::Labels => {
            let mut schema = typed("object");
            schema.insert("additionalProperties".to_owned(), json!({ "type": "string" }));
            schema
        }
        Form::Truth => typed("boolean"),
        Form::Text | Form::CsvPath => typed("string"),
        scalar => self::scalar(*scalar, among),
    }
}

fn list(item: &'static Form, among: Among) -> Schema {
    let few = match item {
        Form::Map(shape) => [shape::ESCALATION.name, shape::CHANNEL.name].contains(&shape.name),
        _ => false,
    };
    let among = if few { among } else { Among::Many };
    let mut schema = typed("array");
    schema.insert("items".to_owned(), Value::Object(form(item, among)));
    // As of files: an empty list is left out or filled.
    schema.insert("minItems".to_owned(), json!(1));
    if few {
        schema.insert("maxItems".to_owned(), json!(FEW));
    }
    schema
}

/// One of several forms. Texts of any kind are one text.
fn any(forms: &'static [Form], among: Among) -> Schema {
    let is_text = |form: &Form| matches!(form, Form::Text | Form::Money | Form::OneOf(_));
    if forms.iter().all(is_text) {
        return typed("string");
    }
    let mut schema = untyped();
    for form in forms {
        match form {
            Form::OneOf(words) => {
                schema.insert("pattern".to_owned(), json!(format!("^({})$", words.join("|"))));
            }
            Form::Map(shape) => {
                schema.extend(fields(shape, Among::Many));
                schema.insert("minProperties".to_owned(), json!(1));
            }
            Form::List(item) => {
                schema.insert("items".to_owned(), Value::Object(self::form(item, among)));
            }
            _ => {}
        }
    }
    schema
}

/// One plain value that is held to a pattern: in the words of files where a rule may say them.
fn scalar(form: Form, among: Among) -> Schema {
    let (types, pattern) = super::schema::scalar_form(form);
    let among_few = among == Among::Few;
    if types.contains(&"integer") && among_few {
        let least = i32::from(matches!(form, Form::Count));
        let rule = format!("type(self) == int ? self >= {least} : self.matches(r'{pattern}')");
        let said = format!("'`' + string(self) + '` {}'", rules::wrong(form));
        let mut schema = rule_of(&rule, &said);
        schema.insert("x-kubernetes-int-or-string".to_owned(), json!(true));
        schema.insert("maxLength".to_owned(), json!(TEXT_MAX));
        return schema;
    }
    if types.len() > 1 {
        let mut schema = untyped();
        schema.insert("pattern".to_owned(), json!(pattern));
        schema.insert("minimum".to_owned(), json!(0));
        return schema;
    }
    let mut schema = typed("string");
    if among_few {
        let said = format!("'`' + self + '` {}'", rules::wrong(form));
        schema.extend(rule_of(&format!("self.matches(r'{pattern}')"), &said));
        schema.insert("maxLength".to_owned(), json!(TEXT_MAX));
    } else {
        schema.insert("pattern".to_owned(), json!(pattern));
    }
    schema
}

fn rule_of(rule: &str, said: &str) -> Schema {
    let rule = json!({ "rule": rule, "messageExpression": said });
    Schema::from_iter([("x-kubernetes-validations".to_owned(), json!([rule]))])
}

#[cfg(test)]
mod tests;
