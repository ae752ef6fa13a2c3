use super::*;
use farthing_edge::{MemoryStore, conformance};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

fn signer() -> (tempfile::TempDir, PathBuf, Arc<Signer>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signing.key");
    let signer = Arc::new(Signer::open(&path).unwrap());
    (folder, path, signer)
}

fn note(second: i64, kind: RecordKind) -> NewRecord {
    NewRecord { at: Timestamp::from_second(second).unwrap(), kind, body: format!("{second}") }
}

fn lab() -> ClusterId {
    ClusterId::new("lab").unwrap()
}

/// A journal with four checkpoints: at its begin, after 1,000 records, after an hour, at its end.
fn journal(signer: &Arc<Signer>) -> Vec<Record> {
    let mut store = Signed::new(MemoryStore::default(), lab(), Arc::clone(signer));
    let mut add = |records: &[NewRecord]| {
        let head = store.head().unwrap();
        store.append(&head, records).unwrap().len()
    };
    assert_eq!(add(&[note(0, RecordKind::Started)]), 2, "the begin");
    for second in 1..1_000 {
        assert_eq!(add(&[note(second, RecordKind::Noted)]), 1, "{second}");
    }
    assert_eq!(add(&[note(1_000, RecordKind::Noted)]), 2, "the thousandth");
    assert_eq!(add(&[note(4_599, RecordKind::Noted)]), 1);
    assert_eq!(add(&[note(4_600, RecordKind::Noted)]), 2, "an hour later");
    assert_eq!(add(&[note(4_601, RecordKind::Closed)]), 2, "the end");
    store.read(1, usize::MAX).unwrap()
}

fn audit(records: &[Record], trusted: &[PublicKey]) -> (u64, u64, Option<String>) {
    let mut audit = Audit::new("lab", trusted);
    for record in records {
        audit.see(record);
    }
    (audit.checkpoints, audit.signed, audit.first_fault.map(|fault| fault.to_string()))
}

#[test]
fn a_signed_store_is_a_store() {
    // With a checkpoint of its own in front, as the contract counts records.
    let (_folder, _, signer) = signer();
    let mut store = Signed::new(MemoryStore::default(), lab(), signer);
    store.since = Some((0, Timestamp::from_second(1_800_000_000).unwrap()));
    let store = std::cell::RefCell::new(Some(store));
    let fresh = || {
        let mut one = Signed::new(
            MemoryStore::default(),
            lab(),
            Arc::clone(&store.borrow().as_ref().unwrap().signer),
        );
        one.since = Some((0, Timestamp::from_second(1_800_000_000).unwrap()));
        Box::new(one) as Box<dyn Store>
    };
    conformance::store(fresh);
}

#[test]
fn checkpoints_come_when_they_are_due_and_hold() {
    let (_folder, _, signer) = signer();
    let records = journal(&signer);
    assert_eq!(chain::verify(&Head::GENESIS, &records).unwrap().seq, 1_008);
    assert_eq!(audit(&records, &[]), (4, 1_007, None));
    assert_eq!(audit(&records, &[signer.public()]), (4, 1_007, None));
}

/// Someone who can write the whole journal makes the chain hold again, and has no key.
#[test]
fn a_journal_that_was_written_anew_is_found() {
    let (_folder, _, signer) = signer();
    let records = journal(&signer);
    let mut news: Vec<NewRecord> = records
        .iter()
        .map(|record| NewRecord { at: record.at, kind: record.kind, body: record.body.clone() })
        .collect();
    news[500].body = "something else".to_owned();
    let forged = chain::seal(&Head::GENESIS, &news);
    assert!(chain::verify(&Head::GENESIS, &forged).is_ok());
    let said = audit(&forged, &[signer.public()]).2.unwrap();
    assert_eq!(said, "record 1003: a checkpoint of another record than the one before it");
    // With a key of his own his checkpoints hold, and only who knows the right key sees it.
    let (_other_folder, _, other) = self::signer();
    let mut forged = Signed::new(MemoryStore::default(), lab(), Arc::clone(&other));
    forged.append(&Head::GENESIS, &news[..1]).unwrap();
    let forged = forged.read(1, 10).unwrap();
    assert_eq!(audit(&forged, &[]).2, None);
    let said = audit(&forged, &[signer.public()]).2.unwrap();
    assert!(said.ends_with("which is not one that is trusted"), "{said}");
}

#[test]
fn any_byte_of_a_checkpoint_is_held() {
    let (_folder, _, signer) = signer();
    let good = &journal(&signer)[..2];
    for at in 0..good[1].body.len() {
        let mut bytes = good[1].body.clone().into_bytes();
        bytes[at] ^= 1;
        let mut news: Vec<NewRecord> = Vec::new();
        for record in good {
            news.push(NewRecord { at: record.at, kind: record.kind, body: record.body.clone() });
        }
        news[1].body = String::from_utf8(bytes).unwrap();
        let forged = chain::seal(&Head::GENESIS, &news);
        let (held, _, fault) = audit(&forged, &[signer.public()]);
        assert!(fault.is_some() || held == 0, "byte {at}: {}", news[1].body);
    }
}

#[test]
fn a_key_is_made_once_and_for_its_owner_only() {
    let (folder, path, signer) = signer();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    assert_eq!(Signer::open(&path).unwrap().public(), signer.public());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let error = Signer::open(&path).unwrap_err().to_string();
    assert!(error.ends_with("others may read this key (mode 640): `chmod 600` it"), "{error}");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&path, "nothing").unwrap();
    let error = Signer::open(&path).unwrap_err().to_string();
    assert!(error.contains("openssl genpkey -algorithm ed25519"), "{error}");
    let public = folder.path().join("public.pem");
    std::fs::write(&public, signer.public().to_pem()).unwrap();
    assert_eq!(PublicKey::load(&public).unwrap(), signer.public());
    assert_eq!(signer.public().to_string().parse::<PublicKey>().unwrap(), signer.public());
    assert!("12".parse::<PublicKey>().is_err());
}

/// Keys that `openssl` makes are taken, and it reads ours.
#[test]
fn keys_are_those_of_openssl() {
    let folder = tempfile::tempdir().unwrap();
    let openssl = |arguments: &[&str]| {
        let mut run = std::process::Command::new("openssl");
        run.args(arguments).current_dir(&folder).stderr(std::process::Stdio::null());
        run.status().is_ok_and(|status| status.success())
    };
    if !openssl(&["genpkey", "-algorithm", "ed25519", "-out", "theirs.pem"]) {
        assert!(std::env::var_os("CI").is_none(), "there is no openssl");
        println!("left out: there is no openssl that knows Ed25519");
        return;
    }
    assert!(openssl(&["pkey", "-in", "theirs.pem", "-pubout", "-out", "public.pem"]));
    let (theirs, public) = (folder.path().join("theirs.pem"), folder.path().join("public.pem"));
    std::fs::set_permissions(&theirs, std::fs::Permissions::from_mode(0o600)).unwrap();
    let signer = Signer::load(&theirs).unwrap();
    assert_eq!(PublicKey::load(&public).unwrap(), signer.public());
    std::fs::write(folder.path().join("ours.pem"), signer.public().to_pem()).unwrap();
    assert!(openssl(&["pkey", "-pubin", "-in", "ours.pem", "-noout"]));
}
