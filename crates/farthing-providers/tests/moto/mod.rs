//! A server that speaks the API of S3 (moto), on a free loopback port.
#![allow(dead_code, clippy::print_stdout, reason = "not every test needs all of it; it says so")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The server, where `tools/prepare.sh --tests` or the user put it.
fn moto() -> Option<PathBuf> {
    let own = std::env::var_os("FARTHING_MOTO").map(PathBuf::from);
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")));
    let kept = cache.map(|cache| cache.join("farthing/moto-5.2.5/bin/moto_server"));
    own.into_iter().chain(kept).find(|path| path.is_file())
}

/// The server, while it runs.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts it on a free port, with one bucket; `None` where there is none on this machine.
    pub(crate) fn start() -> Option<Self> {
        let Some(program) = moto() else {
            let why = "left out: there is no moto_server (tools/prepare.sh --tests installs it)";
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}");
            println!("{why}");
            return None;
        };
        let mut child = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", "0"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It says where it listens among its first lines.
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines.by_ref().take(50).find_map(|line| {
            let line = line.unwrap();
            let (_, address) = line.split_once("http://127.0.0.1:")?;
            Some(format!("127.0.0.1:{}", address.trim()))
        });
        // What it says of each request is read, so that it never waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        let server = Self { child, address: address.unwrap() };
        assert!(server.http("PUT", "/finops", &[], b"").starts_with("HTTP/1.1 200"));
        Some(server)
    }

    /// One request, as it is.
    pub(crate) fn http(&self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let length = body.len();
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
             Content-Length: {length}\r\nAuthorization: AWS4-HMAC-SHA256 \
             Credential=test/20261101/us-east-1/s3/aws4_request, SignedHeaders=host, \
             Signature=00\r\n",
            self.address
        );
        for header in headers {
            head.push_str(header);
            head.push_str("\r\n");
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// The names of all objects in the bucket.
    pub(crate) fn keys(&self) -> Vec<String> {
        let listed = self.http("GET", "/finops?list-type=2", &[], b"");
        let keys = listed.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next());
        keys.map(str::to_owned).collect()
    }
}
