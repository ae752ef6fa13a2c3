//! Hours that are posted again: late samples, corrected prices, and two writers of one hour.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod world;

use farthing_ledger::{
    Books, BooksError, CorrectError, Correction, Generation, Metered, Occasion, Posting, Segment,
    StatementQuery, correct, post_segment, statement, verify,
};
use farthing_model::{ClusterId, Currency, NodeSpan, Resource, Window};
use jiff::Timestamp;
use object_store::memory::InMemory;
use std::sync::Arc;
use world::*;

fn books() -> Vec<(&'static str, Books, Option<tempfile::TempDir>)> {
    let folder = tempfile::tempdir().unwrap();
    let in_folder = Books::open_folder(folder.path()).unwrap();
    let store = Books::new(Arc::new(InMemory::new()), "memory:");
    vec![("a folder", in_folder, Some(folder)), ("an object store", store, None)]
}

fn segment(rate: &str, window: Window, workload: &str) -> Segment {
    Segment {
        window,
        spans: vec![node("n", rate, cores(4), window)],
        samples: vec![sample("n", Resource::Cpu, Some(who(workload, None)), window, (2_000, 500))],
        uses: vec![],
    }
}

/// Two half hours of one node, posted.
fn posted(books: &Books) -> Metered {
    let segments =
        [segment("4 USD/h", window(0, 1_800), "a"), segment("4 USD/h", window(1_800, 3_600), "a")];
    for segment in &segments {
        books.put_segment(&cluster(), segment).unwrap();
    }
    let spans: Vec<_> = segments.iter().flat_map(|segment| segment.spans.clone()).collect();
    let samples: Vec<_> = segments.iter().flat_map(|segment| segment.samples.clone()).collect();
    let metered = run(hour(), &spans, &samples);
    books.put_hour(&metered).unwrap();
    metered
}

fn later() -> Timestamp {
    at(90_000)
}

fn corrected(
    books: &Books,
    why: &str,
    change: impl FnOnce(&mut Vec<Segment>),
) -> Result<Option<Correction>, CorrectError> {
    let (cluster, weights): (ClusterId, _) = (cluster(), weights());
    let occasion = Occasion {
        cluster: &cluster,
        hour: at(5),
        at: later(),
        why,
        weights: &weights,
        dry_run: false,
    };
    correct(books, occasion, change)
}

/// Doubles the price of the second half hour.
#[expect(clippy::ptr_arg, reason = "the form that `correct` asks for")]
fn double(segments: &mut Vec<Segment>) {
    for span in segments.iter_mut().flat_map(|segment| &mut segment.spans) {
        let of_late = |span: &NodeSpan| span.window.from() >= at(1_800);
        if of_late(span) {
            span.price = known("8 USD/h");
        }
    }
}

#[test]
fn a_price_correction_meters_the_hour_again_and_says_so() {
    for (kind, books, _folder) in books() {
        posted(&books);
        let note = corrected(&books, "price of g5.xlarge\tcorrected", double).unwrap().unwrap();
        assert_eq!((note.before, note.after), (usd("4"), usd("6")), "{kind}");
        let check = verify(&books, &cluster()).unwrap();
        assert!(check.ok, "{kind}: {:?}", check.first_fault);
        let (file, kept) = &check.corrections[0];
        assert!(file.ends_with("hour=10.parquet"), "{file}");
        assert_eq!(
            kept.to_string(),
            "corrected at 2026-03-02T11:00:00Z: price of g5.xlarge corrected \
             (4.00 USD before, 6.00 USD after)"
        );
        let query = StatementQuery::of(cluster(), hour(), Currency::USD);
        let statement = statement(&books, &query).unwrap();
        assert_eq!((statement.paid, statement.difference), (usd("6"), usd("0")));
        assert_eq!(statement.corrections.len(), 1);
        // The same again changes nothing, and says nothing new.
        assert_eq!(corrected(&books, "again", double).unwrap(), None);
        assert_eq!(verify(&books, &cluster()).unwrap().corrections.len(), 1);
    }
}

#[test]
fn late_samples_replace_the_hour_whole() {
    for (kind, books, _folder) in books() {
        let before = posted(&books);
        // Samples of another workload in time that is metered already, and of the same ones again.
        let late = |segments: &mut Vec<Segment>| {
            let mut late = segment("4 USD/h", window(600, 1_200), "b");
            late.spans.clear();
            late.samples.push(segments[0].samples[0].clone());
            segments.push(late);
        };
        let note = corrected(&books, "late samples", late).unwrap().unwrap();
        assert_eq!((note.before, note.after), (before.paid, before.paid), "{kind}: a sum stays");
        let charges = books.charges(&cluster(), hour()).unwrap();
        let of = |name: &str| {
            let its = charges.iter().filter(|charge| {
                charge.attribution.as_ref().is_some_and(|who| who.workload.as_str() == name)
            });
            its.map(|charge| charge.cost.pico()).sum::<i128>()
        };
        // Ten minutes of 2 cores of 4 at 4 USD; a has what it had.
        assert_eq!((of("a"), of("b")), (usd("2").pico(), usd("2").pico() / 6));
        assert!(verify(&books, &cluster()).unwrap().ok, "{kind}");
    }
}

fn added(books: &Books, segment: &Segment) -> Result<Posting, CorrectError> {
    let (cluster, weights) = (cluster(), weights());
    let occasion = Occasion {
        cluster: &cluster,
        hour: segment.window.from(),
        at: later(),
        why: "late",
        weights: &weights,
        dry_run: false,
    };
    post_segment(books, occasion, Currency::USD, segment)
}

/// What goes on is no correction; what changes time that was posted is one.
#[test]
fn an_hour_that_reaches_further_is_not_corrected_and_one_that_changes_is() {
    for (kind, books, _folder) in books() {
        let first = segment("3 USD/h", window(600, 1_800), "a");
        let posting = added(&books, &first).unwrap();
        assert_eq!((posting.correction, posting.metered.paid), (None, usd("1")));
        assert_eq!(added(&books, &first).unwrap().correction, None, "{kind}: twice is once");
        // Later, and earlier.
        for part in [window(1_800, 3_600), window(0, 600)] {
            let posting = added(&books, &segment("3 USD/h", part, "a")).unwrap();
            assert_eq!(posting.correction, None, "{kind}");
        }
        let statement = |books: &Books| {
            let query = StatementQuery::of(cluster(), hour(), Currency::USD);
            statement(books, &query).unwrap()
        };
        assert_eq!((statement(&books).paid, statement(&books).corrections.len()), (usd("3"), 0));
        let dearer = added(&books, &segment("6 USD/h", window(0, 600), "a")).unwrap();
        let note = dearer.correction.unwrap();
        assert_eq!((note.before, note.after), (usd("3"), usd("3.5")), "{kind}");
        assert_eq!((note.why.as_str(), note.hour), ("late: other prices", hour()));
        let (now, check) = (statement(&books), verify(&books, &cluster()).unwrap());
        assert_eq!((now.difference, now.corrections), (usd("0"), vec![note]));
        assert!(check.ok, "{kind}: {:?}", check.first_fault);
        let mut euro = segment("4 EUR/h", window(0, 600), "a");
        euro.uses.clear();
        let (cluster, weights) = (cluster(), weights());
        let occasion = Occasion {
            cluster: &cluster,
            hour: at(0),
            at: later(),
            why: "late",
            weights: &weights,
            dry_run: false,
        };
        let refused = post_segment(&books, occasion, "EUR".parse().unwrap(), &euro).unwrap_err();
        assert!(matches!(refused, CorrectError::Currency { .. }), "{kind}: {refused}");
    }
}

#[test]
fn only_what_is_posted_and_measured_can_be_corrected() {
    let books = Books::in_memory();
    assert!(matches!(corrected(&books, "x", double), Err(CorrectError::NotPosted(_))));
    let spans = [node("n", "4 USD/h", cores(4), hour())];
    books.put_hour(&run(hour(), &spans, &[])).unwrap();
    assert!(matches!(corrected(&books, "x", double), Err(CorrectError::NoTelemetry(_))));
}

/// A crash after telemetry was corrected and before charges were: it shows, and doing it again
/// completes it.
#[test]
fn a_correction_that_was_cut_short_is_completed() {
    let books = Books::in_memory();
    posted(&books);
    books.put_segment(&cluster(), &segment("8 USD/h", window(1_800, 3_600), "a")).unwrap();
    let check = verify(&books, &cluster()).unwrap();
    assert_eq!(
        check.first_fault.unwrap().what,
        "metering the telemetry again gives another charge"
    );
    corrected(&books, "price", double).unwrap().unwrap();
    assert!(verify(&books, &cluster()).unwrap().ok);
}

#[test]
fn the_second_of_two_writers_is_refused() {
    for (kind, books, _folder) in books() {
        let half = |rate: &str, to| run(window(0, to), &[node("n", rate, cores(4), hour())], &[]);
        let none = books.generation(&cluster(), at(0)).unwrap();
        assert_eq!((none.clone(), none.is_posted()), (Generation::default(), false));
        let first = books.replace_hour(&half("4 USD/h", 600), None, &none, None).unwrap();
        assert_eq!(books.generation(&cluster(), at(0)).unwrap(), first, "{kind}");
        // Another one that saw the same hour before.
        let refused = books.replace_hour(&half("8 USD/h", 600), None, &none, None).unwrap_err();
        assert!(matches!(refused, BooksError::Conflict { .. }), "{kind}: {refused}");
        assert!(refused.to_string().contains("posted by another writer"), "{refused}");
        // The first goes on, and may repeat itself: a time-out is no conflict.
        let second = books.replace_hour(&half("4 USD/h", 1_200), None, &first, None).unwrap();
        let again = books.replace_hour(&half("4 USD/h", 1_200), None, &first, None).unwrap();
        assert_eq!(again, second, "{kind}");
        let book = books.hour(&cluster(), at(0)).unwrap().unwrap();
        assert_eq!((book.generation.clone(), book.window), (second.clone(), window(0, 1_200)));
        let refused = books.replace_hour(&half("4 USD/h", 1_300), None, &first, None);
        assert!(matches!(refused, Err(BooksError::Conflict { .. })), "{kind}");
    }
}

/// Eight threads post the same hour, each from what it saw: one of each round is taken.
#[test]
fn of_many_writers_at_once_one_is_taken() {
    for (kind, books, _folder) in books() {
        for round in 0..10 {
            let known = books.generation(&cluster(), at(0)).unwrap();
            let taken: usize = std::thread::scope(|scope| {
                let writers: Vec<_> = (0..8)
                    .map(|writer| {
                        let (books, known) = (&books, &known);
                        scope.spawn(move || {
                            let rate = format!("{}.{writer} USD/h", round + 1);
                            let spans = [node("n", &rate, cores(4), hour())];
                            let metered = run(hour(), &spans, &[]);
                            usize::from(books.replace_hour(&metered, None, known, None).is_ok())
                        })
                    })
                    .collect();
                writers.into_iter().map(|writer| writer.join().unwrap()).sum()
            });
            assert_eq!(taken, 1, "{kind}, round {round}");
        }
    }
}

/// Two corrections of one hour at once: the second sees that the telemetry that it read is no
/// longer there, changes nothing, and done again it corrects what the first one left.
#[test]
fn of_two_corrections_at_once_none_is_lost() {
    let price = |segments: &mut Vec<Segment>, half: usize, rate: &str| {
        segments[half].spans[0].price = known(rate);
    };
    for (kind, books, _folder) in books() {
        posted(&books);
        let second = corrected(&books, "the second half", |segments| {
            corrected(&books, "the first half", |segments| price(segments, 0, "6 USD/h"))
                .unwrap()
                .unwrap();
            price(segments, 1, "8 USD/h");
        });
        let refused = matches!(second, Err(CorrectError::Books(BooksError::Conflict { .. })));
        assert!(refused, "{kind}: {second:?}");
        let check = verify(&books, &cluster()).unwrap();
        assert!(check.ok, "{kind}: {:?}", check.first_fault);
        let paid = || books.hour(&cluster(), at(0)).unwrap().unwrap().paid;
        assert_eq!(paid(), usd("5"), "{kind}: 3 + 2");
        corrected(&books, "the second half", |segments| price(segments, 1, "8 USD/h")).unwrap();
        assert_eq!(paid(), usd("7"), "{kind}: 3 + 4");
        assert!(verify(&books, &cluster()).unwrap().ok);
    }
}

/// A tick that is written while an hour is corrected is not deleted with those that were read.
#[test]
fn a_tick_that_comes_during_a_correction_stays() {
    for (kind, books, _folder) in books() {
        let first = segment("4 USD/h", window(0, 1_800), "a");
        books.put_segment(&cluster(), &first).unwrap();
        books.put_hour(&run(window(0, 1_800), &first.spans, &first.samples)).unwrap();
        let next = segment("4 USD/h", window(1_800, 3_600), "b");
        corrected(&books, "another price", |segments| {
            books.put_segment(&cluster(), &next).unwrap();
            segments[0].spans[0].price = known("6 USD/h");
        })
        .unwrap();
        let kept = books.segments(&cluster(), at(0)).unwrap();
        assert_eq!(kept.len(), 2, "{kind}");
        assert_eq!(kept[1], next, "{kind}");
    }
}
