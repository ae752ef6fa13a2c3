//! The routes through a real socket, with a client of a few lines.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

mod client;
mod world;

use client::*;
use farthing_engine::{Flow, TeamShare};
use farthing_model::Currency;
use farthing_server::{About, AccessRules, Behind, Published, Running, Server, ServerError};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};
use world::*;

const LOOPBACK: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

fn serve(published: &Published) -> Running {
    let bound = Server::bind(SocketAddr::from(LOOPBACK), AccessRules::default(), None).unwrap();
    bound
        .serve(Behind {
            published: published.clone(),
            books: books(),
            journal: None,
            orders: None,
            offers: None,
            oidc: None,
            sessions: farthing_server::Sessions::default(),
        })
        .unwrap()
}

#[test]
fn before_the_first_tick_it_lives_and_is_not_ready() {
    let published = fresh();
    let server = serve(&published);
    let health = get(&server, "/healthz");
    assert_eq!((health.status, health.json()["status"].as_str()), (200, Some("ok")));
    let ready = get(&server, "/readyz");
    let json = problem(&ready, 503, "not-ready");
    assert_eq!(json["detail"], "the first tick is not finished");
    assert_eq!(ready.header("retry-after"), "5");
    problem(&get(&server, "/api/v1/plan"), 503, "no-plan");
    problem(&get(&server, "/api/v1/tick"), 503, "no-tick");
    problem(&get(&server, "/api/v1/cost"), 503, "no-tick");
    assert!(get(&server, "/plain").body.contains("No tick yet"));
    assert!(get(&server, "/metrics").body.ends_with("# EOF\n"));
    let io = std::io::Error::other("disk <full>");
    published.failed(at("2026-11-24T12:00:00Z"), &io);
    let detail = get(&server, "/readyz").json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.ends_with("; last error at 2026-11-24T12:00:00Z: disk <full>"), "{detail}");
    assert_eq!(get(&server, "/healthz").json()["last_error"], "disk <full>");
    assert!(get(&server, "/plain").body.contains("disk &lt;full&gt;"));
}

#[test]
fn after_a_tick_it_is_ready_and_shows_it() {
    let server = serve(&published());
    assert_eq!(get(&server, "/readyz").status, 200);
    let tick = get(&server, "/api/v1/tick");
    assert_eq!(tick.header("content-type"), "application/json");
    assert_eq!(tick.json()["difference"], "0.00");
    let plan = get(&server, "/api/v1/plan").json();
    assert_eq!((plan["cost"].as_str(), plan["plan"].as_str()), (Some("229.8176"), Some("p7")));
    assert_eq!(plan["offers_used"]["H100-80GB-SXM"], 1);
}

#[test]
fn a_loop_that_stopped_is_not_ready() {
    let published = Published::new(About { every: Duration::from_millis(1), ..about() });
    published.ticked(ticked()).unwrap();
    assert!(published.view().ready().is_ok());
    let mut view = (*published.view()).clone();
    // Ticks are short here: five seconds without one count, four do not.
    view.seen = Instant::now().checked_sub(Duration::from_secs(4));
    assert!(view.ready().is_ok());
    view.seen = Instant::now().checked_sub(Duration::from_secs(6));
    let why = view.ready().unwrap_err().to_string();
    assert_eq!(why, "the last tick is 6 s old, one is due every 0.001 s");
}

#[test]
fn a_statement_over_http_sums_to_what_is_paid() {
    let server = serve(&published());
    let answer = get(&server, "/api/v1/cost?window=1h&by=team,workload");
    assert_eq!(answer.status, 200, "{}", answer.body);
    let json = answer.json();
    assert_eq!(json["difference"], "0.00");
    assert_eq!(json["currency"], "USD");
    let pico = |text: &Value| {
        farthing_model::Money::from_decimal(text.as_str().unwrap(), Currency::USD).unwrap().pico()
    };
    let rows = json["rows"].as_array().unwrap();
    let total: i128 = rows.iter().map(|row| pico(&row["total"])).sum();
    assert_eq!(total, pico(&json["paid"]));
    // Ten minutes of both nodes, from the price list: (55.04 + 0.8048) / 6.
    assert_eq!(json["paid"], "9.307466666666");
    let names: BTreeSet<_> = rows.iter().map(|row| row["workload"].as_str().unwrap()).collect();
    let expected = ["(overhead)", "(unallocated)", "chat", "cron", "finetune-70b"];
    assert_eq!(names, BTreeSet::from(expected));
    let gpu = get(&server, "/api/v1/cost?window=2h&by=resource&resource=gpu&share_idle=even");
    assert_eq!(gpu.json()["rows"].as_array().unwrap().len(), 1);
    assert_eq!(gpu.json()["difference"], "0.00");
    let span = "2026-11-24T12:00:00Z/2026-11-24T13:00:00Z";
    assert_eq!(get(&server, &format!("/api/v1/cost?window={span}")).json()["hours"], 1);
}

#[test]
fn a_wrong_parameter_is_named_with_what_would_be_right() {
    let server = serve(&published());
    let check = |query: &str, parameter: &str, allowed: &str, detail: &str| {
        let answer = get(&server, &format!("/api/v1/cost?{query}"));
        let json = problem(&answer, 400, "bad-parameter");
        assert_eq!(json["parameter"], parameter, "{query}");
        assert_eq!(json["detail"], detail, "{query}");
        if !allowed.is_empty() {
            assert!(json["allowed"].as_array().unwrap().contains(&allowed.into()), "{json}");
        }
    };
    check("by=teem", "by", "", "`teem` is not a key: did you mean team?");
    check("by=team,team", "by", "", "`team` is there twice");
    let span = "is not a span of time: write it like 90m, 24h, 7d, today, yesterday, week, \
                lastweek, month, lastmonth, 2026-03-01, 2026-03, or A,B with two times or days";
    check("window=1", "window", "1h", &format!("`1` {span}"));
    check("window=0s", "window", "1h", "`0s` is empty: a span ends after it starts");
    let long = "2025-10-21T12:10:00Z/2026-11-25T12:10:00Z";
    check(&format!("window={long}"), "window", "7d", &format!("{long} is longer than 366 days"));
    let back = "2026-11-24T13:00:00Z/2026-11-24T12:00:00Z";
    let empty = format!("`{back}` is empty: a span ends after it starts");
    check(&format!("window={back}"), "window", "1h", &empty);
    check("share_idle=no", "share_idle", "even", "`no` is not one of separate, even, proportional");
    let resources = "`tpu` is not a resource: gpu, cpu, memory, storage or network";
    check("resource=gpu,tpu", "resource", "", resources);
    let filter = "the filter `temm:a` is wrong at position 1: `temm` is not a key: did you mean \
                  team?";
    check("filter=temm:a", "filter", "", filter);
    let known = "there is no parameter `team`: window, by, step, filter, share_idle, idle_by, \
                 share, basis, resource";
    check("team=research", "team", "by", known);
    let twice = "`by` is given twice; separate several values by commas";
    check("by=team&by=node", "by", "", twice);
}

/// What OpenCost's clients read: the names and types of all the keys of its answers.
#[test]
fn allocations_have_the_shape_of_opencost() {
    let server = serve(&published());
    let span = "window=2026-11-24T12:00:00Z,2026-11-24T13:00:00Z";
    let sets = |query: &str| {
        let answer = get(&server, &format!("/allocation/compute?{span}{query}"));
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.json()["code"], 200);
        answer.json()["data"].as_array().unwrap().clone()
    };
    let all = sets("&aggregate=team&includeIdle=true");
    let set = all[0].as_object().unwrap();
    let names: Vec<&str> = set.keys().map(String::as_str).collect();
    assert!(names.contains(&"__idle__") && names.contains(&"research"), "{names:?}");
    let total: f64 = set.values().map(|one| one["totalCost"].as_f64().unwrap()).sum();
    assert!((total - 9.307_466_666).abs() < 1e-6, "{total}");
    for key in "name properties window start end minutes cpuCores cpuCoreRequestAverage \
        cpuCoreLimitAverage cpuCoreUsageAverage cpuCoreHours cpuCost cpuCostAdjustment \
        cpuCostIdle cpuEfficiency gpuCount gpuHours gpuCost gpuCostAdjustment gpuCostIdle \
        gpuEfficiency networkTransferBytes networkReceiveBytes networkCost networkCrossZoneCost \
        networkCrossRegionCost networkInternetCost networkCostAdjustment loadBalancerCost \
        loadBalancerCostAdjustment pvBytes pvByteHours pvCost pvs pvCostAdjustment ramBytes \
        ramByteRequestAverage ramByteLimitAverage ramByteUsageAverage ramByteHours ramCost \
        ramCostAdjustment ramCostIdle ramEfficiency externalCost sharedCost totalCost \
        totalEfficiency lbAllocations gpuAllocation"
        .split_whitespace()
    {
        assert!(set["research"].get(key).is_some(), "{key}");
    }
    assert_eq!(set["research"]["window"]["start"], "2026-11-24T12:00:00Z");
    assert_eq!(set["research"]["minutes"], 60.0);
    let shared = sets("&aggregate=team&shareIdle=true&includeIdle=true");
    let sum = |set: &Value| {
        let all = set.as_object().unwrap().values();
        all.map(|one| one["totalCost"].as_f64().unwrap()).sum::<f64>()
    };
    assert!((sum(&shared[0]) - total).abs() < 1e-6, "sharing loses nothing");
    let filtered = sets("&aggregate=namespace&filter=namespace:%22nowhere%22");
    assert_eq!(filtered[0], serde_json::json!({}));
    // By container, where nothing else is said, and in steps.
    assert!(sets("")[0].as_object().unwrap().keys().all(|name| name.matches('/').count() == 4));
    let span = "window=2026-11-24T10:00:00Z,2026-11-24T13:00:00Z";
    let path = format!("/allocation?{span}&step=1h&aggregate=cluster");
    assert_eq!(get(&server, &path).json()["data"].as_array().unwrap().len(), 3);
    let path = format!("/allocation?{span}&step=1h&aggregate=cluster&accumulate=true");
    assert_eq!(get(&server, &path).json()["data"].as_array().unwrap().len(), 1);
    let assets = get(&server, &format!("/assets?{span}")).json();
    let assets = assets["data"][0].as_object().unwrap();
    let total: f64 = assets.values().map(|one| one["totalCost"].as_f64().unwrap()).sum();
    assert!((total - 9.307_466_666).abs() < 1e-6, "{total}");
    assert!(assets.values().all(|one| one["properties"]["cluster"].is_string()));
}

#[test]
fn a_wrong_parameter_of_opencost_is_named() {
    let server = serve(&published());
    let check = |query: &str, parameter: &str| {
        let json = problem(&get(&server, &format!("/allocation?{query}")), 400, "bad-parameter");
        assert_eq!(json["parameter"], parameter, "{query}");
    };
    check("aggregate=namespace", "window");
    check("window=1h&aggregate=namespce", "aggregate");
    check("window=1h&step=90m", "step");
    check("window=366d&step=1h", "step");
    check("window=1h&shareIdle=maybe", "shareIdle");
    check("window=1h&shareLabels=app", "shareLabels");
    check("window=1h&shareCost=many", "shareCost");
    check("window=1h&filter=a(", "filter");
    check("window=1h&reconcile=true", "reconcile");
}

#[test]
fn what_is_not_there_is_a_problem_too() {
    let server = serve(&published());
    let json = problem(&get(&server, "/api/v2/nothing"), 404, "no-such-route");
    assert_eq!(json["detail"], "there is nothing at /api/v2/nothing");
    assert!(json["allowed"].as_array().unwrap().contains(&"/api/v1/plan".into()));
    let host = server.address();
    let post = |more: &str| {
        format!("POST /api/v1/plan HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n")
    };
    let answer = raw(&server, &post("Content-Length: 0\r\n"));
    problem(&answer, 405, "read-only");
    assert_eq!(answer.header("allow"), "GET, HEAD");
    problem(&raw(&server, &post("Content-Length: 1000000\r\n")), 413, "too-large");
}

#[test]
fn a_page_of_another_site_cannot_read_it() {
    let server = serve(&published());
    let foreign = "GET /api/v1/plan HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    problem(&raw(&server, foreign), 421, "other-host");
    for path in ["/", "/metrics", "/api/v1/tick", "/nothing", "/app.js"] {
        let answer = get(&server, path);
        let csp = answer.header("content-security-policy");
        assert!(csp.starts_with("default-src 'none'") && csp.contains("frame-ancestors 'none'"));
        assert!(!csp.contains("unsafe"), "{csp}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("x-frame-options"), "DENY");
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
}

#[test]
fn the_page_is_whole_without_script_and_without_others() {
    let server = serve(&published());
    let page = get(&server, "/plain");
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    for text in [
        "What is paid, and where it goes",
        "aria-label=\"Last tick: used ",
        "finetune-70b",
        "cheapest of 14 in time",
        "budget research-monthly has 310.50 left, 881.92 needed",
        "misses its deadline",
        "p7-2: waits for approval",
        "p7-1: done",
        "forecast reaches: notify",
        "97.0 %",
        "/proc/4711/io: permission denied",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
    ] {
        assert!(page.body.contains(text), "`{text}` is missing");
    }
    assert!(!page.body.contains("<script>"), "a workload's name became markup");
    assert!(!page.body.contains(" style="), "inline style");
    for (index, _) in page.body.match_indices(" on") {
        let word = page.body[index + 1..].trim_start_matches(|c: char| c.is_ascii_alphabetic());
        assert!(!word.starts_with('='), "an inline event handler");
    }
    let links = page.body.match_indices("href=\"").chain(page.body.match_indices("src=\""));
    for (index, found) in links {
        let link = &page.body[index + found.len()..];
        assert!(link.starts_with('/') || link.starts_with("data:,\""), "{}", &link[..20]);
    }
    let script = get(&server, "/app.js");
    assert_eq!(script.header("content-type"), "text/javascript; charset=utf-8");
    let style = get(&server, "/app.css");
    assert_eq!(style.header("content-type"), "text/css; charset=utf-8");
    assert!(!style.body.contains("url(") && !style.body.contains("@import"));
}

#[test]
fn a_port_in_use_and_a_public_address_are_refused_in_words() {
    let holder = TcpListener::bind(SocketAddr::from(LOOPBACK)).unwrap();
    let taken = holder.local_addr().unwrap();
    let error = Server::bind(taken, AccessRules::default(), None).unwrap_err();
    assert!(matches!(error, ServerError::Taken(address) if address == taken));
    assert_eq!(
        error.to_string(),
        format!(
            "{taken} is in use: stop what listens there, choose another port with \
             `--listen 127.0.0.1:PORT`, or let the system choose one with `--listen 127.0.0.1:0`"
        )
    );
    for address in ["0.0.0.0:0", "192.0.2.1:4040", "[::]:0"] {
        let address: SocketAddr = address.parse().unwrap();
        let error = Server::bind(address, AccessRules::default(), None).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, ServerError::Open(_)), "{text}");
        let rules = AccessRules { required: true, ..AccessRules::default() };
        let clear = Server::bind(address, rules, None).unwrap_err();
        assert!(matches!(clear, ServerError::Clear(_)), "{clear}");
        assert!(text.starts_with(&format!("{address} can be reached from other machines")));
    }
}

#[test]
fn it_stops_with_open_connections_and_frees_the_port() {
    let server = serve(&published());
    let address = server.address();
    let idle = TcpStream::connect(address).unwrap();
    let mut half = TcpStream::connect(address).unwrap();
    half.write_all(b"GET / HTTP/1.1\r\nHost: loc").unwrap();
    let alive = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut kept = TcpStream::connect(address).unwrap();
    kept.write_all(alive.as_bytes()).unwrap();
    let mut first = [0; 15];
    kept.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    let began = Instant::now();
    server.stop();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(TcpStream::connect(address).is_err(), "nobody answers any more");
    drop((idle, half));
}

#[test]
fn many_at_once_are_all_answered() {
    let server = serve(&published());
    std::thread::scope(|scope| {
        let paths = ["/", "/metrics", "/api/v1/cost?by=node", "/api/v1/plan"];
        let asks = (0..100).map(|index| paths[index % paths.len()]);
        let asks: Vec<_> = asks.map(|path| scope.spawn(|| get(&server, path).status)).collect();
        for status in asks.into_iter().map(|ask| ask.join().unwrap()) {
            // A full queue of statements says so; nothing is dropped.
            assert!(status == 200 || status == 503, "{status}");
        }
    });
    assert_eq!(get(&server, "/healthz").status, 200);
}

#[test]
fn metrics_are_openmetrics_and_say_what_the_tick_says() {
    let server = serve(&published());
    let answer = get(&server, "/metrics");
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(answer.header("content-type"), kind);
    let samples = parse(&answer.body);
    let sample = |name: &str| {
        samples.get(name).unwrap_or_else(|| panic!("`{name}` is missing:\n{}", answer.body))
    };
    let tick = tick();
    let place =
        |place: &str| format!("farthing_tick_cost{{destination=\"{place}\",currency=\"USD\"}}");
    assert_eq!(*sample(&place("used")), tick.money.used.to_decimal());
    assert_eq!(*sample(&place("idle")), tick.money.idle.to_decimal());
    assert_eq!(*sample("farthing_tick_paid{currency=\"USD\"}"), tick.money.paid.to_decimal());
    let twice = tick.money.paid.checked_mul_int(2).unwrap();
    assert_eq!(*sample("farthing_paid_total{currency=\"USD\"}"), twice.to_decimal());
    let exact = |name: &str| usd(sample(name));
    let four = ["used", "idle", "unallocated", "overhead"].map(|place| {
        exact(&format!("farthing_cost_total{{destination=\"{place}\",currency=\"USD\"}}"))
    });
    assert_eq!(farthing_model::Money::sum(four, Currency::USD).unwrap(), twice);
    let gpu = "farthing_utilisation_ratio{resource=\"gpu\",of=\"capacity\"}";
    // 5.1 + 0.333 of 9 accelerators.
    assert_eq!(sample(gpu), "0.603667");
    assert_eq!(sample("farthing_band_ratio{resource=\"gpu\",edge=\"threshold\"}"), "0.800000");
    assert_eq!(sample("farthing_plan_cost{currency=\"USD\"}"), "229.8176");
    assert_eq!(sample("farthing_plan_lower_bound{currency=\"USD\"}"), "228.50");
    assert_eq!(sample("farthing_plan_gap_ratio"), "0.005766");
    assert_eq!(sample("farthing_plan_status{farthing_plan_status=\"feasible\"}"), "1");
    assert_eq!(sample("farthing_plan_waiting"), "16");
    assert_eq!(sample("farthing_steps_done_total"), "2");
    assert_eq!(sample("farthing_ticks_total"), "2");
    assert_eq!(sample("farthing_tick_duration_seconds"), "0.048213");
    assert_eq!(sample("farthing_journal_records"), "42");
    let realised = "farthing_saving{kind=\"realised\",currency=\"USD\"}";
    assert_eq!(sample(realised), "1436.085");
}

#[test]
fn teams_beyond_the_configured_number_are_one_series_and_the_sum_stays() {
    let many = |tick: &mut farthing_engine::Tick| {
        let share = tick.teams.values().next().unwrap().clone();
        for index in 0..100 {
            let team = farthing_model::TeamId::new(&format!("t{index:03}")).unwrap();
            let used = usd(&format!("0.{:03}", index + 1));
            tick.teams.insert(team, TeamShare { used, idle: usd("0"), ..share.clone() });
        }
        // One is called as the rest of them are.
        tick.teams.insert(farthing_model::TeamId::new("other").unwrap(), share);
        let zero = usd("0");
        let sum = |of: fn(&TeamShare) -> farthing_model::Money| {
            let all = tick.teams.values().map(of);
            farthing_model::Money::sum(all, Currency::USD).unwrap()
        };
        let (used, idle) = (sum(|it| it.used), sum(|it| it.idle));
        let paid = used.checked_add(idle).unwrap();
        tick.money = Flow { paid, used, idle, unallocated: zero, overhead: zero };
    };
    for (most, series) in [(0, 1), (3, 4), (50, 51), (1_000, tick().teams.len() + 101)] {
        let published = Published::new(About { metrics_teams: most, ..about() });
        let mut newest = ticked();
        many(&mut newest.tick);
        published.ticked(newest.clone()).unwrap();
        let before = published.view().seen_teams.clone();
        published.ticked(newest).unwrap();
        assert_eq!(published.view().seen_teams, before);
        let samples = parse(&farthing_server::metrics(&published.view()));
        let used = |team: &str| {
            let labels = format!("team=\"{team}\",destination=\"used\",currency=\"USD\"");
            samples.get(&format!("farthing_team_cost_total{{{labels}}}"))
        };
        let teams: BTreeSet<&str> = samples
            .keys()
            .filter_map(|name| name.strip_prefix("farthing_team_cost_total{team=\""))
            .filter_map(|rest| rest.split_once('"').map(|(team, _)| team))
            .filter(|team| !team.is_empty())
            .collect();
        assert_eq!(teams.len(), series, "{teams:?}");
        // Whoever paid the most is the first that is told apart.
        assert_eq!(used("t099").is_some(), most >= 3, "{teams:?}");
        let all = teams.iter().map(|team| usd(used(team).unwrap()));
        let total = usd(&samples["farthing_cost_total{destination=\"used\",currency=\"USD\"}"]);
        assert_eq!(farthing_model::Money::sum(all, Currency::USD).unwrap(), total);
        assert_eq!(usd(used("").unwrap()), usd("0"));
    }
}

/// Parses the text line by line; panics where it is not `OpenMetrics`. Samples by name and labels.
fn parse(text: &str) -> BTreeMap<String, String> {
    let mut samples = BTreeMap::new();
    let mut families = BTreeSet::new();
    let (mut family, mut kind) = (String::new(), String::new());
    let body = text.strip_suffix("# EOF\n").expect("ends with # EOF");
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, of) = rest.split_once(' ').unwrap();
            (family, kind) = (name.to_owned(), of.to_owned());
            assert!(families.insert(family.clone()), "{family} is there twice");
            continue;
        }
        if let Some(rest) = line.strip_prefix("# UNIT ") {
            let (name, unit) = rest.split_once(' ').unwrap();
            assert!(name == family && name.ends_with(&format!("_{unit}")), "{line}");
            continue;
        }
        if let Some(rest) = line.strip_prefix("# HELP ") {
            assert!(rest.starts_with(&format!("{family} ")), "{line}");
            continue;
        }
        assert!(!line.starts_with('#') && !line.is_empty(), "`{line}`");
        let (key, value) = line.rsplit_once(' ').unwrap();
        let name = key.split('{').next().unwrap();
        let suffix = match kind.as_str() {
            "counter" => "_total",
            "info" => "_info",
            "gauge" | "stateset" => "",
            other => panic!("unknown type {other}"),
        };
        assert_eq!(name, format!("{family}{suffix}"), "`{line}`");
        if let Some(labels) = key.strip_prefix(name).filter(|labels| !labels.is_empty()) {
            assert!(labels.starts_with('{') && labels.ends_with("\"}"), "`{line}`");
        }
        assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "`{line}`");
        assert!(samples.insert(key.to_owned(), value.to_owned()).is_none(), "twice: `{line}`");
    }
    samples
}

#[test]
fn the_past_under_other_choices_is_what_the_statement_says_as_it_was() {
    let server = serve(&published());
    let cost = get(&server, "/api/v1/cost?window=24h").json();
    let past =
        get(&server, "/api/v1/what-if/history?window=24h&idle_after=5m&reserve=10%25").json();
    assert_eq!(past["paid"], cost["paid"]);
    let money = |value: &Value| {
        farthing_model::Money::from_decimal(value.as_str().unwrap(), Currency::USD).unwrap()
    };
    let policies = past["policies"].as_array().unwrap();
    let names: Vec<_> = policies.iter().map(|one| one["policy"].as_str().unwrap()).collect();
    let expected = "as-it-was release release-idle reserve on-demand spot reserved cheapest";
    assert_eq!(names.join(" "), expected);
    for policy in policies {
        let sum = money(&policy["cost"]).checked_add(money(&policy["saving"])).unwrap();
        assert_eq!(sum, money(&past["paid"]), "{policy}");
        let rows = policy["rows"].as_array().unwrap().iter();
        let parts = farthing_model::Money::sum(rows.map(|row| money(&row["cost"])), Currency::USD);
        let is_whole = policy["policy"] == "as-it-was" || parts.unwrap() == money(&policy["cost"]);
        assert!(is_whole, "{policy}");
    }
    // The book has what was bought, at that price, and nothing else of these machines.
    assert_eq!(policies[4]["saving"], "0.00");
    assert_eq!(policies[5]["cost"], past["paid"]);
    assert!(policies[5]["rows"][0]["kept"].as_str().unwrap().contains("no offer"));
    // Rows beyond the limit are one, and nothing is lost.
    let one = get(&server, "/api/v1/what-if/history?window=24h&limit=1").json();
    let rest = &one["policies"][4]["rows"];
    assert_eq!((rest.as_array().unwrap().len(), &rest[0]["cost"]), (1, &past["paid"]));
    for (wrong, name) in [
        ("window=60d", "window"),
        ("idle_after=5", "idle_after"),
        ("idle_after=1s", "idle_after"),
        ("reserve=-1", "reserve"),
        ("reserve=100%25", "reserve"),
        ("limit=0", "limit"),
        ("by=team", "by"),
    ] {
        let answer = get(&server, &format!("/api/v1/what-if/history?{wrong}"));
        assert_eq!(problem(&answer, 400, "bad-parameter")["parameter"], name);
    }
}

#[test]
fn prices_that_were_paid_have_a_history_in_pages() {
    let server = serve(&published());
    let all = get(&server, "/api/v1/offers/history?window=24h").json();
    let items = all["items"].as_array().unwrap();
    let h100 = items.iter().find(|it| it["instance_type"] == "p5.48xlarge").unwrap();
    assert_eq!((&h100["now"], &h100["lowest"]), (&h100["highest"], &"55.04".into()));
    assert_eq!(h100["points"][0]["price"], "55.04");
    assert_eq!(h100["points"][0]["source"], "prices/default.csv:7");
    let mut path = "/api/v1/offers/history?window=24h&limit=1".to_owned();
    let mut seen = Vec::new();
    for _ in 0..items.len() {
        let page = get(&server, &path).json();
        seen.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else { break };
        let next = next.replace('/', "%2F").replace('~', "%7E");
        path = format!("/api/v1/offers/history?window=24h&limit=1&cursor={next}");
    }
    assert_eq!(seen, *items);
    let none = get(&server, "/api/v1/offers/history?window=24h&purchase=spot").json();
    assert_eq!(none["items"].as_array().unwrap().len(), 0);
    problem(&get(&server, "/api/v1/offers/history?window=60d"), 400, "bad-parameter");
}
