//! Memory: what processes hold of what cannot be had by others.
//!
//! Used memory is `MemTotal - MemAvailable`: the page cache and free memory are unallocated. The
//! exact share of each process (PSS) costs a walk of its page tables, a tenth of a second for a
//! large one, so it is apportioned instead:
//!
//! 1. a row's anonymous memory is `RssAnon` of its processes, scaled down to `AnonPages` where
//!    forks share pages (the machine counts each page once);
//! 2. its file and shared memory is `RssFile + RssShmem`, scaled down to `Mapped` alike;
//! 3. all of it is scaled down to used memory, as most file pages can be had back.
//!
//! What is left of used memory is overhead: the kernel, slab, page tables, huge pages, files in
//! memory that nobody maps. Where processes are hidden, anonymous memory beyond the seen is theirs.
//! Memory is read at the end of a window and taken for all of it.

use super::Sources;
use super::counters::MemInfo;
use super::rows::{HIDDEN, Rows, named};
use super::uses::{Use, keep_within};
use farthing_model::split;

/// The bytes in use at this look, row by row; the sum is what the machine says is used.
pub(super) fn bytes(
    memory: &MemInfo,
    rows: &Rows,
    tick: u64,
    hidden: bool,
    sources: &Sources,
) -> Vec<Use> {
    let rows: Vec<_> = rows.at(tick).collect();
    let anon: Vec<i128> = rows.iter().map(|row| row.anon_bytes.into()).collect();
    let shared: Vec<i128> = rows.iter().map(|row| row.shared_bytes.into()).collect();
    let anon_sum: i128 = anon.iter().sum();
    let anon = at_most(anon, memory.anon);
    let shared = at_most(shared, memory.mapped);
    let mut uses: Vec<Use> = rows
        .iter()
        .zip(anon.iter().zip(&shared))
        .map(|(row, (anon, shared))| {
            let one = Use::of(row.who.clone(), sources.procfs.clone(), anon + shared);
            Use { group: row.group, ..one }
        })
        .collect();
    if let Some(all) = memory.anon.filter(|_| hidden) {
        let rest = (i128::from(all) - anon_sum).max(0);
        let who = named(&format!("process:{HIDDEN}"));
        uses.push(Use::of(who, sources.procfs.clone(), rest));
    }
    keep_within(&mut uses, memory.used.into());
    let sum: i128 = uses.iter().map(|one| one.used_nano).sum();
    uses.push(Use::of_system(sources.procfs.clone(), i128::from(memory.used) - sum));
    uses
}

fn at_most(bytes: Vec<i128>, most: Option<u64>) -> Vec<i128> {
    match most.map(i128::from) {
        Some(most) if bytes.iter().sum::<i128>() > most => split(most, &bytes).unwrap_or(bytes),
        _ => bytes,
    }
}
