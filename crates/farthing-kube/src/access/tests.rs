use super::*;
use std::path::Path;

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

const TWO: &str = r"
apiVersion: v1
kind: Config
current-context: one
clusters:
- name: c
  cluster: {server: 'https://10.0.0.1:6443/', certificate-authority-data: Y2E=}
- name: file
  cluster: {server: https://x, certificate-authority: ca.pem, insecure-skip-tls-verify: true}
users:
- {name: token, user: {token: 0123}}
- {name: both, user: {client-certificate-data: YQ==, client-key-data: Yg==}}
- {name: half, user: {client-certificate-data: YQ==}}
- {name: old, user: {auth-provider: {name: gcp}}}
- {name: password, user: {username: u, password: p}}
- name: plugin
  user: {exec: {command: ./say, args: [a], env: [{name: N, value: v}],
    apiVersion: client.authentication.k8s.io/v1beta1}}
contexts:
- {name: one, context: {cluster: c, user: token}}
- {name: two, context: {cluster: file, user: both}}
- {name: half, context: {cluster: c, user: half}}
- {name: old, context: {cluster: c, user: old}}
- {name: password, context: {cluster: c, user: password}}
- {name: plugin, context: {cluster: c, user: plugin}}
- {name: gone, context: {cluster: c, user: nobody}}
";

#[test]
fn a_context_names_a_server_and_who_we_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "config", TWO);
    write(folder.path(), "ca.pem", "pem");
    let config = Kubeconfig::load(&[path]).unwrap();
    let one = config.access(None).unwrap();
    assert_eq!(
        (one.server.as_str(), one.ca.as_deref()),
        ("https://10.0.0.1:6443", Some(&b"ca"[..]))
    );
    assert!(matches!(&one.identity, Identity::Token(token) if token == "0123"));
    assert!(!format!("{one:?}{config:?}").contains("0123"), "secrets are not printed");
    let two = config.access(Some("two")).unwrap();
    assert_eq!((two.ca.as_deref(), two.insecure), (Some(&b"pem"[..]), true));
    assert!(matches!(two.identity, Identity::Certificate(a, b) if (&*a, &*b) == (b"a", b"b")));
    for (context, words) in [
        ("half", "without its key"),
        ("old", "auth-provider"),
        ("password", "password"),
        ("gone", "there is no user `nobody`: there are token, both"),
        ("none", "there is no context `none`"),
    ] {
        let error = config.access(Some(context)).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn of_several_files_the_first_that_names_something_decides() {
    let folder = tempfile::tempdir().unwrap();
    let first = "clusters: [{name: c, cluster: {server: http://first}}]\nusers: ~\n";
    let paths = [
        write(folder.path(), "empty", ""),
        write(folder.path(), "a", first),
        write(folder.path(), "b", TWO),
    ];
    let access = Kubeconfig::load(&paths).unwrap().access(None).unwrap();
    assert_eq!(access.server, "http://first");
    let bad = write(folder.path(), "bad", "clusters: {a: b}");
    let error = Kubeconfig::load(&[bad]).unwrap_err().to_string();
    assert!(error.contains("bad: is not a kubeconfig"), "{error}");
}

#[test]
fn a_plugin_is_asked_for_a_token() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let config = write(folder.path(), "config", TWO);
    let said = r#"{"status": {"token": "'$1-$N'", "expirationTimestamp": "2026-12-01T00:01:00Z"}}"#;
    let plugin = write(folder.path(), "say", &format!("#!/bin/sh\necho '{said}'\n"));
    std::fs::set_permissions(&plugin, std::fs::Permissions::from_mode(0o700)).unwrap();
    let access = Kubeconfig::load(&[config]).unwrap().access(Some("plugin")).unwrap();
    let now = "2026-12-01T00:00:00Z".parse().unwrap();
    let credentials = access.identity.credentials("https://x", now).unwrap();
    assert_eq!(credentials.bearer.as_deref(), Some("a-v"));
    assert_eq!(credentials.until, Some("2026-12-01T00:00:30Z".parse().unwrap()));
    std::fs::write(&plugin, "#!/bin/sh\nexit 3\n").unwrap();
    let error = access.identity.credentials("https://x", now).err().unwrap().to_string();
    assert!(error.contains("say` ends with exit status: 3"), "{error}");
}

#[test]
fn a_pod_knows_its_own_cluster() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "token", "secret\n");
    write(folder.path(), "ca.crt", "pem");
    let variable =
        |name: &str| Some(if name.ends_with("HOST") { "fd00::1" } else { "443" }.to_owned());
    let access = in_cluster_at(folder.path(), &variable).unwrap();
    assert_eq!(access.server, "https://[fd00::1]:443");
    let now = "2026-12-01T00:00:00Z".parse().unwrap();
    let credentials = access.identity.credentials(&access.server, now).unwrap();
    assert_eq!(credentials.bearer.as_deref(), Some("secret"));
    assert!(in_cluster_at(folder.path(), &|_| None).is_err());
}
