//! The address of a database: `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=...`.
//!
//! What libpq knows and this does not is refused by name, never ignored. The password is never
//! shown.

use crate::web::is_this_machine;
use std::fmt::{self, Write as _};
use std::path::PathBuf;
use std::str::FromStr;

/// What an address may say, for messages.
const FORM: &str = "postgres://USER@HOST:PORT/DATABASE?sslmode=verify-full";

/// Where a database is, and how it is spoken to.
#[derive(Clone, PartialEq, Eq)]
pub struct PgUrl {
    pub(crate) place: Place,
    pub(crate) user: String,
    pub(crate) password: Option<String>,
    pub(crate) database: String,
    pub(crate) tls: Tls,
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Over the network.
    Tcp { host: String, port: u16 },
    /// A socket of this machine, by its folder.
    Unix { folder: PathBuf, port: u16 },
}

/// Whether the connection is secure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    /// In the clear.
    Off,
    /// TLS with a certificate for the host's name, of an authority in this file or of the system.
    Verified { roots: Option<PathBuf> },
}

/// Why an address is not one.
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    /// Not of the form.
    #[error("not the address of a PostgreSQL database ({what}): write {FORM}")]
    Form {
        /// What is wrong.
        what: String,
    },
    /// A parameter that is not known.
    #[error("`{0}` is not known: sslmode, sslrootcert, host, port, user and password are")]
    Parameter(String),
    /// A mode that says nothing, or is not one.
    #[error(
        "sslmode `{0}`: disable, require or verify-full are known (require checks the certificate, \
         too; prefer and allow would not say what you get)"
    )]
    Mode(String),
    /// In the clear over a network.
    #[error(
        "sslmode=disable to {0}: passwords and journals do not go over a network in the clear; \
         without sslmode the certificate is checked"
    )]
    Clear(String),
}

impl PgUrl {
    /// Whether a text is meant as one.
    pub fn is_one(text: &str) -> bool {
        text.starts_with("postgres://") || text.starts_with("postgresql://")
    }

    /// With a password from elsewhere (`PGPASSWORD`), where the address has none.
    #[must_use]
    pub fn or_password(mut self, password: Option<String>) -> Self {
        self.password = self.password.or(password);
        self
    }

    /// The address, to be read again: all of it but the password.
    pub fn without_password(&self) -> String {
        let (user, database) = (encoded(&self.user), encoded(&self.database));
        let mut query = Vec::new();
        let server = match &self.place {
            Place::Tcp { .. } => shown(&self.place),
            Place::Unix { folder, port } => {
                query.push(format!("host={}", encoded(&folder.display().to_string())));
                query.push(format!("port={port}"));
                String::new()
            }
        };
        if let Tls::Verified { roots } = &self.tls {
            query.push("sslmode=verify-full".to_owned());
            let roots = roots.as_ref().map(|file| encoded(&file.display().to_string()));
            query.extend(roots.map(|file| format!("sslrootcert={file}")));
        }
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        format!("postgres://{user}@{server}/{database}{query}")
    }

    /// The same server and another database.
    #[must_use]
    pub fn with_database(mut self, name: &str) -> Self {
        name.clone_into(&mut self.database);
        self
    }
}

impl FromStr for PgUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let form = |what: &str| UrlError::Form { what: what.to_owned() };
        let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
        let rest = rest.ok_or_else(|| form("it does not begin with postgres://"))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (server, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, server) = server.rsplit_once('@').unwrap_or(("", server));
        let (user, password) = match user.split_once(':') {
            Some((user, password)) => (user, Some(decoded(password)?)),
            None => (user, None),
        };
        let (host, port) = host_and_port(server).ok_or_else(|| form("its port is not a number"))?;
        let mut given = Given {
            host: decoded(host)?,
            port,
            user: decoded(user)?,
            password,
            mode: None,
            roots: None,
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            given.set(name, decoded(value)?)?;
        }
        if given.user.is_empty() {
            return Err(form("it names no user"));
        }
        let database = decoded(database)?;
        if database.is_empty() {
            return Err(form("it names no database"));
        }
        if [&given.user, &database].into_iter().any(|text| text.contains('\0')) {
            return Err(form("it has a zero byte"));
        }
        given.finish(database)
    }
}

/// What was read so far.
struct Given {
    host: String,
    port: u16,
    user: String,
    password: Option<String>,
    mode: Option<String>,
    roots: Option<PathBuf>,
}

impl Given {
    fn set(&mut self, name: &str, value: String) -> Result<(), UrlError> {
        match name {
            "host" => self.host = value,
            "port" => {
                let port = value.parse();
                self.port = port.map_err(|_| UrlError::Form { what: format!("port `{value}`") })?;
            }
            "user" => self.user = value,
            "password" => self.password = Some(value),
            "sslmode" => self.mode = Some(value),
            "sslrootcert" => self.roots = Some(value.into()),
            other => return Err(UrlError::Parameter(other.to_owned())),
        }
        Ok(())
    }

    fn finish(self, database: String) -> Result<PgUrl, UrlError> {
        let (port, host) = (self.port, self.host);
        let place = match host.as_str() {
            "" => Place::Tcp { host: "localhost".to_owned(), port },
            host if host.starts_with('/') => Place::Unix { folder: host.into(), port },
            _ => Place::Tcp { host, port },
        };
        let is_here = match &place {
            Place::Unix { .. } => true,
            Place::Tcp { host, .. } => is_this_machine(host),
        };
        let tls = match self.mode.as_deref() {
            None if is_here && self.roots.is_none() => Tls::Off,
            None | Some("require" | "verify-ca" | "verify-full") => {
                Tls::Verified { roots: self.roots }
            }
            Some("disable") if is_here => Tls::Off,
            Some("disable") => return Err(UrlError::Clear(shown(&place))),
            Some(other) => return Err(UrlError::Mode(other.to_owned())),
        };
        if matches!((&place, &tls), (Place::Unix { .. }, Tls::Verified { .. })) {
            let what = "a socket of this machine has no TLS".to_owned();
            return Err(UrlError::Form { what });
        }
        Ok(PgUrl { place, user: self.user, password: self.password, database, tls })
    }
}

/// `HOST`, `HOST:PORT` or `[ADDRESS]:PORT`.
fn host_and_port(server: &str) -> Option<(&str, u16)> {
    const USUAL: u16 = 5_432;
    if let Some(rest) = server.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        let port = port.strip_prefix(':').map_or(Some(USUAL), |port| port.parse().ok())?;
        return Some((host, port));
    }
    match server.split_once(':') {
        Some((host, port)) => Some((host, port.parse().ok()?)),
        None => Some((server, USUAL)),
    }
}

/// Percent-encoding taken away.
fn decoded(text: &str) -> Result<String, UrlError> {
    let wrong = || UrlError::Form { what: "a % is not followed by two hexadecimal digits".into() };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.ok_or_else(wrong)?);
        rest = rest.get(2..).unwrap_or_default();
    }
    String::from_utf8(bytes).map_err(|_| UrlError::Form { what: "it is not UTF-8".into() })
}

/// With percent-encoding of everything that may mean something in an address.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn shown(place: &Place) -> String {
    match place {
        Place::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
        Place::Tcp { host, port } => format!("{host}:{port}"),
        Place::Unix { folder, port } => format!("{}:{port}", folder.display()),
    }
}

/// Without the password.
impl fmt::Display for PgUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "postgres://{}@{}/{}", self.user, shown(&self.place), self.database)
    }
}

impl fmt::Debug for PgUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_never_show_the_password() {
        let check = |text: &str, shown: &str, tls: bool| {
            let url: PgUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), shown);
            assert_eq!(format!("{url:?}"), shown);
            assert_eq!(url.tls != Tls::Off, tls, "{text}");
            url
        };
        let url =
            check("postgres://me:s%40c@db.lan/books", "postgres://me@db.lan:5432/books", true);
        assert_eq!(url.password.as_deref(), Some("s@c"));
        check("postgresql://me@127.0.0.1:7/b", "postgres://me@127.0.0.1:7/b", false);
        check("postgres://me@[::1]:7/b", "postgres://me@[::1]:7/b", false);
        check("postgres://me@localhost/b?sslmode=require", "postgres://me@localhost:5432/b", true);
        check("postgres:///b?host=/run/pg&user=me&port=9", "postgres://me@/run/pg:9/b", false);
    }

    #[test]
    fn an_address_without_its_password_is_the_same_address() {
        for text in [
            "postgres://me:s%40c@db.lan/books",
            "postgres://m%40e:x@127.0.0.1:7/b%2Fc",
            "postgres://me@[::1]:7/b",
            "postgres://me@localhost/b?sslmode=require",
            "postgres://me@db.lan:9/b?sslrootcert=/etc/my%20roots.pem",
            "postgres:///b?host=/run/pg&user=me&port=9&password=x",
        ] {
            let url: PgUrl = text.parse().unwrap();
            let told = url.without_password();
            let again: PgUrl = told.parse().unwrap();
            assert_eq!(again, PgUrl { password: None, ..url }, "{told}");
        }
    }

    #[test]
    fn what_is_not_an_address_says_what_would_be_right() {
        for (text, says) in [
            ("mysql://me@h/b", "does not begin with postgres://"),
            ("postgres://h/b", "names no user"),
            ("postgres://me@h", "names no database"),
            ("postgres://me@h:x/b", "port is not a number"),
            ("postgres://me@h/b?sslmode=prefer", "would not say what you get"),
            ("postgres://me@h/b?sslmode=disable", "in the clear"),
            ("postgres://me@h/b?options=-c", "`options` is not known"),
            ("postgres://m%e@h/b", "two hexadecimal digits"),
            ("postgres://m%00@h/b", "zero byte"),
            ("postgres:///b?host=/run&user=m&sslmode=require", "has no TLS"),
        ] {
            let error = text.parse::<PgUrl>().unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
