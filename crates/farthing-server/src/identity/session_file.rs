//! Log-ins on disk, so that a restart ends none of them: a line of JSON for each thing that
//! happened, in a file that nobody else can read or write.
//!
//! What is kept of a cookie is its hash, which lets nobody in. The journal is not the place for it:
//! a log-in is noted there, and what is kept here has to be forgotten. A line that was cut off by a
//! crash is of somebody who logs in again. Start at [`SessionFile::open`].

use super::session::{Key, Session};
use super::{Deed, Principal, Role, TokenId, Way};
use farthing_model::TeamId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Bytes that are read at most: more than the lines below can be.
const BYTES_MAX: u64 = 256 << 20;
/// Lines after which the file is written anew with what is left of them.
const LINES_MAX: usize = 100_000;
/// Nobody else may read or write it.
const MODE: u32 = 0o600;
const OTHERS: u32 = 0o077;

/// Why log-ins of before are not known.
#[derive(Debug, thiserror::Error)]
pub enum SessionsError {
    /// It cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others can get at it, and could let themselves in.
    #[error("{path} has mode {mode:o}: it must be 600, as whoever writes it can let himself in")]
    Mode {
        /// Which.
        path: String,
        /// Its mode.
        mode: u32,
    },
    /// A line is not one of ours.
    #[error("{path}, line {line}: {message}")]
    Line {
        /// Which.
        path: String,
        /// Which line.
        line: usize,
        /// What is wrong.
        message: String,
    },
}

/// What happened to a session.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case", deny_unknown_fields)]
enum Line {
    Begun(Begun),
    /// It was used; not every time is written.
    Seen {
        key: String,
        at: String,
    },
    Ended {
        key: String,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Begun {
    /// The hash of its cookie.
    key: String,
    at: String,
    seen: String,
    name: String,
    role: String,
    teams: Option<Vec<String>>,
    only: Option<Vec<String>>,
    /// The token that it came by,
    token: Option<String>,
    /// or the groups of the provider's answer.
    groups: Option<BTreeSet<String>>,
}

/// The file of log-ins.
#[derive(Debug)]
pub(super) struct SessionFile {
    path: PathBuf,
    file: File,
    lines: usize,
}

impl SessionFile {
    /// Opens it, made where it is not there, with what it says.
    pub(super) fn open(path: &Path) -> Result<(Self, HashMap<Key, Session>), SessionsError> {
        let wrong = |source| fault(path, source);
        let mut sessions = HashMap::new();
        if path.exists() {
            let file = File::open(path).map_err(wrong)?;
            let mode = file.metadata().map_err(wrong)?.mode() & 0o777;
            if mode & OTHERS != 0 {
                return Err(SessionsError::Mode { path: path.display().to_string(), mode });
            }
            let mut text = String::new();
            file.take(BYTES_MAX).read_to_string(&mut text).map_err(wrong)?;
            // The last line may have been cut off.
            let whole = text.rfind('\n').map_or("", |end| &text[..end]);
            for (number, line) in whole.lines().enumerate() {
                fold(&mut sessions, line).map_err(|message| SessionsError::Line {
                    path: path.display().to_string(),
                    line: number + 1,
                    message,
                })?;
            }
        }
        Ok((Self::anew(path, &sessions)?, sessions))
    }

    /// Writes it anew, with nothing but these sessions.
    pub(super) fn anew(
        path: &Path,
        sessions: &HashMap<Key, Session>,
    ) -> Result<Self, SessionsError> {
        let wrong = |source| fault(path, source);
        let new = path.with_extension("sessions.new");
        // Made anew, so that it has the mode that is asked for.
        if new.exists() {
            fs::remove_file(&new).map_err(wrong)?;
        }
        let file = OpenOptions::new().append(true).create_new(true).mode(MODE).open(&new);
        let file = file.map_err(wrong)?;
        let mut kept = Self { path: path.to_owned(), file, lines: 0 };
        for (key, session) in sessions {
            kept.write(&begun(key, session)).map_err(wrong)?;
        }
        kept.file.sync_data().map_err(wrong)?;
        fs::rename(&new, path).map_err(wrong)?;
        Ok(kept)
    }

    /// Whether so much happened that it should be written anew.
    pub(super) const fn is_long(&self) -> bool {
        self.lines > LINES_MAX
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn begun(&mut self, key: &Key, session: &Session) -> io::Result<()> {
        self.write(&begun(key, session))
    }

    pub(super) fn seen(&mut self, key: &Key, at: Timestamp) -> io::Result<()> {
        self.write(&Line::Seen { key: key.as_str().to_owned(), at: at.to_string() })
    }

    /// On disk when this returns: who logged out stays out.
    pub(super) fn ended(&mut self, key: &Key) -> io::Result<()> {
        self.write(&Line::Ended { key: key.as_str().to_owned() })?;
        self.file.sync_data()
    }

    /// Forgets all of it: what could not be written must not be good after a restart.
    pub(super) fn forget(self) {
        // Where neither can be done the disk is gone.
        let _ = self.file.set_len(0);
        let _ = fs::remove_file(&self.path);
    }

    fn write(&mut self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_vec(line).map_err(io::Error::other)?;
        text.push(b'\n');
        let end = self.file.metadata()?.len();
        if let Err(error) = self.file.write_all(&text) {
            // What comes next must not be glued to a part of a line.
            let _ = self.file.set_len(end);
            return Err(error);
        }
        self.lines += 1;
        Ok(())
    }
}

fn fault(path: &Path, source: io::Error) -> SessionsError {
    SessionsError::File { path: path.display().to_string(), source }
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| format!("`{text}` is not a time"))
}

fn fold(sessions: &mut HashMap<Key, Session>, line: &str) -> Result<(), String> {
    match serde_json::from_str(line).map_err(|error| error.to_string())? {
        Line::Begun(begun) => {
            let (key, session) = begun.read()?;
            sessions.insert(key, session);
        }
        Line::Seen { key, at } => {
            let at = time(&at)?;
            if let Some(session) = sessions.get_mut(&Key::of_hash(key)) {
                session.seen = at;
            }
        }
        Line::Ended { key } => {
            sessions.remove(&Key::of_hash(key));
        }
    }
    Ok(())
}

fn begun(key: &Key, session: &Session) -> Line {
    let who = &session.who;
    let (token, groups) = match &who.way {
        Way::Token(id) => (Some(id.to_string()), None),
        Way::Oidc(groups) => (None, Some(groups.clone())),
        Way::Local => (None, None),
    };
    let teams = who.teams.as_ref();
    let only = who.only.as_ref();
    Line::Begun(Begun {
        key: key.as_str().to_owned(),
        at: session.began.to_string(),
        seen: session.seen.to_string(),
        name: who.name.clone(),
        role: who.role.name().to_owned(),
        teams: teams.map(|teams| teams.iter().map(ToString::to_string).collect()),
        only: only.map(|only| only.iter().map(|deed| deed.name().to_owned()).collect()),
        token,
        groups,
    })
}

impl Begun {
    fn read(self) -> Result<(Key, Session), String> {
        let way = match (self.token, self.groups) {
            (Some(token), None) => Way::Token(TokenId::of(&token)),
            (None, Some(groups)) => Way::Oidc(groups),
            _ => return Err("a session comes by a token, or by groups".to_owned()),
        };
        let team = |name: &String| TeamId::new(name).map_err(|error| error.to_string());
        let teams = self.teams.map(|teams| teams.iter().map(team).collect()).transpose()?;
        let only = self.only.map(|only| only.iter().map(|deed| deed.parse::<Deed>()).collect());
        let who = Principal {
            name: self.name,
            role: self.role.parse::<Role>()?,
            teams,
            only: only.transpose()?,
            way,
        };
        let session = Session { who: who.into(), began: time(&self.at)?, seen: time(&self.seen)? };
        Ok((Key::of_hash(self.key), session))
    }
}
