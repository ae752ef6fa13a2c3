//! A real PostgreSQL server on loopback, in a folder of its own, for as long as the test runs.
#![allow(dead_code, clippy::unwrap_used, clippy::print_stdout, reason = "test support")]

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The password of the server's one user.
pub(crate) const PASSWORD: &str = "p@ss word";

/// A server; it ends with the process that started it, however that ends.
pub(crate) struct Server {
    /// Where it listens on loopback.
    pub(crate) port: u16,
    /// The folder of its socket, of its certificate (`server.crt`) and of its log.
    pub(crate) folder: PathBuf,
    bin: PathBuf,
    /// Closed when this process ends, which is what the server waits for.
    _life: ChildStdin,
}

/// What starts the server and ends it: the shell lives as long as its input.
const SCRIPT: &str = r#"
set -eu
cd "$FOLDER"
"$BIN/initdb" -D data -U farthing -A scram-sha-256 --pwfile=password --no-sync --no-locale -E UTF8 \
    >log 2>&1 || { echo failed; exit 1; }
"$BIN/postgres" -D data -k "$FOLDER" -p "$PORT" -c listen_addresses=127.0.0.1 -c fsync=off \
    -c max_connections=260 -c shared_buffers=32MB -c autovacuum=off -c ssl=on \
    -c ssl_cert_file="$FOLDER/server.crt" -c ssl_key_file="$FOLDER/server.key" >log 2>&1 &
server=$!
tries=0
until "$BIN/pg_isready" -q -h "$FOLDER" -p "$PORT"; do
    tries=$((tries + 1))
    if [ $tries -gt 300 ] || ! kill -0 $server; then echo failed; exit 1; fi
    sleep 0.1
done
echo ready
cat >/dev/null || true
kill -QUIT $server
wait $server || true
rm -rf "$FOLDER"
"#;

/// The server of this process; `None`, with a line that says so, where there is no PostgreSQL.
pub(crate) fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER.get_or_init(start).as_ref()
}

#[expect(clippy::zombie_processes, reason = "nobody waits: it outlives the tests")]
fn start() -> Option<Server> {
    let Some(bin) = programs() else {
        assert!(std::env::var_os("CI").is_none(), "there is no PostgreSQL on this machine");
        println!("left out: there is no PostgreSQL here (tools/prepare.sh --tests installs one)");
        return None;
    };
    let folder = tempfile::Builder::new().prefix("farthing-pg").tempdir().unwrap().keep();
    std::fs::write(folder.join("password"), PASSWORD).unwrap();
    certificate(&folder);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = command(&folder);
    command.args(["-c", SCRIPT]).env("BIN", &bin).env("FOLDER", &folder);
    command.env("PORT", port.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut said = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
    let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
    assert_eq!(said.trim(), "ready", "PostgreSQL does not start: {log}");
    Some(Server { port, folder, bin, _life: child.stdin.take().unwrap() })
}

/// The server refuses to run as root: then it runs as the user that its package made.
fn command(folder: &Path) -> Command {
    let is_root = std::fs::metadata("/proc/self")
        .is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == 0);
    if !is_root {
        return Command::new("sh");
    }
    let owned = Command::new("chown").args(["-R", "postgres:"]).arg(folder).status().unwrap();
    assert!(owned.success(), "there is no user `postgres`");
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "sh"]);
    command
}

/// Where the server's programs are, the newest first.
fn programs() -> Option<PathBuf> {
    let entries = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut bins: Vec<PathBuf> = entries.map(|entry| entry.path().join("bin")).collect();
    bins.sort();
    bins.push("/usr/local/pgsql/bin".into());
    bins.into_iter().rev().find(|bin| bin.join("initdb").exists() && bin.join("postgres").exists())
}

/// A certificate of its own for `localhost`, which it signs itself.
fn certificate(folder: &Path) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-days", "2", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", "server.key", "-out", "server.crt"])
        .current_dir(folder)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success());
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(folder.join("server.key"), private).unwrap();
}

impl Server {
    /// The address of a database that is not there before.
    pub(crate) fn fresh(&self) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// The address of a database.
    pub(crate) fn url(&self, database: &str) -> String {
        let password = PASSWORD.replace('@', "%40").replace(' ', "%20");
        format!("postgres://farthing:{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// What the server's own program prints for a statement.
    pub(crate) fn sql(&self, database: &str, sql: &str) -> String {
        let run = Command::new(self.bin.join("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "farthing", "-h"])
            .arg(&self.folder)
            .args(["-p", &self.port.to_string(), "-d", database, "-c", sql])
            .env("PGPASSWORD", PASSWORD)
            .output()
            .unwrap();
        assert!(run.status.success(), "{sql}: {}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8(run.stdout).unwrap().trim().to_owned()
    }
}

/// The database of an address.
pub(crate) fn database(url: &str) -> &str {
    url.rsplit_once('/').unwrap().1
}
