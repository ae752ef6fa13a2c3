//! Bytes as lower-case hexadecimal digits: hashes, keys and signatures in text.

use std::fmt::Write as _;

/// Bytes as lower-case digits, two for each.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes of lower-case digits, exactly so many; `None` of anything else.
pub fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    (hex(&bytes) == text).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_written_is_read() {
        assert_eq!(hex(&[0, 15, 255]), "000fff");
        assert_eq!(unhex("000fff"), Some([0, 15, 255]));
        for wrong in ["", "000ff", "000FFF", "000fff0", "+00fff", "00 fff"] {
            assert_eq!(unhex::<3>(wrong), None, "{wrong}");
        }
    }
}
