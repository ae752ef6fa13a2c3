//! Books in the object stores of other clouds: the program against Azurite and a stand-in for
//! Google Cloud Storage, both on loopback.
#![cfg(feature = "cloud")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs, reason = "tests")]

#[path = "clouds/azurite.rs"]
mod azurite;
#[path = "clouds/google.rs"]
mod google;
mod program;

use azurite::Azurite;
use google::Google;
use program::cloud::{Cloud, the_same_books, two_writers};

#[test]
fn books_in_azure_are_the_same_books() {
    let Some(azure) = Azurite::start() else { return };
    the_same_books(&Cloud::new("az://finops/farthing/eu", azure.settings()));
    two_writers(&Cloud::new("az://finops/two", azure.settings()));
}

#[test]
fn books_in_google_cloud_storage_are_the_same_books() {
    let google = Google::start();
    the_same_books(&Cloud::new("gs://finops/farthing/eu", google.settings()));
    let names = google.names();
    assert!(
        names.iter().all(|name| name.starts_with("farthing/eu/cluster=imported/")),
        "{names:?}"
    );
    assert!(names.iter().any(|name| name.ends_with("charges/date=2026-11-02/hour=10.parquet")));
    two_writers(&Cloud::new("gs://finops/two", google.settings()));
}
