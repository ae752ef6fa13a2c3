//! Scrapes that fail, thin out, come twice or in any order.

use super::*;
use crate::telemetry::series::Spans;
use proptest::prelude::*;

fn texts() -> (String, String) {
    let mut records = Text::default();
    node(&mut records, "cpu-1", "small", 0);
    pod(&mut records, ("a", "p", "cpu-1"), (2.0, 1 << 30, 0));
    let mut use_ = Text::default();
    used(&mut use_, "a", "p", 1.0, 1 << 29);
    (records.0, use_.0)
}

/// The lines of a text whose minute is wanted.
fn only(text: &str, wanted: impl Fn(i64) -> bool) -> String {
    let minute = |line: &str| {
        let at: i64 = line.rsplit(' ').next().unwrap().parse().unwrap();
        (at - START) / MINUTE
    };
    text.lines()
        .filter(|line| wanted(minute(line)))
        .fold(String::new(), |all, line| all + line + "\n")
}

fn minutes(cluster: &Cluster, measured: bool) -> i128 {
    let of = cluster.spans.iter().filter(|span| span.measured == measured);
    of.map(|span| span.window.nanos()).sum::<i128>() / 60_000_000_000
}

#[test]
fn everything_scraped_is_everything_measured() {
    let (records, use_) = texts();
    let cluster = cluster_of(&[&records, &use_]);
    assert_eq!((minutes(&cluster, true), minutes(&cluster, false)), (60, 0));
    assert_eq!(cluster.measured_share(), Ratio::of(1, 1));
    // Where use stays under what was asked for, an hour is one sample of each resource.
    assert_eq!(cluster.samples.len(), 2);
}

#[test]
fn one_missed_scrape_is_bridged() {
    let (records, use_) = texts();
    let cluster = cluster_of(&[&records, &only(&use_, |minute| minute != 30)]);
    assert_eq!(minutes(&cluster, true), 60);
    assert_eq!(claimed(&cluster, Paid::Cpu).1, 1_000_000_000);
}

#[test]
fn an_exporter_that_is_down_leaves_its_use_unknown_and_what_was_asked_for_charged() {
    let (records, use_) = texts();
    let cluster = cluster_of(&[&records, &only(&use_, |minute| !(30..40).contains(&minute))]);
    assert_eq!((minutes(&cluster, true), minutes(&cluster, false)), (60, 0));
    assert_eq!(claimed(&cluster, Paid::Cpu).0, 2_000_000_000);
    assert_eq!(claimed(&cluster, Paid::Cpu).1, 1_000_000_000 * 49 / 60);
    assert_eq!(unknown(&cluster, Paid::Cpu), 11);
    let note = "node cpu-1: containers (cAdvisor) were not looked at for 11 of 60 minutes";
    assert!(cluster.notes.iter().any(|own| own.starts_with(note)), "{:?}", cluster.notes);
}

#[test]
fn devices_that_nobody_looks_at_are_unknown_and_the_rest_of_the_node_is_measured() {
    let mut text = Text::default();
    node(&mut text, "gpu-1", "big", 1);
    pod(&mut text, ("a", "p", "gpu-1"), (2.0, 1 << 30, 1));
    used(&mut text, "a", "p", 1.0, 1 << 29);
    let own = "UUID=\"GPU-1\",Hostname=\"gpu-1\",namespace=\"a\",pod=\"p\",container=\"main\"";
    text.add(&format!("DCGM_FI_DEV_GPU_UTIL{{{own}}}"), |minute| {
        (!(20..30).contains(&minute)).then(|| "50".to_owned())
    });
    let cluster = cluster_of(&[&text.0]);
    assert_eq!((minutes(&cluster, true), minutes(&cluster, false)), (60, 0));
    assert_eq!(unknown(&cluster, Paid::Cpu), 0);
    assert_eq!(unknown(&cluster, Paid::Gpu), 11);
    let (held, used, _) = claimed(&cluster, Paid::Gpu);
    assert_eq!((held, used), (1_000_000_000, 500_000_000 * 49 / 60));
}

/// Minutes of samples of which nobody knows the use.
fn unknown(cluster: &Cluster, resource: Paid) -> i128 {
    let of = cluster.samples.iter().filter(|sample| sample.resource == resource);
    let of = of.filter(|sample| sample.used_nano.is_none() && sample.attribution.is_some());
    of.map(|sample| sample.window.nanos()).sum::<i128>() / 60_000_000_000
}

#[test]
fn an_hour_with_too_few_scrapes_is_unknown() {
    let (records, use_) = texts();
    let thin = only(&use_, |minute| minute < 20 || minute % 4 == 0);
    let cluster = cluster_of(&[&records, &thin]);
    assert_eq!((minutes(&cluster, true), unknown(&cluster, Paid::Cpu)), (60, 60));
    let note = "node cpu-1: containers (cAdvisor) measured 50 % of";
    assert!(cluster.notes.iter().any(|own| own.starts_with(note)), "{:?}", cluster.notes);
    let lenient = ClusterOptions { coverage_min: 40, ..ClusterOptions::default() };
    assert_eq!(unknown(&cluster_with(&[&records, &thin], lenient), Paid::Cpu), 0);
}

#[test]
fn two_samples_in_half_an_hour_are_not_a_measurement() {
    let (records, use_) = texts();
    let cluster = cluster_of(&[&records, &only(&use_, |minute| minute == 10 || minute == 40)]);
    assert_eq!(unknown(&cluster, Paid::Cpu), 60);
}

#[test]
fn records_that_were_not_read_leave_the_node_paid_and_unmeasured() {
    let (records, use_) = texts();
    let cluster = cluster_of(&[&only(&records, |minute| !(20..=30).contains(&minute)), &use_]);
    assert_eq!((minutes(&cluster, true), minutes(&cluster, false)), (48, 12));
}

#[test]
fn use_that_nobody_exports_is_said_to_be_missing_and_requests_are_charged() {
    let (records, _) = texts();
    let cluster = cluster_of(&[&records]);
    assert_eq!(claimed(&cluster, Paid::Cpu), (2_000_000_000, 0, 2_000_000_000));
    assert_eq!(total(&cluster, Measure::CpuUsed, &[]), None, "unknown, not zero");
    assert_eq!(unknown(&cluster, Paid::Cpu), 60);
    assert!(cluster.notes.iter().any(|note| note.starts_with("use of containers is not measured")));
}

#[test]
fn a_node_with_a_wrong_clock_moves_its_own_use_and_nothing_else() {
    let (records, use_) = texts();
    let skewed = use_.lines().fold(String::new(), |all, line| {
        let (series, at) = line.rsplit_once(' ').unwrap();
        format!("{all}{series} {}\n", at.parse::<i64>().unwrap() + 20_000)
    });
    let cluster = cluster_of(&[&records, &skewed]);
    let (requested, used, _) = claimed(&cluster, Paid::Cpu);
    let share = cluster.window.nanos() / 3_600;
    assert_eq!((requested, used), (2 * share, share));
}

#[test]
fn a_window_that_is_given_is_paid_whole_and_measured_as_far_as_it_was() {
    let (records, use_) = texts();
    let from = instant(START - 30 * MINUTE).unwrap();
    let window = Window::new(from, instant(START + 30 * MINUTE).unwrap()).ok();
    let options = ClusterOptions { window, ..ClusterOptions::default() };
    let cluster = cluster_with(&[&records, &use_], options);
    assert_eq!(Some(cluster.window), window);
    assert_eq!((minutes(&cluster, true), minutes(&cluster, false)), (30, 0));
}

#[test]
fn nothing_and_a_single_moment_are_errors_that_say_so() {
    let error = |text: &str| {
        let made = measure(intake(&[text]), ClusterOptions::default(), NodePrices::new(&prices()));
        made.map(|_| ()).unwrap_err().to_string()
    };
    assert_eq!(
        error("up 1 1793613600000\n"),
        "there is no sample of a metric that is read in it; 1 others were seen"
    );
    assert!(
        error("kube_node_info{node=\"n\"} 1 1793613600000\n")
            .contains("all samples are of one moment")
    );
}

#[test]
fn bad_lines_are_faults_with_their_place_and_the_rest_goes_on() {
    let (records, use_) = texts();
    let bad = "kube_node_info{node=\"x\" 1\nkube_node_info{node=\"y\"} one 1793613600000\n\
               kube_node_info{node=\"z\"} 1\nkube_node_info{node=\"w\"} 1 17\n";
    let intake = intake(&[&records, bad, &use_]);
    let faults: Vec<String> = intake.faults().map(ToString::to_string).collect();
    assert_eq!(faults.len(), 4);
    assert!(
        faults[0].starts_with("1.prom:1: ") && faults[3].starts_with("1.prom:4: "),
        "{faults:?}"
    );
    let cluster = measure(intake, ClusterOptions::default(), NodePrices::new(&prices())).unwrap();
    assert_eq!(minutes(&cluster, true), 60);
    assert_eq!(cluster.totals.faults, 4);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_missing_claims_stay_inside_of_measured_time(
        missing in prop::collection::btree_set(0_i64..=60, 0..50), order in 0_usize..1_000_000,
    ) {
        let (records, use_) = texts();
        let thin = only(&use_, |minute| !missing.contains(&minute));
        let whole = cluster_of(&[&records, &thin]);
        let measured = Spans::of(whole.spans.iter().filter(|span| span.measured).filter_map(|span| {
            Span::new(span.window.from().as_millisecond(), span.window.to().as_millisecond())
        }).collect());
        for sample in &whole.samples {
            let from = sample.window.from().as_millisecond();
            let to = sample.window.to().as_millisecond();
            let span = Spans::of(Span::new(from, to).into_iter().collect());
            prop_assert_eq!(span.and(&measured).len(), to - from);
        }
        prop_assert_eq!(minutes(&whole, true) * 60_000, i128::from(measured.len()));
        // The same lines in another order, some of them twice, are the same cluster.
        let mut lines: Vec<&str> = records.lines().chain(thin.lines()).collect();
        let len = lines.len();
        for at in 0..lines.len() {
            lines.swap(at, order * (at * 2 + 1) % len);
        }
        lines.extend_from_within(..lines.len() / 3);
        let mixed = cluster_of(&[&lines.join("\n")]);
        prop_assert_eq!(&mixed.rows, &whole.rows);
        prop_assert_eq!(&mixed.samples, &whole.samples);
        prop_assert_eq!(&mixed.spans, &whole.spans);
    }
}
