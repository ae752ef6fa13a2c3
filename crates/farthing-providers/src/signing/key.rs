//! Ed25519 keys: the one that signs, in a file that only its owner may read, and those that check.
//!
//! Files are PEM as `openssl` writes and reads it: `PRIVATE KEY` (PKCS#8) and `PUBLIC KEY`.

use crate::base64;
use farthing_model::{hex, unhex};
use ring::rand::SystemRandom;
use ring::signature::{self, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::str::FromStr;

/// How an Ed25519 public key begins in a `PUBLIC KEY`: its algorithm (RFC 8410).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// Most bytes of a key file.
const BYTES_MAX: u64 = 4_096;

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or made.
    #[error("{path}: the key cannot be {done}")]
    File {
        /// Which.
        path: String,
        /// What was tried.
        done: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Others may read it.
    #[error("{path}: others may read this key (mode {mode:o}): `chmod 600` it")]
    Open {
        /// Which.
        path: String,
        /// How it is.
        mode: u32,
    },
    /// Not a key.
    #[error("{what}: not an Ed25519 key: {want}")]
    NotOne {
        /// What was read.
        what: String,
        /// What would be one.
        want: &'static str,
    },
    /// No random numbers.
    #[error("this system gives no random numbers for a key")]
    Random,
}

/// A key that checks signatures.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicKey([u8; 32]);

/// A key that signs.
pub struct Signer {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl fmt::Debug for Signer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Signer({})", self.public)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    /// 64 hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let want = "64 hexadecimal digits, as `farthing journal key` prints them, or a PEM file";
        let wrong = || KeyError::NotOne { what: text.to_owned(), want };
        unhex(text).map(Self).ok_or_else(wrong)
    }
}

impl PublicKey {
    /// The public key of a PEM file, or of a private key there.
    ///
    /// # Errors
    /// The file cannot be read, or is not one.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let text = read(path)?;
        let want = "a PUBLIC KEY or PRIVATE KEY in PEM form";
        let wrong = || KeyError::NotOne { what: path.display().to_string(), want };
        if let Some(bytes) = pem("PRIVATE KEY", &text) {
            return Signer::of(&bytes).map(|signer| signer.public).ok_or_else(wrong);
        }
        let bytes = pem("PUBLIC KEY", &text);
        let raw = bytes.as_deref().and_then(|bytes| bytes.strip_prefix(&SPKI));
        raw.and_then(|raw| raw.try_into().ok()).map(Self).ok_or_else(wrong)
    }

    /// As a PEM file.
    pub fn to_pem(self) -> String {
        to_pem("PUBLIC KEY", &[&SPKI[..], &self.0].concat())
    }

    /// Whether `signature` is of this key over `message`.
    pub fn verifies(self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&signature::ED25519, self.0).verify(message, signature).is_ok()
    }
}

impl Signer {
    fn of(pkcs8: &[u8]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).ok()?;
        let public = PublicKey(pair.public_key().as_ref().try_into().ok()?);
        Some(Self { pair, public })
    }

    /// The key in a file; made, for its owner only, where there is none.
    ///
    /// # Errors
    /// It cannot be read or made, is not one, or others may read it.
    pub fn open(path: &Path) -> Result<Self, KeyError> {
        match Self::load(path) {
            Err(KeyError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                make(path)?;
                // Read back: of two that make it at once both use the one that is there.
                Self::load(path)
            }
            loaded => loaded,
        }
    }

    /// The key in a file.
    ///
    /// # Errors
    /// As [`Self::open`], and there is none.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let text = read(path)?;
        let meta = fs::metadata(path).map_err(|error| file(path, "read", error))?;
        let mode = meta.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Open { path: path.display().to_string(), mode });
        }
        let want = "a PRIVATE KEY in PEM form, as `openssl genpkey -algorithm ed25519` makes it";
        let signer = pem("PRIVATE KEY", &text).and_then(|bytes| Self::of(&bytes));
        signer.ok_or_else(|| KeyError::NotOne { what: path.display().to_string(), want })
    }

    /// The key that checks what this one signs.
    pub const fn public(&self) -> PublicKey {
        self.public
    }

    /// Signs.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature = self.pair.sign(message);
        // An Ed25519 signature has 64 bytes.
        signature.as_ref().try_into().unwrap_or([0; 64])
    }
}

fn file(path: &Path, done: &'static str, source: io::Error) -> KeyError {
    KeyError::File { path: path.display().to_string(), done, source }
}

fn read(path: &Path) -> Result<String, KeyError> {
    use io::Read as _;
    let mut text = String::new();
    fs::File::open(path)
        .and_then(|opened| opened.take(BYTES_MAX).read_to_string(&mut text))
        .map(|_| text)
        .map_err(|error| file(path, "read", error))
}

/// Makes a key; where one is there by now it stays.
fn make(path: &Path) -> Result<(), KeyError> {
    let pair = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new());
    let pair = pair.map_err(|_| KeyError::Random)?;
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = Path::new(&name);
    let put = || {
        let _ = fs::remove_file(new);
        let mut made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(new)?;
        made.write_all(to_pem("PRIVATE KEY", pair.as_ref()).as_bytes())?;
        made.sync_all()?;
        // A link shows either no key or all of it, and never replaces another.
        match fs::hard_link(new, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        }
    };
    let done = put();
    let _ = fs::remove_file(new);
    done.map_err(|error| file(path, "made", error))
}

fn to_pem(what: &str, bytes: &[u8]) -> String {
    let text = base64::encode(bytes);
    let lines: Vec<&str> = (0..text.len())
        .step_by(64)
        .filter_map(|at| text.get(at..text.len().min(at + 64)))
        .collect();
    format!("-----BEGIN {what}-----\n{}\n-----END {what}-----\n", lines.join("\n"))
}

fn pem(what: &str, text: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {what}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {what}-----"))?;
    let bytes = base64::decode(&body.split_whitespace().collect::<String>())?;
    // Exactly as it is written: a key file in which a byte changed is not taken for one.
    (to_pem(what, &bytes) == text).then_some(bytes)
}
