//! The document of the API, as of `OpenAPI` 3.1: made from the list of routes, and from the schemas
//! that the build reads from the source of the wire types.

use super::api::{Answer, Route, routes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use std::sync::OnceLock;

/// Schemas of the wire types by name, from the build.
const SCHEMAS: &str = include_str!(concat!(env!("OUT_DIR"), "/schemas.json"));

/// What parameters mean, and of which type they are, where that is not a text.
const PARAMETERS: [(&str, &str, &str); 20] = [
    ("window", "string", "A span, UTC: 90m, 1h, 7d, today, or FROM,TO in RFC 3339"),
    ("by", "string", "Keys of the rows, separated by commas"),
    ("step", "string", "Rows for each of these: 1h or 1d"),
    ("filter", "string", "Only these charges, such as namespace:\"web\"+label[app]!:\"cache\""),
    ("share_idle", "string", "separate, even or proportional"),
    ("idle_by", "string", "place, cluster or node"),
    ("share", "string", "A filter of charges that all others share"),
    ("basis", "string", "reserved, occupied or used"),
    ("resource", "string", "Only these resources, separated by commas"),
    ("return", "string", "The page of ours to go to afterwards"),
    ("cursor", "string", "`next` of the page before"),
    ("limit", "integer", "So many items at most"),
    ("kind", "string", "Only records of these kinds, separated by commas"),
    ("sort", "string", "used, or -used for the least first"),
    ("node", "string", "Only nodes with this in their name"),
    ("aggregate", "string", "Keys of the allocations, separated by commas"),
    ("accumulate", "string", "Whether to sum over all steps: true or false"),
    ("idle_after", "string", "Nodes without work for so long are given back, such as 10m"),
    ("reserve", "string", "The share of each kind of node that is kept free, such as 20%"),
    ("max_price", "string", "The most that all nodes together may cost, such as 10 USD/h"),
];

/// The document, as it is committed and served.
pub fn openapi() -> String {
    let mut paths = Map::new();
    for route in routes() {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.to_lowercase()] = operation(&route);
    }
    let mut schemas: Value = serde_json::from_str(SCHEMAS).unwrap_or_default();
    // A problem's further members are its own.
    let more = schemas["More"]["properties"].take();
    if let (Some(schemas), Value::Object(more)) = (schemas.as_object_mut(), more) {
        schemas.remove("More");
        if let Some(problem) = schemas.get_mut("Problem").and_then(Value::as_object_mut) {
            problem.remove("allOf");
            if let Some(Value::Object(properties)) = problem.get_mut("properties") {
                properties.extend(more);
            }
        }
    }
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Farthing",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Money is an exact decimal string, times are RFC 3339 in UTC, what is \
                not known is null. Problems are those of RFC 9457. Keys may be added, none is \
                renamed.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "token": [] }, { "session": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer" },
                "session": { "type": "apiKey", "in": "cookie", "name": "farthing" },
            },
        },
    });
    let text = serde_json::to_string_pretty(&document).unwrap_or_default();
    format!("{text}\n")
}

/// Serves the document.
pub(super) async fn document() -> Response {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    let text = DOCUMENT.get_or_init(openapi).as_str();
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

fn operation(route: &Route) -> Value {
    let mut operation = json!({
        "operationId": name(route),
        "summary": route.summary,
        "responses": responses(route),
    });
    let mut parameters: Vec<Value> = route.parameters.iter().map(|name| parameter(name)).collect();
    if route.path.contains("{id}") {
        let id = json!({ "type": "string", "minLength": 1 });
        parameters.push(json!({ "name": "id", "in": "path", "required": true, "schema": id }));
    }
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some(content) = route.content {
        operation["requestBody"] = json!({
            "required": true,
            "content": { "application/json": { "schema": reference(content) } },
        });
    }
    match route.deed {
        None => operation["security"] = json!([]),
        Some(deed) => {
            operation["x-farthing-scope"] = deed.name().into();
            operation["x-farthing-role"] = deed.least().name().into();
        }
    }
    operation
}

fn name(route: &Route) -> String {
    let words = route.path.trim_start_matches("/api/v1").replace(['/', '.', '-'], "_");
    let words = words.replace("_{id}", "");
    format!("{}{words}", route.method.to_lowercase())
}

fn parameter(name: &str) -> Value {
    let known = PARAMETERS.iter().find(|(known, _, _)| *known == name);
    let (kind, words) = known.map_or(("string", ""), |(_, kind, words)| (*kind, *words));
    let mut parameter = json!({ "name": name, "in": "query", "schema": { "type": kind } });
    if !words.is_empty() {
        parameter["description"] = words.into();
    }
    parameter
}

fn responses(route: &Route) -> Value {
    let json = |schema: Value| json!({ "application/json": { "schema": schema } });
    let (status, content) = match route.answer {
        Answer::Json(name) => ("200", json(reference(name))),
        Answer::Created(name) => ("201", json(reference(name))),
        Answer::Object => ("200", json(json!({ "type": "object" }))),
        Answer::Nothing => ("204", Value::Null),
        Answer::Elsewhere => ("302", Value::Null),
        Answer::Text(kind) => ("200", json!({ kind: { "schema": { "type": "string" } } })),
        Answer::Page(name) => (
            "200",
            json(json!({
                "type": "object",
                "properties": {
                    "items": { "type": "array", "items": reference(name) },
                    "next": { "type": ["string", "null"] },
                },
                "required": ["items", "next"],
            })),
        ),
    };
    let mut done = json!({ "description": "Done" });
    if !content.is_null() {
        done["content"] = content;
    }
    let problem = json!({ "application/problem+json": { "schema": reference("Problem") } });
    let mut responses = json!({
        "default": { "description": "A problem of RFC 9457", "content": problem },
    });
    responses[status] = done;
    if route.method == "GET" && route.path.starts_with("/api/v1/") {
        responses["304"] = json!({ "description": "As it was, by If-None-Match" });
    }
    responses
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}
