use super::*;
use std::fs;
use std::path::Path;

#[test]
fn the_definitions_are_current() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/custom-resources.yaml");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, definitions()).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == definitions(), "run the test with UPDATE_EXPECT=1 and commit the file");
}

/// What a structural schema may not have; a real server is asked in `farthing-kube`'s tests.
#[test]
fn schemas_are_structural() {
    fn look(schema: &Value, path: &str) {
        let Value::Object(entries) = schema else { panic!("{path}: {schema}") };
        let has = |name: &str| entries.contains_key(name);
        for word in ["$ref", "oneOf", "anyOf", "patternProperties", "const", "definitions"] {
            assert!(!has(word), "{path} has {word}");
        }
        let untyped =
            has("x-kubernetes-preserve-unknown-fields") || has("x-kubernetes-int-or-string");
        assert!(has("type") != untyped, "{path} has no one type");
        // A server does not run rules where there is no type.
        assert!(!(has("x-kubernetes-preserve-unknown-fields") && has("x-kubernetes-validations")));
        if let Some(Value::Object(properties)) = entries.get("properties") {
            for (name, schema) in properties {
                look(schema, &format!("{path}.{name}"));
            }
        }
        if let Some(items) = entries.get("items") {
            look(items, &format!("{path}[]"));
        }
    }
    for shape in [&shape::BUDGET, &shape::POLICY, &shape::PRICE_BOOK] {
        look(&spec(shape), shape.name);
    }
    look(&plan::spec(), "Plan");
    for status in [status::budget(), status::policy(), status::price_book(), status::plan()] {
        look(&status, "status");
    }
}
