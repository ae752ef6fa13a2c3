//! A journal in memory: for the simulator and for tests.

use crate::Store;
use crate::chain::{Head, NewRecord, Record, seal};
use crate::error::{Class, EdgeError};

/// A [`Store`] that forgets everything with the process.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    records: Vec<Record>,
}

impl Store for MemoryStore {
    fn head(&self) -> Result<Head, EdgeError> {
        let head = |record: &Record| Head { seq: record.seq, hash: record.hash };
        Ok(self.records.last().map_or(Head::GENESIS, head))
    }

    fn append(&mut self, expected: &Head, records: &[NewRecord]) -> Result<Vec<Record>, EdgeError> {
        let head = self.head()?;
        if head != *expected {
            let message = format!("the journal is at record {}, not {}", head.seq, expected.seq);
            return Err(EdgeError::new(Class::Conflict, message));
        }
        let sealed = seal(&head, records);
        self.records.extend(sealed.iter().cloned());
        Ok(sealed)
    }

    fn read(&self, from: u64, limit: usize) -> Result<Vec<Record>, EdgeError> {
        let skip = usize::try_from(from.saturating_sub(1)).unwrap_or(usize::MAX);
        Ok(self.records.iter().skip(skip).take(limit).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// A store in memory that several hold.
    struct Shared<'s>(&'s Mutex<MemoryStore>);

    impl Store for Shared<'_> {
        fn head(&self) -> Result<Head, EdgeError> {
            self.0.lock().unwrap().head()
        }

        fn append(
            &mut self,
            expected: &Head,
            records: &[NewRecord],
        ) -> Result<Vec<Record>, EdgeError> {
            self.0.lock().unwrap().append(expected, records)
        }

        fn read(&self, from: u64, limit: usize) -> Result<Vec<Record>, EdgeError> {
            self.0.lock().unwrap().read(from, limit)
        }
    }

    #[test]
    fn conforms() {
        crate::conformance::store(|| Box::new(MemoryStore::default()));
        let journal = Mutex::new(MemoryStore::default());
        crate::conformance::shared(|| Shared(&journal));
    }
}
