//! Words, names and paths that do not belong in the repository.
//!
//! The lists are written in halves, so that this file passes its own rule.

use crate::scan;
use crate::tree::extension;

/// Left-over marks, hosts that only one installation knows, and talk about how code was written.
const ANYWHERE: [&str; 14] = [
    concat!("FIX", "ME"),
    concat!("XX", "X:"),
    concat!("index.crates", ".io"),
    concat!("static.crates", ".io"),
    concat!("proxy.golang", ".org"),
    concat!("registry.npmjs", ".org"),
    concat!("pypi", ".org"),
    concat!("deb.debian", ".org"),
    concat!("arti", "factory"),
    concat!("cla", "ude"),
    concat!("anth", "ropic"),
    concat!("chat", "gpt"),
    concat!("co", "pilot"),
    concat!("sub", "agent"),
];

/// Macros that mean that something is not done, or was only looked at.
const MACROS: [&str; 3] = ["todo!", "unimplemented!", "dbg!"];

/// Printing: only the binary, developer tasks, examples and tests talk to a terminal.
const PRINTING: [&str; 4] = ["println!", "print!", "eprintln!", "eprint!"];
const MAY_PRINT: [&str; 2] = ["crates/farthing/", "crates/xtask/"];

/// Names that say nothing about the domain.
const MODULES: [&str; 8] =
    ["utils", "util", "helpers", "helper", "common", "manager", "misc", "shared"];

/// Folders of one machine.
const MACHINE: [&str; 4] = ["/root/", "/work/", "/home/", "/tmp/"];

/// Words that belong nowhere.
pub(crate) fn anywhere(path: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let low = line.to_lowercase();
        for word in ANYWHERE.iter().filter(|word| low.contains(&word.to_lowercase())) {
            faults.push(format!("{path}:{}: `{word}`", number + 1));
        }
    }
    faults
}

/// Macros that must not be in code.
pub(crate) fn in_code(path: &str, source: &str, is_test: bool) -> Vec<String> {
    let mut faults = Vec::new();
    let code = scan::code(source);
    faults.extend(calls(&code, &MACROS).map(|name| format!("{path}: `{name}`")));
    let may_print = is_test
        || path.contains("/examples/")
        // A build script tells cargo what it needs by printing it.
        || path.ends_with("/build.rs")
        || MAY_PRINT.iter().any(|folder| path.starts_with(folder));
    if !may_print {
        let product = scan::without_tests(&code);
        faults.extend(
            calls(&product, &PRINTING).map(|name| format!("{path}: `{name}` in a library")),
        );
    }
    faults
}

/// The macros of `names` that `code` calls, as whole words.
fn calls<'a>(code: &str, names: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    let called = |name: &str| {
        code.match_indices(name).any(|(at, _)| {
            !code[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_')
        })
    };
    names.iter().copied().filter(move |name| called(name))
}

/// Absolute paths of one machine; not in tests, where recorded input may hold any.
pub(crate) fn machine_paths(path: &str, text: &str) -> Vec<String> {
    let product = if extension(path) == "rs" { before_tests(text) } else { text };
    let mut faults = Vec::new();
    for (number, line) in product.lines().enumerate() {
        for folder in MACHINE {
            let real = |at: usize| {
                let before = line[..at].chars().next_back();
                let after = line[at + folder.len()..].chars().next();
                let starts = before.is_none_or(|c| !c.is_alphanumeric() && !"._-}".contains(c));
                starts && after.is_some_and(char::is_alphanumeric)
            };
            if line.match_indices(folder).any(|(at, _)| real(at)) {
                faults.push(format!("{path}:{}: a path of one machine, {folder}", number + 1));
            }
        }
    }
    faults
}

/// Tests stand at the end of a file.
fn before_tests(source: &str) -> &str {
    source.split("#[cfg(test)]\nmod ").next().unwrap_or(source)
}

/// A source file or folder whose name says nothing.
pub(crate) fn module_name(path: &str) -> Option<String> {
    let source = path.starts_with("crates/") && extension(path) == "rs";
    let word = path.trim_end_matches(".rs").split('/').find(|part| MODULES.contains(part))?;
    source.then(|| format!("{path}: `{word}` says nothing about what is in it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn left_over_marks_are_found_with_their_line() {
        let text = format!("fine\n// {} later\n", ANYWHERE[0].to_lowercase());
        assert_eq!(anywhere("a.rs", &text), [format!("a.rs:2: `{}`", ANYWHERE[0])]);
        assert!(anywhere("a.rs", "nothing to see").is_empty());
    }

    #[test]
    fn unfinished_code_is_found_but_not_in_strings() {
        let found = in_code("crates/a/src/a.rs", "fn f() { todo!() }", false);
        assert_eq!(found, ["crates/a/src/a.rs: `todo!`"]);
        let found = in_code("crates/a/src/a.rs", "fn f() { \"todo!()\" /* dbg!() */ }", true);
        assert!(found.is_empty());
    }

    #[test]
    fn a_library_that_prints_is_found() {
        let source = "fn f() { println!() }\n#[cfg(test)]\nmod tests { fn g() { eprintln!() } }";
        let found = in_code("crates/farthing-sim/src/a.rs", source, false);
        assert_eq!(found, ["crates/farthing-sim/src/a.rs: `println!` in a library"]);
        assert!(in_code("crates/farthing/src/a.rs", source, false).is_empty());
        assert!(in_code("crates/farthing-sim/examples/a.rs", source, false).is_empty());
    }

    #[test]
    fn a_path_of_one_machine_is_found() {
        let found = machine_paths("a.md", "see `/home/someone/x`\nsee ../work/x and $HOME/tmp/x");
        assert_eq!(found, ["a.md:1: a path of one machine, /home/"]);
        let source = "fn f() {}\n#[cfg(test)]\nmod tests { const P: &str = \"/tmp/x\"; }";
        assert!(machine_paths("a.rs", source).is_empty());
    }

    #[test]
    fn a_module_that_says_nothing_is_found() {
        assert!(module_name("crates/a/src/utils.rs").is_some());
        assert!(module_name("crates/a/src/common/mod.rs").is_some());
        assert!(module_name("crates/a/src/commons.rs").is_none());
    }
}
