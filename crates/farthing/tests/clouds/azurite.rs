//! A server that speaks the API of Azure Blob Storage (Azurite, of npm), on a free loopback port.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The account that every Azurite has; nothing of it is secret.
const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// Makes a container, by a request that is signed as Azure wants it.
const CONTAINER: &str = r"
const [, address, account, key] = process.argv;
const date = new Date().toUTCString();
const own = [`x-ms-date:${date}`, 'x-ms-version:2021-12-02'];
const path = `/${account}/finops`;
const signed = ['PUT', ...Array(11).fill(''), ...own, `/${account}${path}`, 'restype:container'];
const hmac = require('crypto').createHmac('sha256', Buffer.from(key, 'base64'));
const signature = hmac.update(signed.join('\n'), 'utf8').digest('base64');
const headers = Object.fromEntries(own.map(line => line.split(/:(.*)/)));
headers.authorization = `SharedKey ${account}:${signature}`;
const url = `http://${address}${path}?restype=container`;
const options = { method: 'PUT', headers: { ...headers, 'content-length': 0 } };
require('http').request(url, options, answer => {
    process.exit(answer.statusCode === 201 ? 0 : 1);
}).end();
";

/// The server, while it runs.
pub(crate) struct Azurite {
    child: Child,
    address: String,
}

impl Drop for Azurite {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where `tools/prepare.sh --tests` or the user put it.
fn installed() -> Option<PathBuf> {
    let own = std::env::var_os("FARTHING_AZURITE").map(PathBuf::from);
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")));
    let kept = "farthing/azurite-3.37.0/node_modules/.bin/azurite-blob";
    own.into_iter().chain(cache.map(|cache| cache.join(kept))).find(|path| path.is_file())
}

impl Azurite {
    /// Starts it with one container; `None` where there is none on this machine.
    pub(crate) fn start() -> Option<Self> {
        let Some(program) = installed() else {
            let why = "left out: there is no azurite-blob (tools/prepare.sh --tests installs it)";
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}");
            println!("{why}");
            return None;
        };
        let listen = ["--blobHost", "127.0.0.1", "--blobPort", "0", "--inMemoryPersistence"];
        let mut child = Command::new(program)
            .args(listen)
            .args(["--disableTelemetry", "--skipApiVersionCheck"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines.by_ref().take(50).find_map(|line| {
            let line = line.unwrap();
            let (_, address) = line.split_once("listens on http://")?;
            Some(address.trim().to_owned())
        });
        // What it says of each request is read, so that it never waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        let server = Self { child, address: address.unwrap() };
        let made = Command::new("node")
            .args(["-e", CONTAINER, &server.address, ACCOUNT, KEY])
            .status()
            .unwrap();
        assert!(made.success(), "Azurite refuses to make a container");
        Some(server)
    }

    /// What the program has to be told.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT.to_owned()),
            ("AZURE_STORAGE_ACCOUNT_KEY", KEY.to_owned()),
            ("AZURE_ENDPOINT", format!("http://{}/{ACCOUNT}", self.address)),
        ]
    }
}
