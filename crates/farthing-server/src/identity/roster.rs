//! The tokens that there are, folded from the journal, in which any replica or command may have
//! written.

use super::token::{self, Known};
use super::{Principal, TokenId};
use farthing_edge::{EdgeError, Store};
use farthing_engine::Body;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Records read at a time.
const PAGE: usize = 1_000;

/// Tokens that were issued and not revoked.
#[derive(Debug, Default)]
pub(super) struct Roster {
    /// The last record that was read.
    seq: u64,
    tokens: BTreeMap<TokenId, Known>,
}

impl Roster {
    /// Reads what is new.
    pub(super) fn catch_up(&mut self, journal: &dyn Store) -> Result<(), EdgeError> {
        loop {
            let page = journal.read(self.seq + 1, PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            for record in page.iter().filter(|record| {
                // Most records are of other things, and need not be read.
                record.kind == farthing_edge::RecordKind::Identity
            }) {
                match Body::read(record) {
                    Ok(Body::Issued(issued)) => {
                        if let Some(known) = Known::read(&issued) {
                            self.tokens.insert(TokenId::of(&issued.token), known);
                        }
                    }
                    Ok(Body::Revoked { token, .. }) => {
                        self.tokens.remove(&TokenId::of(&token));
                    }
                    // A record that cannot be read lets nobody in; `verify` names it.
                    _ => {}
                }
            }
            self.seq = last.seq;
        }
    }

    /// Who has the token that is shown.
    pub(super) fn open(&self, shown: &str, now: Timestamp) -> Option<Principal> {
        self.tokens.get(&token::name_in(shown)?)?.opens(shown, now)
    }

    /// Whether someone who came by a token would still get what he has.
    pub(super) fn is_good(&self, id: &TokenId, who: &Principal, now: Timestamp) -> bool {
        self.tokens.get(id).is_some_and(|known| known.is_good(now) && known.is_of(who))
    }
}
