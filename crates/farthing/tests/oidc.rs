//! Log-in by a real provider of identities (oidc-provider of npm, on loopback): through a browser
//! of a few lines, and by tokens, good ones and those that no provider would sign.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs, reason = "tests")]

mod program;

use program::Place;
use program::up::Demo;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A provider that ends with the test.
struct Provider {
    child: Child,
    issuer: String,
}

impl Provider {
    /// Starts one; `None` where it is not installed.
    fn start(flags: &[&str]) -> Option<Self> {
        let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web");
        if !web.join("node_modules/oidc-provider").is_dir() {
            assert_ne!(
                std::env::var("CI").as_deref(),
                Ok("true"),
                "oidc-provider is not installed"
            );
            println!("left out: oidc-provider is not installed (npm ci in web/)");
            return None;
        }
        let mut child = Command::new("node")
            .arg(web.join("tests/provider.mjs"))
            .args(flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = said.next().unwrap().unwrap();
        // What it says after that must not find the pipe closed.
        std::thread::spawn(move || said.for_each(drop));
        let said: Value = serde_json::from_str(&line).unwrap();
        Some(Self { child, issuer: said["issuer"].as_str().unwrap().to_owned() })
    }

    /// Has it do something that only tests ask for.
    fn told(&self, what: &str, body: &Value) -> Value {
        let mut browser = Browser::default();
        let url = format!("{}/test/{what}", self.issuer);
        let page = browser.send("POST", &url, &[], &body.to_string());
        assert_eq!(page.status, 200, "{}", page.body);
        serde_json::from_str(&page.body).unwrap()
    }

    fn signs(&self, told: &Value) -> String {
        self.told("sign", told)["token"].as_str().unwrap().to_owned()
    }

    /// A token for a program, by its client's secret.
    fn token_for(&self, basic: &str, resource: &str) -> String {
        let form = format!("grant_type=client_credentials&resource={resource}");
        let head = [
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Authorization", &*format!("Basic {basic}")),
        ];
        let mut browser = Browser::default();
        let page = browser.send("POST", &format!("{}/token", self.issuer), &head, &form);
        let answer: Value = serde_json::from_str(&page.body).unwrap();
        answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer.
struct Page {
    status: u16,
    head: Vec<(String, String)>,
    body: String,
}

impl Page {
    fn header(&self, name: &str) -> &str {
        self.head.iter().find(|(given, _)| given == name).map_or("", |(_, value)| value)
    }
}

/// A browser that keeps cookies, follows, and fills in the provider's forms.
#[derive(Default)]
struct Browser {
    cookies: BTreeMap<(String, String), String>,
}

impl Browser {
    fn send(&mut self, method: &str, url: &str, head: &[(&str, &str)], body: &str) -> Page {
        let rest = url.strip_prefix("http://").unwrap();
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let mut text =
            format!("{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
        for (name, value) in head {
            write!(text, "{name}: {value}\r\n").unwrap();
        }
        let own = self.cookies.iter().filter(|((of, _), _)| of == host);
        let cookies: Vec<String> =
            own.map(|((_, name), value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            write!(text, "Cookie: {}\r\n", cookies.join("; ")).unwrap();
        }
        if method == "POST" {
            write!(text, "Content-Length: {}\r\n", body.len()).unwrap();
        }
        let mut stream = TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(format!("{text}\r\n{body}").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (top, body) = answer.split_once("\r\n\r\n").unwrap();
        let mut lines = top.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let head = lines.map(|line| {
            let (name, value) = line.split_once(": ").unwrap_or((line, ""));
            (name.to_ascii_lowercase(), value.to_owned())
        });
        let page = Page { status, head: head.collect(), body: body.to_owned() };
        for (_, line) in page.head.iter().filter(|(name, _)| name == "set-cookie") {
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            let key = (host.to_owned(), name.to_owned());
            match value {
                "" => self.cookies.remove(&key),
                value => self.cookies.insert(key, value.to_owned()),
            };
        }
        page
    }

    /// Logs in as someone, and says on which of our pages that ends.
    fn log_in(&mut self, demo: &Demo, who: &str, back_to: &str) -> String {
        let ours = format!("http://{}", demo.address);
        let mut url = format!("{ours}/api/v1/login/oidc?return={back_to}");
        let accept = [("Accept", "text/html")];
        let mut page = self.send("GET", &url, &accept, "");
        for _ in 0..12 {
            let place = page.header("location").to_owned();
            if page.status / 100 == 3 {
                let host = url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
                url = if place.starts_with('/') { format!("{host}{place}") } else { place.clone() };
                if url.strip_prefix(&ours).is_some_and(|path| !path.starts_with("/api/")) {
                    return url[ours.len()..].to_owned();
                }
                page = self.send("GET", &url, &accept, "");
                continue;
            }
            let asks = if page.body.contains("value=\"login\"") { "login" } else { "consent" };
            let form = format!("prompt={asks}&login={who}&password=x");
            let kind = [("Content-Type", "application/x-www-form-urlencoded")];
            assert!(url.contains("/interaction/"), "{url} {}: {}", page.status, page.body);
            page = self.send("POST", &url, &kind, &form);
        }
        panic!("no end of redirects: {url}");
    }

    fn ask(
        &mut self,
        demo: &Demo,
        method: &str,
        path: &str,
        head: &[(&str, &str)],
    ) -> (u16, Value) {
        let page = self.send(method, &format!("http://{}{path}", demo.address), head, "");
        (page.status, serde_json::from_str(&page.body).unwrap_or_default())
    }
}

fn start(place: &Place, provider: &Provider) -> Demo {
    place.file("secret", "only for tests: +/\n");
    let of = "apiVersion: farthing.dev/v1alpha1\nkind:";
    let config = format!(
        "{of} Policy\nspec: {{mode: enforce}}\n---\n{of} Identity\nspec:\n  issuer: {}\n  \
         client: farthing\n  secret: {{file: secret}}\n  \
         audience: urn:farthing:api\n  grants:\n    - {{group: platform, role: admin}}\n    \
         - {{group: ml-research, role: team, teams: [speech]}}\n    \
         - {{group: ml-leads, role: operator, teams: [speech]}}\n",
        provider.issuer
    );
    place.file("identity.yaml", config);
    let demo = Demo::start(place, &["--for", "90s", "--auth", "--config", "identity.yaml"]);
    let back = format!("http://{}/api/v1/login/oidc/back", demo.address);
    let leave = format!("http://{}/login", demo.address);
    provider
        .told("client", &json!({ "redirect_uris": [back], "post_logout_redirect_uris": [leave] }));
    demo
}

/// What the journal has of those who came, once it says `wanted`.
fn accessed(demo: &Demo, token: &str, wanted: &str) -> Vec<Value> {
    let began = Instant::now();
    loop {
        let (status, body) = demo.ask("GET", "/api/v1/journal?kind=accessed&limit=100", "", token);
        if status == 200 && body.contains(wanted) {
            let page: Value = serde_json::from_str(&body).unwrap();
            return page["items"].as_array().unwrap().clone();
        }
        assert!(began.elapsed() < Duration::from_secs(20), "no `{wanted}`: {body}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn people_log_in_by_a_provider_and_see_what_is_of_their_teams() {
    // With `--thin` groups are at the userinfo endpoint only, as many providers have it.
    let Some(provider) = Provider::start(&["--thin"]) else { return };
    let place = Place::new();
    let demo = start(&place, &provider);
    let mut ben = Browser::default();
    let (status, problem) = ben.ask(&demo, "GET", "/api/v1/session", &[]);
    assert_eq!((status, &problem["login"]), (401, &json!(["oidc", "token"])));
    assert_eq!(ben.log_in(&demo, "ben", "/cost%3Fby=team"), "/cost?by=team");
    let (status, session) = ben.ask(&demo, "GET", "/api/v1/session", &[]);
    assert_eq!(status, 200, "{session}");
    let user = json!({ "name": "ben", "role": "team", "teams": ["speech"] });
    assert_eq!((&session["user"], &session["login"]), (&user, &json!("oidc")));
    let leave = session["leave"].as_str().unwrap();
    assert!(leave.starts_with(&provider.issuer) && leave.contains("client_id=farthing"), "{leave}");
    let began = Instant::now();
    let teams = loop {
        let (_, cost) = ben.ask(&demo, "GET", "/api/v1/cost?by=team&window=24h", &[]);
        let rows = cost["rows"].as_array().cloned().unwrap_or_default();
        if !rows.is_empty() {
            break rows.iter().map(|row| row["team"].clone()).collect::<Vec<_>>();
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{cost}");
        std::thread::sleep(Duration::from_millis(300));
    };
    assert!(teams.iter().all(|team| team == "speech"), "{teams:?}");
    // What changes something needs the word of the session.
    let (status, _) = ben.ask(&demo, "POST", "/api/v1/session/end", &[]);
    assert_eq!(status, 403);
    let csrf = session["csrf"].as_str().unwrap();
    let cookies = ben.cookies.clone();
    let (status, _) = ben.ask(&demo, "POST", "/api/v1/session/end", &[("X-Farthing-CSRF", csrf)]);
    assert_eq!(status, 204);
    ben.cookies = cookies;
    assert_eq!(ben.ask(&demo, "GET", "/api/v1/session", &[]).0, 401);
    // Someone none of whose groups may do anything, and a browser that began nothing.
    assert_eq!(Browser::default().log_in(&demo, "eve", "/"), "/login?refused=no-grant");
    let nobody = "/api/v1/login/oidc/back?code=x&state=y";
    let (status, problem) = Browser::default().ask(&demo, "GET", nobody, &[]);
    assert_eq!((status, &problem["type"]), (401, &json!("tag:farthing.dev,2026:log-in")));
    // An admin reads who came.
    let admin = provider.signs(&json!({}));
    let records = accessed(&demo, &admin, "did not begin");
    let text = serde_json::to_string(&records).unwrap();
    for part in ["by OIDC as ben", "log-out", "none of whose groups"] {
        assert_eq!(text.matches(part).count(), 1, "{part}: {text}");
    }
    drop(demo);
    let verified = place.run(&["verify", "--output", "json"]);
    assert!(verified.out.contains("\"ok\": true"), "{}", verified.out);
}

#[test]
fn tokens_of_the_provider_let_programs_in_and_forged_ones_nobody() {
    let Some(provider) = Provider::start(&[]) else { return };
    let place = Place::new();
    let demo = start(&place, &provider);
    let session = |token: &str| demo.ask("GET", "/api/v1/session", "", token);
    // `farthing` and `grafana` with their secrets, encoded as RFC 6749 wants it.
    let farthing = "ZmFydGhpbmc6b25seSUyMGZvciUyMHRlc3RzJTNBJTIwJTJCJTJG";
    let grafana = "Z3JhZmFuYTpvZiUyMGFub3RoZXIlMjBjbGllbnQ=";
    let access = provider.token_for(farthing, "urn:farthing:api");
    let (status, body) = session(&access);
    assert!(status == 200 && body.contains("\"role\":\"team\""), "{status} {body}");
    let admin = provider.signs(&json!({}));
    assert!(session(&admin).1.contains("\"role\":\"admin\""));
    let past = 1_700_000_000;
    let mut forged = vec![provider.token_for(grafana, "urn:other")];
    for told in [
        json!({ "how": "none" }),
        json!({ "how": "public" }),
        json!({ "how": "other" }),
        json!({ "how": "other", "head": { "kid": "made-up" } }),
        json!({ "claims": { "iss": "http://127.0.0.1:1" } }),
        json!({ "claims": { "exp": past } }),
        json!({ "claims": { "groups": ["strangers"] } }),
    ] {
        forged.push(provider.signs(&told));
    }
    let says = [
        "another audience",
        "not signed",
        "a way that its key is not for",
        "signature is wrong",
        "the provider does not have",
        "another issuer",
        "has expired",
        "none of",
    ];
    for (token, says) in forged.iter().zip(says) {
        let (status, body) = session(token);
        assert_eq!(status, if says == "none of" { 403 } else { 401 }, "{says}: {body}");
        assert!(body.contains(says), "{says}: {body}");
        let parts = token.split('.').filter(|part| part.len() > 20);
        assert!(parts.clone().count() >= 1 && !parts.clone().any(|part| body.contains(part)));
    }
    // Its keys change: what the new one signs is good, and what the old one signed no longer.
    provider.told("rotate", &json!({}));
    let new = provider.signs(&json!({}));
    assert_eq!(session(&new).0, 200);
    assert_eq!(session(&admin).0, 401);
    let records = accessed(&demo, &new, "has expired");
    let text = serde_json::to_string(&records).unwrap();
    for says in says {
        assert_eq!(text.matches(says).count(), 1, "{says}: {text}");
    }
    let parts = forged.iter().flat_map(|token| token.split('.')).filter(|part| part.len() > 20);
    assert!(!parts.clone().any(|part| text.contains(part)), "{text}");
    // Whoever tries on and on is no longer looked at, and who is known is.
    session(&forged[0]);
    assert_eq!(session(&forged[0]).0, 429);
    assert_eq!(session(&new).0, 200);
}

#[test]
fn the_example_of_a_team_starts_and_what_is_wrong_with_a_provider_is_said() {
    let place = Place::new();
    let team = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/team.yaml");
    let up = |config: &str, more: &[&str]| {
        place.run(&[&["up", "--config", config, "--for", "1s"], more].concat())
    };
    // Nobody asks the provider before someone logs in.
    let run = up(team.to_str().unwrap(), &["--listen", "127.0.0.1:0"]);
    assert_eq!(run.code, 0, "{}", run.said);
    let config = |name: &str, more: &str| {
        let grants = "grants: [{group: a, role: viewer}]";
        let spec = format!("{{issuer: 'https://id.example', client: x, {grants}{more}}}");
        place.file(name, format!("apiVersion: farthing.dev/v1alpha1\nkind: Identity\nspec: {spec}"))
    };
    let secret = config("secret.yaml", ", secret: {env: FARTHING_NO_SUCH_SECRET}");
    let run = up(&secret, &["--listen", "127.0.0.1:0"]);
    assert_eq!(run.code, 2, "{}", run.said);
    assert!(run.said.contains("FARTHING_NO_SUCH_SECRET is not set"), "{}", run.said);
    // From elsewhere browsers reach it by a name that only people know.
    let run = up(&config("url.yaml", ""), &["--listen", "0.0.0.0:0", "--insecure-http"]);
    assert_eq!(run.code, 2, "{}", run.said);
    assert!(run.said.contains("`url` is missing"), "{}", run.said);
}
