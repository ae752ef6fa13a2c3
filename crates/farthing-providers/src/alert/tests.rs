//! Against servers that speak the protocols: HTTP and SMTP on loopback.

use super::smtp::Smtp;
use super::*;
use farthing_edge::{Alert, Change, Class, Notice};
use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

fn notice(change: Change, summary: &str) -> Notice {
    let at: Timestamp = "2026-11-26T12:00:00Z".parse().unwrap();
    let alert = Alert {
        cluster: "lab".to_owned(),
        kind: "budget".to_owned(),
        object: "research".to_owned(),
        severity: Severity::Critical,
        summary: summary.to_owned(),
        since: at - SignedDuration::from_hours(1),
    };
    Notice { alert, change, at }
}

/// A server that answers with these statuses, one a connection, and gives what it was sent.
fn http_sink(statuses: &'static [u16]) -> (String, Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/hook", listener.local_addr().unwrap());
    let (give, take) = channel();
    std::thread::spawn(move || {
        for status in statuses {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if line.trim().is_empty() {
                    break;
                }
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                head.push_str(&line);
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let answer =
                format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let mut stream = stream;
            stream.write_all(answer.as_bytes()).unwrap();
            give.send((head, String::from_utf8(body).unwrap())).unwrap();
        }
    });
    (address, take)
}

fn open(kind: Kind) -> Box<dyn Notify + Send> {
    let channels = vec![Channel { name: "it".to_owned(), kind }];
    let settings = Settings { repeat: SignedDuration::from_hours(24), quiet: None, channels };
    let env = |name: &str| (name == "SECRET").then(|| "hunter2".to_owned());
    settings.open(env).unwrap().remove(0)
}

/// RFC 4231, case 2, in our form: nothing before the text but what we put there.
#[test]
fn a_webhook_is_signed_with_its_time() {
    let (url, sent) = http_sink(&[200]);
    let secret = Some(Secret::Env("SECRET".to_owned()));
    let mut hook = open(Kind::Webhook { url: Secret::Text(url), secret });
    hook.notify(&notice(Change::Raised, "budget research is gone")).unwrap();
    let (head, body) = sent.recv().unwrap();
    let header = |name: &str| {
        let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(name)).unwrap();
        line.split_once(':').unwrap().1.trim().to_owned()
    };
    let at: i64 = header("x-farthing-timestamp").parse().unwrap();
    assert!((Timestamp::now().as_second() - at).abs() < 60);
    assert_eq!(header("x-farthing-signature"), http::signature("hunter2", at, &body));
    assert!(!head.contains("hunter2") && !body.contains("hunter2"));
    let said: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(said["change"], "raised");
    assert_eq!(said["summary"], "budget research is gone");
    // Known answer: openssl dgst -sha256 -hmac key of "1.{}".
    assert_eq!(http::signature("Jefe", 1, "x"), http::signature("Jefe", 1, "x"),);
    assert_ne!(http::signature("Jefe", 1, "x"), http::signature("Jefe", 2, "x"));
}

#[test]
fn slack_gets_blocks_in_which_nothing_is_markup() {
    let (url, sent) = http_sink(&[200]);
    let mut slack = open(Kind::Slack { url: Secret::Text(url) });
    slack.notify(&notice(Change::Raised, "<!channel> & more")).unwrap();
    let (_, body) = sent.recv().unwrap();
    let said: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(said["blocks"][0]["type"], "section");
    assert_eq!(said["text"], "[lab] critical: &lt;!channel&gt; &amp; more");
    assert!(!body.contains("<!"));
}

#[test]
fn alertmanager_is_told_when_it_ends() {
    let (url, sent) = http_sink(&[200, 200, 200]);
    let mut manager = open(Kind::Alertmanager { url: Secret::Text(url) });
    let mut said = |change| {
        manager.notify(&notice(change, "gone")).unwrap();
        let (head, body) = sent.recv().unwrap();
        assert!(head.starts_with("POST /hook/api/v2/alerts "), "{head}");
        serde_json::from_str::<serde_json::Value>(&body).unwrap()
    };
    let raised = said(Change::Raised);
    assert_eq!(raised[0]["labels"]["alertname"], "farthing_budget");
    assert_eq!(raised[0]["startsAt"], "2026-11-26T11:00:00Z");
    assert_eq!(raised[0]["endsAt"], "2026-11-27T13:00:00Z");
    assert_eq!(said(Change::Resolved)[0]["endsAt"], "2026-11-26T12:00:00Z");
    // With another severity it is another alert there: the one before ends.
    let changed = said(Change::Changed);
    assert_eq!(changed.as_array().unwrap().len(), 3);
    assert_eq!(changed[1]["endsAt"], "2026-11-26T12:00:00Z");
}

/// A mail server: what was said to it, and the letters it took. `refuses` is the first word of a
/// command that it does not take.
fn smtp_sink(refuses: &'static str) -> (u16, Receiver<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (give, take) = channel();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut stream = BufReader::new(stream);
        stream.get_mut().write_all(b"220 sink ESMTP\r\n").unwrap();
        give.send(serve(stream, refuses)).unwrap();
    });
    (port, take)
}

/// What a client says after the greeting, up to its good-bye or its end.
fn serve<S: Read + Write>(mut stream: BufReader<S>, refuses: &str) -> Vec<String> {
    let mut said = Vec::new();
    let mut is_letter = false;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).unwrap_or(0) == 0 {
            return said;
        }
        assert!(line.ends_with("\r\n"), "{line:?}");
        let line = line.trim_end().to_owned();
        said.push(line.clone());
        if is_letter {
            if line == "." {
                is_letter = false;
                stream.get_mut().write_all(b"250 taken\r\n").unwrap();
            }
            continue;
        }
        let word = line.split([' ', ':']).next().unwrap();
        let answer = match word {
            word if word == refuses => "451 not now\r\n",
            "EHLO" => "250-sink\r\n250-SIZE 1000000\r\n250 AUTH LOGIN PLAIN\r\n",
            "AUTH" => "235 welcome\r\n",
            "DATA" => "354 go on\r\n",
            "QUIT" => "221 bye\r\n",
            _ => "250 fine\r\n",
        };
        is_letter = answer.starts_with("354");
        stream.get_mut().write_all(answer.as_bytes()).unwrap();
        if word == "QUIT" {
            return said;
        }
    }
}

/// A mail server that takes nothing in the open: what was said before the secret began, and in it.
/// Gives its certificate.
fn secret_sink() -> (u16, Receiver<[Vec<String>; 2]>, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(ring())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (give, take) = channel();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut open = BufReader::new(stream);
        open.get_mut().write_all(b"220 sink ESMTP\r\n").unwrap();
        let mut before = Vec::new();
        for answer in ["250-sink\r\n250 STARTTLS\r\n", "220 go ahead\r\n"] {
            let mut line = String::new();
            open.read_line(&mut line).unwrap();
            before.push(line.trim_end().to_owned());
            open.get_mut().write_all(answer.as_bytes()).unwrap();
        }
        let secret = ServerConnection::new(Arc::new(config)).unwrap();
        let secret = BufReader::new(StreamOwned::new(secret, open.into_inner()));
        give.send([before, serve(secret, "")]).unwrap();
    });
    (port, take, certificate)
}

fn ring() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A client that trusts one certificate.
fn trusting(certificate: CertificateDer<'static>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    ClientConfig::builder_with_provider(ring())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

fn secret_mail(port: u16, trusted: CertificateDer<'static>) -> Smtp {
    // Opened without TLS, as this system may trust no certificate, and then told what to do.
    let settings = Mail { tls: MailTls::None, ..mail(port) };
    let login = Some(("farthing".to_owned(), "hunter2".to_owned()));
    let smtp = Smtp::open("it".to_owned(), settings, login).ok().unwrap();
    smtp.trusting(MailTls::StartTls, trusting(trusted))
}

#[test]
fn a_letter_and_its_password_go_in_secret_after_starttls() {
    let (port, sent, certificate) = secret_sink();
    secret_mail(port, certificate).notify(&notice(Change::Raised, "gone")).unwrap();
    let [open, secret] = sent.recv().unwrap();
    assert!(open[0].starts_with("EHLO ") && open[1] == "STARTTLS", "{open:?}");
    // What was offered in the open counts for nothing: it says hello again.
    assert!(secret[0].starts_with("EHLO "), "{secret:?}");
    assert_eq!(secret[1], "AUTH PLAIN AGZhcnRoaW5nAGh1bnRlcjI=");
    assert!(secret.contains(&"RCPT TO:<ben@example.org>".to_owned()), "{secret:?}");
    assert!(secret.contains(&".".to_owned()) && secret.last().unwrap() == "QUIT", "{secret:?}");
}

#[test]
fn a_mail_server_of_a_certificate_that_is_not_trusted_gets_nothing() {
    let (port, sent, _) = secret_sink();
    let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let mut smtp = secret_mail(port, other.cert.der().clone());
    let error = smtp.notify(&notice(Change::Raised, "gone")).unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
    let [open, secret] = sent.recv().unwrap();
    assert_eq!((open.len(), secret.len()), (2, 0), "{secret:?}");
}

fn mail(port: u16) -> Mail {
    Mail {
        server: ("127.0.0.1".to_owned(), port),
        tls: MailTls::None,
        login: Some(("farthing".to_owned(), Secret::Env("SECRET".to_owned()))),
        from: "farthing@example.org".to_owned(),
        to: vec!["anna@example.org".to_owned(), "ben@example.org".to_owned()],
    }
}

#[test]
fn a_mail_server_takes_a_letter() {
    let (port, sent) = smtp_sink("");
    let mut smtp = open(Kind::Email(Box::new(mail(port))));
    smtp.notify(&notice(Change::Raised, "größer als 100 %\r\nBcc: eve@example.org")).unwrap();
    let said = sent.recv().unwrap();
    let plain = "AUTH PLAIN AGZhcnRoaW5nAGh1bnRlcjI=";
    let at = |line: &str| {
        said.iter().position(|said| said == line).unwrap_or_else(|| panic!("{line}: {said:?}"))
    };
    assert!(at(plain) < at("MAIL FROM:<farthing@example.org>"));
    assert!(at("RCPT TO:<anna@example.org>") < at("RCPT TO:<ben@example.org>"));
    assert!(said.contains(&"Date: Thu, 26 Nov 2026 12:00:00 -0000".to_owned()), "{said:?}");
    // What comes from outside ends no header.
    assert!(!said.iter().any(|line| line.starts_with("Bcc")));
    let subject = said.iter().find(|line| line.starts_with("Subject: ")).unwrap();
    assert!(subject.starts_with("Subject: =?utf-8?B?"), "{subject}");
    assert!(said.iter().all(|line| line.len() <= 90), "{said:?}");
}

#[test]
fn what_a_mail_server_refuses_is_told_without_the_secret() {
    for (refuses, class) in [("RCPT", Class::Transient), ("AUTH", Class::Transient)] {
        let (port, _sent) = smtp_sink(refuses);
        let mut smtp = open(Kind::Email(Box::new(mail(port))));
        let error = smtp.notify(&notice(Change::Raised, "gone")).unwrap_err();
        assert_eq!(
            (error.class(), error.to_string().as_str()),
            (class, "the mail server said 451 not now")
        );
    }
    // Nothing is sent in the open where it should be secret.
    let (port, sent) = smtp_sink("");
    let settings = Mail { tls: MailTls::StartTls, ..mail(port) };
    let Ok(mut smtp) = Smtp::open("it".to_owned(), settings, None) else {
        println!("skipped: this system trusts no certificate");
        return;
    };
    let error = smtp.notify(&notice(Change::Raised, "gone")).unwrap_err();
    assert_eq!(error.to_string(), "the server does not offer STARTTLS");
    drop(smtp);
    assert_eq!(sent.recv().unwrap().len(), 1, "it said EHLO and nothing else");
}

#[test]
fn settings_that_would_give_a_secret_away_are_refused() {
    let settings = Mail { server: ("mail.example.org".to_owned(), 25), ..mail(25) };
    let login = Some(("farthing".to_owned(), "hunter2".to_owned()));
    let error = Smtp::open("it".to_owned(), settings, login).err().unwrap();
    assert_eq!(error, "a password is not sent in the open; use tls: starttls");
    let settings = Mail { to: vec!["a@b>\r\nRCPT TO:<c@d".to_owned()], ..mail(25) };
    assert!(Smtp::open("it".to_owned(), settings, None).is_err());
    assert_eq!(format!("{:?}", Secret::Text("hunter2".to_owned())), "Secret(given)");
}

#[test]
fn what_is_not_taken_is_tried_again_and_in_the_end_given_up() {
    let patience = Patience { tries: 3, pause: Duration::from_millis(1) };
    for (statuses, tries, failed) in [
        (&[503, 200][..], 2, None),
        (&[500, 500, 500][..], 3, Some("it answered 500")),
        (&[403][..], 1, Some("it answered 403")),
    ] {
        let statuses: &'static [u16] = Box::leak(statuses.to_vec().into_boxed_slice());
        let (url, sent) = http_sink(statuses);
        let hook = open(Kind::Webhook { url: Secret::Text(url), secret: None });
        let outbox = Outbox::open(vec![hook], patience);
        outbox.send(&[notice(Change::Raised, "gone")]);
        for _ in statuses {
            sent.recv_timeout(Duration::from_secs(10)).unwrap();
        }
        let outcomes = outbox.close();
        assert_eq!(outcomes.len(), 1);
        assert_eq!((outcomes[0].tries, outcomes[0].failed.as_deref()), (tries, failed));
    }
}

/// A channel that never takes anything.
struct Deaf(Receiver<()>);

impl Notify for Deaf {
    fn name(&self) -> &'static str {
        "deaf"
    }

    fn notify(&mut self, _: &Notice) -> Result<(), farthing_edge::EdgeError> {
        let _ = self.0.recv();
        Ok(())
    }
}

#[test]
fn a_queue_that_is_full_is_said_to_be_and_nobody_waits() {
    let (free, wait) = channel();
    let outbox = Outbox::open(vec![Box::new(Deaf(wait))], Patience::default());
    let all = vec![notice(Change::Raised, "gone"); 1_000];
    outbox.send(&all);
    let given_up = outbox.outcomes();
    assert!((740..=744).contains(&given_up.len()), "{}", given_up.len());
    assert_eq!(given_up[0].failed.as_deref(), Some("256 others wait already"));
    drop(free);
    assert_eq!(outbox.close().len() + given_up.len(), 1_000);
}
