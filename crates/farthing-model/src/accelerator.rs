//! Accelerators: a model with its memory and form, as normalised names.

use std::{fmt, str::FromStr, sync::Arc};

/// Forms that may end a normalised name.
const FORMS: [&str; 7] = ["SXM", "PCIe", "NVL", "OAM", "SXM4", "SXM5", "MEZZ"];

/// A normalised accelerator name: model, memory and form, such as `H100-80GB-SXM`.
///
/// Names that say no memory (a catalogue's unknown model) are kept as they are; memory is never
/// guessed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Accelerator(AcceleratorQuery);

/// What a user asks for: a model, usually with memory, maybe with form. `H100-80GB` matches
/// `H100-80GB-SXM`, `-PCIe` and `-NVL`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AcceleratorQuery {
    model: Arc<str>,
    memory_gb: Option<u32>,
    form: Option<Arc<str>>,
}

/// Why a text is not an accelerator name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an accelerator name such as H100-80GB or A100-40GB-SXM")]
pub struct AcceleratorError(String);

impl AcceleratorQuery {
    /// The model, such as `H100`.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Memory in GB as the vendor sells it, where the name says it.
    pub const fn memory_gb(&self) -> Option<u32> {
        self.memory_gb
    }

    /// The form, such as `SXM`, where the name says it.
    pub fn form(&self) -> Option<&str> {
        self.form.as_deref()
    }

    /// Whether `accelerator` is what is asked for; what the query leaves open matches anything.
    pub fn matches(&self, accelerator: &Accelerator) -> bool {
        let offered = &accelerator.0;
        self.model.eq_ignore_ascii_case(&offered.model)
            && self.memory_gb.is_none_or(|memory| offered.memory_gb == Some(memory))
            && self.form().is_none_or(|form| {
                offered.form().is_some_and(|offered| offered.eq_ignore_ascii_case(form))
            })
    }
}

impl Accelerator {
    /// The model, such as `H100`.
    pub fn model(&self) -> &str {
        self.0.model()
    }

    /// Memory in GB as the vendor sells it, where known.
    pub const fn memory_gb(&self) -> Option<u32> {
        self.0.memory_gb
    }

    /// The form, such as `SXM`, where known.
    pub fn form(&self) -> Option<&str> {
        self.0.form()
    }
}

impl FromStr for AcceleratorQuery {
    type Err = AcceleratorError;

    fn from_str(text: &str) -> Result<Self, AcceleratorError> {
        let bad = || AcceleratorError(text.to_owned());
        let well_formed = |c: char| c.is_ascii_alphanumeric() || "-_./+ ".contains(c);
        if text.is_empty() || text.len() > 64 || !text.chars().all(well_formed) {
            return Err(bad());
        }
        let mut parts: Vec<&str> = text.split('-').collect();
        let is_form = |part: &&str| FORMS.iter().any(|form| form.eq_ignore_ascii_case(part));
        let form =
            if parts.len() > 1 { parts.last().filter(|p| is_form(p)).copied() } else { None };
        if form.is_some() {
            parts.pop();
        }
        let memory_gb = parts.last().and_then(|part| memory(part)).filter(|_| parts.len() > 1);
        if memory_gb.is_some() {
            parts.pop();
        }
        let model = parts.join("-");
        if model.is_empty() || model.starts_with('-') || model.ends_with('-') {
            return Err(bad());
        }
        Ok(Self { model: Arc::from(model), memory_gb, form: form.map(Arc::from) })
    }
}

/// `80GB` is 80.
fn memory(part: &str) -> Option<u32> {
    let digits = part.strip_suffix("GB").or_else(|| part.strip_suffix("gb"))?;
    digits.parse().ok().filter(|gb| *gb > 0)
}

impl FromStr for Accelerator {
    type Err = AcceleratorError;

    fn from_str(text: &str) -> Result<Self, AcceleratorError> {
        text.parse().map(Self)
    }
}

impl fmt::Display for AcceleratorQuery {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let memory = self.memory_gb.map(|gb| format!("-{gb}GB")).unwrap_or_default();
        let form = self.form().map(|form| format!("-{form}")).unwrap_or_default();
        out.pad(&format!("{}{memory}{form}", self.model))
    }
}

impl fmt::Debug for AcceleratorQuery {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self}")
    }
}

impl fmt::Display for Accelerator {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl fmt::Debug for Accelerator {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_is_optional_and_memory_is_never_guessed() {
        let matches = |query: &str, name: &str| {
            let name: Accelerator = name.parse().unwrap();
            query.parse::<AcceleratorQuery>().unwrap().matches(&name)
        };
        assert!(matches("H100-80GB", "H100-80GB-SXM"));
        assert!(matches("H100-80GB", "H100-80GB-PCIe"));
        assert!(matches("h100", "H100-80GB-PCIe"));
        assert!(!matches("H100-80GB-SXM", "H100-80GB-PCIe"));
        assert!(!matches("A100-40GB", "A100-80GB"));
        assert!(!matches("H100-80GB", "H100"));
        assert!(matches("TPU-v5e", "TPU-v5e-16GB"));
        assert_eq!("NVL".parse::<Accelerator>().unwrap().model(), "NVL");
        for bad in ["", "-80GB", "H100;DROP", "80GB-"] {
            assert!(bad.parse::<Accelerator>().is_err(), "{bad}");
        }
    }

    #[test]
    fn names_round_trip() {
        for name in ["H100-80GB-SXM", "TPU-v5e-16GB", "RTX6000-Ada", "L4-24GB", "Gaudi HL-205"] {
            assert_eq!(name.parse::<Accelerator>().unwrap().to_string(), name);
        }
    }
}
