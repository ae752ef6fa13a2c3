//! A server on loopback that answers what a test says, and what becomes of it.

use super::*;
use crate::telemetry::{Intake, SourceMap};
use farthing_model::Window;
use jiff::{SignedDuration, Timestamp};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Status, body and how long it takes.
type Reply = (u16, String, Duration);

/// A server that gives its replies in turn to questions, the last one for ever; lists of names are
/// answered by `names`. It keeps what it was asked.
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

fn reply(status: u16, body: &str) -> Reply {
    (status, body.to_owned(), Duration::ZERO)
}

fn names(all: &[&str]) -> String {
    format!("{{\"status\":\"success\",\"data\":{all:?}}}")
}

fn request(stream: &mut std::net::TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4_096];
    while let Ok(count) = stream.read(&mut chunk) {
        bytes.extend_from_slice(&chunk[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            if count == 0 {
                return text;
            }
            continue;
        };
        let length = head.lines().find_map(|line| {
            line.to_lowercase().strip_prefix("content-length:").map(|n| n.trim().parse().unwrap())
        });
        if count == 0 || body.len() >= length.unwrap_or(0_usize) {
            return text;
        }
    }
    String::new()
}

fn serve(names: String, replies: Vec<Reply>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    std::thread::spawn(move || {
        let mut next = 0;
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { break };
            let text = request(&mut stream);
            let (status, body, wait) = if text.contains("/label/") {
                reply(200, &names)
            } else {
                next += 1;
                replies[(next - 1).min(replies.len() - 1)].clone()
            };
            log.lock().unwrap().push(text);
            std::thread::sleep(wait);
            let head = format!(
                "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all((head + &body).as_bytes());
        }
    });
    Server { url, asked }
}

fn query() -> Query {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    Query {
        window: Window::new(at("2026-11-02T10:00:00Z"), at("2026-11-02T10:15:00Z")).unwrap(),
        step: None,
        select: None,
        hold: SignedDuration::from_mins(5),
    }
}

/// Reads one metric of a server, with the samples that were read and the faults, or the error.
fn read(server: &Server, access: &Access, query: &Query) -> Result<(u64, Vec<String>), String> {
    let mut intake = Intake::new(SourceMap::built_in().unwrap());
    let prometheus = Prometheus::new(&server.url, access).map_err(|error| error.to_string())?;
    prometheus.read(query, &mut intake, &mut |_| {}).map_err(|error| {
        let text = error.to_string();
        text.replace(&server.url, "URL")
    })?;
    let faults = intake.faults().map(|fault| fault.to_string().replace(&server.url, "URL"));
    let faults = faults.collect();
    Ok((intake.totals().samples, faults))
}

const GOOD: &str = r#"{"status":"success","data":{"resultType":"matrix","result":[
    {"metric":{"__name__":"kube_node_info","node":"n"},
     "values":[[1793613600,"1"],[1793613630.5,"1"]]}]}}"#;

fn fast() -> Access {
    Access { timeout: Duration::from_millis(400), ..Access::default() }
}

fn one(replies: Vec<Reply>) -> Server {
    serve(names(&["kube_node_info", "up"]), replies)
}

#[test]
fn samples_are_asked_for_as_they_were_scraped_and_only_what_is_there() {
    let server = one(vec![reply(200, GOOD)]);
    assert_eq!(read(&server, &fast(), &query()), Ok((2, vec![])));
    let asked = server.asked.lock().unwrap();
    assert_eq!(asked.len(), 2, "one list of names, one metric in one stretch");
    assert!(asked[1].starts_with("POST /api/v1/query HTTP"), "{}", asked[1]);
    // {__name__="kube_node_info"}[1200000ms]: the window and the five minutes before it.
    assert!(asked[1].contains("kube_node_info") && asked[1].contains("1200000ms"), "{}", asked[1]);
    assert!(asked[1].contains("time=1793614500.000"), "{}", asked[1]);
}

#[test]
fn a_busy_server_is_asked_again_and_one_that_stays_busy_is_one_line() {
    let server = one(vec![reply(503, "busy"), reply(502, ""), reply(200, GOOD)]);
    assert_eq!(read(&server, &fast(), &query()), Ok((2, vec![])));
    let server = one(vec![reply(503, "<html>down</html>")]);
    assert_eq!(read(&server, &fast(), &query()), Err("URL: answers 503".to_owned()));
}

#[test]
fn a_stretch_that_is_too_much_is_halved_and_one_minute_that_is_too_much_is_told() {
    let full = r#"{"status":"error","errorType":"execution",
        "error":"query processing would load too many samples into memory"}"#;
    let server = one(vec![reply(422, full), reply(422, full), reply(200, GOOD)]);
    assert!(read(&server, &fast(), &query()).is_ok());
    let asked = server.asked.lock().unwrap().len();
    assert_eq!(asked, 1 + 2 + 4, "20 minutes in stretches of 5");
    let server = one(vec![reply(422, full)]);
    let error = read(&server, &fast(), &query()).unwrap_err();
    assert_eq!(
        error,
        "URL: query processing would load too many samples into memory, also for one minute of \
         kube_node_info"
    );
}

#[test]
fn a_server_without_raw_samples_is_asked_for_values_on_a_grid() {
    let server = one(vec![reply(404, "nothing here"), reply(200, GOOD)]);
    assert_eq!(read(&server, &fast(), &query()), Ok((2, vec![])));
    let asked = server.asked.lock().unwrap();
    assert!(asked[2].starts_with("POST /api/v1/query_range"), "{}", asked[2]);
    assert!(asked[2].contains("step=30.000") && asked[2].contains("start=1793613300.000"));
    drop(asked);
    let server = one(vec![reply(404, "nothing here")]);
    let error = read(&server, &fast(), &query()).unwrap_err();
    assert_eq!(error, "URL: answers 404: there is no /api/v1/query_range: is the address right?");
}

#[test]
fn what_is_no_answer_is_one_line() {
    let check = |body: &str, expected: &str| {
        let server = one(vec![reply(200, body)]);
        assert_eq!(read(&server, &fast(), &query()).unwrap_err(), expected, "{body}");
    };
    check("", "URL: the answer is empty");
    check(
        "<!doctype html><p>Log in",
        "URL: the answer is a web page, not that of a Prometheus: is the address right?",
    );
    let server = one(vec![reply(200, r#"{"status":"succ"#)]);
    let error = read(&server, &fast(), &query()).unwrap_err();
    assert!(error.starts_with("URL: the answer is not that of a Prometheus: EOF"), "{error}");
    let server = one(vec![reply(401, "")]);
    let error = read(&server, &fast(), &query()).unwrap_err();
    assert_eq!(error, "URL: answers 401: the credentials are missing or wrong");
    let parse = r#"{"status":"error","errorType":"bad_data","error":"parse error: unexpected }"}"#;
    let server = one(vec![reply(400, parse)]);
    let error = read(&server, &fast(), &query()).unwrap_err();
    assert_eq!(error, "URL: answers 400: bad_data: parse error: unexpected }");
}

#[test]
fn a_server_that_does_not_answer_is_one_line() {
    let slow = (200, GOOD.to_owned(), Duration::from_millis(600));
    let server = one(vec![slow]);
    let access = Access { timeout: Duration::from_millis(100), ..Access::default() };
    let error = read(&server, &access, &query()).unwrap_err();
    assert_eq!(error, "URL: does not answer within 100ms (--timeout)");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gone = Server { url: format!("http://{closed}"), asked: Arc::default() };
    let error = read(&gone, &fast(), &query()).unwrap_err();
    assert!(error.starts_with("URL: refuses the connection"), "{error}");
    for bad in ["", "prometheus:9090", "ftp://x", "http://", "https:///x"] {
        assert!(Prometheus::new(bad, &fast()).is_err(), "{bad}");
    }
}

#[test]
fn partial_data_is_a_fault_and_what_is_there_is_kept() {
    let warned = GOOD.replacen('{', r#"{"warnings":["store east is down"],"#, 1);
    let server = one(vec![reply(200, &warned)]);
    let (samples, faults) = read(&server, &fast(), &query()).unwrap();
    assert_eq!(
        (samples, faults),
        (2, vec!["URL: the server warns that store east is down".to_owned()])
    );
}

#[test]
fn credentials_are_sent_and_never_shown() {
    let check = |access: Access, header: &str| {
        let server = one(vec![reply(200, GOOD)]);
        read(&server, &access, &query()).unwrap();
        let asked = server.asked.lock().unwrap();
        assert!(asked.iter().all(|request| request.contains(header)), "{}", asked[0]);
        assert!(!format!("{access:?}").contains("s3cret"));
    };
    check(Access { bearer: Some("s3cret".to_owned()), ..fast() }, "authorization: Bearer s3cret");
    let basic = Some(("Aladdin".to_owned(), "open s3cret".to_owned()));
    check(Access { basic, ..fast() }, "authorization: Basic QWxhZGRpbjpvcGVuIHMzY3JldA==");
}

#[test]
fn certificates_that_are_none_are_named() {
    let error =
        |access: Access| Prometheus::new("https://localhost", &access).unwrap_err().to_string();
    assert_eq!(
        error(Access { ca: Some("hello".to_owned()), ..fast() }),
        "the certificates to trust cannot be read: there is no certificate in PEM form"
    );
}

#[test]
fn times_and_values_of_an_answer_stay_exact() {
    let answer = Answer::parse(GOOD.as_bytes()).unwrap();
    assert_eq!(answer.series[0].name, "kube_node_info");
    assert_eq!(answer.series[0].labels, [("node".to_owned(), "n".to_owned())]);
    assert_eq!(answer.series[0].points[1], (1_793_613_630_500, "1".to_owned()));
    let bad = GOOD.replace("1793613600", "\"x\"");
    assert!(matches!(Answer::parse(bad.as_bytes()), Err(AnswerError::Time(_))));
}
