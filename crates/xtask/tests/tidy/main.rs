//! The repository held to its own rules: which crate may know which, how long a file or function
//! may be, words and paths that do not belong here, and what must lie beside what.
//!
//! Each rule is a module: a function from text to faults, with a test on a small bad input that
//! shows that it can fail. The tests in this file apply the rules to the repository. What cannot
//! be put right yet is listed in `exceptions.txt`, which may only shrink.

#![expect(clippy::panic, reason = "a test that cannot read its input fails")]

mod absence;
mod arrows;
mod cargo;
mod decisions;
mod deny;
mod exceptions;
mod provenance;
mod readme;
mod scan;
mod sizes;
mod tree;
mod words;

use exceptions::Exceptions;

/// Fails with one line for each fault.
fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "{} faults:\n  {}", faults.len(), faults.join("\n  "));
}

#[test]
fn crates_depend_only_downward() {
    let metadata = cargo::metadata();
    assert_none(&arrows::faults(&cargo::edges(&metadata)));
}

#[test]
fn pure_crates_use_only_their_libraries() {
    let metadata = cargo::metadata();
    assert_none(&arrows::library_faults(&cargo::edges(&metadata)));
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let mut faults = Vec::new();
    for file in tree::files().iter().filter(|file| file.name() == "Cargo.toml") {
        faults.extend(arrows::lint_faults(&file.path, &file.text()));
    }
    assert_none(&faults);
}

#[test]
fn licences_and_duplicates_are_those_of_deny_toml() {
    let deny = deny::Deny::parse(&tree::read("deny.toml")).expect("deny.toml has one entry a line");
    let packages = cargo::packages(&cargo::metadata());
    let mut faults = deny.licence_faults(&packages);
    faults.extend(deny.duplicate_faults(&packages));
    faults.extend(deny::source_faults(&tree::read("Cargo.lock")));
    assert_none(&faults);
}

#[test]
fn files_functions_and_lines_are_short() {
    let list = tree::read("crates/xtask/tests/tidy/exceptions.txt");
    let exceptions = Exceptions::parse(&list).expect("exceptions.txt has the stated form");
    let mut found = Vec::new();
    for file in tree::files() {
        if file.is_source() {
            found.extend(sizes::lines_too_long(&file.path, &file.text()));
        }
        if file.is_rust() && !file.is_test() {
            found.extend(sizes::too_large(&file.path, &file.text()));
        }
    }
    assert_none(&exceptions.faults(&found));
}

#[test]
fn no_word_or_path_that_does_not_belong_here() {
    let mut faults = Vec::new();
    for file in tree::files().iter().filter(|file| file.is_text()) {
        let text = file.text();
        faults.extend(words::anywhere(&file.path, &text));
        if file.is_rust() {
            faults.extend(words::in_code(&file.path, &text, file.is_test()));
        }
        if !file.is_test() {
            faults.extend(words::machine_paths(&file.path, &text));
        }
        faults.extend(words::module_name(&file.path));
    }
    assert_none(&faults);
}

#[test]
fn pure_crates_have_no_clock_environment_or_float() {
    let mut faults = Vec::new();
    for file in tree::files().iter().filter(|file| file.is_rust() && !file.is_test()) {
        faults.extend(absence::faults(&file.path, &file.text()));
    }
    assert_none(&faults);
}

#[test]
fn the_readme_is_whole_and_links_lead_somewhere() {
    let mut faults = readme::faults(&tree::read("README.md"));
    for file in tree::files().iter().filter(|file| file.extension() == "md") {
        faults.extend(readme::broken_links(&file.path, &file.text(), tree::exists));
    }
    assert_none(&faults);
}

#[test]
fn decisions_are_numbered_and_have_a_status() {
    let records: Vec<(String, String)> = tree::files()
        .iter()
        .filter(|file| file.path.starts_with("docs/adr/") && file.name() != "README.md")
        .map(|file| (file.name().to_owned(), file.text()))
        .collect();
    assert_none(&decisions::faults(&records));
}

#[test]
fn data_has_a_source_and_stays_small() {
    let sizes: Vec<(String, u64)> = tree::files()
        .iter()
        .filter(|file| file.path.starts_with("data/"))
        .map(|file| (file.path.clone(), file.bytes()))
        .collect();
    assert_none(&provenance::faults(&sizes));
}
