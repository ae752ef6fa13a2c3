//! Policies, formats and the like by their names on the command line: each is listed once.

/// The name of one of them.
pub(crate) fn name<R: PartialEq>(all: &[(R, &'static str)], one: &R) -> &'static str {
    all.iter().find(|(other, _)| other == one).map_or("", |(_, name)| name)
}

/// The policy of a name, or which there are.
pub(crate) fn policy<R: Copy>(all: &[(R, &'static str)], text: &str) -> Result<R, String> {
    let named = all.iter().find(|(_, name)| *name == text);
    named.map(|(rule, _)| *rule).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|(_, name)| *name).collect();
        format!("there is no policy `{text}`; there are {}", names.join(", "))
    })
}
