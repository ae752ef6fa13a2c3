//! Where the engine listens: the socket that was named, that of the environment, or a usual one.
//!
//! It refuses to read the environment and the file system itself: both are handed in.

use std::path::{Path, PathBuf};

/// Why there is no socket to speak through.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// An address of another kind.
    #[error(
        "{origin} is `{address}`: only a unix socket is spoken to, such as unix:///run/docker.sock"
    )]
    NotASocket {
        /// Who says so.
        origin: &'static str,
        /// What.
        address: String,
    },
    /// Nothing is there.
    #[error("there is no socket of Docker or Podman at {}", listed(.0))]
    Nowhere(Vec<PathBuf>),
}

fn listed(paths: &[PathBuf]) -> String {
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    paths.join(", ")
}

/// The socket that `given` names, else the one of `DOCKER_HOST`, else the first usual one that is
/// there.
///
/// # Errors
/// What is named is no unix socket, or nothing is where one usually is.
pub fn socket(
    given: Option<&str>,
    variable: &dyn Fn(&str) -> Option<String>,
    is_there: &dyn Fn(&Path) -> bool,
) -> Result<PathBuf, AddressError> {
    if let Some(address) = given {
        return path_of("--docker", address);
    }
    if let Some(address) = variable("DOCKER_HOST").filter(|address| !address.is_empty()) {
        return path_of("DOCKER_HOST", &address);
    }
    let of = |name: &str, rest: &str| Some(PathBuf::from(variable(name)?).join(rest));
    let usual = [
        Some(PathBuf::from("/var/run/docker.sock")),
        of("XDG_RUNTIME_DIR", "docker.sock"),
        of("HOME", ".docker/run/docker.sock"),
        Some(PathBuf::from("/run/podman/podman.sock")),
        of("XDG_RUNTIME_DIR", "podman/podman.sock"),
    ];
    let usual: Vec<PathBuf> = usual.into_iter().flatten().collect();
    usual.iter().find(|path| is_there(path)).cloned().ok_or(AddressError::Nowhere(usual))
}

fn path_of(origin: &'static str, address: &str) -> Result<PathBuf, AddressError> {
    let path = address.strip_prefix("unix://").unwrap_or(address);
    if path.is_empty() || path.contains("://") {
        return Err(AddressError::NotASocket { origin, address: address.to_owned() });
    }
    Ok(PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(given: Option<&str>, host: Option<&str>, there: &str) -> Result<String, String> {
        let variable = |name: &str| match name {
            "DOCKER_HOST" => host.map(str::to_owned),
            "XDG_RUNTIME_DIR" => Some("/run/user/7".to_owned()),
            _ => None,
        };
        let is_there = |path: &Path| path == Path::new(there);
        let found = socket(given, &variable, &is_there);
        found.map(|path| path.display().to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_named_comes_before_the_environment_and_that_before_the_usual() {
        let all = Some("unix:///a/b.sock");
        assert_eq!(find(Some("/x/y"), all, ""), Ok("/x/y".to_owned()));
        assert_eq!(find(Some("unix:///x/y"), all, ""), Ok("/x/y".to_owned()));
        assert_eq!(find(None, all, "/var/run/docker.sock"), Ok("/a/b.sock".to_owned()));
        let podman = "/run/user/7/podman/podman.sock";
        assert_eq!(find(None, None, podman), Ok(podman.to_owned()));
        assert_eq!(find(None, Some(""), podman), Ok(podman.to_owned()));
    }

    #[test]
    fn other_addresses_are_refused_by_name() {
        let far = find(None, Some("tcp://10.0.0.1:2375"), "").unwrap_err();
        assert!(far.starts_with("DOCKER_HOST is `tcp://10.0.0.1:2375`"), "{far}");
        assert!(find(Some("ssh://me@there"), None, "").unwrap_err().starts_with("--docker"));
        let nowhere = find(None, None, "").unwrap_err();
        assert!(nowhere.contains("/var/run/docker.sock, /run/user/7/docker.sock"), "{nowhere}");
    }
}
