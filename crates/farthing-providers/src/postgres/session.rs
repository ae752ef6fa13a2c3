//! One session with a server: the log-in, and statements with their results.
//!
//! Several statements go out together and are answered together; after the first that fails the
//! server leaves out the rest.

use super::fault::Fault;
use super::scram::{self, Scram};
use super::stream::Stream;
use super::url::{PgUrl, Tls};
use super::wire::{Complaint, Incoming, MESSAGE_BYTES_MAX, Outgoing, Row, Value};
use crate::base64;
use ring::rand::{SecureRandom as _, SystemRandom};
use std::io::{Read as _, Write as _};

/// Bytes that are read at once.
const CHUNK: usize = 16 * 1_024;

/// A statement, and the parameters of each time that it is carried out.
pub(crate) struct Statement<'s> {
    pub(crate) sql: &'s str,
    pub(crate) runs: Vec<Vec<Value<'s>>>,
}

impl<'s> Statement<'s> {
    /// Carried out once.
    pub(crate) fn new(sql: &'s str, parameters: Vec<Value<'s>>) -> Self {
        Self { sql, runs: vec![parameters] }
    }
}

/// A session; after a fault of its connection it is of no more use.
pub(crate) struct Session {
    stream: Stream,
    /// What came and was not read yet.
    input: Vec<u8>,
    alive: bool,
}

impl Session {
    /// Connects and logs in.
    pub(crate) fn open(url: &PgUrl) -> Result<Self, Fault> {
        let stream = Stream::open(url)?;
        let mut session = Self { stream, input: Vec::new(), alive: true };
        let mut out = Outgoing::default();
        out.startup(&[
            ("user", &url.user),
            ("database", &url.database),
            ("application_name", "farthing"),
            ("client_encoding", "UTF8"),
        ]);
        session.send(&out)?;
        session.log_in(url)?;
        Ok(session)
    }

    /// Whether it can still be used.
    pub(crate) const fn is_alive(&self) -> bool {
        self.alive
    }

    /// The rows of one statement.
    pub(crate) fn query(&mut self, sql: &str, with: Vec<Value<'_>>) -> Result<Vec<Row>, Fault> {
        let mut results = self.batch(&[Statement::new(sql, with)])?;
        Ok(results.pop().unwrap_or_default())
    }

    /// The rows of each statement. Where no transaction is begun, all of them are one.
    pub(crate) fn batch(&mut self, statements: &[Statement<'_>]) -> Result<Vec<Vec<Row>>, Fault> {
        let mut out = Outgoing::default();
        for statement in statements {
            out.parse(statement.sql, statement.runs.first().map_or(&[][..], Vec::as_slice));
            for run in &statement.runs {
                out.execute(run);
            }
        }
        out.sync();
        if out.bytes().len() > MESSAGE_BYTES_MAX {
            return Err(Fault::Protocol("no message of this size can be sent"));
        }
        self.send(&out)?;
        self.results(statements)
    }

    fn results(&mut self, statements: &[Statement<'_>]) -> Result<Vec<Vec<Row>>, Fault> {
        let mut results: Vec<Vec<Row>> = statements.iter().map(|_| Vec::new()).collect();
        let (mut at, mut runs, mut complaint) = (0, 0, None::<Complaint>);
        loop {
            let (kind, body) = match self.receive() {
                Ok(message) => message,
                // What the server said before it hung up says more.
                Err(fault) => return Err(complaint.map_or(fault, Fault::Refused)),
            };
            match kind {
                b'D' => {
                    let row = Incoming(&body).row();
                    let row = row.map_err(|malformed| self.lost(malformed.into()))?;
                    if let Some(rows) = results.get_mut(at) {
                        rows.push(row);
                    }
                }
                b'C' => {
                    runs += 1;
                    if statements.get(at).is_some_and(|statement| runs >= statement.runs.len()) {
                        (at, runs) = (at + 1, 0);
                    }
                }
                b'E' => {
                    let said = Incoming(&body).complaint();
                    let said = said.map_err(|malformed| self.lost(malformed.into()))?;
                    complaint.get_or_insert(said);
                }
                b'Z' => return complaint.map_or(Ok(results), |said| Err(Fault::Refused(said))),
                b'1' | b'2' | b'I' | b'N' | b'S' | b'A' => {}
                _ => return Err(self.lost(Fault::Protocol("a message nobody asked for"))),
            }
        }
    }

    fn log_in(&mut self, url: &PgUrl) -> Result<(), Fault> {
        const NO_PASSWORD: Fault = Fault::LogIn(
            "the server asks for a password: name it in the \
             address or in PGPASSWORD",
        );
        let password = || url.password.as_deref().ok_or(NO_PASSWORD);
        let mut proving = None;
        let mut proven = None;
        loop {
            let (kind, body) = self.receive()?;
            let mut body = Incoming(&body);
            match kind {
                b'R' => {}
                b'E' => return Err(Fault::Refused(body.complaint()?)),
                b'Z' => return Ok(()),
                // Settings, the key to cancel by, notices, what of the protocol it does not know.
                b'S' | b'K' | b'N' | b'v' => continue,
                _ => return Err(Fault::Protocol("a message nobody asked for")),
            }
            let mut out = Outgoing::default();
            match body.number()? {
                0 if proving.is_none() || proven.is_some() => continue,
                3 if url.tls != Tls::Off => {
                    out.password(&[password()?.as_bytes(), &[0]].concat());
                }
                3 | 5 => {
                    let why = "the server asks for a password in the clear or by MD5; set \
                               password_encryption = 'scram-sha-256' there";
                    return Err(Fault::LogIn(why));
                }
                10 => {
                    let scram = Scram::begin(&nonce()?);
                    let mut offered = std::iter::from_fn(|| body.text().ok());
                    if !offered.any(|name| name == scram::NAME) {
                        return Err(Fault::LogIn("the server does not offer SCRAM-SHA-256"));
                    }
                    out.log_in(scram::NAME, &scram.first());
                    proving = Some(scram);
                }
                11 => {
                    let scram = proving.as_ref().ok_or(Fault::Protocol("a log-in not begun"))?;
                    let challenge = utf8(body.0)?;
                    let answer = scram.answer(challenge, password()?);
                    let (answer, waiting) = answer.map_err(Fault::LogIn)?;
                    out.password(answer.as_bytes());
                    self.send(&out)?;
                    self.prove(&waiting)?;
                    proven = Some(());
                    continue;
                }
                _ => return Err(Fault::LogIn("the server asks for a log-in not known here")),
            }
            self.send(&out)?;
        }
    }

    /// The server's side of the log-in: who does not know the password is not talked to.
    fn prove(&mut self, waiting: &scram::Proven) -> Result<(), Fault> {
        let (kind, body) = self.receive()?;
        let mut body = Incoming(&body);
        match kind {
            b'E' => Err(Fault::Refused(body.complaint()?)),
            b'R' if body.number()? == 12 && waiting.is_by(utf8(body.0)?) => Ok(()),
            _ => Err(Fault::LogIn("the server does not know the password either")),
        }
    }

    fn lost(&mut self, fault: Fault) -> Fault {
        self.alive = false;
        fault
    }

    fn send(&mut self, out: &Outgoing) -> Result<(), Fault> {
        let sent = self.stream.write_all(out.bytes()).and_then(|()| self.stream.flush());
        sent.map_err(|error| self.lost(error.into()))
    }

    /// The next message: its kind, and its body.
    fn receive(&mut self) -> Result<(u8, Vec<u8>), Fault> {
        let head = self.bytes(5)?;
        let (kind, length) = (head[0], Incoming(&head[1..]).number()?);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        match length.checked_sub(4).filter(|length| *length <= MESSAGE_BYTES_MAX) {
            Some(length) => Ok((kind, self.bytes(length)?)),
            None => Err(self.lost(Fault::Protocol("a message of no possible length"))),
        }
    }

    fn bytes(&mut self, count: usize) -> Result<Vec<u8>, Fault> {
        while self.input.len() < count {
            let from = self.input.len();
            self.input.resize(from + CHUNK.max(count - from), 0);
            let read = self.stream.read(&mut self.input[from..]);
            self.input.truncate(from + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => {
                    let end = std::io::ErrorKind::UnexpectedEof;
                    return Err(self.lost(Fault::Io(end.into())));
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.lost(error.into())),
                Ok(_) => {}
            }
        }
        let rest = self.input.split_off(count);
        Ok(std::mem::replace(&mut self.input, rest))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let mut out = Outgoing::default();
        out.terminate();
        // Said out of politeness: without it the server notices by itself.
        let _ = self.stream.write_all(out.bytes());
        if let Stream::Tls(stream) = &mut self.stream {
            stream.conn.send_close_notify();
        }
        let _ = self.stream.flush();
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(bytes).map_err(|_| Fault::Protocol("a log-in that is not UTF-8"))
}

/// What no log-in had before.
fn nonce() -> Result<String, Fault> {
    let mut bytes = [0; 18];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| Fault::LogIn("this system gives no random numbers"))?;
    Ok(base64::encode(&bytes))
}
