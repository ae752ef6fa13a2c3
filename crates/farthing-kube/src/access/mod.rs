//! How an API server is reached: its address, whom to trust, and who we are.
//!
//! From a kubeconfig ([`Kubeconfig`]) or from inside a pod ([`in_cluster`]). Who we are is a
//! token (also in a file that is read again), a certificate, or what a credential plugin says
//! (`exec`: EKS, GKE and AKS work so). Basic passwords and the old `auth-provider` are refused by
//! name: Kubernetes itself removed them. It refuses to know the environment: what is in it comes
//! from the caller. Start with [`Kubeconfig::load`].

mod exec;
mod kubeconfig;
mod yaml;

pub use exec::Plugin;
pub use kubeconfig::Kubeconfig;

use jiff::Timestamp;
use std::fmt;
use std::path::{Path, PathBuf};

/// Where a pod finds its service account.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// Most bytes of a token, a certificate or a kubeconfig.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Why it is not known how to reach a server.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// A file cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {what}", path.display())]
    Syntax {
        /// Which one.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A name that is not there.
    #[error("there is no {what} `{name}`{}", among(there))]
    Missing {
        /// Context, cluster or user.
        what: &'static str,
        /// Its name.
        name: String,
        /// The names that are there.
        there: Vec<String>,
    },
    /// Something that is not supported, or makes no sense.
    #[error("{0}")]
    Refused(String),
    /// A credential plugin that does not answer.
    #[error("the credential plugin `{command}` {what}")]
    Plugin {
        /// The program.
        command: String,
        /// What happened.
        what: String,
    },
}

fn among(there: &[String]) -> String {
    if there.is_empty() { String::new() } else { format!(": there are {}", there.join(", ")) }
}

/// How a server is reached.
#[derive(Clone, Debug)]
pub struct Access {
    /// `https://HOST:PORT`, with a path where the server is behind one.
    pub server: String,
    /// Certificates in PEM form to trust. Those of the system are for the caller to put here
    /// where a kubeconfig names none.
    pub ca: Option<Vec<u8>>,
    /// Whether anybody may answer: `insecure-skip-tls-verify`.
    pub insecure: bool,
    /// Who we are.
    pub identity: Identity,
    /// What the cluster is called where nothing else names it.
    pub name: String,
}

/// Who we are.
#[derive(Clone)]
pub enum Identity {
    /// Nobody.
    Anonymous,
    /// A bearer token.
    Token(String),
    /// A file with a token, which is replaced from time to time.
    TokenFile(PathBuf),
    /// A certificate with its key, both in PEM form.
    Certificate(Vec<u8>, Vec<u8>),
    /// A program that says it.
    Plugin(Plugin),
}

impl fmt::Debug for Identity {
    /// Says what kind it is and nothing of what it is.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Anonymous => "anonymous",
            Self::Token(_) => "token",
            Self::TokenFile(_) => "token file",
            Self::Certificate(..) => "certificate",
            Self::Plugin(_) => "plugin",
        })
    }
}

/// What is shown to the server, and until when.
pub(crate) struct Credentials {
    pub(crate) bearer: Option<String>,
    /// A certificate with its key, in PEM form.
    pub(crate) certificate: Option<(Vec<u8>, Vec<u8>)>,
    /// To be asked for again from then on.
    pub(crate) until: Option<Timestamp>,
}

impl Identity {
    /// What to show now.
    pub(crate) fn credentials(
        &self,
        server: &str,
        now: Timestamp,
    ) -> Result<Credentials, AccessError> {
        let none = Credentials { bearer: None, certificate: None, until: None };
        Ok(match self {
            Self::Anonymous => none,
            Self::Token(token) => Credentials { bearer: Some(token.clone()), ..none },
            Self::TokenFile(path) => {
                let token = text(path)?.trim().to_owned();
                // Tokens of service accounts are replaced long before they end; kubelet needs a
                // minute to write the new one.
                let until = now.checked_add(jiff::SignedDuration::from_mins(1)).ok();
                Credentials { bearer: Some(token), until, ..none }
            }
            Self::Certificate(certificate, key) => {
                Credentials { certificate: Some((certificate.clone(), key.clone())), ..none }
            }
            Self::Plugin(plugin) => plugin.ask(server)?,
        })
    }
}

/// How a pod reaches its own cluster. `variable` looks into the environment.
///
/// # Errors
/// This is no pod, or it has no service account.
pub fn in_cluster(variable: &dyn Fn(&str) -> Option<String>) -> Result<Access, AccessError> {
    in_cluster_at(Path::new(ACCOUNT), variable)
}

fn in_cluster_at(
    account: &Path,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Access, AccessError> {
    let said = (variable("KUBERNETES_SERVICE_HOST"), variable("KUBERNETES_SERVICE_PORT"));
    let (Some(host), Some(port)) = said else {
        let why = "this is not a pod: KUBERNETES_SERVICE_HOST and _PORT are not set";
        return Err(AccessError::Refused(why.to_owned()));
    };
    // An address of IPv6 stands in brackets in a URL.
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    let token = account.join("token");
    text(&token)?;
    Ok(Access {
        server: format!("https://{host}:{port}"),
        ca: Some(bytes(&account.join("ca.crt"))?),
        insecure: false,
        identity: Identity::TokenFile(token),
        name: "kubernetes".to_owned(),
    })
}

fn bytes(path: &Path) -> Result<Vec<u8>, AccessError> {
    use std::io::Read as _;
    let read = |source| AccessError::Read { path: path.to_owned(), source };
    let mut found = Vec::new();
    let file = std::fs::File::open(path).map_err(read)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut found).map_err(read)?;
    if found.len() as u64 > FILE_BYTES_MAX {
        let what = format!("is larger than {FILE_BYTES_MAX} bytes");
        return Err(AccessError::Syntax { path: path.to_owned(), what });
    }
    Ok(found)
}

fn text(path: &Path) -> Result<String, AccessError> {
    String::from_utf8(bytes(path)?)
        .map_err(|_| AccessError::Syntax { path: path.to_owned(), what: "is not text".to_owned() })
}

#[cfg(test)]
mod tests;
