//! YAML as JSON values, for kubeconfigs.
//!
//! Scalars stay text but for plain `true`, `false` and null: a token of digits is a token. Aliases
//! are refused; no tool writes them into these files, and they are how small files become large.

use granit_parser::{Event, Parser, ScalarStyle, StrInput, options};
use serde_json::{Map, Value};

/// Deepest nesting of lists and maps. A kubeconfig needs eight.
const DEPTH_MAX: usize = 32;

/// The first document of a text.
///
/// # Errors
/// Not YAML, with its line; or deeper than a kubeconfig can be.
pub(super) fn value(text: &str) -> Result<Value, String> {
    let limits = options! { flow_nesting_limit: DEPTH_MAX, block_nesting_limit: DEPTH_MAX };
    let mut events = Events(Parser::new_from_str_with_options(text, limits));
    loop {
        match events.next()? {
            Event::StreamStart => {}
            Event::DocumentStart(..) => break,
            _ => return Ok(Value::Null),
        }
    }
    let first = events.next()?;
    events.value(first, 0)
}

struct Events<'t>(Parser<'t, StrInput<'t>>);

impl<'t> Events<'t> {
    fn next(&mut self) -> Result<Event<'t>, String> {
        match self.0.next_event() {
            Some(Ok((event, _))) => Ok(event),
            Some(Err(error)) => {
                let line = error.marker().line();
                Err(format!("line {line}: is not YAML: {}", error.info()))
            }
            None => Ok(Event::StreamEnd),
        }
    }

    fn value(&mut self, event: Event<'t>, depth: usize) -> Result<Value, String> {
        if depth > DEPTH_MAX {
            return Err(format!("is nested deeper than {DEPTH_MAX} levels"));
        }
        match event {
            Event::Scalar(text, ScalarStyle::Plain, ..) => Ok(match &*text {
                "" | "~" | "null" => Value::Null,
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                text => Value::String(text.to_owned()),
            }),
            Event::Scalar(text, ..) => Ok(Value::String(text.into_owned())),
            Event::SequenceStart(..) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        Event::SequenceEnd => return Ok(Value::Array(items)),
                        event => items.push(self.value(event, depth + 1)?),
                    }
                }
            }
            Event::MappingStart(..) => {
                let mut entries = Map::new();
                loop {
                    let key = match self.next()? {
                        Event::MappingEnd => return Ok(Value::Object(entries)),
                        Event::Scalar(key, ..) => key.into_owned(),
                        other => return Err(format!("a key is not a plain name: {other:?}")),
                    };
                    let event = self.next()?;
                    let value = self.value(event, depth + 1)?;
                    entries.insert(key, value);
                }
            }
            Event::Alias(_) => Err("has an alias; write the value out".to_owned()),
            other => Err(format!("is not expected here: {other:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_stay_what_was_written() {
        let text = "a: {token: 0123, off: true, none: ~, 'q': \"true\"}\nlist: [x, [y]]\n";
        let expected = serde_json::json!({
            "a": {"token": "0123", "off": true, "none": null, "q": "true"},
            "list": ["x", ["y"]],
        });
        assert_eq!(value(text), Ok(expected));
        assert_eq!(value(""), Ok(Value::Null));
    }

    #[test]
    fn what_is_none_is_refused() {
        for bad in ["a: [", "a: *x", "[a]: b", "a: &x {b: *x}"] {
            assert!(value(bad).is_err(), "{bad}");
        }
        assert!(value(&"[".repeat(100_000)).is_err());
    }
}
