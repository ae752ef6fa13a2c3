//! Whose a control group is: the container or service that a cgroup path belongs to.
//!
//! Every runtime writes its paths in its own dialect. The *outermost* owner on the path is taken:
//! what runs inside a container (Docker in Docker, a cluster in a container) is the container's
//! use, and owners then never nest, so that their counters never hold the same time twice.

/// Length of the short form of a container's id that people know from `docker ps`.
const SHORT_ID: usize = 12;

/// Who a group of processes belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Owner {
    /// A container: the first 12 digits of its id, or its name (LXC, nspawn).
    Container(String),
    /// A systemd service of the system, such as `nginx.service`.
    Unit(String),
}

impl Owner {
    /// What a statement by container shows.
    pub(super) fn label(&self) -> &str {
        match self {
            Self::Container(label) | Self::Unit(label) => label,
        }
    }

    /// The first part of a workload's name.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Container(_) => "container",
            Self::Unit(_) => "unit",
        }
    }

    pub(super) const fn is_container(&self) -> bool {
        matches!(self, Self::Container(_))
    }
}

/// The owner of a cgroup path, and how much of the path is the owner's own group. `None`: nobody
/// but the user (a login session, the root group).
pub(super) fn owner(path: &str) -> Option<(Owner, &str)> {
    let mut end = 0;
    let mut parent = "";
    for part in path.split('/') {
        end += part.len();
        let found = container(parent, part).or_else(|| unit(&path[..end], part));
        if let Some(owner) = found {
            return Some((owner, &path[..end]));
        }
        // The slash that follows.
        end += 1;
        parent = part;
    }
    None
}

fn container(parent: &str, part: &str) -> Option<Owner> {
    let name = part.strip_suffix(".scope").unwrap_or(part);
    // Podman's and CRI-O's monitors run beside the container, not in it.
    if name.contains("conmon") {
        return None;
    }
    // `<id>` (cgroupfs drivers), `docker-<id>.scope`, `cri-containerd-<id>.scope`,
    // `crio-<id>.scope`, `libpod-<id>.scope`, `kubepods…slice:cri-containerd:<id>`.
    let last = name.rsplit(['-', ':']).next().unwrap_or(name);
    if last.len() == 64 && last.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Some(Owner::Container(last[..SHORT_ID].to_ascii_lowercase()));
    }
    let named = part.strip_prefix("lxc.payload.").or_else(|| {
        let folder = matches!(parent, "lxc" | "lxc.payload");
        folder.then_some(part)
    });
    let nspawn = || {
        let name = name.strip_prefix("machine-").filter(|_| parent == "machine.slice");
        name.or_else(|| part.strip_prefix("systemd-nspawn@")?.strip_suffix(".service"))
    };
    let label = unescaped(named.or_else(nspawn)?);
    (!label.is_empty()).then_some(Owner::Container(label))
}

/// A service of the system manager. Login sessions and services of users are the user's own, and
/// scopes come and go with each start, so that they would never add up.
fn unit(path: &str, part: &str) -> Option<Owner> {
    let is_service = part.len() > ".service".len() && part.ends_with(".service");
    let of_user = path.split('/').any(|slice| slice == "user.slice");
    (is_service && !of_user).then(|| Owner::Unit(unescaped(part)))
}

/// systemd writes `-` inside a name as `\x2d`. Control characters become `?`.
fn unescaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find("\\x") {
        text.push_str(&rest[..at]);
        let code = rest.get(at + 2..at + 4).and_then(|code| u8::from_str_radix(code, 16).ok());
        if let Some(code) = code.filter(u8::is_ascii) {
            text.push(char::from(code));
            rest = &rest[at + 4..];
        } else {
            text.push_str("\\x");
            rest = &rest[at + 2..];
        }
    }
    text.push_str(rest);
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "3f2a9c0d1e2b3f2a9c0d1e2b3f2a9c0d1e2b3f2a9c0d1e2b3f2a9c0d1e2b3f2a";

    fn found(path: &str) -> String {
        let path = path.replace("ID", ID).replace("INNER", &ID.replace('3', "4"));
        owner(&path).map_or_else(String::new, |(owner, group)| {
            let depth = group.matches('/').count();
            format!("{} {} at {depth}", owner.kind(), owner.label())
        })
    }

    #[test]
    fn dialects_of_runtimes() {
        let id = "container 3f2a9c0d1e2b";
        for (path, depth) in [
            ("/docker/ID", 2),
            ("/system.slice/docker-ID.scope", 2),
            ("/system.slice/docker-ID.scope/init", 2),
            ("/k8s.io/ID", 2),
            ("/kubepods/burstable/pod6f1-2/ID", 4),
            ("/kubepods.slice/kubepods-pod6f.slice/cri-containerd-ID.scope", 3),
            ("/system.slice/containerd.slice/kubepods-pod6f.slice:cri-containerd:ID", 3),
            ("/kubepods.slice/kubepods-besteffort.slice/crio-ID.scope/container", 3),
            ("/machine.slice/libpod-ID.scope/container", 2),
            ("/libpod_parent/libpod-ID", 2),
            ("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope", 5),
            ("/ecs/task-1/ID", 3),
            ("/docker/ID/docker/INNER", 2),
        ] {
            assert_eq!(found(path), format!("{id} at {depth}"), "{path}");
        }
        assert_eq!(found("/lxc/web/init"), "container web at 2");
        assert_eq!(found("/lxc.payload.db-1/system.slice/x.service"), "container db-1 at 1");
        assert_eq!(found("/machine.slice/machine-my\\x2dbox.scope"), "container my-box at 2");
        assert_eq!(
            found("/machine.slice/systemd-nspawn@box.service/payload"),
            "container box at 2"
        );
    }

    #[test]
    fn services_and_what_is_nobodys() {
        assert_eq!(found("/system.slice/nginx.service"), "unit nginx.service at 2");
        let getty = "/system.slice/system-getty.slice/getty@tty1.service";
        assert_eq!(found(getty), "unit getty@tty1.service at 3");
        for nobody in [
            "/",
            "",
            "/init.scope",
            "/user.slice/user-1000.slice/session-3.scope",
            "/user.slice/user-1000.slice/user@1000.service/app.slice/app-firefox-77.scope",
            "/machine.slice/libpod-conmon-ID.scope",
            "/kubepods.slice/crio-conmon-ID.scope",
            "/kubepods/burstable/pod6f1",
            "/build/0123456789abcdef0123456789abcdef",
            "/lxc.monitor.web",
            "/.service",
        ] {
            assert_eq!(found(nobody), "", "{nobody}");
        }
    }

    proptest! {
        #[test]
        fn any_path_is_taken(path in "(/[-.:@a-z0-9\\\\x\u{e9}]{0,12}){0,6}") {
            if let Some((owner, group)) = owner(&path) {
                prop_assert!(path.starts_with(group));
                prop_assert!(!owner.label().is_empty());
            }
        }
    }
}
