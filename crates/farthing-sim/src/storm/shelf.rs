//! The shelf: where the books keep their files, behind the door of the outside. Each file is
//! written whole or not at all, as in a folder a renamed file is; what goes wrong is that a call
//! fails, that its answer is lost, and that the process stops before or after it.

use super::defect::Defect;
use super::outside::{Hub, Process};
use super::trouble::Op;
use farthing_model::Window;
use futures::stream::{self, BoxStream, StreamExt as _};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, tz::Offset};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Extensions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result as Stored,
};
use std::fmt;
use std::sync::Arc;

/// A shelf, as one process reaches it.
pub(super) struct Shelf {
    hub: Arc<Hub>,
    files: Arc<InMemory>,
    process: Process,
}

impl Shelf {
    pub(super) fn new(hub: &Arc<Hub>, process: Process) -> Self {
        let files = Arc::clone(&hub.outside().files);
        Self { hub: Arc::clone(hub), files, process }
    }
}

impl fmt::Debug for Shelf {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Shelf({})", self.process)
    }
}

impl fmt::Display for Shelf {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "storm")
    }
}

/// What writing a file is.
fn writing(path: &Path) -> Op {
    let text = path.as_ref();
    if text.contains("/charges/") {
        Op::PostCharges
    } else if text.ends_with("/hour.parquet") {
        Op::FoldTelemetry
    } else {
        Op::KeepTelemetry
    }
}

/// The window that the name of a file of telemetry says.
fn window_of(path: &Path) -> Option<Window> {
    let mut parts = path.as_ref().rsplit('/');
    let (from, to) = parts.next()?.strip_suffix(".parquet")?.split_once('-')?;
    let hour: i8 = parts.next()?.strip_prefix("hour=")?.parse().ok()?;
    let date: Date = parts.next()?.strip_prefix("date=")?.parse().ok()?;
    let hour = Offset::UTC.to_timestamp(date.at(hour, 0, 0, 0)).ok()?;
    let at = |text: &str| -> Option<Timestamp> {
        let minutes: i64 = text.get(..2)?.parse().ok()?;
        let (seconds, nanos) = text.get(2..)?.split_once('.')?;
        let (seconds, nanos) = (seconds.parse::<i64>().ok()?, nanos.parse::<i64>().ok()?);
        let after = SignedDuration::from_secs(minutes * 60 + seconds);
        hour.checked_add(after + SignedDuration::from_nanos(nanos)).ok()
    };
    Window::new(at(from)?, at(to)?).ok()
}

#[async_trait::async_trait]
impl ObjectStore for Shelf {
    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Stored<PutResult> {
        let op = writing(path);
        let pending = self
            .hub
            .begin((self.process, op), path.as_ref())
            .map_err(|it| it.stored(path.as_ref()))?;
        let defect = self.hub.outside().defect;
        let loses = match op {
            Op::KeepTelemetry => defect == Some(Defect::LosesTelemetry),
            Op::PostCharges => defect == Some(Defect::LosesCharges),
            _ => false,
        };
        let put = if loses {
            PutResult { e_tag: None, version: None, extensions: Extensions::default() }
        } else {
            self.files.put_opts(path, payload, options).await?
        };
        if op == Op::KeepTelemetry
            && let Some(window) = window_of(path)
        {
            self.hub.outside().auditor.kept(window);
        }
        self.hub.end(self.process, pending).map_err(|it| it.stored(path.as_ref()))?;
        Ok(put)
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Stored<Box<dyn MultipartUpload>> {
        self.files.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Stored<GetResult> {
        let stored = |broken: super::outside::Broken| broken.stored(path.as_ref());
        let pending =
            self.hub.begin((self.process, Op::ReadBooks), path.as_ref()).map_err(stored)?;
        let got = self.files.get_opts(path, options).await;
        self.hub.end(self.process, pending).map_err(stored)?;
        got
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Stored<Path>>,
    ) -> BoxStream<'static, Stored<Path>> {
        let (hub, files, process) = (Arc::clone(&self.hub), Arc::clone(&self.files), self.process);
        let delete = move |path: Stored<Path>| {
            let (hub, files) = (Arc::clone(&hub), Arc::clone(&files));
            async move {
                let path = path?;
                let stored = |broken: super::outside::Broken| broken.stored(path.as_ref());
                let pending =
                    hub.begin((process, Op::DeleteBooks), path.as_ref()).map_err(stored)?;
                files.delete(&path).await?;
                hub.end(process, pending).map_err(stored)?;
                Ok(path)
            }
        };
        paths.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Stored<ObjectMeta>> {
        let name = prefix.map(ToString::to_string).unwrap_or_default();
        let called = self.hub.call((self.process, Op::ListBooks), &name, |_| ());
        match called {
            Ok(()) => self.files.list(prefix),
            Err(broken) => stream::iter([Err(broken.stored(&name))]).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Stored<ListResult> {
        self.files.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Stored<()> {
        self.files.copy_opts(from, to, options).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_say_what_they_are() {
        let of = |text: &str| writing(&Path::from(text));
        let hour = "cluster=a/telemetry/date=2026-11-02/hour=07";
        assert_eq!(of("cluster=a/charges/date=2026-11-02/hour=07.parquet"), Op::PostCharges);
        assert_eq!(of(&format!("{hour}/hour.parquet")), Op::FoldTelemetry);
        let tick = format!("{hour}/3000.000000000-6000.000000000.parquet");
        assert_eq!(of(&tick), Op::KeepTelemetry);
        let window = window_of(&Path::from(tick)).unwrap();
        assert_eq!(window.from().to_string(), "2026-11-02T07:30:00Z");
        assert_eq!(window.to().to_string(), "2026-11-02T08:00:00Z");
        assert_eq!(window_of(&Path::from(format!("{hour}/hour.parquet"))), None);
    }
}
