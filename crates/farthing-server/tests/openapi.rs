//! The document of the API: it is the one that is committed, and says what the server does.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

mod client;
mod world;

use client::*;
use farthing_server::{AccessRules, Behind, Running, Server};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use world::*;

fn document() -> Value {
    serde_json::from_str(&farthing_server::openapi()).unwrap()
}

fn serve() -> Running {
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    Server::bind(address, AccessRules::default(), None)
        .unwrap()
        .serve(Behind {
            published: published(),
            books: books(),
            journal: Some(Box::new(farthing_edge::MemoryStore::default())),
            orders: None,
            offers: None,
            oidc: None,
            sessions: farthing_server::Sessions::default(),
        })
        .unwrap()
}

#[test]
fn the_committed_document_is_the_generated_one() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/openapi.json");
    let committed = std::fs::read_to_string(&file).unwrap();
    assert!(
        committed == farthing_server::openapi(),
        "docs/reference/openapi.json is not what the code says: run `make generate`"
    );
}

#[test]
fn every_reference_in_it_leads_somewhere() {
    fn follow(document: &Value, at: &Value, seen: &mut usize) {
        match at {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    let pointer = reference.trim_start_matches('#');
                    assert!(document.pointer(pointer).is_some(), "{reference}");
                    *seen += 1;
                }
                members.values().for_each(|value| follow(document, value, seen));
            }
            Value::Array(items) => items.iter().for_each(|value| follow(document, value, seen)),
            _ => {}
        }
    }
    let (document, mut seen) = (document(), 0);
    follow(&document, &document, &mut seen);
    assert!(seen > 100, "{seen}");
}

#[test]
fn every_operation_is_served_and_takes_the_parameters_that_it_names() {
    let (document, server) = (document(), serve());
    let mut operations = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            operations += 1;
            let line = format!("{} {}", method.to_uppercase(), path.replace("{id}", "x"));
            if path == "/api/v1/events" {
                continue;
            }
            let content = if method == "post" { "{}" } else { "" };
            let answer = ask(&server, &line, &[], content);
            assert_ne!(answer.status, 405, "{line}");
            let no_route = answer.body.contains("2026:no-such-route");
            assert!(!no_route, "{line}: {}", answer.body);
            if answer.status >= 400 {
                assert_eq!(answer.header("content-type"), "application/problem+json", "{line}");
                assert!(answer.json()["request_id"].is_string(), "{line}");
            } else {
                assert!(operation["responses"][answer.status.to_string()].is_object(), "{line}");
            }
            let parameters: Vec<&str> = operation["parameters"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|parameter| parameter["in"] == "query")
                .map(|parameter| parameter["name"].as_str().unwrap())
                .collect();
            if !parameters.is_empty() {
                let other = ask(&server, &format!("{line}?no_such=1"), &[], "");
                let problem = problem(&other, 400, "bad-parameter");
                assert_eq!(problem["allowed"], serde_json::json!(parameters), "{line}");
            }
        }
    }
    assert!(operations > 30, "{operations}");
    // Another method than those that are named.
    let put = ask(&server, "PUT /api/v1/tick", &[], "{}");
    assert_eq!(problem(&put, 405, "read-only")["request_id"], put.header("x-request-id"));
    problem(&get(&server, "/api/v1/nowhere"), 404, "no-such-route");
}

/// Whether a value is of a schema, as far as the document uses schemas.
fn fits(document: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    if let Some(Value::String(reference)) = schema.get("$ref") {
        let found = document.pointer(reference.trim_start_matches('#')).unwrap();
        return fits(document, found, value, at);
    }
    if let Some(Value::Array(any)) = schema.get("anyOf") {
        let fit = any.iter().any(|one| fits(document, one, value, at).is_ok());
        return if fit { Ok(()) } else { Err(format!("{at}: {value} is none of {schema}")) };
    }
    let kind = schema.get("type").and_then(Value::as_str).unwrap_or_default();
    let is_of = match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => true,
    };
    if !is_of {
        return Err(format!("{at}: {value} is no {kind}"));
    }
    if let (Some(items), Some(all)) = (schema.get("items"), value.as_array()) {
        all.iter().try_for_each(|item| fits(document, items, item, at))?;
    }
    let (Some(members), "object") = (value.as_object(), kind) else { return Ok(()) };
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap();
        members.get(name).ok_or_else(|| format!("{at}: `{name}` is missing in {value}"))?;
    }
    let known = schema.get("properties").and_then(Value::as_object);
    let open =
        known.is_none() || ["additionalProperties", "allOf"].iter().any(|it| !schema[it].is_null());
    for (name, member) in members {
        match known.and_then(|known| known.get(name)) {
            Some(schema) => fits(document, schema, member, &format!("{at}.{name}"))?,
            None if open => {}
            None => return Err(format!("{at}.{name} is not in the document")),
        }
    }
    Ok(())
}

#[test]
fn answers_are_as_the_document_says() {
    let (document, server) = (document(), serve());
    let mut fitted = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let schema = &methods["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        if schema.is_null() || path.contains("{id}") {
            continue;
        }
        let answer = get(&server, &format!("{path}?window=24h"));
        let answer = if answer.status == 200 { answer } else { get(&server, path) };
        if answer.status == 200 {
            fits(&document, schema, &answer.json(), path).unwrap();
            fitted += 1;
        }
    }
    assert!(fitted >= 15, "{fitted}");
    let schema = &document["components"]["schemas"]["Problem"];
    let problem = get(&server, "/api/v1/cost?by=nothing").json();
    fits(&document, schema, &problem, "problem").unwrap();
    // The check can fail.
    assert!(fits(&document, schema, &serde_json::json!({ "status": "x" }), "").is_err());
}
