//! Notices as e-mail: as much of SMTP (RFC 5321, 3207, 4954) as sending one message needs.
//!
//! Written here, as the usual library changes a feature of a crate far below (ADR 0020). Refuses
//! what it does not know: a server that does not offer what the settings ask for is an error, and
//! nothing is sent in the open that should be secret.

use super::message;
use super::{Mail, MailTls};
use crate::base64::encode as base64;
use crate::trust::{self, TrustError};
use farthing_edge::{Class, EdgeError, Notice, Notify};
use jiff::fmt::rfc2822;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

/// How long each answer may take.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Bytes of a line of an answer, and lines of an answer, at most.
const LINE_MAX: u64 = 4_096;
const LINES_MAX: usize = 100;

/// A channel of e-mail.
pub(super) struct Smtp {
    name: String,
    mail: Mail,
    login: Option<(String, String)>,
    tls: Option<Arc<ClientConfig>>,
}

impl Smtp {
    pub(super) fn open(
        name: String,
        mail: Mail,
        login: Option<(String, String)>,
    ) -> Result<Self, String> {
        for address in mail.to.iter().chain([&mail.from]) {
            if !is_address(address) {
                return Err(format!("`{address}` is not an e-mail address"));
            }
        }
        if mail.to.is_empty() {
            return Err("it has no address to send to".to_owned());
        }
        let is_here = matches!(mail.server.0.as_str(), "localhost" | "127.0.0.1" | "::1");
        if login.is_some() && mail.tls == MailTls::None && !is_here {
            return Err("a password is not sent in the open; use tls: starttls".to_owned());
        }
        let tls = match mail.tls {
            MailTls::None => None,
            MailTls::StartTls | MailTls::Implicit => {
                Some(Arc::new(tls().map_err(|error| error.to_string())?))
            }
        };
        Ok(Self { name, mail, login, tls })
    }

    /// The same, with what a test trusts instead of the system's certificates.
    #[cfg(test)]
    pub(super) fn trusting(mut self, tls: MailTls, config: ClientConfig) -> Self {
        (self.mail.tls, self.tls) = (tls, Some(Arc::new(config)));
        self
    }

    fn send(&self, notice: &Notice) -> Result<(), EdgeError> {
        let tcp = connect(&self.mail.server)?;
        let mut talk = match self.mail.tls {
            MailTls::Implicit => Talk::over(self.secured(tcp)?),
            MailTls::StartTls | MailTls::None => Talk::over(Box::new(tcp)),
        };
        talk.expect(220)?;
        let mut offers = talk.hello()?;
        if self.mail.tls == MailTls::StartTls {
            if !offers.iter().any(|offer| offer.eq_ignore_ascii_case("STARTTLS")) {
                return Err(EdgeError::new(Class::Denied, "the server does not offer STARTTLS"));
            }
            talk.command("STARTTLS", 220)?;
            // What came in the open before the secret began counts for nothing (RFC 3207).
            talk = Talk::over(self.secured(talk.into_tcp()?)?);
            offers = talk.hello()?;
        }
        if let Some((user, password)) = &self.login {
            let plain = |offer: &String| {
                let mut words = offer.split_ascii_whitespace();
                words.next().is_some_and(|word| word.eq_ignore_ascii_case("AUTH"))
                    && words.any(|word| word.eq_ignore_ascii_case("PLAIN"))
            };
            if !offers.iter().any(plain) {
                return Err(EdgeError::new(Class::Denied, "the server does not offer AUTH PLAIN"));
            }
            let secret = base64(format!("\0{user}\0{password}").as_bytes());
            talk.command(&format!("AUTH PLAIN {secret}"), 235)?;
        }
        talk.command(&format!("MAIL FROM:<{}>", self.mail.from), 250)?;
        for to in &self.mail.to {
            talk.command(&format!("RCPT TO:<{to}>"), 250)?;
        }
        talk.command("DATA", 354)?;
        talk.command(&self.letter(notice), 250)?;
        // It is sent: a server that does not say good-bye changes nothing.
        let _ = talk.command("QUIT", 221);
        Ok(())
    }

    fn secured(&self, tcp: TcpStream) -> Result<Box<dyn Stream>, EdgeError> {
        let broken = |why: String| EdgeError::new(Class::Transient, why);
        let Some(config) = &self.tls else { return Ok(Box::new(tcp)) };
        let name = ServerName::try_from(self.mail.server.0.clone());
        let name = name.map_err(|_| broken("the server's name is not one".to_owned()))?;
        let connection = ClientConnection::new(Arc::clone(config), name);
        let connection = connection.map_err(|error| broken(format!("TLS: {error}")))?;
        Ok(Box::new(StreamOwned::new(connection, tcp)))
    }

    /// The message, up to the line that ends it. The body is base64: no line is too long, and none
    /// begins with a full stop.
    fn letter(&self, notice: &Notice) -> String {
        let mut letter = String::new();
        let date = rfc2822::DateTimePrinter::new().timestamp_to_string(&notice.at);
        let host = self.mail.from.rsplit('@').next().unwrap_or("localhost");
        let alert = &notice.alert;
        let id = format!("{}.{}.{}", alert.kind, alert.object, notice.at.as_nanosecond());
        let id: String =
            id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '.' }).collect();
        for (name, value) in [
            ("From", format!("Farthing <{}>", self.mail.from)),
            ("To", self.mail.to.join(", ")),
            ("Subject", header(&message::subject(notice))),
            ("Date", date.unwrap_or_else(|_| "Thu, 1 Jan 1970 00:00:00 -0000".to_owned())),
            ("Message-ID", format!("<{id}@{host}>")),
            ("Auto-Submitted", "auto-generated".to_owned()),
            ("MIME-Version", "1.0".to_owned()),
            ("Content-Type", "text/plain; charset=utf-8".to_owned()),
            ("Content-Transfer-Encoding", "base64".to_owned()),
        ] {
            let _ = write!(letter, "{name}: {value}\r\n");
        }
        letter.push_str("\r\n");
        let body = base64(message::text(notice).as_bytes());
        for line in body.as_bytes().chunks(76) {
            letter.push_str(&String::from_utf8_lossy(line));
            letter.push_str("\r\n");
        }
        letter.push('.');
        letter
    }
}

impl Notify for Smtp {
    fn name(&self) -> &str {
        &self.name
    }

    fn notify(&mut self, notice: &Notice) -> Result<(), EdgeError> {
        self.send(notice)
    }
}

/// Whether a text can stand between `<` and `>` in a command: nothing in it can end the command.
fn is_address(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>' | ',' | ';' | '"' | '\\');
    let parts = text.split_once('@');
    text.len() <= 254
        && text.chars().all(fits)
        && parts.is_some_and(|(who, host)| !who.is_empty() && !host.is_empty())
}

/// A header's text: as it is, or in encoded words (RFC 2047) of at most 75 characters.
fn header(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if clean.is_ascii() && clean.len() <= 900 {
        return clean;
    }
    let mut words = Vec::new();
    let mut word = String::new();
    for c in clean.chars().take(300) {
        if word.len() + c.len_utf8() > 45 {
            words.push(std::mem::take(&mut word));
        }
        word.push(c);
    }
    words.push(word);
    let words: Vec<String> =
        words.iter().map(|word| format!("=?utf-8?B?{}?=", base64(word.as_bytes()))).collect();
    words.join("\r\n ")
}

fn tls() -> Result<ClientConfig, TrustError> {
    trust::config(trust::system()?)
}

fn connect((host, port): &(String, u16)) -> Result<TcpStream, EdgeError> {
    let broken = |what: &str| EdgeError::new(Class::Transient, format!("{host}:{port}: {what}"));
    let addresses = (host.as_str(), *port).to_socket_addrs();
    let addresses = addresses.map_err(|_| broken("the host is not known"))?;
    for address in addresses {
        let Ok(tcp) = TcpStream::connect_timeout(&address, TIMEOUT) else { continue };
        let set = tcp.set_read_timeout(Some(TIMEOUT));
        if set.and_then(|()| tcp.set_write_timeout(Some(TIMEOUT))).is_ok() {
            return Ok(tcp);
        }
    }
    Err(broken("no connection"))
}

/// A connection, open or secret.
trait Stream: Read + Write {
    /// The connection below, where it is open.
    fn tcp(&self) -> Option<std::io::Result<TcpStream>> {
        None
    }
}

impl Stream for TcpStream {
    fn tcp(&self) -> Option<std::io::Result<TcpStream>> {
        Some(self.try_clone())
    }
}

impl Stream for StreamOwned<ClientConnection, TcpStream> {}

/// A conversation.
struct Talk(BufReader<Box<dyn Stream>>);

impl Talk {
    fn over(stream: Box<dyn Stream>) -> Self {
        Self(BufReader::new(stream))
    }

    fn into_tcp(self) -> Result<TcpStream, EdgeError> {
        if !self.0.buffer().is_empty() {
            let why = "the server said more before the connection was secret";
            return Err(EdgeError::new(Class::Denied, why));
        }
        match self.0.get_ref().tcp() {
            Some(Ok(tcp)) => Ok(tcp),
            _ => Err(EdgeError::new(Class::Transient, "the connection is gone")),
        }
    }

    /// What the server offers.
    fn hello(&mut self) -> Result<Vec<String>, EdgeError> {
        self.command("EHLO farthing.invalid", 250)
    }

    /// Says a line and expects an answer. No error has the line in it, which may be secret.
    fn command(&mut self, line: &str, code: u16) -> Result<Vec<String>, EdgeError> {
        let stream = self.0.get_mut();
        let said = stream.write_all(format!("{line}\r\n").as_bytes());
        let said = said.and_then(|()| stream.flush());
        said.map_err(|_| EdgeError::new(Class::Transient, "the connection was lost"))?;
        self.expect(code)
    }

    /// The lines of an answer, without their code.
    fn expect(&mut self, code: u16) -> Result<Vec<String>, EdgeError> {
        let mut lines = Vec::new();
        for _ in 0..LINES_MAX {
            let line = self.line()?;
            let (number, rest) = line.split_at_checked(3).unwrap_or(("", ""));
            let Ok(said) = number.parse::<u16>() else {
                return Err(EdgeError::new(Class::Transient, "what answers is no mail server"));
            };
            let text = rest.get(1..).unwrap_or("").to_owned();
            if !rest.starts_with('-') {
                if said == code || (code == 250 && said == 251) {
                    lines.push(text);
                    return Ok(lines);
                }
                let class =
                    if (400..500).contains(&said) { Class::Transient } else { Class::Denied };
                return Err(EdgeError::new(class, format!("the mail server said {said} {text}")));
            }
            lines.push(text);
        }
        Err(EdgeError::new(Class::Transient, "the mail server does not come to an end"))
    }

    fn line(&mut self) -> Result<String, EdgeError> {
        let lost = |_| EdgeError::new(Class::Transient, "no answer in time");
        let mut bytes = Vec::new();
        let read = (&mut self.0).take(LINE_MAX).read_until(b'\n', &mut bytes).map_err(lost)?;
        if read == 0 {
            return Err(EdgeError::new(Class::Transient, "the connection was lost"));
        }
        let text = String::from_utf8_lossy(&bytes);
        Ok(text.trim_end().chars().filter(|c| !c.is_control()).collect())
    }
}
