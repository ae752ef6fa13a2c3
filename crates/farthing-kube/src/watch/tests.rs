//! A server that follows a script: what a real one does seldom (pages, 410, 429, silence).

use super::*;
use crate::access::{Access, Identity};
use farthing_edge::Clock;
use jiff::Timestamp;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};

pub(crate) struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }
}

/// An answer: the status, headers, the body. It ends with the connection.
pub(crate) type Answer = (u16, &'static str, String);

/// Answers one request after the other as the script says, then refuses; what was asked.
pub(crate) fn serve(script: Vec<Answer>) -> (String, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for (code, headers, body) in script {
            let (stream, _) = listener.accept().unwrap();
            let path = asked(&stream);
            let head = format!("HTTP/1.1 {code} X\r\n{headers}Connection: close\r\n\r\n");
            // The client may have gone.
            let _ = (&stream).write_all(format!("{head}{body}").as_bytes());
            let _ = tell.send(path);
        }
    });
    (address, told)
}

fn asked(stream: &TcpStream) -> String {
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    let first = lines.next().unwrap();
    lines.find(String::is_empty).unwrap();
    first.split(' ').nth(1).unwrap().to_owned()
}

fn watcher(server: &str) -> Watcher {
    let access = Access {
        server: server.to_owned(),
        ca: None,
        insecure: false,
        identity: Identity::Anonymous,
        name: "test".to_owned(),
    };
    Watcher {
        client: Arc::new(Client::new(access, Arc::new(Still))),
        shared: Arc::new(Shared::default()),
        kind: &KINDS[1],
        index: 1,
        names: Names::default(),
        version: None,
    }
}

fn pod(name: &str, version: u32) -> String {
    format!(
        r#"{{"metadata":{{"name":"{name}","namespace":"n","uid":"u-{name}",
        "resourceVersion":"{version}","creationTimestamp":"2027-01-01T00:00:00Z"}},
        "spec":{{"nodeName":"node","containers":[{{"name":"c"}}],"initContainers":null}}}}"#
    )
    .replace('\n', "")
}

fn list(items: &[String], version: u32, next: &str) -> Answer {
    let items = items.join(",");
    let meta = format!(r#"{{"resourceVersion":"{version}","continue":"{next}"}}"#);
    (200, "", format!(r#"{{"metadata":{meta},"items":[{items}]}}"#))
}

fn change(kind: &str, object: &str) -> String {
    format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n")
}

fn names(watcher: &Watcher) -> Vec<String> {
    watcher.shared.state().pods.keys().map(ToString::to_string).collect()
}

#[test]
fn pages_are_followed_and_one_bad_object_hides_no_other() {
    let bad = r#"{"metadata":{"name":"bad","namespace":"n"},"spec":{"containers":
        [{"name":"c","resources":{"requests":{"cpu":"many"}}}]}}"#;
    let (server, told) = serve(vec![
        list(&[pod("a", 1), bad.replace('\n', "")], 7, "more"),
        list(&[pod("b", 2)], 7, ""),
    ]);
    let mut watcher = watcher(&server);
    assert_eq!(watcher.list().unwrap(), "7");
    assert_eq!(names(&watcher), ["n/a", "n/b"]);
    assert_eq!(told.recv().unwrap(), "/api/v1/pods?limit=500");
    assert_eq!(told.recv().unwrap(), "/api/v1/pods?limit=500&continue=more");
    let faults = watcher.shared.state().take_faults();
    assert!(faults[0].starts_with("Pod n/bad cannot be read: container c: cpu:"), "{faults:?}");
}

#[test]
fn a_list_that_is_nothing_is_empty() {
    let body = r#"{"metadata":{"resourceVersion":"3"},"items":null}"#;
    let (server, _told) = serve(vec![(200, "", body.to_owned())]);
    assert_eq!(watcher(&server).list().unwrap(), "3");
}

#[test]
fn changes_and_bookmarks_move_the_version_on() {
    let bookmark = r#"{"metadata":{"resourceVersion":"12"}}"#;
    let stream = [
        change("ADDED", &pod("a", 10)),
        change("MODIFIED", &pod("b", 11)),
        change("DELETED", &pod("a", 11)),
        change("BOOKMARK", bookmark),
    ];
    let (server, told) = serve(vec![(200, "", stream.concat())]);
    let mut watcher = watcher(&server);
    let ended = watcher.stream("9".to_owned());
    assert!(matches!(ended, Ended::Cut(version, _) if version == "12"));
    assert!(told.recv().unwrap().ends_with("&resourceVersion=9"));
    assert_eq!(names(&watcher), ["n/b"]);
    assert_eq!(watcher.shared.state().gone_pods.len(), 1, "it held a node until then");
}

#[test]
fn what_is_too_old_is_read_whole_again() {
    let gone = r#"{"kind":"Status","code":410,"reason":"Expired","message":"too old"}"#;
    let stream = change("MODIFIED", &pod("b", 11)) + &change("ERROR", gone);
    let (server, told) = serve(vec![
        list(&[pod("a", 1), pod("b", 2)], 9, ""),
        (200, "", stream),
        list(&[pod("b", 11)], 20, ""),
        (410, "", gone.to_owned()),
        list(&[pod("b", 11), pod("c", 21)], 30, ""),
    ]);
    let mut watcher = watcher(&server);
    for expected in [&["n/b"][..], &["n/b", "n/c"]] {
        let version = watcher.list().unwrap();
        watcher.follow(version);
        if expected.len() == 1 {
            continue;
        }
        watcher.list().unwrap();
        assert_eq!(names(&watcher), expected);
    }
    assert_eq!(told.iter().count(), 5);
    let state = watcher.shared.state();
    // One that vanished while nobody looked is paid until it was found to be gone.
    let ends: Vec<_> =
        state.gone_pods.iter().map(|(pod, end)| (pod.key.to_string(), *end)).collect();
    assert_eq!(ends, [("n/a".to_owned(), Still.now())]);
}

#[test]
fn a_server_that_is_busy_is_left_alone_as_long_as_it_asks_for() {
    let (server, _told) = serve(vec![
        (429, "Retry-After: 7\r\n", String::new()),
        (503, "", "busy".to_owned()),
        (403, "", r#"{"reason":"Forbidden","message":"no pods for you"}"#.to_owned()),
        (404, "", String::new()),
    ]);
    let mut watcher = watcher(&server);
    let mut pause = PAUSE_MIN;
    let mut lengths = Vec::new();
    for _ in 0..4 {
        let error = watcher.list().unwrap_err();
        lengths.push(watcher.failed(&error, &mut pause));
    }
    let expected = [Duration::from_secs(7), PAUSE_MIN * 2, ABSENT, ABSENT];
    assert_eq!(lengths, expected);
    assert_eq!(watcher.shared.state().health[1].served, Some(false));
    let error = watcher.list().unwrap_err();
    assert!(error.to_string().contains("refuses the connection"), "{error}");
}

#[test]
fn another_pod_of_the_same_name_ends_the_one_before_it() {
    let again = pod("a", 5).replace("u-a", "u-other");
    let (server, _told) = serve(vec![list(&[pod("a", 1)], 1, ""), list(&[again], 5, "")]);
    let mut watcher = watcher(&server);
    watcher.list().unwrap();
    watcher.list().unwrap();
    let state = watcher.shared.state();
    assert_eq!((state.pods.len(), state.gone_pods.len()), (1, 1));
    assert_eq!(&*state.gone_pods[0].0.uid, "u-a");
}
