//! An [`Input`] as bytes: whoever kept it can plan again from exactly what was known then.
//!
//! Every field is named in `types`, so that a new one does not compile until it is kept too. The
//! form is of one version of the program ([`FORM`]): another one is refused and never guessed at.
//! It refuses to know where bytes are kept.

mod bytes;
mod types;

use crate::Input;
use bytes::{Bytes, Kept};

/// The form of the bytes. To be raised with every change of what is kept, or in which order.
const FORM: u8 = 1;

/// Why bytes are no input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeptError {
    /// Another version wrote them.
    #[error("an input in form {0} is not read by this version, which reads form {FORM}")]
    Form(u8),
    /// They end too early, or go on after the input.
    #[error("the bytes of the input are cut short, or of something else")]
    Length,
    /// A value that cannot be.
    #[error("the bytes of the input hold no {0}")]
    Value(&'static str),
}

impl Input {
    /// All of it, as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![FORM];
        self.put(&mut bytes);
        bytes
    }

    /// The input that bytes hold.
    ///
    /// # Errors
    /// They are in another form, cut short, or no input.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeptError> {
        let mut from = Bytes(bytes);
        match from.byte()? {
            FORM => {}
            other => return Err(KeptError::Form(other)),
        }
        let input = Self::take(&mut from)?;
        if from.0.is_empty() { Ok(input) } else { Err(KeptError::Length) }
    }
}
