//! Just enough of Rust to measure it: which bytes are code, where tests are, where functions begin
//! and end. Knows nothing of types or macros.

/// A function as it stands in a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// From the line of `fn` to that of the closing brace.
    pub(crate) lines: usize,
    /// Without `self`.
    pub(crate) parameters: usize,
}

/// `source` with comments and the insides of strings and characters blanked; lines stay.
pub(crate) fn code(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let end = blank_end(&chars, at);
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

/// Where the comment, string or character that starts at `at` ends; `at` when none starts here.
fn blank_end(chars: &[char], at: usize) -> usize {
    let next = |offset: usize| chars.get(at + offset).copied().unwrap_or('\0');
    match (chars[at], next(1)) {
        ('/', '/') => find(chars, at, |c| c == '\n'),
        ('/', '*') => block_end(chars, at),
        ('"', _) => quoted_end(chars, at, '"'),
        ('r', '"' | '#') if !after_word(chars, at) => raw_end(chars, at),
        ('b' | 'c', 'r') if !after_word(chars, at) && matches!(next(2), '"' | '#') => {
            raw_end(chars, at + 1)
        }
        // A lifetime has no closing quote one character on.
        ('\'', '\\') => quoted_end(chars, at, '\''),
        ('\'', _) if next(2) == '\'' => at + 3,
        _ => at,
    }
}

fn after_word(chars: &[char], at: usize) -> bool {
    at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_')
}

fn find(chars: &[char], from: usize, stop: impl Fn(char) -> bool) -> usize {
    (from..chars.len()).find(|at| stop(chars[*at])).unwrap_or(chars.len())
}

fn block_end(chars: &[char], from: usize) -> usize {
    let (mut depth, mut at) = (0_usize, from);
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    chars.len()
}

fn quoted_end(chars: &[char], from: usize, quote: char) -> usize {
    let mut at = from + 1;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            c if c == quote => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

/// The end of `r"..."` or `r##"..."##`; the start for a raw name such as `r#type`.
fn raw_end(chars: &[char], from: usize) -> usize {
    let open = find(chars, from + 1, |c| c != '#');
    let hashes = open - from - 1;
    if chars.get(open) != Some(&'"') {
        return from;
    }
    let closes = |at: &usize| {
        chars[*at] == '"' && chars[at + 1..].iter().take_while(|c| **c == '#').count() >= hashes
    };
    (open + 1..chars.len()).find(closes).map_or(chars.len(), |at| at + 1 + hashes)
}

/// `code` without the items behind `#[cfg(test)]`; their lines are gone too.
pub(crate) fn without_tests(code: &str) -> String {
    let mut rest = code;
    let mut out = String::new();
    while let Some(at) = rest.find("#[cfg(test)]") {
        out.push_str(&rest[..at]);
        let item = &rest[at..];
        rest = &item[item_end(item)..];
    }
    out.push_str(rest);
    out
}

/// Where the item ends that `text` starts with: after its braces or its semicolon.
fn item_end(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            ';' if depth == 0 => return at + 1,
            '{' => depth += 1,
            '}' if depth <= 1 => return at + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

/// The functions of blanked code that have a body, nested ones too.
pub(crate) fn functions(code: &str) -> Vec<Function> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let before = code[..at].chars().next_back();
        let rest = &code[at + 3..];
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if name.is_empty() || before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        if let Some(end) = body_end(rest) {
            let lines = rest[..end].matches('\n').count() + 1;
            found.push(Function { name, lines, parameters: parameters(rest) });
        }
    }
    found
}

/// Where the body ends of a function whose name `text` starts with; `None` without a body.
fn body_end(text: &str) -> Option<usize> {
    let mut nesting = 0_i32;
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' => nesting += 1,
            ')' | ']' => nesting -= 1,
            ';' if nesting == 0 => return None,
            '{' if nesting == 0 => return Some(at + item_end(&text[at..])),
            _ => {}
        }
    }
    None
}

/// How many parameters there are, without `self`.
fn parameters(text: &str) -> usize {
    let mut angles = 0_i32;
    let mut previous = ' ';
    let mut open = text.len();
    for (at, c) in text.char_indices() {
        match c {
            '<' => angles += 1,
            '>' if previous != '-' => angles -= 1,
            '(' if angles == 0 => {
                open = at + 1;
                break;
            }
            _ => {}
        }
        previous = c;
    }
    top_level_parts(&text[open..])
        .iter()
        .filter(|part| {
            let words = part.trim().trim_start_matches(['&', '\'']);
            !words.is_empty() && !words.split([':', ' ']).any(|word| word == "self")
        })
        .count()
}

/// The parts between commas, up to the bracket that closes the list.
fn top_level_parts(text: &str) -> Vec<String> {
    let (mut nesting, mut previous) = (0_i32, ' ');
    let mut parts = vec![String::new()];
    for c in text.chars() {
        match c {
            ')' | ']' | '}' if nesting == 0 => break,
            '(' | '[' | '{' | '<' => nesting += 1,
            ')' | ']' | '}' => nesting -= 1,
            '>' if previous != '-' => nesting -= 1,
            ',' if nesting == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        previous = c;
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_and_comments_are_blank_and_lines_stay() {
        let source = "a /* { /* } */ \n */ \"}\\\"{\" // {\nr#\"{\"}\"# 'x' '\\'' b\"{\" &'a str c";
        let code = code(source);
        assert_eq!(code.matches('\n').count(), 2);
        let left: Vec<&str> = code.split_whitespace().collect();
        assert_eq!(left, ["a", "b", "&'a", "str", "c"]);
    }

    #[test]
    fn raw_names_are_no_strings() {
        assert_eq!(code("r#type { } for\"x\""), "r#type { } for   ");
    }

    #[test]
    fn items_for_tests_are_left_out() {
        let left = without_tests(
            "a;\n#[cfg(test)]\nmod tests { fn x() { } }\nb;\n#[cfg(test)]\nuse c;\nd;",
        );
        assert_eq!(left.split_whitespace().collect::<Vec<_>>(), ["a;", "b;", "d;"]);
    }

    #[test]
    fn functions_are_measured_from_their_line_to_their_brace() {
        let source = "trait T { fn none(&self); }\nfn outer<F: Fn(u8) -> u8>(f: F, g: [u8; 2]) {\n\
                      \x20   fn inner() { }\n    let s = \"}\";\n}\n";
        let found = functions(&code(source));
        let function =
            |name: &str, lines, parameters| Function { name: name.to_owned(), lines, parameters };
        assert_eq!(found, [function("outer", 4, 2), function("inner", 1, 0)]);
    }

    #[test]
    fn self_is_no_parameter_and_types_may_have_commas() {
        let source = "fn f(&mut self, a: Map<u8, (u8, u8)>, b: impl Fn(u8, u8) -> u8) {}";
        assert_eq!(functions(source)[0].parameters, 2);
        assert_eq!(functions("fn f(&'a self, selfish: u8) {}")[0].parameters, 1);
    }
}
