//! How large a file, a function, a line and a list of parameters may be.

use crate::{scan, tree};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const PARAMETERS_MAX: usize = 5;
const COLUMNS_MAX: usize = 100;

/// Something larger than its limit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Excess {
    /// The rule and the place, as in `exceptions.txt`.
    pub(crate) what: String,
    pub(crate) size: usize,
    pub(crate) limit: usize,
    /// Where, for a rule about lines.
    pub(crate) lines: Vec<usize>,
}

/// How many lines of a file are over the limit, counted in characters. The inside of a literal
/// over several lines is data and does not count.
pub(crate) fn lines_too_long(path: &str, text: &str) -> Option<Excess> {
    let code = if tree::extension(path) == "rs" { scan::code(text) } else { text.to_owned() };
    let is_data = |line: &str, code: &str| code.trim().is_empty() && !line.contains("//");
    let long: Vec<usize> = text
        .lines()
        .zip(code.lines())
        .enumerate()
        .filter(|(_, (line, code))| line.chars().count() > COLUMNS_MAX && !is_data(line, code))
        .map(|(at, _)| at + 1)
        .collect();
    let what = format!("columns {path}");
    (!long.is_empty()).then_some(Excess { what, size: long.len(), limit: 0, lines: long })
}

/// A source file, functions of it and their parameters over their limits; tests do not count.
pub(crate) fn too_large(path: &str, source: &str) -> Vec<Excess> {
    let code = scan::without_tests(&scan::code(source));
    let mut found = Vec::new();
    let mut judge = |what: String, size: usize, limit: usize| {
        if size > limit {
            found.push(Excess { what, size, limit, lines: Vec::new() });
        }
    };
    judge(format!("file {path}"), code.trim_end().lines().count(), FILE_LINES_MAX);
    for function in scan::functions(&code) {
        let name = &function.name;
        judge(format!("function {path}:{name}"), function.lines, FUNCTION_LINES_MAX);
        judge(format!("parameters {path}:{name}"), function.parameters, PARAMETERS_MAX);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(found: &[Excess]) -> Vec<(&str, usize)> {
        found.iter().map(|excess| (excess.what.as_str(), excess.size)).collect()
    }

    #[test]
    fn a_long_line_is_found_by_its_characters() {
        let text = format!("short\n{}\n{}\n", "é".repeat(100), "é".repeat(101));
        let found = lines_too_long("a.toml", &text).unwrap();
        assert_eq!((found.size, found.lines), (1, vec![3]));
        assert_eq!(lines_too_long("a.toml", "short"), None);
    }

    #[test]
    fn a_long_comment_counts_and_data_over_several_lines_does_not() {
        let long = "x".repeat(101);
        let source = format!("// {long}\nlet a = \"{long}\";\nlet b = \"\n{long}\n\";\n");
        assert_eq!(lines_too_long("a.rs", &source).unwrap().lines, [1, 2]);
    }

    #[test]
    fn a_long_function_and_many_parameters_are_found() {
        let body = "    x();\n".repeat(69);
        let source = format!(
            "fn long() {{\n{body}}}\nfn many(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8) {{}}\n"
        );
        let found = too_large("a.rs", &source);
        assert_eq!(names(&found), [("function a.rs:long", 71), ("parameters a.rs:many", 6)]);
    }

    #[test]
    fn a_long_file_is_found_and_its_tests_do_not_count() {
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "// x\n".repeat(400));
        let source = format!("{}{tests}", "use a;\n".repeat(500));
        assert!(too_large("a.rs", &source).is_empty());
        let source = format!("{}{tests}", "use a;\n".repeat(501));
        assert_eq!(names(&too_large("a.rs", &source)), [("file a.rs", 501)]);
    }
}
