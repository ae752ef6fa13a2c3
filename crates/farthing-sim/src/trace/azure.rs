//! Requests of the Azure LLM inference trace.

use super::table::{TraceError, rows};
use std::io::Read;

/// A request of the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LlmRequest {
    /// Milliseconds from the start of the trace.
    pub offset_ms: u32,
    /// Tokens of the prompt.
    pub context_tokens: u32,
    /// Tokens of the answer.
    pub generated_tokens: u32,
}

/// Reads `offset_ms,context_tokens,generated_tokens`, in order of time. `file` names the input in
/// messages.
///
/// # Errors
/// No CSV, a missing column, no rows; a number that is none; a request before the one above it.
pub fn read_azure(file: &str, input: impl Read) -> Result<Vec<LlmRequest>, TraceError> {
    let mut before = 0;
    rows((file, input), &["offset_ms", "context_tokens", "generated_tokens"], |row| {
        let request = LlmRequest {
            offset_ms: row.value(0, "a number of milliseconds")?,
            context_tokens: row.value(1, "a number of tokens")?,
            generated_tokens: row.value(2, "a number of tokens")?,
        };
        if request.offset_ms < before {
            let what =
                format!("offset_ms {} is before the row above ({before})", request.offset_ms);
            return Err(row.error(what));
        }
        before = request.offset_ms;
        Ok(request)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_lines_are_named() {
        let message = |text: &str| read_azure("llm.csv", text.as_bytes()).unwrap_err().to_string();
        let head = "offset_ms,context_tokens,generated_tokens\n";
        assert_eq!(
            message(&format!("{head}5,10,10\n4,10,10\n")),
            "llm.csv, line 3: offset_ms 4 is before the row above (5)"
        );
        assert_eq!(
            message(&format!("{head}5,10,1.5\n")),
            "llm.csv, line 2: generated_tokens `1.5` is not a number of tokens: \
             invalid digit found in string"
        );
        assert_eq!(
            message(""),
            "llm.csv, line 1: there is no column `offset_ms`; the columns are \
             offset_ms, context_tokens, generated_tokens"
        );
    }

    #[test]
    fn the_excerpt_that_ships_is_readable() {
        let all = read_azure("azure-llm-conv.csv", crate::scenario::AZURE.as_bytes()).unwrap();
        assert!(all.len() > 1_000 && all.iter().all(|request| request.offset_ms < 900_000));
    }
}
