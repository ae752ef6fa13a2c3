//! The clock of the day, and an API server that keeps it: a proxy in front of the real one that
//! writes the day's time in place of the machine's.
//!
//! Each time of an object is the moment of the day at which it was first seen, so that what happens
//! while the clock stands still happened at that moment. A server says once a minute how far its
//! streams are; here it says so each time the clock goes on. What the day's metrics server says is
//! answered here too.

use super::api::Api;
use super::exporter::Exporter;
use farthing_edge::Clock;
use farthing_kube::SharedClock;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

/// The time of the day.
struct Still(AtomicI64);

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

/// A stream of changes that somebody reads, and how far it is.
struct Stream {
    out: TcpStream,
    version: String,
}

struct Inner {
    api: Api,
    clock: Arc<Still>,
    began: Timestamp,
    /// When each time of an object was first seen.
    times: Mutex<HashMap<(String, String, String), Timestamp>>,
    /// The last version of each object that was handed on.
    told: Mutex<HashMap<String, String>>,
    streams: Mutex<Vec<Arc<Mutex<Stream>>>>,
    exporter: Arc<Mutex<Exporter>>,
}

pub(crate) struct Warp {
    inner: Arc<Inner>,
    address: String,
}

impl Warp {
    pub(crate) fn start(api: Api, now: Timestamp, exporter: Arc<Mutex<Exporter>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Inner {
            api,
            clock: Arc::new(Still(AtomicI64::new(now.as_second()))),
            began: Timestamp::now() - SignedDuration::from_hours(1),
            times: Mutex::default(),
            told: Mutex::default(),
            streams: Mutex::default(),
            exporter,
        });
        let shared = Arc::clone(&inner);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let inner = Arc::clone(&shared);
                std::thread::spawn(move || inner.answer(stream));
            }
        });
        Self { inner, address }
    }

    pub(crate) fn address(&self) -> String {
        self.address.clone()
    }

    pub(crate) fn clock(&self) -> SharedClock {
        self.inner.clock.clone()
    }

    /// Goes on to a moment, and has all streams say how far they are.
    pub(crate) fn go_on(&self, now: Timestamp) {
        self.inner.clock.0.store(now.as_second(), Ordering::SeqCst);
        self.inner.streams.lock().unwrap().retain(|stream| {
            let mut stream = stream.lock().unwrap();
            let version = &stream.version;
            let bookmark = json!({"type": "BOOKMARK", "object": {"metadata": {
                "resourceVersion": version}}});
            stream.out.write_all(format!("{bookmark}\n").as_bytes()).is_ok()
        });
    }

    /// Whether an object as it is was handed on.
    pub(crate) fn has_told(&self, object: &Value) -> bool {
        let (uid, version) = face(object);
        self.inner.told.lock().unwrap().get(&uid) == Some(&version)
    }
}

fn face(object: &Value) -> (String, String) {
    let of = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or("").to_owned();
    (of("/metadata/uid"), of("/metadata/resourceVersion"))
}

struct Request {
    method: String,
    target: String,
    kind: Option<String>,
    body: Vec<u8>,
}

fn request(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut parts = line.split_whitespace();
    let (method, target) = (parts.next()?.to_owned(), parts.next()?.to_owned());
    let (mut length, mut kind) = (0, None);
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok()?,
            "content-type" => kind = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, target, kind, body })
}

impl Inner {
    fn answer(&self, mut stream: TcpStream) {
        let Some(asked) = request(&stream) else { return };
        if asked.target.starts_with("/apis/metrics.k8s.io/") {
            let said = self.exporter.lock().unwrap().metrics(self.clock.now());
            let _ = whole(&mut stream, 200, said.to_string().as_bytes());
            return;
        }
        let url = format!("{}{}", self.api.server, asked.target);
        let bearer = format!("Bearer {}", self.api.token);
        let mut forward = ureq::http::Request::builder()
            .method(asked.method.as_str())
            .uri(url)
            .header("authorization", bearer)
            .header("accept", "application/json");
        if let Some(kind) = &asked.kind {
            forward = forward.header("content-type", kind);
        }
        let Ok(forward) = forward.body(asked.body) else { return };
        let Ok(mut answer) = self.api.agent.run(forward) else { return };
        let code = answer.status().as_u16();
        if asked.target.contains("watch=true") && code == 200 {
            let mut parts = asked.target.split(['?', '&']);
            let from = parts.find_map(|part| part.strip_prefix("resourceVersion="));
            let version = from.unwrap_or_default().to_owned();
            self.follow((stream, version), answer.into_body().into_reader());
            return;
        }
        let body = answer.body_mut().with_config().limit(256 << 20).read_to_vec();
        let Ok(body) = body else { return };
        let mut said: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        if said.is_null() {
            let _ = whole(&mut stream, code, &body);
            return;
        }
        match said.get_mut("items").and_then(Value::as_array_mut) {
            Some(items) => items.iter_mut().for_each(|item| self.hand_on(item)),
            None => self.warp(&mut said),
        }
        let _ = whole(&mut stream, code, said.to_string().as_bytes());
    }

    /// Hands changes on as they come.
    fn follow(&self, (mut out, version): (TcpStream, String), from: impl std::io::Read) {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";
        if out.write_all(head.as_bytes()).is_err() {
            return;
        }
        let stream = Arc::new(Mutex::new(Stream { out, version }));
        self.streams.lock().unwrap().push(Arc::clone(&stream));
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let Ok(mut change) = serde_json::from_str::<Value>(&line) else { continue };
            let mut stream_now = stream.lock().unwrap();
            let object = &mut change["object"];
            let (uid, version) = face(object);
            self.warp(object);
            if stream_now.out.write_all(format!("{change}\n").as_bytes()).is_err() {
                return;
            }
            stream_now.version.clone_from(&version);
            self.told.lock().unwrap().insert(uid, version);
        }
    }

    /// An object of a list: its times, and that it was handed on.
    fn hand_on(&self, object: &mut Value) {
        self.warp(object);
        let (uid, version) = face(object);
        self.told.lock().unwrap().insert(uid, version);
    }

    fn warp(&self, object: &mut Value) {
        let (uid, _) = face(object);
        let mut path = String::new();
        self.times_of(object, &uid, &mut path);
    }

    fn times_of(&self, value: &mut Value, uid: &str, path: &mut String) {
        let length = path.len();
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    if matches!(name.as_str(), "managedFields" | "annotations" | "labels") {
                        continue;
                    }
                    path.push('/');
                    path.push_str(name);
                    self.times_of(value, uid, path);
                    path.truncate(length);
                }
            }
            Value::Array(items) => {
                for (index, value) in items.iter_mut().enumerate() {
                    // Conditions are known by their kind, wherever they stand.
                    let kind = value.get("type").and_then(Value::as_str).map(str::to_owned);
                    path.push('/');
                    path.push_str(&kind.unwrap_or_else(|| index.to_string()));
                    self.times_of(value, uid, path);
                    path.truncate(length);
                }
            }
            Value::String(text) => {
                let looks = text.len() >= 20 && text.starts_with("20") && text.ends_with('Z');
                let Some(at) = looks.then(|| text.parse::<Timestamp>().ok()).flatten() else {
                    return;
                };
                // The day's own times are in another year.
                if at < self.began || at > Timestamp::now() + SignedDuration::from_hours(1) {
                    return;
                }
                let now = self.clock.now();
                let key = (uid.to_owned(), path.clone(), text.clone());
                *text = self.times.lock().unwrap().entry(key).or_insert(now).to_string();
            }
            _ => {}
        }
    }
}

fn whole(stream: &mut TcpStream, code: u16, body: &[u8]) -> std::io::Result<()> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {code} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)
}
