use super::super::{From, Options};
use super::*;
use std::fs::FileTimes;

const HEADER: &str = "provider,region,zone,instance_type,accelerator,accelerator_count,\
    vcpus,memory_gib,storage_gib,purchase,price,currency,unit,source,as_of,available";

struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap() };
        world.write("1.5", "2026-11-24");
        world
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("p.csv")
    }

    /// Writes the book, an hour ago: what changed just now is not kept.
    fn write(&self, price: &str, day: &str) {
        let row = |zone: &str, purchase: &str, price: &str| {
            format!(
                "aws,eu-west-1,{zone},p5,H100,8,192,2048,,{purchase},{price},USD,hour,me,{day},3"
            )
        };
        let rows = [row("a", "on-demand", price), row("b", "spot", "1"), row("c", "spot", "0")];
        let text = format!("{HEADER}\n{}\nbad,row\n", rows.join("\n"));
        fs::write(self.path(), text).unwrap();
        let before = SystemTime::now() - Duration::from_secs(3_600);
        let file = File::options().write(true).open(self.path()).unwrap();
        file.set_times(FileTimes::new().set_modified(before)).unwrap();
    }

    fn slot(&self) -> Slot {
        let files = super::super::import::folder::files(&self.path()).unwrap();
        // The time of change of a file cannot be set, so the test says that it is settled.
        let slot = Slot::of(&files, &self.folder.path().join("cache")).unwrap();
        Slot { settled: true, ..slot }
    }

    fn fill(&self) -> Catalogue {
        let today = Some("2026-11-25".parse().unwrap());
        let (catalogue, days) =
            Catalogue::read(&[self.path()], &Options { today, ..Options::default() }).unwrap();
        self.slot().keep(&catalogue, days);
        catalogue
    }

    fn find(&self, today: &str) -> Kept {
        self.slot().find(Some(today.parse().unwrap()))
    }

    fn cached(&self) -> PathBuf {
        let mut entries = fs::read_dir(self.folder.path().join("cache")).unwrap();
        entries.next().unwrap().unwrap().path()
    }
}

#[test]
fn what_is_kept_comes_back_whole() {
    let world = World::new();
    assert!(matches!(world.find("2026-11-25"), Kept::Nothing));
    let catalogue = world.fill();
    let Kept::Found(found) = world.find("2026-11-26") else { panic!("is not found") };
    assert_eq!(found.table.offers(), catalogue.table.offers());
    assert_eq!(found.excluded, catalogue.excluded);
    assert_eq!(found.as_of, catalogue.as_of);
    let texts = |catalogue: &Catalogue| -> Vec<String> {
        catalogue.faults.iter().map(ToString::to_string).collect()
    };
    assert_eq!(texts(&found), texts(&catalogue));
    assert_eq!(found.from, From::Cache);
}

#[test]
fn a_changed_file_is_read_again() {
    let world = World::new();
    world.fill();
    world.write("2.5", "2026-11-24");
    assert!(matches!(world.find("2026-11-25"), Kept::Nothing));
}

#[test]
fn a_day_on_which_the_files_say_something_else_is_not_answered() {
    let world = World::new();
    world.write("1.5", "2026-11-24");
    world.fill();
    assert!(matches!(world.find("2026-11-24"), Kept::Found(_)));
    assert!(matches!(world.find("2026-11-23"), Kept::Nothing));
}

/// Any byte that is changed or missing is noticed, wherever it is.
#[test]
fn damage_is_found() {
    let world = World::new();
    world.fill();
    let path = world.cached();
    let good = fs::read(&path).unwrap();
    for at in (0..good.len()).step_by(7) {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        fs::write(&path, &bad).unwrap();
        assert!(matches!(world.find("2026-11-25"), Kept::Damaged), "byte {at}");
    }
    for len in [0, 7, 11, 12, good.len() / 2, good.len() - 1] {
        fs::write(&path, &good[..len]).unwrap();
        assert!(matches!(world.find("2026-11-25"), Kept::Damaged), "{len} bytes");
    }
    fs::write(&path, &good).unwrap();
    assert!(matches!(world.find("2026-11-25"), Kept::Found(_)));
}

#[test]
fn a_file_that_changed_just_now_is_not_kept() {
    let world = World::new();
    fs::write(world.path(), fs::read(world.path()).unwrap()).unwrap();
    let files = super::super::import::folder::files(&world.path()).unwrap();
    assert!(!Slot::of(&files, world.folder.path()).unwrap().settled);
}
