//! Bills from elsewhere, as they came, each once: `bills/HASH`. What they say is read by `focus`.

use super::{Books, BooksError};
use crate::focus::BillBytes;
use farthing_model::hex;
use futures::executor::block_on;
use object_store::{GetResultPayload, ObjectStoreExt as _, path::Path};
use sha2::Digest as _;
use std::io::Read;

/// What of a bill is held at once: the least that stores take as a part.
const PART_BYTES: usize = 8 << 20;

/// Why a bill is not kept.
#[derive(Debug, thiserror::Error)]
pub enum PutBillError {
    /// It cannot be read.
    #[error("the bill cannot be read")]
    Read(#[from] std::io::Error),
    /// The books cannot be read or written.
    #[error(transparent)]
    Books(#[from] BooksError),
}

impl Books {
    /// Keeps a bill from elsewhere, by the hash of its bytes; whether it is new. The same bill
    /// again changes nothing. It is read twice, part by part, each time from a new `open`.
    ///
    /// # Errors
    /// The bill cannot be read, or the store cannot be read or written; then nothing is kept.
    pub fn put_bill<R: Read>(
        &self,
        mut open: impl FnMut() -> std::io::Result<R>,
    ) -> Result<bool, PutBillError> {
        let mut hash = sha2::Sha256::new();
        let mut size = 0;
        each_part(open()?, |part| {
            hash.update(&part);
            size += part.len();
            Ok(())
        })?;
        let path = Path::default().join("bills").join(hex(&hash.finalize()));
        match block_on(self.store.head(&path)) {
            Ok(_) => return Ok(false),
            Err(object_store::Error::NotFound { .. }) => {}
            Err(source) => return Err(self.error(&path, "read", source).into()),
        }
        let written = |source| PutBillError::Books(self.error(&path, "written", source));
        if size <= PART_BYTES {
            let mut whole = Vec::with_capacity(size);
            open()?.read_to_end(&mut whole)?;
            return Ok(self.write(&path, whole.into()).map(|()| true)?);
        }
        let mut upload = block_on(self.store.put_multipart(&path)).map_err(written)?;
        let sent =
            each_part(open()?, |part| block_on(upload.put_part(part.into())).map_err(written));
        match sent {
            Ok(()) => block_on(upload.complete()).map(|_| true).map_err(written),
            Err(error) => {
                // Half of it is nothing; where that cannot be taken back, it is not seen either.
                let _ = block_on(upload.abort());
                Err(error)
            }
        }
    }

    /// The names of the bills that are kept.
    ///
    /// # Errors
    /// The store cannot be listed.
    pub fn bills(&self) -> Result<Vec<String>, BooksError> {
        let files = self.all(&Path::default().join("bills"))?;
        Ok(files.iter().filter_map(|path| Some(path.filename()?.to_owned())).collect())
    }

    /// A bill as it came: a file where the books are in a folder.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn bill(&self, name: &str) -> Result<BillBytes, BooksError> {
        let path = Path::default().join("bills").join(name);
        let read = block_on(async {
            let found = self.store.get(&path).await?;
            Ok(match found.payload {
                GetResultPayload::File(file, _) => BillBytes::File(file),
                GetResultPayload::Stream(_) => BillBytes::Memory(found.bytes().await?),
            })
        });
        read.map_err(|source| self.error(&path, "read", source))
    }
}

/// Reads part after part.
fn each_part(
    mut from: impl Read,
    mut take: impl FnMut(Vec<u8>) -> Result<(), PutBillError>,
) -> Result<(), PutBillError> {
    loop {
        let mut part = Vec::new();
        if (&mut from).take(PART_BYTES as u64).read_to_end(&mut part)? == 0 {
            return Ok(());
        }
        take(part)?;
    }
}
