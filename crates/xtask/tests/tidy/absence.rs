//! What the pure crates must not contain: a clock, the environment, sleep, threads, files, the
//! network, floats, hash order. Types are not resolved; the words are enough, because the
//! libraries that could hide them are limited too (see `arrows`).

use crate::scan;

/// What reaches out of a function's arguments.
const OUTSIDE: [&str; 10] = [
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "std::env",
    "env::var",
    "std::net",
    "std::process",
    "thread::sleep",
    "thread::spawn",
];

/// Files of the machine.
const FILES: [&str; 2] = ["std::fs", "File::open"];
/// Floats: exact sums only.
const FLOATS: [&str; 2] = ["f64", "f32"];
/// Order that differs from run to run.
const HASHES: [&str; 2] = ["HashMap", "HashSet"];

/// What each crate must not contain.
const RULES: [(&str, &[&[&str]]); 6] = [
    ("crates/farthing-model/src/", &[&OUTSIDE, &FILES, &FLOATS, &HASHES]),
    ("crates/farthing-milp/src/", &[&OUTSIDE, &FILES, &HASHES]),
    ("crates/farthing-planner/src/", &[&OUTSIDE, &FILES, &FLOATS, &HASHES]),
    ("crates/farthing-ledger/src/", &[&OUTSIDE, &FLOATS]),
    ("crates/farthing-edge/src/", &[&OUTSIDE, &FILES, &FLOATS, &HASHES]),
    ("crates/farthing-engine/src/", &[&OUTSIDE, &FILES, &FLOATS, &HASHES]),
];

/// Words in a file of a pure crate that must not be there.
pub(crate) fn faults(path: &str, source: &str) -> Vec<String> {
    let Some((_, lists)) = RULES.iter().find(|(folder, _)| path.starts_with(folder)) else {
        return Vec::new();
    };
    let code = scan::without_tests(&scan::code(source));
    let mut faults = Vec::new();
    for (number, line) in code.lines().enumerate() {
        for word in lists.iter().copied().flatten().filter(|word| has_word(line, word)) {
            faults.push(format!("{path}:{}: `{word}` in a pure crate", number + 1));
        }
    }
    faults
}

/// Whether `word` stands in `line` and is no part of a longer name or number.
fn has_word(line: &str, word: &str) -> bool {
    let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word).any(|(at, _)| {
        !joins(line[..at].chars().next_back()) && !joins(line[at + word.len()..].chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_and_a_float_in_the_planner_are_found() {
        let path = "crates/farthing-planner/src/a.rs";
        let found =
            faults(path, "fn f() {\n    let now = Timestamp::now();\n    let x: f64 = 0;\n}");
        assert_eq!(
            found,
            [
                format!("{path}:2: `Timestamp::now` in a pure crate"),
                format!("{path}:3: `f64` in a pure crate"),
            ]
        );
    }

    #[test]
    fn words_in_comments_tests_names_and_other_crates_do_not_count() {
        let source = "// f64\nlet of64 = 1;\n#[cfg(test)]\nmod tests { use std::fs; }";
        assert!(faults("crates/farthing-model/src/a.rs", source).is_empty());
        assert!(faults("crates/farthing-providers/src/a.rs", "use std::fs;").is_empty());
    }
}
