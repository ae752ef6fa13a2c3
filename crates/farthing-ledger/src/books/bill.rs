//! Bills from elsewhere, as they came, each once: `bills/HASH`. What they say is read by `focus`.

use super::{Books, BooksError};
use bytes::Bytes;
use farthing_model::hex;
use futures::executor::block_on;
use object_store::{ObjectStoreExt as _, path::Path};
use sha2::Digest as _;

impl Books {
    /// Keeps a bill from elsewhere, by the hash of its bytes; whether it is new. The same bill
    /// again changes nothing.
    ///
    /// # Errors
    /// The store cannot be read or written; then nothing is kept.
    pub fn put_bill(&self, bytes: Bytes) -> Result<bool, BooksError> {
        let hash = sha2::Sha256::digest(&bytes);
        let name = hex(&hash);
        let path = Path::default().join("bills").join(name);
        match block_on(self.store.head(&path)) {
            Ok(_) => Ok(false),
            Err(object_store::Error::NotFound { .. }) => self.write(&path, bytes).map(|()| true),
            Err(source) => Err(self.error(&path, "read", source)),
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

    /// A bill as it came.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn bill(&self, name: &str) -> Result<Bytes, BooksError> {
        self.read(&Path::default().join("bills").join(name))
    }
}
