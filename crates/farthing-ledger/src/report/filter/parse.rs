//! The language of filters.
//!
//! ```text
//! filter     = term { "+" term } | term { "|" term }      + is and, | is or; not both at one level
//! term       = [ "!" ] "(" filter ")" | comparison
//! comparison = key test value { "," value }
//! key        = NAME | "label[" NAME "]" | "label:" NAME | "label" | the same of annotation
//! test       = ":" "!:" "~:" "!~:" "<~:" "!<~:" "~>:" "!~>:"     is, contains, starts, ends; ! not
//! value      = "quoted" | plain
//! ```
//!
//! It is OpenCost's (v2), so that its clients' filters are read. `==`, `!=`, `~=` and `=` may stand
//! for `:`, `!:`, `~:` and `:`, `&&` and `||` for `+` and `|`, and a plain value needs no quotes.
//! `__unallocated__` is the value of what is not there.

use super::{Comparison, Field, Node, Test};
use crate::report::key::Key;

/// Why a text is not a filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the filter `{text}` is wrong at position {position}: {what}")]
pub struct FilterError {
    /// The whole text.
    pub text: String,
    /// Where, in characters from 1.
    pub position: usize,
    /// What is wrong, and what would be right.
    pub what: String,
}

/// Parentheses inside one another.
const DEPTH_MAX: usize = 64;

/// Longest filter, in bytes.
const LEN_MAX: usize = 16_384;

/// Longer tests before their beginnings.
const TESTS: [(&str, bool, Test); 18] = [
    ("!<~:", true, Test::Starts),
    ("!~>:", true, Test::Ends),
    ("!<~=", true, Test::Starts),
    ("!~>=", true, Test::Ends),
    ("<~:", false, Test::Starts),
    ("~>:", false, Test::Ends),
    ("<~=", false, Test::Starts),
    ("~>=", false, Test::Ends),
    ("!~:", true, Test::Contains),
    ("!~=", true, Test::Contains),
    ("~:", false, Test::Contains),
    ("~=", false, Test::Contains),
    ("!==", true, Test::Equal),
    ("!=", true, Test::Equal),
    ("!:", true, Test::Equal),
    ("==", false, Test::Equal),
    (":", false, Test::Equal),
    ("=", false, Test::Equal),
];

pub(super) fn parse(text: &str) -> Result<Node, FilterError> {
    let mut parser = Parser { text, at: 0 };
    if text.len() > LEN_MAX {
        return Err(parser.wrong(&format!("it is longer than {LEN_MAX} bytes")));
    }
    let node = parser.filter(0)?;
    parser.space();
    if parser.rest().starts_with(')') {
        return Err(parser.wrong("this `)` has no `(`"));
    }
    if !parser.rest().is_empty() {
        return Err(parser.wrong("here must be `+` (and), `|` (or) or the end"));
    }
    Ok(node)
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn wrong_at(&self, at: usize, what: &str) -> FilterError {
        let position = self.text[..at].chars().count() + 1;
        FilterError { text: self.text.to_owned(), position, what: what.to_owned() }
    }

    fn wrong(&self, what: &str) -> FilterError {
        self.wrong_at(self.at, what)
    }

    /// Takes one of these, if it is next.
    fn take(&mut self, tokens: &[&str]) -> bool {
        self.space();
        let found = tokens.iter().find(|token| self.rest().starts_with(**token));
        self.at += found.map_or(0, |token| token.len());
        found.is_some()
    }

    fn take_while(&mut self, is_part: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn filter(&mut self, depth: usize) -> Result<Node, FilterError> {
        if depth > DEPTH_MAX {
            return Err(self.wrong("there are too many parentheses inside one another"));
        }
        let mut nodes = vec![self.term(depth)?];
        let mut joined: Option<bool> = None;
        loop {
            self.space();
            let here = self.at;
            let is_and = if self.take(&["&&", "+"]) {
                true
            } else if self.take(&["||", "|"]) {
                false
            } else {
                break;
            };
            if joined.is_some_and(|before| before != is_and) {
                let what = "`+` and `|` stand side by side: put one of them into parentheses";
                return Err(self.wrong_at(here, what));
            }
            joined = Some(is_and);
            nodes.push(self.term(depth)?);
        }
        Ok(match joined {
            Some(true) => Node::All(nodes),
            Some(false) => Node::Any(nodes),
            None => nodes.remove(0),
        })
    }

    fn term(&mut self, depth: usize) -> Result<Node, FilterError> {
        if self.take(&["!"]) {
            return Ok(Node::Not(Box::new(self.term(depth + 1)?)));
        }
        if self.take(&["("]) {
            let open = self.at - 1;
            let node = self.filter(depth + 1)?;
            if !self.take(&[")"]) {
                return Err(self.wrong_at(open, "this `(` has no `)`"));
            }
            return Ok(node);
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Node, FilterError> {
        let field = self.field()?;
        self.space();
        let found = TESTS.iter().find(|(token, ..)| self.rest().starts_with(token));
        let Some((token, is_not, test)) = found.copied() else {
            let what = "here must be a test: `:` or `==` (is), `!:` (is not), `~:` (contains), \
                        `<~:` (starts with), `~>:` (ends with)";
            return Err(self.wrong(what));
        };
        self.at += token.len();
        // A list or a map is equal to a value when it has it.
        let mut values = vec![self.value()?];
        while self.take(&[","]) {
            values.push(self.value()?);
        }
        let node = Node::Compare(Comparison { field, test, values });
        Ok(if is_not { Node::Not(Box::new(node)) } else { node })
    }

    fn field(&mut self) -> Result<Field, FilterError> {
        self.space();
        let here = self.at;
        let word = self.take_while(|c| c.is_alphanumeric() || c == '_' || c == '-');
        if word.is_empty() {
            let what = "here must be a key such as namespace, team, node or label[app]";
            return Err(self.wrong(what));
        }
        let plain = word.to_ascii_lowercase();
        let map = match plain.as_str() {
            "label" | "labels" => Some((Key::Label as fn(_) -> _, Field::Labels)),
            "annotation" | "annotations" => {
                Some((Key::Annotation as fn(_) -> _, Field::Annotations))
            }
            _ => None,
        };
        if let Some((of, all)) = map {
            return Ok(self.entry()?.map_or(all, |name| Field::Key(of(name.into()))));
        }
        match plain.as_str() {
            "service" | "services" => return Ok(Field::Services),
            "controllername" => return Ok(Field::Key(Key::Controller)),
            // What OpenCost takes from labels of these names.
            "department" | "owner" => return Ok(Field::Key(Key::Label(plain.as_str().into()))),
            "environment" => return Ok(Field::Key(Key::Label("env".into()))),
            "product" => return Ok(Field::Key(Key::Label("app".into()))),
            _ => {}
        }
        word.parse().map(Field::Key).map_err(|what| self.wrong_at(here, &what))
    }

    /// `[NAME]`, `:NAME` before a test, or nothing.
    fn entry(&mut self) -> Result<Option<&'t str>, FilterError> {
        if self.rest().starts_with('[') {
            let open = self.at;
            self.at += 1;
            let name = self.take_while(|c| c != ']');
            if !self.take(&["]"]) {
                return Err(self.wrong_at(open, "this `[` has no `]`"));
            }
            let name = name.trim().trim_matches('"');
            if name.is_empty() {
                return Err(self.wrong_at(open + 1, "here must be a name, as in label[app]"));
            }
            return Ok(Some(name));
        }
        let before = self.at;
        if self.rest().starts_with([':', '.']) {
            self.at += 1;
            let name = self.take_while(|c| c.is_alphanumeric() || "_-./".contains(c));
            self.space();
            let is_test = TESTS.iter().any(|(token, ..)| self.rest().starts_with(token));
            if !name.is_empty() && is_test {
                return Ok(Some(name));
            }
            self.at = before;
        }
        Ok(None)
    }

    fn value(&mut self) -> Result<String, FilterError> {
        self.space();
        let open = self.at;
        if let Some(quote @ ('"' | '\'')) = self.rest().chars().next() {
            self.at += 1;
            let value = self.take_while(|c| c != quote);
            if !self.rest().starts_with(quote) {
                return Err(self.wrong_at(open, "this quote is not closed"));
            }
            self.at += 1;
            return Ok(value.to_owned());
        }
        let value = self.take_while(|c| !c.is_whitespace() && !"+|,()&\"'[]=!~<>".contains(c));
        if value.is_empty() {
            return Err(self.wrong("here must be a value, in quotes if it has signs in it"));
        }
        Ok(value.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use crate::report::filter::Filter;

    fn check(text: &str, canonical: &str) {
        let filter: Filter = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(filter.to_string(), canonical, "{text}");
        assert_eq!(filter.to_string().parse(), Ok(filter), "{canonical}");
    }

    #[test]
    fn reads_what_people_and_clients_write() {
        check("namespace:\"web\"", "namespace:\"web\"");
        check("namespace==namespace2", "namespace:\"namespace2\"");
        check("namespace!:\"a\",\"b\"", "namespace!:\"a\",\"b\"");
        check("label[app]:\"x\"+cluster:\"c1\"", "(label[app]:\"x\"+cluster:\"c1\")");
        check("label:app==x", "label[app]:\"x\"");
        check("label:\"app\"", "label:\"app\"");
        check("labels.app.kubernetes.io/name=x", "label[app.kubernetes.io/name]:\"x\"");
        check(
            "controllerKind:job | controllerName<~:\"x\"",
            "(controller_kind:\"job\"|controller<~:\"x\")",
        );
        check(
            "!(team~:a || node~>:b) && service:s",
            "(!(team~:\"a\"|node~>:\"b\")+services:\"s\")",
        );
        check("hour==2026-03-01T10:00:00Z", "hour:\"2026-03-01T10:00:00Z\"");
        check("environment:prod", "label[env]:\"prod\"");
        check("annotation[a b]!~:'q+'", "annotation[a b]!~:\"q+\"");
    }

    #[test]
    fn says_where_and_what_would_be_right() {
        let wrong = |text: &str| {
            let error = text.parse::<Filter>().map_err(|error| (error.position, error.what));
            error.map(|filter| filter.to_string())
        };
        let is = |text: &str, position: usize, what: &str| {
            let error = wrong(text).unwrap_err();
            assert_eq!(error.0, position, "{text}: {}", error.1);
            assert!(error.1.contains(what), "{text}: {}", error.1);
        };
        is("", 1, "must be a key");
        is("namespce:\"a\"", 1, "did you mean namespace?");
        is("team:a+nod:b", 8, "did you mean node?");
        is("team", 5, "must be a test");
        is("team:", 6, "must be a value");
        is("team:\"a", 6, "quote is not closed");
        is("(team:a", 1, "has no `)`");
        is("team:a)", 7, "has no `(`");
        is("team:a+node:b|user:c", 14, "put one of them into parentheses");
        is("label[app:x", 6, "has no `]`");
        is("team:a node:b", 8, "must be `+`");
        is(&"(".repeat(100), 66, "too many parentheses");
        is(&format!("team:{}", "a".repeat(20_000)), 1, "longer than 16384 bytes");
    }
}
