//! The seal: a SHA-256 of the whole file, inside the file.
//!
//! Parquet's page checksums leave the footer and the gaps between pages unguarded, and a file
//! beside the file could not be replaced with it in one step. So the footer's metadata has a line
//! with the hash of all bytes, taken while that line held zeros: one object, any Parquet reader
//! reads it, and no byte can change unnoticed. It is checked before a byte is decoded.

use sha2::{Digest, Sha256};

/// Key of the line in the footer.
pub(super) const KEY: &str = "farthing.seal";
const PREFIX: &str = "farthing-sha256:";
const HEX_LEN: usize = 64;

/// The line before its hash is known.
pub(super) fn blank() -> String {
    format!("{PREFIX}{}", "0".repeat(HEX_LEN))
}

/// Where the hash is: after the last prefix, as the footer is at the end of the file.
fn place(bytes: &[u8]) -> Option<usize> {
    let start = bytes.windows(PREFIX.len()).rposition(|window| window == PREFIX.as_bytes())?;
    let start = start + PREFIX.len();
    (start + HEX_LEN <= bytes.len()).then_some(start)
}

fn hash(bytes: &[u8], place: usize) -> [u8; HEX_LEN] {
    let mut hasher = Sha256::new();
    hasher.update(&bytes[..place]);
    hasher.update([b'0'; HEX_LEN]);
    hasher.update(&bytes[place + HEX_LEN..]);
    let mut text = [0; HEX_LEN];
    for (pair, byte) in text.chunks_exact_mut(2).zip(hasher.finalize()) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    text
}

/// Seals a file that was written with [`blank`]; `None` if it was not.
pub(super) fn seal(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    let place = place(&bytes)?;
    let hash = hash(&bytes, place);
    bytes[place..place + HEX_LEN].copy_from_slice(&hash);
    Some(bytes)
}

/// The seal that a file has, whether it holds or not.
pub(super) fn line(bytes: &[u8]) -> Option<String> {
    let place = place(bytes)?;
    String::from_utf8(bytes[place..place + HEX_LEN].to_vec()).ok()
}

/// What is wrong with a file, if anything.
pub(super) fn fault(bytes: &[u8]) -> Option<&'static str> {
    let Some(place) = place(bytes) else {
        return Some("it has no seal: it was cut short, or something else wrote it");
    };
    let kept = &bytes[place..place + HEX_LEN];
    (kept != hash(bytes, place)).then_some("its bytes are not the ones that were sealed")
}
