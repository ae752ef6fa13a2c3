//! `farthing import prometheus` against servers on loopback: who may ask, by token, password or
//! certificate, and what a server that misbehaves comes to.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs, reason = "tests")]

mod program;

use program::{Place, Run, files};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// 2026-11-02T10:00:00Z.
const START: i64 = 1_793_613_600;
const WINDOW: &str = "2026-11-02T10:00:00Z/2026-11-02T10:30:00Z";

/// What a server says to a request: the status, and the body.
type Answer = Box<dyn Fn(&str) -> (u16, String) + Send>;

/// A request with its body, as far as it comes.
fn request(stream: &mut impl Read) -> String {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4_096]);
    loop {
        let count = stream.read(&mut chunk).unwrap_or(0);
        bytes.extend_from_slice(&chunk[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let length = text.lines().find_map(|line| {
            line.to_lowercase().strip_prefix("content-length:").map(|n| n.trim().parse().unwrap())
        });
        let whole = text
            .split_once("\r\n\r\n")
            .is_some_and(|(_, body)| body.len() >= length.unwrap_or(0_usize));
        if whole || count == 0 {
            return text;
        }
    }
}

fn reply(stream: &mut (impl Read + Write), answer: &Answer) {
    let text = request(stream);
    if text.is_empty() {
        return;
    }
    let (status, body) = answer(&text);
    let head = format!(
        "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all((head + &body).as_bytes());
    let _ = stream.flush();
}

/// A server on loopback that lives as long as the test does.
fn serve(tls: Option<Arc<ServerConfig>>, answer: Answer) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let scheme = if tls.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut rest = stream.try_clone().unwrap();
            let mut stream = stream;
            match &tls {
                None => reply(&mut stream, &answer),
                Some(config) => {
                    let session = ServerConnection::new(Arc::clone(config)).unwrap();
                    reply(&mut StreamOwned::new(session, stream), &answer);
                }
            }
            // What was sent and not read would reset the connection, and lose what was said.
            let _ = rest.shutdown(std::net::Shutdown::Write);
            let _ = rest.set_read_timeout(Some(Duration::from_millis(200)));
            while rest.read(&mut [0; 4_096]).is_ok_and(|count| count > 0) {}
        }
    });
    url
}

/// One machine of a known price, scraped each minute.
fn good(request: &str) -> (u16, String) {
    if request.contains("/label/") {
        let names = ["kube_node_info", "kube_node_labels", "kube_node_status_capacity"];
        return (200, format!("{{\"status\":\"success\",\"data\":{names:?}}}"));
    }
    let labels = if request.contains("kube_node_labels") {
        "\"__name__\":\"kube_node_labels\",\"node\":\"n\",\
         \"label_node_kubernetes_io_instance_type\":\"m5.2xlarge\",\
         \"label_topology_kubernetes_io_region\":\"us-east-1\",\"label_farthing_dev_provider\":\"aws\""
    } else if request.contains("kube_node_info") {
        "\"__name__\":\"kube_node_info\",\"node\":\"n\""
    } else {
        "\"__name__\":\"kube_node_status_capacity\",\"node\":\"n\",\"resource\":\"cpu\""
    };
    let mut values = String::new();
    for minute in 0..=30 {
        let comma = if minute > 0 { "," } else { "" };
        let _ = write!(values, "{comma}[{},\"8\"]", START + minute * 60);
    }
    let body = format!(
        "{{\"status\":\"success\",\"data\":{{\"resultType\":\"matrix\",\"result\":\
         [{{\"metric\":{{{labels}}},\"values\":[{values}]}}]}}}}"
    );
    (200, body)
}

fn import(place: &Place, url: &str, more: &[&str]) -> Run {
    let prices = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/prices.csv");
    let prices = prices.display().to_string();
    let mut arguments = vec!["import", "prometheus", "--url", url, "--window", WINDOW];
    arguments.extend(["--prices", &prices, "--output", "json", "--timeout", "5s"]);
    arguments.extend(more);
    place.run(&arguments)
}

fn paid(run: &Run) -> String {
    assert_eq!(run.code, 0, "{}", run.said);
    let said: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    said["paid"].as_str().unwrap().to_owned()
}

/// What is one line of a failure, and leaves nothing behind.
fn refused(place: &Place, url: &str, more: &[&str], expected: &str) {
    let run = import(place, url, more);
    assert_eq!(run.code, 1, "{}", run.said);
    assert!(run.out.is_empty(), "{}", run.out);
    assert!(run.said.contains(expected), "no `{expected}` in: {}", run.said);
    assert!(run.said.trim_end().lines().count() <= 3, "{}", run.said);
    assert_eq!(files(&place.state()).len(), 0, "nothing is written");
}

#[test]
fn a_server_that_wants_credentials_gets_them() {
    let place = Place::new();
    let guarded = |header: &'static str| -> Answer {
        Box::new(move |request| {
            if request.to_lowercase().contains(&header.to_lowercase()) {
                good(request)
            } else {
                (401, "Unauthorized".to_owned())
            }
        })
    };
    let url = serve(None, guarded("authorization: Bearer t0ken"));
    refused(&place, &url, &[], "answers 401: the credentials are missing or wrong");
    place.file("token", "t0ken\n");
    place.file("wrong", "other\n");
    refused(&place, &url, &["--token-file", "wrong"], "answers 401");
    assert_eq!(paid(&import(&place, &url, &["--token-file", "token"])), "0.20");
    let place = Place::new();
    // RFC 7617's own example.
    let url = serve(None, guarded("authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
    place.file("password", "open sesame\n");
    let basic = ["--user", "Aladdin", "--password-file", "password"];
    refused(&place, &url, &["--user", "Ali", "--password-file", "password"], "answers 401");
    assert_eq!(paid(&import(&place, &url, &basic)), "0.20");
}

/// An authority, a server of it, a client of it, and one that it does not know; `None` where there
/// is no program that makes certificates.
fn certificates(place: &Place) -> Option<()> {
    if Command::new("openssl").arg("version").output().is_err() {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "openssl is not installed");
        println!("left out: openssl is not installed");
        return None;
    }
    place.file("server.ext", "subjectAltName=IP:127.0.0.1\n");
    place.file("client.ext", "extendedKeyUsage=clientAuth\n");
    let script = "set -e
        new() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \"$@\" 2>/dev/null; }
        for ca in ca other; do
            new -x509 -days 2 -subj /CN=$ca -keyout $ca.key -out $ca.pem
        done
        sign() {
            new -subj /CN=$1 -keyout $1.key -out $1.csr
            openssl x509 -req -days 2 -in $1.csr -CA $2.pem -CAkey $2.key -set_serial $3 \
                -extfile $4 -out $1.pem 2>/dev/null
        }
        sign server ca 1 server.ext
        sign client ca 2 client.ext
        sign stranger other 3 client.ext";
    let made = place.shell(script);
    assert_eq!(made.code, 0, "{}", made.said);
    Some(())
}

fn tls_config(folder: &Path) -> Arc<ServerConfig> {
    let certificates = |name: &str| -> Vec<CertificateDer<'static>> {
        CertificateDer::pem_file_iter(folder.join(name)).unwrap().map(Result::unwrap).collect()
    };
    let mut roots = RootCertStore::empty();
    for authority in certificates("ca.pem") {
        roots.add(authority).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = Arc::new(roots);
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider));
    let key = PrivateKeyDer::from_pem_file(folder.join("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(certificates("server.pem"), key);
    Arc::new(config.unwrap())
}

#[test]
fn a_server_that_wants_a_certificate_gets_it() {
    let place = Place::new();
    if certificates(&place).is_none() {
        return;
    }
    let url = serve(Some(tls_config(place.path())), Box::new(good));
    let client = ["--cert", "client.pem", "--key", "client.key"];
    let with = |ca: &'static str, more: &[&'static str]| [&["--ca", ca], more].concat();
    refused(&place, &url, &with("ca.pem", &[]), "name a certificate with --cert and --key");
    let stranger = ["--cert", "stranger.pem", "--key", "stranger.key"];
    refused(&place, &url, &with("ca.pem", &stranger), "does not take the certificate of --cert");
    refused(&place, &url, &with("other.pem", &client), "not trusted: name that with --ca");
    refused(&place, &url, &client, "not trusted: name that with --ca");
    let named = url.replace("127.0.0.1", "localhost");
    refused(&place, &named, &with("ca.pem", &client), "another name than that of the address");
    let plain = url.replace("https://", "http://");
    let run = import(&place, &plain, &[]);
    assert_eq!((run.code, files(&place.state()).len()), (1, 0), "{}", run.said);
    let swapped =
        import(&place, &url, &with("ca.pem", &["--cert", "client.key", "--key", "ca.pem"]));
    assert_eq!(swapped.code, 2, "{}", swapped.said);
    assert!(swapped.said.contains("the certificate cannot be read"), "{}", swapped.said);
    assert_eq!(paid(&import(&place, &url, &with("ca.pem", &client))), "0.20");
}

#[test]
fn a_server_that_misbehaves_is_one_line_and_nothing_is_written() {
    let place = Place::new();
    let says = |status: u16, body: &'static str| -> Answer {
        Box::new(move |request| {
            if request.contains("/label/") { good(request) } else { (status, body.to_owned()) }
        })
    };
    let much = r#"{"status":"error","errorType":"execution","error":"exceeded maximum samples"}"#;
    let bad = r#"{"status":"error","errorType":"bad_data","error":"unknown function"}"#;
    let page = "<html><body>Log in</body></html>";
    for (status, body, expected) in [
        (503, "starting", "answers 503"),
        (422, much, "exceeded maximum samples, also for one minute of kube_node_info"),
        (422, bad, "answers 422: bad_data: unknown function"),
        (200, page, "the answer is a web page"),
        (200, "", "the answer is empty"),
        (200, "{\"status\":\"succ", "is not that of a Prometheus"),
        (404, "", "there is no /api/v1/query_range: is the address right?"),
    ] {
        refused(&place, &serve(None, says(status, body)), &[], expected);
    }
    let silent: Answer = Box::new(|_| {
        std::thread::sleep(Duration::from_secs(3));
        (200, String::new())
    });
    let timeout = ["--timeout", "1s"];
    let prices: &[&str] = &timeout;
    let url = serve(None, silent);
    let run =
        place.run(&[&["import", "prometheus", "--url", &url, "--window", WINDOW], prices].concat());
    assert_eq!(run.code, 1, "{}", run.said);
    assert!(run.said.contains("does not answer within 1s (--timeout)"), "{}", run.said);
    assert!(files(&place.state()).is_empty());
}

#[test]
fn a_busy_server_is_asked_again_and_partial_data_is_said() {
    let place = Place::new();
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let flaky: Answer = Box::new(move |request| {
        let nth = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if nth.is_multiple_of(2) {
            return (503, "busy".to_owned());
        }
        let (status, body) = good(request);
        (status, body.replacen('{', "{\"warnings\":[\"store east\\nis down\"],", 1))
    });
    let run = import(&place, &serve(None, flaky), &[]);
    assert_eq!(paid(&run), "0.20");
    assert!(run.said.contains("the server warns that store east is down"), "{}", run.said);
    let said: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert!(said["lines_left_out"].as_u64().unwrap() >= 1, "{said}");
    // The same again writes nothing new.
    let before = files(&place.state()).len();
    assert_eq!(paid(&import(&place, &serve(None, Box::new(good)), &[])), "0.20");
    assert_eq!(files(&place.state()).len(), before);
}

/// The time that a request asks for.
fn asked_at(request: &str) -> Option<i64> {
    let time = request.split("time=").nth(1)?.split(['.', '&']).next()?;
    time.parse::<i64>().ok()
}

/// Values of every minute of the hour before the time that is asked for.
fn told(request: &str) -> (u16, String) {
    let (status, body) = good(request);
    let Some(until) = asked_at(request).filter(|_| !request.contains("/label/")) else {
        return (status, body);
    };
    let (head, _) = body.split_once("\"values\":[").unwrap();
    let values: Vec<String> =
        (0..=60).rev().map(|minute| format!("[{},\"8\"]", until - minute * 60)).collect();
    (status, format!("{head}\"values\":[{}]}}]}}}}", values.join(",")))
}

/// A server that fails on the way: what it told whole is posted, also of the first hour, and what
/// is missing is said. The same import again completes it and writes nothing twice.
#[test]
fn what_a_server_told_before_it_failed_is_kept_and_completed() {
    kept_and_completed(7_200, (2, "0.80"), "12:00:00Z");
    kept_and_completed(1_800, (1, "0.20"), "10:30:00Z");
}

/// From when the server fails, which hours are posted then and at what, and what is missing then.
fn kept_and_completed(fails_from: i64, (hours, cost): (u64, &str), rest: &str) {
    let place = Place::new();
    let window = ["--window", "2026-11-02T10:00:00Z/2026-11-02T13:00:00Z"];
    let failing: Answer = Box::new(move |request| {
        if asked_at(request).is_some_and(|at| at > START + fails_from) {
            return (503, "down".to_owned());
        }
        told(request)
    });
    let import = |url: &str| {
        let prices = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/prices.csv");
        let prices = prices.display().to_string();
        let mut arguments = vec!["import", "prometheus", "--url", url, "--prices", &prices];
        arguments.extend(["--output", "json", "--timeout", "5s"]);
        place.run(&[&arguments[..], &window].concat())
    };
    let half = import(&serve(None, failing));
    assert_eq!(half.code, 1, "{}", half.said);
    let missing = format!("missing: 2026-11-02T{rest}/2026-11-02T13:00:00Z is not in these totals");
    assert!(half.said.contains(&missing), "{}", half.said);
    let said: serde_json::Value = serde_json::from_str(&half.out).unwrap();
    assert_eq!((&said["hours"], &said["paid"]), (&hours.into(), &cost.into()), "{said}");
    let whole = import(&serve(None, Box::new(told)));
    assert_eq!(paid(&whole), "1.20", "three hours at 0.40");
    let before = files(&place.state()).len();
    assert_eq!(paid(&import(&serve(None, Box::new(told)))), "1.20");
    assert_eq!(files(&place.state()).len(), before, "nothing is written twice");
}
