//! Licences, duplicate libraries and where packages come from, judged by `deny.toml`: the same
//! file that `cargo deny check` reads, so that both give one answer (decision 0007). Of TOML only
//! what that file uses is understood: lists with one entry a line.

use crate::cargo::Package;
use std::collections::{BTreeMap, BTreeSet};

/// What `deny.toml` allows.
#[derive(Debug, Default)]
pub(crate) struct Deny {
    /// Licences, by SPDX name; an exception such as `WITH LLVM-exception` belongs to the name.
    licences: BTreeSet<String>,
    /// (crate, version prefix) that may be there beside another version.
    duplicates: Vec<(String, String)>,
}

impl Deny {
    /// Reads the lists `allow` and `skip`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut deny = Self::default();
        let mut list = "";
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
            if let Some((name, "[")) = line.split_once(" = ") {
                list = name;
            } else if line == "]" {
                list = "";
            } else if list == "allow" {
                deny.licences.insert(first_string(line).ok_or_else(|| format!("`{line}`"))?);
            } else if list == "skip" {
                deny.duplicates.push(skipped(line).ok_or_else(|| format!("`{line}`"))?);
            }
        }
        Ok(deny)
    }

    /// Packages whose licence is not stated or not allowed.
    pub(crate) fn licence_faults(&self, packages: &[Package]) -> Vec<String> {
        let mut faults = Vec::new();
        for Package { name, version, licence, .. } in packages {
            match licence {
                None => faults.push(format!("{name} {version} states no licence")),
                Some(text) if !self.allows(text) => {
                    faults.push(format!("{name} {version}: licence `{text}` is not in deny.toml"));
                }
                Some(_) => {}
            }
        }
        let texts: Vec<&str> = packages.iter().filter_map(|p| p.licence.as_deref()).collect();
        for unused in self.licences.iter().filter(|l| !texts.iter().any(|t| t.contains(*l))) {
            faults.push(format!("deny.toml: nothing has the licence `{unused}` any more"));
        }
        faults
    }

    /// Whether an SPDX expression can be met with allowed licences. A slash is an old `OR`.
    fn allows(&self, expression: &str) -> bool {
        let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
        let words: Vec<&str> = spaced.split_whitespace().collect();
        let mut rest = words.as_slice();
        let met = self.either(&mut rest);
        met && rest.is_empty()
    }

    fn either(&self, rest: &mut &[&str]) -> bool {
        let mut met = self.both(rest);
        while let ["OR", after @ ..] = *rest {
            *rest = after;
            met |= self.both(rest);
        }
        met
    }

    fn both(&self, rest: &mut &[&str]) -> bool {
        let mut met = self.single(rest);
        while let ["AND", after @ ..] = *rest {
            *rest = after;
            met &= self.single(rest);
        }
        met
    }

    fn single(&self, rest: &mut &[&str]) -> bool {
        match *rest {
            ["(", after @ ..] => {
                *rest = after;
                let met = self.either(rest);
                let [")", after @ ..] = *rest else { return false };
                *rest = after;
                met
            }
            [name, "WITH", exception, after @ ..] => {
                *rest = after;
                self.licences.contains(&format!("{name} WITH {exception}"))
            }
            [name, after @ ..] => {
                *rest = after;
                self.licences.contains(*name)
            }
            [] => false,
        }
    }

    /// Libraries in two versions that nobody has explained, and explanations without a duplicate.
    pub(crate) fn duplicate_faults(&self, packages: &[Package]) -> Vec<String> {
        let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for package in packages.iter().filter(|package| !package.ours) {
            versions.entry(&package.name).or_default().insert(&package.version);
        }
        let mut faults = Vec::new();
        for (name, versions) in &versions {
            let left = versions.iter().filter(|version| !self.skips(name, version)).count();
            if left > 1 {
                let all: Vec<&str> = versions.iter().copied().collect();
                faults.push(format!("{name} is there as {}: explain it", all.join(" and ")));
            }
        }
        for (name, prefix) in &self.duplicates {
            let of = versions.get(name.as_str());
            let there = |v: &&str| matches_prefix(v, prefix);
            if of.is_none_or(|of| of.len() < 2 || !of.iter().any(there)) {
                faults.push(format!("deny.toml: {name}@{prefix} is no duplicate any more"));
            }
        }
        faults
    }

    fn skips(&self, name: &str, version: &str) -> bool {
        self.duplicates.iter().any(|(of, prefix)| of == name && matches_prefix(version, prefix))
    }
}

fn matches_prefix(version: &str, prefix: &str) -> bool {
    version.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn first_string(line: &str) -> Option<String> {
    line.split('"').nth(1).map(str::to_owned)
}

/// `{ crate = "syn@2", reason = "..." },`; an entry without a reason is refused.
fn skipped(line: &str) -> Option<(String, String)> {
    let (_, reason) = line.split_once("reason = \"")?;
    let entry = line.strip_prefix("{ crate = ").and_then(first_string)?;
    let (name, version) = entry.split_once('@')?;
    (reason.len() > 10).then(|| (name.to_owned(), version.to_owned()))
}

/// Packages of `Cargo.lock` that come from anywhere but cargo's own registry.
pub(crate) fn source_faults(lock: &str) -> Vec<String> {
    let registry = "\"registry+https://github.com/rust-lang/crates.io-index\"";
    lock.lines()
        .filter_map(|line| line.strip_prefix("source = "))
        .filter(|source| *source != registry)
        .map(|source| format!("Cargo.lock: a package comes from {source}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
[licenses]
allow = [
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "MIT",
]
[bans]
skip = [
    { crate = "syn@2", reason = "half of the macros have not moved yet" },
]
"#;

    fn package(name: &str, version: &str, licence: Option<&str>) -> Package {
        Package {
            name: name.to_owned(),
            version: version.to_owned(),
            licence: licence.map(str::to_owned),
            ours: false,
        }
    }

    #[test]
    fn expressions_are_met_or_not() {
        let deny = Deny::parse(TEXT).unwrap();
        for met in ["MIT", "GPL-3.0 OR MIT", "MIT/Apache-2.0", "(GPL-3.0 OR MIT) AND Apache-2.0"] {
            assert!(deny.allows(met), "{met}");
        }
        assert!(deny.allows("Apache-2.0 WITH LLVM-exception"));
        let refused =
            ["GPL-3.0", "MIT AND GPL-3.0", "(MIT", "", "MIT WITH LLVM-exception", "MIT X"];
        for refused in refused {
            assert!(!deny.allows(refused), "{refused}");
        }
    }

    #[test]
    fn a_licence_that_is_unknown_missing_or_unused_is_found() {
        let deny = Deny::parse(TEXT).unwrap();
        let found = deny.licence_faults(&[
            package("a", "1.0.0", Some("GPL-3.0-only")),
            package("b", "1.0.0", None),
            package("c", "1.0.0", Some("Apache-2.0 WITH LLVM-exception")),
        ]);
        assert_eq!(
            found,
            [
                "a 1.0.0: licence `GPL-3.0-only` is not in deny.toml",
                "b 1.0.0 states no licence",
                "deny.toml: nothing has the licence `MIT` any more",
            ]
        );
    }

    #[test]
    fn a_duplicate_without_a_reason_is_found_and_a_reason_without_a_duplicate() {
        let deny = Deny::parse(TEXT).unwrap();
        let three = [("syn", "2.0.1"), ("syn", "3.0.0"), ("rand", "0.8.0"), ("rand", "0.9.0")];
        let packages = three.map(|(name, version)| package(name, version, None));
        assert_eq!(
            deny.duplicate_faults(&packages),
            ["rand is there as 0.8.0 and 0.9.0: explain it"]
        );
        assert_eq!(
            deny.duplicate_faults(&[package("syn", "3.0.0", None)]),
            ["deny.toml: syn@2 is no duplicate any more"]
        );
    }

    #[test]
    fn an_entry_without_a_reason_is_refused() {
        assert!(Deny::parse("skip = [\n{ crate = \"syn@2\" },\n]").is_err());
    }

    #[test]
    fn a_package_from_elsewhere_is_found() {
        let lock = "source = \"git+https://example.org/x\"\n";
        assert_eq!(source_faults(lock).len(), 1);
    }
}
