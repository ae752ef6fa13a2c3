//! Yes and no, as people write them into annotations and labels: read in one place, so that the
//! same word means the same to all who act and to all who count.

/// Whether a text says yes or no; nothing at all is a yes, as the key is there.
///
/// # Errors
/// It says neither: what would be right.
pub fn yes_or_no(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "" | "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err(format!("`{text}` is neither yes nor no: write `true` or `false`")),
    }
}

/// Whether `farthing.dev/exclude` keeps everybody's hands off: all but a no does, as a reason may
/// stand there instead of a yes.
pub fn is_excluded(text: &str) -> bool {
    yes_or_no(text) != Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_no_is_a_no_to_everybody() {
        for no in ["false", "no", " No ", "0", "off", "FALSE"] {
            assert_eq!(yes_or_no(no), Ok(false), "{no}");
            assert!(!is_excluded(no), "{no}");
        }
        for yes in ["", "true", "Yes", "1", "on"] {
            assert_eq!(yes_or_no(yes), Ok(true), "{yes}");
        }
        assert!(yes_or_no("maybe").unwrap_err().contains("write `true` or `false`"));
        assert!(is_excluded("demo on Friday"), "a reason");
    }
}
