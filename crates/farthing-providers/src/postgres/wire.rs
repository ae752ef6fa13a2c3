//! The messages of PostgreSQL's protocol 3.0, as bytes.
//!
//! Format: <https://www.postgresql.org/docs/current/protocol-message-formats.html>. Only what the
//! journal needs: parameters and results are numbers, texts and bytes in their binary forms.

/// Most bytes of one message: a page of records is far below.
pub(crate) const MESSAGE_BYTES_MAX: usize = 1 << 28;

/// A parameter of a statement.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'v> {
    Int(i64),
    Text(&'v str),
    Bytes(&'v [u8]),
}

impl Value<'_> {
    /// The number of its type (`pg_type.oid`), which these three have always had.
    const fn oid(self) -> u32 {
        match self {
            Self::Int(_) => 20,
            Self::Text(_) => 25,
            Self::Bytes(_) => 17,
        }
    }
}

/// Messages to be sent, one after the other.
#[derive(Default)]
pub(crate) struct Outgoing(Vec<u8>);

impl Outgoing {
    /// The first message: who wants what.
    pub(crate) fn startup(&mut self, pairs: &[(&str, &str)]) {
        let at = self.0.len();
        self.0.extend([0; 4]);
        self.0.extend(196_608_u32.to_be_bytes());
        for (name, value) in pairs {
            self.text(name);
            self.text(value);
        }
        self.0.push(0);
        self.put_length(at, at);
    }

    /// Asks for TLS.
    pub(crate) fn ask_for_tls(&mut self) {
        self.0.extend(8_u32.to_be_bytes());
        self.0.extend(80_877_103_u32.to_be_bytes());
    }

    /// A password, or a part of another log-in.
    pub(crate) fn password(&mut self, bytes: &[u8]) {
        self.message(b'p', |out| out.extend(bytes));
    }

    /// The first part of a log-in by `mechanism`.
    pub(crate) fn log_in(&mut self, mechanism: &str, first: &str) {
        self.message(b'p', |out| {
            out.extend(mechanism.as_bytes());
            out.push(0);
            out.extend(length(first.len()));
            out.extend(first.as_bytes());
        });
    }

    /// Reads a statement.
    pub(crate) fn parse(&mut self, sql: &str, parameters: &[Value<'_>]) {
        self.message(b'P', |out| {
            out.push(0);
            out.extend(sql.as_bytes());
            out.push(0);
            out.extend(count(parameters.len()));
            for parameter in parameters {
                out.extend(parameter.oid().to_be_bytes());
            }
        });
    }

    /// Carries out the statement that was read.
    pub(crate) fn execute(&mut self, parameters: &[Value<'_>]) {
        self.message(b'B', |out| {
            out.extend([0, 0]);
            // All parameters are binary, and so are all results.
            out.extend([0, 1, 0, 1]);
            out.extend(count(parameters.len()));
            for parameter in parameters {
                match parameter {
                    Value::Int(number) => {
                        out.extend(length(8));
                        out.extend(number.to_be_bytes());
                    }
                    Value::Text(text) => {
                        out.extend(length(text.len()));
                        out.extend(text.as_bytes());
                    }
                    Value::Bytes(bytes) => {
                        out.extend(length(bytes.len()));
                        out.extend(*bytes);
                    }
                }
            }
            out.extend([0, 1, 0, 1]);
        });
        self.message(b'E', |out| out.extend([0; 5]));
    }

    /// The end of what belongs together.
    pub(crate) fn sync(&mut self) {
        self.message(b'S', |_| {});
    }

    /// The end of the connection.
    pub(crate) fn terminate(&mut self) {
        self.message(b'X', |_| {});
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn text(&mut self, text: &str) {
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    fn message(&mut self, kind: u8, body: impl FnOnce(&mut Vec<u8>)) {
        self.0.push(kind);
        let at = self.0.len();
        self.0.extend([0; 4]);
        body(&mut self.0);
        self.put_length(at, at);
    }

    fn put_length(&mut self, at: usize, from: usize) {
        let bytes = length(self.0.len() - from);
        if let Some(place) = self.0.get_mut(at..at + 4) {
            place.copy_from_slice(&bytes);
        }
    }
}

/// Lengths are below [`MESSAGE_BYTES_MAX`], which the session looks at before it sends.
fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes()
}

fn count(items: usize) -> [u8; 2] {
    u16::try_from(items).unwrap_or(u16::MAX).to_be_bytes()
}

/// The body of a message that came, read from its start.
pub(crate) struct Incoming<'b>(pub(crate) &'b [u8]);

/// A message that is not as it should be.
#[derive(Debug)]
pub(crate) struct Malformed;

impl<'b> Incoming<'b> {
    pub(crate) fn take(&mut self, bytes: usize) -> Result<&'b [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(bytes).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn number(&mut self) -> Result<u32, Malformed> {
        let bytes = self.take(4)?;
        bytes.try_into().map(u32::from_be_bytes).map_err(|_| Malformed)
    }

    /// A text that a zero byte ends.
    pub(crate) fn text(&mut self) -> Result<&'b str, Malformed> {
        let end = self.0.iter().position(|byte| *byte == 0).ok_or(Malformed)?;
        let text = self.take(end)?;
        self.take(1)?;
        std::str::from_utf8(text).map_err(|_| Malformed)
    }

    /// A row: each column, `None` where it is null.
    pub(crate) fn row(&mut self) -> Result<Row, Malformed> {
        let count = self.take(2)?.try_into().map(u16::from_be_bytes).map_err(|_| Malformed)?;
        let mut columns = Vec::with_capacity(usize::from(count));
        for _ in 0..count {
            columns.push(match self.number()? {
                u32::MAX => None,
                length => {
                    let length = usize::try_from(length).map_err(|_| Malformed)?;
                    Some(self.take(length)?.to_vec())
                }
            });
        }
        Ok(Row(columns))
    }

    /// The fields of an error or a notice: severity, code, message.
    pub(crate) fn complaint(&mut self) -> Result<Complaint, Malformed> {
        let mut complaint = Complaint::default();
        loop {
            let kind = self.take(1)?;
            if kind == [0] {
                return Ok(complaint);
            }
            let text = self.text()?;
            match kind {
                b"C" => text.clone_into(&mut complaint.code),
                b"M" => text.clone_into(&mut complaint.message),
                b"n" => complaint.constraint = Some(text.to_owned()),
                _ => {}
            }
        }
    }
}

/// What a server says that is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Complaint {
    /// SQLSTATE.
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) constraint: Option<String>,
}

/// A row of a result, its columns in their binary forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row(pub(crate) Vec<Option<Vec<u8>>>);

impl Row {
    pub(crate) fn bytes(&self, column: usize) -> Option<&[u8]> {
        self.0.get(column)?.as_deref()
    }

    pub(crate) fn int(&self, column: usize) -> Option<i64> {
        self.bytes(column)?.try_into().ok().map(i64::from_be_bytes)
    }

    pub(crate) fn text(&self, column: usize) -> Option<&str> {
        std::str::from_utf8(self.bytes(column)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever a server sends is a value or a fault, and never a panic.
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Incoming(&bytes).row();
            let _ = Incoming(&bytes).complaint();
            let _ = Incoming(&bytes).text();
        }
    }

    #[test]
    fn messages_have_their_lengths() {
        let mut out = Outgoing::default();
        out.startup(&[("user", "me")]);
        assert_eq!(out.bytes(), b"\0\0\0\x11\0\x03\0\0user\0me\0\0");
        let mut out = Outgoing::default();
        out.execute(&[Value::Int(1), Value::Text("x"), Value::Bytes(&[])]);
        assert_eq!(out.bytes()[..5], *b"B\0\0\0\x25");
        assert!(out.bytes().ends_with(b"E\0\0\0\x09\0\0\0\0\0"));
    }
}
