//! A stand-in for Google Cloud Storage: objects in memory behind the XML API, as its reference has
//! it. What there is as an emulator keeps objects too, and passes over the condition of a write
//! (`x-goog-if-generation-match`), on which the guard against two writers stands.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// An account that asks nobody for a token, as clients of emulators have it.
const ACCOUNT: &str = r#"{"private_key": "none", "private_key_id": "none",
    "client_email": "farthing@example.org", "disable_oauth": true}"#;

/// Contents and generations by name.
type Objects = BTreeMap<String, (Vec<u8>, u64)>;

/// The server; it ends with the test.
pub(crate) struct Google {
    address: String,
    objects: Arc<Mutex<(Objects, u64)>>,
}

struct Request {
    method: String,
    path: String,
    query: Vec<(String, String)>,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Google {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let objects = Arc::new(Mutex::new((Objects::new(), 0)));
        let shared = Arc::clone(&objects);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(mut stream), shared) = (stream, Arc::clone(&shared)) else { break };
                std::thread::spawn(move || {
                    let Some(request) = read(&mut stream) else { return };
                    let mut objects = shared.lock().unwrap();
                    let answer = answer(&request, &mut objects);
                    drop(objects);
                    let _ = stream.write_all(&answer);
                });
            }
        });
        Self { address, objects }
    }

    /// What the program has to be told.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("GOOGLE_BASE_URL", format!("http://{}", self.address)),
            ("GOOGLE_SERVICE_ACCOUNT_KEY", ACCOUNT.to_owned()),
        ]
    }

    /// The names of all objects.
    pub(crate) fn names(&self) -> Vec<String> {
        self.objects.lock().unwrap().0.keys().cloned().collect()
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = code.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        if let Some(byte) = byte.filter(|_| *first == b'%') {
            bytes.push(byte);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 8_192];
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        let count = stream.read(&mut chunk).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&chunk[..count]);
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.get("content-length").map_or(0, |text| text.parse().unwrap());
    let mut body = bytes[end + 4..].to_vec();
    while body.len() < length {
        let count = stream.read(&mut chunk).ok().filter(|count| *count > 0)?;
        body.extend_from_slice(&chunk[..count]);
    }
    let query = query.split('&').filter_map(|pair| pair.split_once('='));
    let query = query.map(|(name, value)| (name.to_owned(), decoded(value))).collect();
    Some(Request { method, path: decoded(path), query, headers, body })
}

fn reply(status: &str, headers: &[(&str, String)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status}\r\nConnection: close\r\n");
    for (name, value) in headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    if !headers.iter().any(|(name, _)| *name == "Content-Length") {
        let _ = write!(head, "Content-Length: {}\r\n", body.len());
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

fn error(status: &str, code: &str) -> Vec<u8> {
    let body = format!("<?xml version='1.0'?><Error><Code>{code}</Code></Error>");
    reply(status, &[], body.as_bytes())
}

fn of_object(generation: u64) -> Vec<(&'static str, String)> {
    vec![
        ("ETag", format!("\"{generation:x}\"")),
        ("x-goog-generation", generation.to_string()),
        ("Last-Modified", "Mon, 02 Nov 2026 11:00:00 GMT".to_owned()),
    ]
}

fn answer(request: &Request, (objects, last): &mut (Objects, u64)) -> Vec<u8> {
    let Some(path) = request.path.strip_prefix("/finops") else {
        return error("404 Not Found", "NoSuchBucket");
    };
    let name = path.trim_start_matches('/').to_owned();
    if name.is_empty() {
        return list(request, objects);
    }
    let known = objects.get(&name).map(|(_, generation)| *generation);
    match request.method.as_str() {
        "PUT" => {
            let wanted = request.headers.get("x-goog-if-generation-match");
            // Zero: there must be none.
            let wanted = wanted.map(|text| text.parse::<u64>().unwrap());
            if wanted.is_some_and(|wanted| wanted != known.unwrap_or(0)) {
                return error("412 Precondition Failed", "PreconditionFailed");
            }
            *last += 1;
            objects.insert(name, (request.body.clone(), *last));
            reply("200 OK", &of_object(*last), b"")
        }
        "DELETE" => match objects.remove(&name) {
            Some(_) => reply("204 No Content", &[], b""),
            None => error("404 Not Found", "NoSuchKey"),
        },
        _ => match objects.get(&name) {
            Some((content, generation)) => get(request, content, *generation),
            None => error("404 Not Found", "NoSuchKey"),
        },
    }
}

fn get(request: &Request, content: &[u8], generation: u64) -> Vec<u8> {
    let mut headers = of_object(generation);
    if request.headers.get("if-match").is_some_and(|tag| *tag != format!("\"{generation:x}\"")) {
        return error("412 Precondition Failed", "PreconditionFailed");
    }
    if request.method == "HEAD" {
        headers.push(("Content-Length", content.len().to_string()));
        return reply("200 OK", &headers, b"");
    }
    let Some(range) = request.headers.get("range").and_then(|text| text.strip_prefix("bytes="))
    else {
        return reply("200 OK", &headers, content);
    };
    let (size, (from, to)) = (content.len(), range.split_once('-').unwrap());
    let (from, to) = match (from, to) {
        ("", suffix) => (size.saturating_sub(suffix.parse().unwrap()), size),
        (from, "") => (from.parse().unwrap(), size),
        (from, last) => (from.parse().unwrap(), size.min(last.parse::<usize>().unwrap() + 1)),
    };
    headers.push(("Content-Range", format!("bytes {from}-{}/{size}", to - 1)));
    reply("206 Partial Content", &headers, &content[from..to])
}

fn list(request: &Request, objects: &Objects) -> Vec<u8> {
    let of = |name: &str| {
        let found = request.query.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value.as_str())
    };
    let (prefix, delimiter) = (of("prefix"), of("delimiter"));
    let mut body = "<?xml version='1.0'?><ListBucketResult>".to_owned();
    let mut folders = std::collections::BTreeSet::new();
    for (name, (content, generation)) in objects {
        let Some(rest) = name.strip_prefix(prefix) else { continue };
        if let Some((folder, _)) = rest.split_once(delimiter).filter(|_| !delimiter.is_empty()) {
            folders.insert(format!("{prefix}{folder}{delimiter}"));
            continue;
        }
        let _ = write!(
            body,
            "<Contents><Key>{name}</Key><Size>{}</Size><ETag>\"{generation:x}\"</ETag>\
             <LastModified>2026-11-02T11:00:00.000Z</LastModified></Contents>",
            content.len()
        );
    }
    for folder in folders {
        let _ = write!(body, "<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>");
    }
    reply("200 OK", &[], (body + "</ListBucketResult>").as_bytes())
}
