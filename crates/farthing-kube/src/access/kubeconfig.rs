//! Kubeconfigs: one or several files, of which the first to name something decides.

use super::{Access, AccessError, Identity, Plugin, bytes, text, yaml};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// What kubeconfigs say.
#[derive(Clone, Debug, Default)]
pub struct Kubeconfig {
    current: Option<String>,
    clusters: Vec<Named<Cluster>>,
    users: Vec<Named<User>>,
    contexts: Vec<Named<Context>>,
}

/// Something with its name, and the folder that its paths start from.
#[derive(Clone, Debug)]
struct Named<T> {
    name: String,
    folder: PathBuf,
    value: T,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct File {
    current_context: Option<String>,
    clusters: Option<Vec<ClusterEntry>>,
    users: Option<Vec<UserEntry>>,
    contexts: Option<Vec<ContextEntry>>,
}

#[derive(Deserialize)]
struct ClusterEntry {
    name: String,
    cluster: Cluster,
}

#[derive(Deserialize)]
struct UserEntry {
    name: String,
    user: Option<User>,
}

#[derive(Deserialize)]
struct ContextEntry {
    name: String,
    context: Context,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Cluster {
    server: Option<String>,
    certificate_authority: Option<PathBuf>,
    certificate_authority_data: Option<String>,
    insecure_skip_tls_verify: Option<bool>,
    tls_server_name: Option<String>,
    proxy_url: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct Context {
    cluster: String,
    user: Option<String>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct User {
    token: Option<String>,
    #[serde(rename = "tokenFile")]
    token_file: Option<PathBuf>,
    client_certificate: Option<PathBuf>,
    client_certificate_data: Option<String>,
    client_key: Option<PathBuf>,
    client_key_data: Option<String>,
    username: Option<String>,
    auth_provider: Option<serde_json::Value>,
    exec: Option<Exec>,
}

impl std::fmt::Debug for User {
    /// Says nothing of what is in it.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("User(..)")
    }
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Exec {
    command: PathBuf,
    args: Option<Vec<String>>,
    env: Option<Vec<Variable>>,
    api_version: Option<String>,
}

#[derive(Clone, Deserialize)]
struct Variable {
    name: String,
    value: String,
}

impl Kubeconfig {
    /// Reads files; of several the first that names something decides, as for kubectl.
    ///
    /// # Errors
    /// A file that cannot be read, or is no kubeconfig.
    pub fn load(paths: &[PathBuf]) -> Result<Self, AccessError> {
        let mut all = Self::default();
        for path in paths {
            let syntax = |what: String| AccessError::Syntax { path: path.clone(), what };
            let value = yaml::value(&text(path)?).map_err(syntax)?;
            if value.is_null() {
                continue;
            }
            let file: File = serde_json::from_value(value)
                .map_err(|error| syntax(format!("is not a kubeconfig: {error}")))?;
            all.add(file, path.parent().unwrap_or(Path::new(".")));
        }
        Ok(all)
    }

    fn add(&mut self, file: File, folder: &Path) {
        fn put<T>(all: &mut Vec<Named<T>>, name: String, folder: &Path, value: T) {
            if !all.iter().any(|known| known.name == name) {
                all.push(Named { name, folder: folder.to_owned(), value });
            }
        }
        let current = file.current_context.filter(|name| !name.is_empty());
        self.current = self.current.take().or(current);
        for entry in file.clusters.unwrap_or_default() {
            put(&mut self.clusters, entry.name, folder, entry.cluster);
        }
        for entry in file.users.unwrap_or_default() {
            put(&mut self.users, entry.name, folder, entry.user.unwrap_or_default());
        }
        for entry in file.contexts.unwrap_or_default() {
            put(&mut self.contexts, entry.name, folder, entry.context);
        }
    }

    /// How the server of a context is reached; of the current one where none is named.
    ///
    /// # Errors
    /// The context is not there or names what is not, or its user is known in a way that is not
    /// supported.
    pub fn access(&self, context: Option<&str>) -> Result<Access, AccessError> {
        let Some(name) = context.or(self.current.as_deref()) else {
            let there: Vec<&str> = self.contexts.iter().map(|it| it.name.as_str()).collect();
            let why = match there[..] {
                [] => "the kubeconfig has no contexts".to_owned(),
                _ => format!("no context is current: name one of {}", there.join(", ")),
            };
            return Err(AccessError::Refused(why));
        };
        let context = find(&self.contexts, "context", name)?;
        let cluster = find(&self.clusters, "cluster", &context.value.cluster)?;
        let user = context.value.user.as_deref().filter(|user| !user.is_empty());
        let user = user.map(|user| find(&self.users, "user", user)).transpose()?;
        let identity = user.map_or(Ok(Identity::Anonymous), identity)?;
        let (server, ca) = reached(cluster)?;
        let insecure = cluster.value.insecure_skip_tls_verify == Some(true);
        Ok(Access { server, ca, insecure, identity, name: name.to_owned() })
    }
}

fn find<'c, T>(
    all: &'c [Named<T>],
    what: &'static str,
    name: &str,
) -> Result<&'c Named<T>, AccessError> {
    all.iter().find(|named| named.name == name).ok_or_else(|| AccessError::Missing {
        what,
        name: name.to_owned(),
        there: all.iter().map(|named| named.name.clone()).collect(),
    })
}

fn reached(cluster: &Named<Cluster>) -> Result<(String, Option<Vec<u8>>), AccessError> {
    let refused = |what: &str| {
        Err(AccessError::Refused(format!("cluster `{}` of the kubeconfig {what}", cluster.name)))
    };
    let of = &cluster.value;
    let server = of.server.as_deref().unwrap_or_default().trim_end_matches('/');
    if !server.starts_with("https://") && !server.starts_with("http://") {
        return refused("has no `server` that begins with https://");
    }
    if of.tls_server_name.is_some() {
        return refused("has a `tls-server-name`, which is not supported");
    }
    if of.proxy_url.is_some() {
        return refused("has a `proxy-url`, which is not supported");
    }
    let data = of.certificate_authority_data.as_deref();
    let ca = either(cluster, data, of.certificate_authority.as_deref())?;
    Ok((server.to_owned(), ca))
}

/// What is written in the kubeconfig, or in the file that it names.
fn either<T>(
    named: &Named<T>,
    data: Option<&str>,
    path: Option<&Path>,
) -> Result<Option<Vec<u8>>, AccessError> {
    match (data, path) {
        (Some(data), _) => STANDARD.decode(data.trim()).map(Some).map_err(|_| {
            AccessError::Refused(format!("`{}` of the kubeconfig is not base64", named.name))
        }),
        (None, Some(path)) => bytes(&named.folder.join(path)).map(Some),
        (None, None) => Ok(None),
    }
}

fn identity(user: &Named<User>) -> Result<Identity, AccessError> {
    let of = &user.value;
    if let Some(exec) = &of.exec {
        // A bare name is looked for in PATH, anything else is a path.
        let is_path = exec.command.components().count() > 1;
        let command = if is_path { user.folder.join(&exec.command) } else { exec.command.clone() };
        let env = exec.env.iter().flatten();
        return Ok(Identity::Plugin(Plugin {
            command,
            args: exec.args.clone().unwrap_or_default(),
            env: env.map(|it| (it.name.clone(), it.value.clone())).collect(),
            api_version: exec
                .api_version
                .clone()
                .unwrap_or_else(|| "client.authentication.k8s.io/v1".to_owned()),
        }));
    }
    let certificate =
        either(user, of.client_certificate_data.as_deref(), of.client_certificate.as_deref())?;
    let key = either(user, of.client_key_data.as_deref(), of.client_key.as_deref())?;
    let refused = |what: &str| {
        Err(AccessError::Refused(format!("user `{}` of the kubeconfig {what}", user.name)))
    };
    match (certificate, key, &of.token, &of.token_file) {
        (Some(certificate), Some(key), ..) => Ok(Identity::Certificate(certificate, key)),
        (Some(_), None, ..) => refused("has a client certificate without its key"),
        (None, Some(_), ..) => refused("has a client key without its certificate"),
        (.., Some(token), _) => Ok(Identity::Token(token.clone())),
        (.., Some(path)) => Ok(Identity::TokenFile(user.folder.join(path))),
        _ if of.auth_provider.is_some() => {
            refused("has an `auth-provider`; Kubernetes 1.26 took those out, use `exec`")
        }
        _ if of.username.is_some() => {
            refused("has a password; Kubernetes 1.19 took those out, use a token")
        }
        _ => Ok(Identity::Anonymous),
    }
}
