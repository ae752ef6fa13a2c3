//! The JSON Schema of manifests, written from the same tables that read them.

use super::shape::{self, API_VERSION, Form, Shape};
use std::collections::BTreeMap;

/// JSON, as much of it as a schema needs.
enum Json {
    Text(String),
    True,
    False,
    List(Vec<Json>),
    Map(Vec<(&'static str, Json)>),
    Named(BTreeMap<&'static str, Json>),
}

/// The JSON Schema (draft 2020-12) of a manifest, as text that ends with a line feed.
pub fn json_schema() -> String {
    let kinds: [(&str, &'static Shape); 7] = [
        ("Workload", &shape::WORKLOAD),
        ("Node", &shape::NODE),
        ("Budget", &shape::BUDGET),
        ("Policy", &shape::POLICY),
        ("PriceBook", &shape::PRICE_BOOK),
        ("Dag", &shape::dag::DAG),
        ("Identity", &shape::IDENTITY),
    ];
    let mut definitions = BTreeMap::new();
    define(&shape::METADATA, &mut definitions);
    let objects = kinds.map(|(kind, spec)| {
        define(spec, &mut definitions);
        let required: &[&str] = match kind {
            "Workload" | "Node" | "Budget" | "Dag" => &["kind", "metadata", "spec"],
            _ => &["kind", "spec"],
        };
        Json::Map(vec![
            ("title", text(kind)),
            ("type", text("object")),
            ("required", Json::List(required.iter().map(|name| text(name)).collect())),
            ("additionalProperties", Json::False),
            (
                "properties",
                Json::Map(vec![
                    ("apiVersion", Json::Map(vec![("const", text(API_VERSION))])),
                    ("kind", Json::Map(vec![("const", text(kind))])),
                    ("metadata", reference(&shape::METADATA)),
                    ("spec", reference(spec)),
                ]),
            ),
        ])
    });
    let schema = Json::Map(vec![
        ("$schema", text("https://json-schema.org/draft/2020-12/schema")),
        ("title", text("Farthing manifest")),
        ("oneOf", Json::List(objects.into())),
        ("$defs", Json::Named(definitions)),
    ]);
    let mut out = String::new();
    write(&schema, 0, &mut out);
    out.push('\n');
    out
}

fn text(text: &str) -> Json {
    Json::Text(text.to_owned())
}

fn reference(shape: &Shape) -> Json {
    Json::Map(vec![("$ref", Json::Text(format!("#/$defs/{}", shape.name)))])
}

fn define(shape: &'static Shape, definitions: &mut BTreeMap<&'static str, Json>) {
    if definitions.contains_key(shape.name) {
        return;
    }
    definitions.insert(shape.name, Json::True);
    let property = |field: &'static shape::Field, definitions: &mut _| {
        let mut property = vec![("description", text(field.doc))];
        property.extend(form(&field.form, definitions));
        (field.name, Json::Map(property))
    };
    let properties = shape.fields.iter().map(|field| property(field, definitions)).collect();
    let required = shape.fields.iter().filter(|field| field.required).map(|field| text(field.name));
    let definition = Json::Map(vec![
        ("description", text(shape.doc)),
        ("type", text("object")),
        ("additionalProperties", Json::False),
        ("required", Json::List(required.collect())),
        ("properties", Json::Map(properties)),
    ]);
    definitions.insert(shape.name, definition);
}

fn form(
    form: &'static Form,
    definitions: &mut BTreeMap<&'static str, Json>,
) -> Vec<(&'static str, Json)> {
    match form {
        Form::Map(shape) => {
            define(shape, definitions);
            vec![("$ref", Json::Text(format!("#/$defs/{}", shape.name)))]
        }
        Form::List(item) => {
            let item = Json::Map(self::form(item, definitions));
            vec![("type", text("array")), ("items", item)]
        }
        Form::Any(forms) => {
            let mut any = |item| Json::Map(self::form(item, definitions));
            vec![("anyOf", Json::List(forms.iter().map(&mut any).collect()))]
        }
        Form::OneOf(words) => {
            vec![("enum", Json::List(words.iter().map(|word| text(word)).collect()))]
        }
        Form::Labels => {
            let value = Json::Map(vec![("type", text("string"))]);
            vec![("type", text("object")), ("additionalProperties", value)]
        }
        Form::Truth => vec![("type", text("boolean"))],
        Form::Text => vec![("type", text("string"))],
        scalar => {
            let (types, pattern) = scalar_form(*scalar);
            let types = types.iter().map(|name| text(name)).collect();
            vec![("type", Json::List(types)), ("pattern", text(pattern))]
        }
    }
}

/// The JSON types and the pattern of a scalar; `pattern` binds strings only.
pub(super) fn scalar_form(form: Form) -> (&'static [&'static str], &'static str) {
    const NUMBER: &[&str] = &["number", "string"];
    const WHOLE: &[&str] = &["integer", "string"];
    const STRING: &[&str] = &["string"];
    match form {
        Form::Count => (WHOLE, r"^[1-9][0-9]*$"),
        Form::Whole => (WHOLE, r"^[0-9]+$"),
        Form::Number => (NUMBER, r"^\+?[0-9]*\.?[0-9]*([eE][+-]?[0-9]+)?$"),
        Form::Milli => (NUMBER, r"^[0-9]*\.?[0-9]*m?$"),
        Form::Size => (NUMBER, r"^[0-9]*\.?[0-9]* ?([kKMGTP]i?)?B?$"),
        Form::Money => (STRING, r"^[0-9]*\.?[0-9]* +[A-Z]{3}$"),
        Form::Work => (STRING, r"^[0-9]*\.?[0-9]*([eE][0-9]+)? +[^\s/]+$"),
        Form::WorkRate => {
            (STRING, r"^[0-9.eE+-]+ +\S+ ?/ ?(s|sec|second|m|min|minute|h|hour|d|day)$")
        }
        Form::RequestRate => {
            (STRING, r"^[0-9.eE+-]+ ?(req|requests)?/(s|sec|second|m|min|minute|h|hour|d|day)$")
        }
        Form::Duration => (STRING, r"^([0-9]+(ms|s|min|m|h|d|w))+$"),
        Form::Moment => {
            (STRING, r"^(in +([0-9]+(ms|s|min|m|h|d|w))+|[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ].+)$")
        }
        Form::Time => (STRING, r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ].+$"),
        Form::Date => (STRING, r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"),
        Form::Share => (NUMBER, r"^[0-9]*\.?[0-9]* ?%?$"),
        Form::CsvPath => (STRING, r"^.+$"),
        _ => (STRING, ""),
    }
}

fn write(json: &Json, depth: usize, out: &mut String) {
    let entries: Vec<(&str, &Json)> = match json {
        Json::True => return out.push_str("true"),
        Json::False => return out.push_str("false"),
        Json::Text(text) => return quote(text, out),
        Json::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "\n" } else { ",\n" });
                out.push_str(&"  ".repeat(depth + 1));
                write(item, depth + 1, out);
            }
            if !items.is_empty() {
                out.push('\n');
                out.push_str(&"  ".repeat(depth));
            }
            return out.push(']');
        }
        Json::Map(entries) => entries.iter().map(|(key, value)| (*key, value)).collect(),
        Json::Named(entries) => entries.iter().map(|(key, value)| (*key, value)).collect(),
    };
    out.push('{');
    for (index, (key, value)) in entries.into_iter().enumerate() {
        out.push_str(if index == 0 { "\n" } else { ",\n" });
        out.push_str(&"  ".repeat(depth + 1));
        quote(key, out);
        out.push_str(": ");
        write(value, depth + 1, out);
    }
    out.push('\n');
    out.push_str(&"  ".repeat(depth));
    out.push('}');
}

/// Quotes a text of the tables: they have no control characters.
fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}
