//! Compaction, migration and retention: the same books before, after, and wherever a crash cuts
//! one of them off.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod world;

use farthing_ledger::{
    Books, BooksError, Folded, Generation, Key, Metered, Migrated, Occasion, Retention, Segment,
    Statement, StatementQuery, correct, explain, statement, verify,
};
use farthing_model::{Currency, Resource, Window};
use futures::stream::{BoxStream, StreamExt as _};
use jiff::civil::{Date, date};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result as Stored,
};
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use world::*;

/// Hours of the books: from 10:00 on the first of March to 16:00 on the second.
const HOURS: i64 = 30;

fn hour_at(index: i64) -> Window {
    window(index * 3_600, index * 3_600 + 3_600)
}

fn segment(hour: Window) -> Segment {
    let workload = |name: &str| Some(who(name, Some("research")));
    Segment {
        window: hour,
        spans: vec![
            node("a", "3.97 USD/h", cores(3), hour),
            node("b", "0.41 USD/h", cores(8), hour),
        ],
        samples: vec![
            sample("a", Resource::Cpu, workload("train"), hour, (2_000, 777)),
            sample("a", Resource::Cpu, None, hour, (0, 100)),
            sample("b", Resource::Cpu, workload("serve"), hour, (1_000, 1_500)),
        ],
        uses: vec![],
    }
}

fn metered(hour: Window) -> Metered {
    let segment = segment(hour);
    run(hour, &segment.spans, &segment.samples)
}

fn fill(books: &Books, hours: Range<i64>) {
    for hour in hours.map(hour_at) {
        books.put_segment(&cluster(), &segment(hour)).unwrap();
        books.compact(&cluster(), hour.from()).unwrap();
        let none = Generation::default();
        books.replace_hour(&metered(hour), None, &none, None).unwrap();
    }
}

fn first_day() -> Date {
    date(2026, 3, 1)
}

/// What is read from the books: statements by several keys, every charge, which writings stand.
#[derive(Debug, PartialEq)]
struct View {
    statements: Vec<Statement>,
    charges: Vec<farthing_model::Charge>,
    generations: Vec<Generation>,
    explained: farthing_ledger::Explanation,
}

fn view(books: &Books) -> View {
    view_of(books, 0..HOURS)
}

fn view_of(books: &Books, hours: Range<i64>) -> View {
    let all = window(hours.start * 3_600, hours.end * 3_600);
    let by = [vec![Key::Team], vec![Key::Workload, Key::Node], vec![Key::Hour]];
    let query =
        |by: Vec<Key>| StatementQuery { by, ..StatementQuery::of(cluster(), all, Currency::USD) };
    let statements: Vec<_> =
        by.into_iter().map(|by| statement(books, &query(by)).unwrap()).collect();
    assert!(statements.iter().all(|statement| statement.difference.is_zero()));
    let check = verify(books, &cluster()).unwrap();
    assert!(check.ok, "{:?}", check.first_fault);
    assert_eq!(books.posted_hours(&cluster()).unwrap().len(), hours.clone().count());
    let id = statements[1].rows[0].id.clone();
    View {
        charges: books.charges(&cluster(), all).unwrap(),
        generations: hours
            .map(|index| books.generation(&cluster(), hour_at(index).from()).unwrap())
            .collect(),
        explained: explained(books, all, &id),
        statements,
    }
}

fn explained(books: &Books, all: Window, id: &str) -> farthing_ledger::Explanation {
    let by = vec![Key::Workload, Key::Node];
    explain(books, &StatementQuery { by, ..StatementQuery::of(cluster(), all, Currency::USD) }, id)
        .unwrap()
}

fn names(store: &dyn ObjectStore) -> BTreeSet<String> {
    futures::executor::block_on(async {
        store.list(None).map(|meta| meta.unwrap().location.to_string()).collect().await
    })
}

#[test]
fn a_folded_day_is_read_as_its_hours_were() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(InMemory::new());
    let all = [
        ("a folder", Books::open_folder(folder.path()).unwrap()),
        ("an object store", Books::new(store.clone(), "memory:")),
    ];
    for (kind, books) in all {
        fill(&books, 0..HOURS);
        let before = view(&books);
        assert_eq!(books.loose_days(&cluster(), at(86_400)).unwrap(), [first_day()], "{kind}");
        let folded = books.fold_day(&cluster(), first_day()).unwrap();
        assert_eq!(folded, Folded { days: 1, hours: 14, refused: 0 }, "{kind}");
        assert_eq!(view(&books), before, "{kind}");
        assert_eq!(books.folded_twice(&cluster()).unwrap(), None);
        // Again there is nothing to do; and a program that starts anew reads the same.
        assert_eq!(books.fold_day(&cluster(), first_day()).unwrap(), Folded::default());
        let file = books.charges_file(&cluster(), hour_at(0));
        assert!(file.ends_with("charges/date=2026-03-01/hour=10.parquet"), "{file}");
        let book = books.hour(&cluster(), at(0)).unwrap().unwrap();
        assert!(book.file.ends_with("charges/month=2026-03/day=01.parquet"), "{}", book.file);
    }
    let charges = names(&*store).into_iter().filter(|name| name.contains("/charges/"));
    assert_eq!(charges.count(), 1 + 16, "a day, and the hours of the other");
    let again = Books::open_folder(folder.path()).unwrap();
    assert_eq!(view(&again), view(&Books::new(store, "memory:")));
}

/// An hour of a folded day at another price: it stands in a file of its own until it is folded in
/// again, and whoever knew the writing before is refused.
#[test]
fn an_hour_of_a_folded_day_is_corrected_and_folded_in_again() {
    let books = Books::in_memory();
    fill(&books, 0..HOURS);
    books.fold_day(&cluster(), first_day()).unwrap();
    let (cluster, weights) = (cluster(), weights());
    let known = books.generation(&cluster, at(0)).unwrap();
    let occasion = Occasion {
        cluster: &cluster,
        hour: at(0),
        at: at(900_000),
        why: "price",
        weights: &weights,
        dry_run: false,
    };
    let dearer =
        |segments: &mut Vec<Segment>| segments[0].spans[0].price = known_price("7.97 USD/h");
    let note = correct(&books, occasion, dearer).unwrap().unwrap();
    assert_eq!((note.before, note.after), (usd("4.38"), usd("8.38")));
    let refused = books.replace_hour(&metered(hour_at(0)), None, &known, None).unwrap_err();
    assert!(matches!(refused, BooksError::Conflict { .. }), "{refused}");
    let before = view(&books);
    assert_eq!(books.folded_twice(&cluster).unwrap(), Some(hour_at(0)));
    let folded = books.fold_day(&cluster, first_day()).unwrap();
    assert_eq!(folded, Folded { days: 1, hours: 1, refused: 0 });
    assert_eq!(view(&books), before);
    assert_eq!(books.folded_twice(&cluster).unwrap(), None);
}

fn known_price(rate: &str) -> farthing_model::Price {
    known(rate)
}

/// A store whose writes fail from some write on, as if the power had gone.
struct Failing {
    inner: Arc<InMemory>,
    left: Arc<AtomicI64>,
    /// What others do before a file is read.
    meanwhile: Box<dyn Fn(&Path) + Send + Sync>,
}

fn may(left: &AtomicI64, path: &Path) -> Stored<()> {
    if left.fetch_sub(1, Ordering::SeqCst) > 0 {
        return Ok(());
    }
    Err(object_store::Error::Generic { store: "failing", source: path.to_string().into() })
}

impl Failing {
    fn new(inner: Arc<InMemory>, left: i64) -> Arc<Self> {
        Arc::new(Self { inner, left: Arc::new(AtomicI64::new(left)), meanwhile: Box::new(|_| {}) })
    }

    /// A store that fails never, and in which others do something before each file is read.
    fn shared(
        inner: Arc<InMemory>,
        meanwhile: impl Fn(&Path) + Send + Sync + 'static,
    ) -> Arc<Self> {
        let left = Arc::new(AtomicI64::new(i64::MAX));
        Arc::new(Self { inner, left, meanwhile: Box::new(meanwhile) })
    }
}

impl fmt::Debug for Failing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Failing")
    }
}

impl fmt::Display for Failing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Failing")
    }
}

#[async_trait::async_trait]
impl ObjectStore for Failing {
    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Stored<PutResult> {
        may(&self.left, path)?;
        self.inner.put_opts(path, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Stored<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Stored<GetResult> {
        (self.meanwhile)(path);
        self.inner.get_opts(path, options).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Stored<Path>>,
    ) -> BoxStream<'static, Stored<Path>> {
        let left = self.left.clone();
        self.inner.delete_stream(
            paths.map(move |path| path.and_then(|path| may(&left, &path).map(|()| path))).boxed(),
        )
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Stored<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Stored<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Stored<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// Does something to books that end after each possible write, and then again without an end:
/// what is read is always what it should be, and in the end all is as if nothing had happened.
/// Gives the number of points at which it was cut off.
fn cut_off_anywhere(
    fresh: impl Fn() -> Arc<InMemory>,
    act: impl Fn(&Books) -> Result<(), BooksError>,
    look: impl Fn(&Books),
) -> i64 {
    let undisturbed = fresh();
    act(&Books::new(undisturbed.clone(), "memory:")).unwrap();
    let expected = names(&*undisturbed);
    for points in 0.. {
        let store = fresh();
        let ended = act(&Books::new(Failing::new(store.clone(), points), "memory:"));
        // Another program looks.
        let books = Books::new(store.clone(), "memory:");
        look(&books);
        if ended.is_ok() {
            return points;
        }
        act(&books).unwrap();
        look(&books);
        assert_eq!(names(&*store), expected, "cut off after {points} writes");
    }
    unreachable!("it ends")
}

fn filled(hours: Range<i64>) -> Arc<InMemory> {
    let store = Arc::new(InMemory::new());
    fill(&Books::new(store.clone(), "memory:"), hours);
    store
}

/// From 21:00 on the first to 02:00 on the second: few, where every write is a point at which
/// something is cut off.
const FEW: Range<i64> = 11..16;

/// A copy, as filling takes long.
fn copy_of(store: &InMemory) -> Arc<InMemory> {
    Arc::new(store.fork())
}

#[test]
fn telemetry_that_is_folded_while_it_is_read_is_read_all_the_same() {
    let store = Arc::new(InMemory::new());
    let hour = hour_at(0);
    let writer = Books::new(store.clone(), "memory:");
    let half = |from, to| Segment { window: window(from, to), ..segment(window(from, to)) };
    for part in [half(0, 1_200), half(1_200, 2_400)] {
        writer.put_segment(&cluster(), &part).unwrap();
    }
    let before = writer.segments(&cluster(), hour.from()).unwrap();
    assert_eq!(before.len(), 2);
    let folds = AtomicI64::new(0);
    let shared = Failing::shared(store.clone(), move |_| {
        if folds.fetch_add(1, Ordering::SeqCst) == 0 {
            // On a thread of its own, as another program would.
            let folded = || writer.compact(&cluster(), hour.from()).unwrap();
            std::thread::scope(|threads| threads.spawn(folded).join().unwrap());
        }
    });
    let reader = Books::new(shared, "memory:");
    assert_eq!(reader.segments(&cluster(), hour.from()).unwrap(), before);
}

#[test]
fn folding_that_is_cut_off_anywhere_changes_nothing_and_is_completed() {
    let store = filled(FEW);
    let before = view_of(&Books::new(store.clone(), "memory:"), FEW);
    let points = cut_off_anywhere(
        || copy_of(&store),
        |books| books.fold_day(&cluster(), first_day()).map(|_| ()),
        |books| assert_eq!(view_of(books, FEW), before),
    );
    // The day; and for each of 3 hours a replacement and a deletion.
    assert_eq!(points, 1 + 2 * 3);
}

#[test]
fn letting_go_that_is_cut_off_anywhere_is_no_damage_and_is_completed() {
    let store = filled(FEW);
    let asked =
        Retention { telemetry_before: Some(at(18 * 3_600)), charges_before: Some(at(15 * 3_600)) };
    let points = cut_off_anywhere(
        || copy_of(&store),
        |books| books.release(&cluster(), asked, false).map(|_| ()),
        |books| {
            let check = verify(books, &cluster()).unwrap();
            assert!(check.ok, "{:?}", check.first_fault);
            let query = StatementQuery::of(cluster(), window(0, HOURS * 3_600), Currency::USD);
            assert!(statement(books, &query).unwrap().difference.is_zero());
        },
    );
    // What says it, 3 hours of telemetry, and as many of charges.
    assert_eq!(points, 1 + 3 + 3);
}

#[test]
fn what_is_old_is_let_go_of_and_said_so() {
    let books = Books::new(filled(0..HOURS), "memory:");
    books.fold_day(&cluster(), first_day()).unwrap();
    let asked = Retention { telemetry_before: Some(at(20 * 3_600)), charges_before: None };
    let dry = books.release(&cluster(), asked, true).unwrap();
    assert_eq!((dry.telemetry_hours, dry.charge_hours, dry.files), (14, 0, 14));
    assert_eq!(books.retention(&cluster()).unwrap(), Retention::default(), "nothing is written");
    let done = books.release(&cluster(), asked, false).unwrap();
    assert_eq!(done, dry);
    let kept = books.retention(&cluster()).unwrap();
    assert_eq!(kept.telemetry_before.unwrap().to_string(), "2026-03-02T00:00:00Z");
    assert!(verify(&books, &cluster()).unwrap().ok);
    // The newest day stays, whatever is asked for.
    let all = Retention { telemetry_before: None, charges_before: Some(at(900_000)) };
    let done = books.release(&cluster(), all, false).unwrap();
    assert_eq!((done.telemetry_hours, done.charge_hours, done.files), (0, 14, 1));
    assert_eq!(books.posted_hours(&cluster()).unwrap().len(), 16);
    assert!(verify(&books, &cluster()).unwrap().ok);
    // Nothing is posted into what was let go of.
    let (cluster, weights) = (cluster(), weights());
    let occasion = Occasion {
        cluster: &cluster,
        hour: at(0),
        at: at(900_000),
        why: "late",
        weights: &weights,
        dry_run: false,
    };
    let late = segment(hour_at(0));
    let refused = farthing_ledger::post_segment(&books, occasion, Currency::USD, &late);
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("is not kept any more"), "{refused}");
}

/// Books of the first three formats, as earlier versions wrote them.
fn of_format(format: &str) -> Arc<InMemory> {
    let fixture = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let fixture = fixture.join(format);
    let store = Arc::new(InMemory::new());
    let mut folders = vec![fixture.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&fixture).unwrap().to_str().unwrap();
            let bytes = PutPayload::from(std::fs::read(&path).unwrap());
            let path = Path::parse(name).unwrap();
            let put = store.put_opts(&path, bytes, PutOptions::default());
            futures::executor::block_on(put).unwrap();
        }
    }
    store
}

#[test]
fn books_of_earlier_formats_are_written_again_and_say_the_same() {
    for format in ["format-1", "format-2", "format-3"] {
        let store = of_format(format);
        let all = |books: &Books| {
            let check = verify(books, &cluster()).unwrap();
            assert!(check.ok, "{:?}", check.first_fault);
            (books.charges(&cluster(), hour()).unwrap(), books.segments(&cluster(), at(0)).unwrap())
        };
        let before = all(&Books::new(store.clone(), "memory:"));
        let points = cut_off_anywhere(
            || copy_of(&store),
            |books| books.migrate(&cluster(), false).map(|_| ()),
            |books| assert_eq!(all(books), before),
        );
        assert_eq!(points, 3, "{format}: an hour of charges and two ticks");
        let books = Books::new(copy_of(&store), "memory:");
        let to_do = Migrated { charges: 1, telemetry: 2, current: 0 };
        assert_eq!(books.migrate(&cluster(), true).unwrap(), to_do, "a dry run");
        assert_eq!(books.migrate(&cluster(), false).unwrap(), to_do);
        let done = Migrated { charges: 0, telemetry: 0, current: 3 };
        assert_eq!(books.migrate(&cluster(), false).unwrap(), done);
        // Folding takes old hours too.
        let books = Books::new(copy_of(&store), "memory:");
        assert_eq!(books.fold_day(&cluster(), first_day()).unwrap().hours, 1);
        assert_eq!(all(&books), before);
    }
}

/// A writer that replaces an hour while its day is folded: its writing stands.
#[test]
fn a_writer_that_comes_between_stands() {
    let store = filled(0..HOURS);
    let books = Books::new(store.clone(), "memory:");
    // The day is written, and the first hour is still there.
    let failing = Failing::new(store.clone(), 1);
    assert!(Books::new(failing, "memory:").fold_day(&cluster(), first_day()).is_err());
    let known = books.generation(&cluster(), at(0)).unwrap();
    let mut dearer = segment(hour_at(0));
    dearer.spans[0].price = known_price("7.97 USD/h");
    books.put_segment(&cluster(), &dearer).unwrap();
    books.compact(&cluster(), at(0)).unwrap();
    let new = run(hour_at(0), &dearer.spans, &dearer.samples);
    books.replace_hour(&new, None, &known, None).unwrap();
    let before = view(&books);
    assert_eq!(before.statements[0].paid, usd("135.40"));
    books.fold_day(&cluster(), first_day()).unwrap();
    assert_eq!(view(&books), before);
    // One that finds an hour given up, as folding was cut off there, is refused.
    let store = filled(0..HOURS);
    let failing = Failing::new(store.clone(), 2);
    assert!(Books::new(failing, "memory:").fold_day(&cluster(), first_day()).is_err());
    let books = Books::new(store, "memory:");
    let known = books.generation(&cluster(), at(0)).unwrap();
    let refused = books.replace_hour(&new, None, &known, None).unwrap_err();
    assert!(matches!(refused, BooksError::Folding { .. }), "{refused}");
}
