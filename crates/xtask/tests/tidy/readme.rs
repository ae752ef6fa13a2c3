//! The README has the sections that a newcomer needs, and no link of a document leads nowhere.

/// Second-level headings, in this order.
const SECTIONS: [&str; 6] = [
    "Two commands",
    "What it does",
    "What works today, and what is thin",
    "One benchmark, with its limits",
    "Where to read on",
    "Licence",
];
const LINES_MAX: usize = 200;

/// Sections that are missing or out of order, and a README that nobody would read.
pub(crate) fn faults(readme: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let headings: Vec<&str> =
        readme.lines().filter_map(|line| line.strip_prefix("## ")).map(str::trim).collect();
    let mut last = 0;
    for section in SECTIONS {
        match headings.iter().position(|heading| *heading == section) {
            None => faults.push(format!("README.md: the section `## {section}` is missing")),
            Some(at) if at < last => faults.push(format!("README.md: `{section}` is out of order")),
            Some(at) => last = at,
        }
    }
    let lines = readme.lines().count();
    if lines > LINES_MAX {
        faults.push(format!("README.md: {lines} lines, at most {LINES_MAX}"));
    }
    faults
}

/// Relative links to files that are not there.
pub(crate) fn broken_links(path: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut faults = Vec::new();
    for (_, rest) in text.match_indices("](").map(|(at, _)| text.split_at(at + 2)) {
        let target = rest.split([')', ' ', '#']).next().unwrap_or_default();
        if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
            continue;
        }
        if !exists(&resolved(folder, target)) {
            faults.push(format!("{path}: the link `{target}` leads nowhere"));
        }
    }
    faults
}

fn resolved(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_section_and_a_long_readme_are_found() {
        let mut whole = format!("## {}\n", SECTIONS.join("\n## "));
        assert!(faults(&whole).is_empty());
        let less = whole.replace("## Licence\n", "");
        assert_eq!(faults(&less), ["README.md: the section `## Licence` is missing"]);
        whole.push_str(&"line\n".repeat(LINES_MAX));
        assert_eq!(faults(&whole).len(), 1);
    }

    #[test]
    fn sections_have_an_order() {
        let turned: Vec<&str> = SECTIONS.iter().rev().copied().collect();
        let turned = format!("## {}\n", turned.join("\n## "));
        assert!(!faults(&turned).is_empty());
    }

    #[test]
    fn a_link_to_nothing_is_found() {
        let text = "[a](../a.md#part) [b](https://example.org/b) [c](#c) [d](d.md)";
        let found = broken_links("docs/x/y.md", text, |path| path == "docs/a.md");
        assert_eq!(found, ["docs/x/y.md: the link `d.md` leads nowhere"]);
    }
}
