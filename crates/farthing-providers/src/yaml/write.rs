//! JSON as YAML that people can read. Texts that could be read as anything else are quoted.

use serde_json::Value;

/// Writes a document, with the line feed at its end.
pub(crate) fn write(value: &Value) -> String {
    let mut out = String::new();
    node(value, 0, &mut out);
    out
}

/// Writes a value that stands at the beginning of a line of its own.
fn node(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            for (index, (key, value)) in entries.iter().enumerate() {
                if index > 0 {
                    indent(depth, out);
                }
                out.push_str(&scalar(key));
                out.push(':');
                under(value, depth, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    indent(depth, out);
                }
                out.push_str("- ");
                node(item, depth + 1, out);
            }
        }
        plain => {
            out.push_str(&leaf(plain));
            out.push('\n');
        }
    }
}

/// Writes the value of a key.
fn under(value: &Value, depth: usize, out: &mut String) {
    let is_tree = match value {
        Value::Object(entries) => !entries.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if is_tree {
        out.push('\n');
        indent(depth + 1, out);
        node(value, depth + 1, out);
    } else {
        out.push(' ');
        node(value, depth, out);
    }
}

fn indent(depth: usize, out: &mut String) {
    out.push_str(&"  ".repeat(depth));
}

fn leaf(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        // An empty list, an empty map, a number, true, false and null are written alike.
        other => other.to_string(),
    }
}

/// A text, plain where that can mean nothing else, to readers of YAML 1.1 too.
fn scalar(text: &str) -> String {
    const WORDS: [&str; 10] = ["true", "false", "yes", "no", "on", "off", "null", "y", "n", "none"];
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(is_plain)
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    // JSON strings are YAML strings.
    if plain { text.to_owned() } else { Value::String(text.to_owned()).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_written_is_read_the_same() {
        let value = json!({
            "a": [{"b": "x", "c": [1, 2.5, "80%"]}, [], {}, [[1], "no"]],
            "d": {"e": {"f": true, "g": null}, "h": ""},
            "name.of-it": "it says: \"yes\" \\ 'no'\n# and more",
            "on": "yes",
            "1": "2026-11-24",
        });
        let expected = concat!(
            "\"1\": \"2026-11-24\"\n",
            "a:\n  - b: x\n    c:\n      - 1\n      - 2.5\n      - \"80%\"\n  - []\n  - {}\n",
            "  - - - 1\n    - \"no\"\n",
            "d:\n  e:\n    f: true\n    g: null\n  h: \"\"\n",
            "name.of-it: \"it says: \\\"yes\\\" \\\\ 'no'\\n# and more\"\n",
            "\"on\": \"yes\"\n",
        );
        assert_eq!(write(&value), expected);
        let [Ok(node)] = &super::super::documents(expected)[..] else { panic!("one document") };
        let of = |name: &str| node.get(name).unwrap();
        assert_eq!(of("name.of-it").text(), Some("it says: \"yes\" \\ 'no'\n# and more"));
        assert_eq!(of("d").get("e").unwrap().get("f").unwrap().text(), Some("true"));
    }
}
