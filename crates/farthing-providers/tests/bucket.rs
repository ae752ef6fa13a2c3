//! Buckets against a server that speaks the API of S3: what the books ask of a store, and the
//! conditions that keep two writers apart.
#![cfg(feature = "cloud")]
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

mod moto;

use farthing_providers::bucket;
use moto::Server;
use object_store::path::Path;
use object_store::{
    Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt as _, PutMode, PutPayload,
    UpdateVersion,
};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// The client blocks, so that a future of it is done when it is first asked.
fn now<T>(future: impl Future<Output = T>) -> T {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits for something"),
    }
}

fn open(server: &Server, url: &str) -> Arc<dyn ObjectStore> {
    let settings = [
        ("AWS_ENDPOINT_URL", format!("http://{}", server.address)),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AZURE_STORAGE_ACCOUNT_NAME", "of another cloud".to_owned()),
    ];
    let settings = settings.map(|(key, value)| (key.to_owned(), value));
    bucket::open(&url.parse().unwrap(), settings).unwrap()
}

#[test]
fn the_second_of_two_writers_is_refused() {
    let Some(server) = Server::start() else { return };
    let store = open(&server, "s3://finops/books/eu");
    let path = Path::from("cluster=a/charges/hour=10.parquet");
    let put = |mode: PutMode, text: &'static str| {
        now(store.put_opts(&path, PutPayload::from_static(text.as_bytes()), mode.into()))
    };
    let first = put(PutMode::Create, "first").unwrap();
    assert!(matches!(put(PutMode::Create, "other"), Err(Error::AlreadyExists { .. })));
    let known = UpdateVersion { e_tag: first.e_tag, version: first.version };
    let second = put(PutMode::Update(known.clone()), "second").unwrap();
    let refused = put(PutMode::Update(known), "third");
    assert!(matches!(refused, Err(Error::Precondition { .. })), "{refused:?}");
    let read = now(async { store.get(&path).await?.bytes().await }).unwrap();
    assert_eq!(&read[..], b"second");
    // Under its prefix, and nowhere else.
    assert_eq!(server.keys(), ["books/eu/cluster=a/charges/hour=10.parquet"]);
    // The end of a file, if it still is the one that was read.
    let tail = |if_match: Option<String>| {
        let options =
            GetOptions { range: Some(GetRange::Suffix(3)), if_match, ..GetOptions::default() };
        now(async { store.get_opts(&path, options).await?.bytes().await })
    };
    assert_eq!(&tail(second.e_tag).unwrap()[..], b"ond");
    assert!(matches!(tail(Some("\"0123\"".to_owned())), Err(Error::Precondition { .. })));
    let listed = now(store.list_with_delimiter(None)).unwrap();
    assert_eq!(listed.common_prefixes, [Path::from("cluster=a")]);
    now(store.delete(&path)).unwrap();
    assert!(matches!(now(store.get(&path)), Err(Error::NotFound { .. })));
}

#[test]
fn a_server_that_is_not_there_is_an_error() {
    let url = "s3://finops/books".parse().unwrap();
    let settings = [
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ];
    let settings = settings.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let store = bucket::open(&url, settings).unwrap();
    let error = now(store.get(&Path::from("a"))).unwrap_err().to_string();
    assert!(error.contains("127.0.0.1:9"), "{error}");
}
