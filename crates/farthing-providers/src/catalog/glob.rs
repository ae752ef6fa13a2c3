//! Names with `*` (any text) and `?` (one character), without regard to case.

/// Whether `name` is what `pattern` says. Linear: on a mismatch only the last `*` grows.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(b'?') => (p, n) = (p + 1, n + 1),
            Some(byte) if byte.eq_ignore_ascii_case(&name[n]) => (p, n) = (p + 1, n + 1),
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (p, n) = (at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, name, holds) in [
            ("*", "", true),
            ("p5*", "p5.48xlarge", true),
            ("p5", "p5.48xlarge", false),
            ("*.48XLARGE", "p5.48xlarge", true),
            ("m?i.*", "m7i.large", true),
            ("m?i.*", "m7id.large", false),
            ("Standard_D*p*_v*", "Standard_D2pls_v5", true),
            ("Standard_D*p*_v*", "Standard_D2s_v5", false),
            ("a*b*c", "aXbXbc", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, name), holds, "{pattern} {name}");
        }
    }
}
