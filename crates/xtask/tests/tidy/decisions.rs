//! Decision records: numbered without a gap, each with a status, a date and its parts.

const PARTS: [&str; 4] =
    ["## Context", "## Decision", "## Consequences", "## What would change our mind"];
const STATUSES: [&str; 3] = ["accepted", "superseded by ", "proposed"];
const LINES_MAX: usize = 60;

/// What is wrong with the records, given as (file name, text) in the order of their names.
pub(crate) fn faults(records: &[(String, String)]) -> Vec<String> {
    let mut faults = Vec::new();
    if records.is_empty() {
        faults.push("docs/adr: no decision is recorded".to_owned());
    }
    for (index, (name, text)) in records.iter().enumerate() {
        let number = format!("{:04}", index + 1);
        if !name.starts_with(&format!("{number}-")) {
            faults.push(format!("docs/adr/{name}: expected number {number}"));
        }
        let title = name.split('-').next().unwrap_or_default();
        if !text.starts_with(&format!("# {title}. ")) {
            faults.push(format!("docs/adr/{name}: the first line is `# {title}. Title`"));
        }
        faults.extend(shape(text).into_iter().map(|fault| format!("docs/adr/{name}: {fault}")));
    }
    faults
}

fn shape(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let status = text.lines().find_map(|line| line.strip_prefix("Status: "));
    let known = |status: &str| STATUSES.iter().any(|known| status.starts_with(known));
    if !status.is_some_and(|status| known(status) && has_date(status)) {
        faults.push("has no line like `Status: accepted, 2026-11-24`".to_owned());
    }
    for part in PARTS.iter().filter(|part| !text.lines().any(|line| line == **part)) {
        faults.push(format!("has no part `{part}`"));
    }
    let lines = text.lines().count();
    if lines > LINES_MAX {
        faults.push(format!("{lines} lines, at most {LINES_MAX}"));
    }
    faults
}

fn has_date(status: &str) -> bool {
    let shape: String = status.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape.ends_with(", 0000-00-00")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(number: &str, status: &str) -> (String, String) {
        let text = format!("# {number}. A title\n\nStatus: {status}\n\n{}\n", PARTS.join("\n"));
        (format!("{number}-a-title.md"), text)
    }

    #[test]
    fn a_gap_a_missing_status_and_a_missing_part_are_found() {
        let good = record("0001", "accepted, 2026-11-24");
        assert!(faults(std::slice::from_ref(&good)).is_empty());
        let gap = faults(&[good.clone(), record("0003", "superseded by 0004, 2026-11-24")]);
        assert_eq!(gap, ["docs/adr/0003-a-title.md: expected number 0002"]);
        let status = faults(&[record("0001", "good")]);
        assert_eq!(status.len(), 1);
        assert!(faults(&[record("0001", "accepted")])[0].contains("Status: accepted, "));
        let (name, text) = good;
        let part = faults(&[(name, text.replace("## Decision\n", ""))]);
        assert_eq!(part, ["docs/adr/0001-a-title.md: has no part `## Decision`"]);
    }

    #[test]
    fn no_records_at_all_is_a_fault() {
        assert_eq!(faults(&[]).len(), 1);
    }
}
