//! The grammar by examples, and bad input by its message.

use super::*;
use proptest::prelude::*;

fn sample(line: &str) -> Sample<'_> {
    match split(line.as_bytes()) {
        Ok(Line::Sample(sample)) => sample,
        other => panic!("{line}: {other:?}"),
    }
}

/// Name, labels, value, time and exemplar of a line, as one text.
fn parts(line: &str) -> String {
    let sample = sample(line);
    let series = sample.series(&Limits::default()).unwrap();
    let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap_or(b"-").to_vec()).unwrap();
    format!(
        "{} {:?} {} {} {}",
        series.name,
        series.labels,
        text(Some(sample.value)),
        text(sample.time),
        text(sample.exemplar)
    )
}

fn fault(line: &[u8]) -> String {
    let limits = Limits { labels_max: 3, ..Limits::default() };
    let read = split(line).and_then(|line| match line {
        Line::Sample(sample) => sample.series(&limits).map(|_| ()),
        _ => Ok(()),
    });
    read.map_or_else(|what| what.to_string(), |()| "fine".to_owned())
}

#[test]
fn both_formats_are_read() {
    let check = |line: &str, expected: &str| assert_eq!(parts(line), expected, "{line}");
    check("up 1", "up [] 1 - -");
    check("  up\t1 \t1700000000000  ", "up [] 1 1700000000000 -");
    check("up{} 1 1700000000.123", "up [] 1 1700000000.123 -");
    check("a{b=\"c\",d=\"e\",} NaN", "a [(\"b\", \"c\"), (\"d\", \"e\")] NaN - -");
    check("a { b = \"c\" , d = \"e\" } +Inf 7", "a [(\"b\", \"c\"), (\"d\", \"e\")] +Inf 7 -");
    check(
        "a_bucket{le=\"0.1\"} 8 # {trace_id=\"x y}\"} 0.067 1520879607.789",
        "a_bucket [(\"le\", \"0.1\")] 8 - {trace_id=\"x y}\"} 0.067 1520879607.789",
    );
    check("a 8 17 # {t=\"x\"} 1", "a [] 8 17 {t=\"x\"} 1");
    check("{\"my.metric\",\"my.label\"=\"v\"} 1", "my.metric [(\"my.label\", \"v\")] 1 - -");
    check("{\"my metric\"} 1", "my metric [] 1 - -");
    check("vllm:requests_total{} 1", "vllm:requests_total [] 1 - -");
}

#[test]
fn escapes_and_brackets_inside_of_quotes_are_text() {
    let series = sample(r#"a{b="x\\y\"z\n}{,=\q",c="ü"} 1"#).series(&Limits::default()).unwrap();
    assert_eq!(series.get("b"), Some("x\\y\"z\n}{,=\\q"));
    assert_eq!(series.get("c"), Some("ü"));
    assert_eq!(series.get("d"), None);
}

#[test]
fn comments_say_what_they_say() {
    let comment = |line: &'static str| match split(line.as_bytes()) {
        Ok(Line::Comment(comment)) => comment,
        other => panic!("{line}: {other:?}"),
    };
    assert_eq!(comment("# TYPE a counter"), Comment::Type(b"a", b"counter"));
    assert_eq!(comment("# UNIT a_seconds seconds"), Comment::Unit(b"a_seconds", b"seconds"));
    assert_eq!(comment("# HELP a Some help."), Comment::Help(b"a", b"Some help."));
    assert_eq!(comment("# EOF"), Comment::Eof);
    assert_eq!(comment("#EOF of nothing"), Comment::Other);
    assert_eq!(comment("# whatever"), Comment::Other);
    assert_eq!(split(b" \t"), Ok(Line::Empty));
}

#[test]
fn each_kind_of_bad_line_has_its_message() {
    let check = |line: &[u8], expected: &str| assert_eq!(fault(line), expected);
    check(b"a{b=\"c\" 1", "`{b=\"c\" 1`: the labels have no end: `}` is missing, or a quote");
    check(b"a{b=\"c} 1", "`{b=\"c} 1`: the labels have no end: `}` is missing, or a quote");
    check(b"a{b=c} 1", "`c}`: a value stands in quotes");
    check(b"a{b} 1", "`b}`: `=` and a value in quotes follow the name of a label");
    check(b"a{b=\"c\" d=\"e\"} 1", "`d=\"e\"}`: `,` or `}` follows a label");
    check(b"a{b=\"c\",b=\"d\"} 1", "`b=\"d\"}`: the same label twice");
    check(
        b"a{1b=\"c\"} 1",
        "`1b=\"c\"}`: a label's name is of letters, digits and `_`, or in quotes",
    );
    check(b"a{b=\"1\",c=\"2\",d=\"3\",e=\"4\"} 1", "a series with over 3 labels");
    check(b"1a 1", "`1a` does not start with the name of a metric");
    check(b"{b=\"c\"} 1", "`{b=\"c\"}` does not start with the name of a metric");
    check(b"a{b=\"\xff\"} 1", "not a text in UTF-8");
    check(b"a", "`a` has no value");
    check(b"a{b=\"c\"}", "`a{b=\"c\"}` has no value");
    check(b"a 1 2 3", "`3` stands behind the value and the time");
    check(b"<html><body>", "`<html><body>` has no value");
}

#[test]
fn the_first_time_says_the_unit_and_later_ones_must_agree() {
    let mut unit = TimeUnit::Either;
    assert_eq!(unit.read(b"1700000000.5"), Ok(1_700_000_000_500));
    assert_eq!(unit, TimeUnit::Seconds);
    assert_eq!(unit.read(b"1.7000000e9"), Ok(1_700_000_000_000));
    let message = unit.read(b"1700000000000").unwrap_err().to_string();
    assert!(message.contains("after 2100: is it in another unit"), "{message}");
    let mut unit = TimeUnit::Either;
    assert_eq!(unit.read(b"1700000000123"), Ok(1_700_000_000_123));
    assert!(unit.read(b"1700000000").unwrap_err().to_string().contains("before 2000"));
    for bad in ["", "x", "NaN", "-5", "1e400", "99999999999999999999"] {
        assert!(TimeUnit::Either.read(bad.as_bytes()).is_err(), "{bad}");
    }
}

/// What a stream gives: each line with its number, or its fault.
fn lines(input: &[u8], limits: &Limits) -> Vec<(u64, String)> {
    let mut found = Vec::new();
    Lines::new(input, limits)
        .for_each(|number, line| {
            let line = line.map(|line| String::from_utf8_lossy(line).into_owned());
            found.push((number, line.unwrap_or_else(|what| what.to_string())));
        })
        .unwrap();
    found
}

#[test]
fn a_line_that_is_too_long_is_one_fault_and_the_next_one_is_read() {
    let limits = Limits { line_bytes_max: 10, ..Limits::default() };
    let long = "x".repeat(3 << 20);
    let text = format!("one\n{long}\nthree\n\nfive");
    let found = lines(text.as_bytes(), &limits);
    let message = "a line of over 10 bytes; the rest of it is skipped";
    let expected = [(1, "one"), (2, message), (3, "three"), (4, ""), (5, "five")];
    let expected: Vec<_> = expected.iter().map(|(at, text)| (*at, (*text).to_owned())).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_stream_ends_where_its_compressed_data_is_cut_off_or_a_bomb() {
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.om.gz");
    let mut gz = GzEncoder::new(Vec::new(), Compression::best());
    gz.write_all("a 1\n".repeat(1 << 20).as_bytes()).unwrap();
    let packed = gz.finish().unwrap();
    let read = |bytes: &[u8], limits: &Limits| {
        std::fs::write(&path, bytes).unwrap();
        let mut count = 0;
        let mut stream = Lines::new(open(&path, limits).unwrap(), limits);
        let ended = stream.for_each(|_, _| count += 1);
        (count, ended.map_err(|error| error.to_string()))
    };
    let limits = Limits::default();
    assert_eq!(read(&packed, &limits), (1 << 20, Ok(())));
    let (count, ended) = read(&packed[..packed.len() / 2], &limits);
    let said = ended.unwrap_err();
    let at = said.strip_prefix("cannot be read from byte ").unwrap();
    let at: usize = at.split_once(' ').unwrap().0.parse().unwrap();
    assert!(at > 0 && count == at / 4, "{count} whole lines of {at} bytes");
    let small = Limits { unpacked_bytes_max: 1 << 21, ..limits };
    let (count, ended) = read(&packed, &small);
    assert!(count <= 1 << 19, "{count}");
    assert!(ended.unwrap_err().contains("unpacks to over 2097152 bytes"));
}

proptest! {
    #[test]
    fn lines_are_the_same_however_the_stream_is_cut(
        text in "[ab\n]{0,200}", line_bytes_max in 1_usize..8,
    ) {
        let limits = Limits { line_bytes_max, ..Limits::default() };
        let expected: Vec<(u64, String)> = (1..)
            .zip(text.split_terminator('\n'))
            .map(|(number, line)| {
                let too_long = What::LineTooLong(line_bytes_max).to_string();
                let line = if line.len() > line_bytes_max { too_long } else { line.to_owned() };
                (number, line)
            })
            .collect();
        prop_assert_eq!(lines(text.as_bytes(), &limits), expected);
    }

    #[test]
    fn what_is_written_is_read(
        name in "[a-zA-Z_:][a-zA-Z0-9_:]{0,20}",
        labels in prop::collection::btree_map("[a-z_]{1,8}", "\\PC{0,12}", 0..6),
        value in any::<f64>(),
        time in 1_000_000_000_000_i64..3_000_000_000_000,
    ) {
        let escaped = |text: &str| {
            text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
        };
        let list: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let line = format!("{name}{{{}}} {value} {time}", list.join(","));
        let sample = sample(&line);
        let series = sample.series(&Limits::default()).unwrap();
        prop_assert_eq!(&series.name, &name);
        let read: std::collections::BTreeMap<String, String> =
            series.labels.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        prop_assert_eq!(read, labels);
        prop_assert!(number::read(sample.value, 9).is_some(), "{}", line);
        prop_assert_eq!(TimeUnit::Either.read_as(sample.time.unwrap()).unwrap(), time);
    }

    #[test]
    fn no_line_makes_it_panic(line in prop::collection::vec(any::<u8>(), 0..120)) {
        let _ = fault(&line);
    }

    #[test]
    fn no_line_of_likely_bytes_makes_it_panic(line in "[a{}=\",\\\\ #\n1-]{0,60}") {
        let _ = fault(line.as_bytes());
    }
}
