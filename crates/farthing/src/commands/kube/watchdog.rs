//! `farthing kube watchdog`: what becomes of work that the loop does not answer.

use crate::args::{Output, WatchdogArgs};
use crate::commands::up::{SystemClock, cluster_access};
use crate::commands::{duration, print};
use crate::outcome::{Outcome, WrongUse};
use crate::print::talk;
use crate::table::{Align, Table};
use anyhow::Context as _;
use farthing_kube::kueue::Watchdog;
use serde_json::json;
use std::sync::Arc;

/// Looks once.
pub(super) fn run(args: &WatchdogArgs, output: Output) -> anyhow::Result<Outcome> {
    let watchdog = Watchdog { fail: args.fail.into(), after: duration("--after", &args.after)? };
    let access = cluster_access(&args.kubeconfig, args.context.as_deref())?;
    let barked = watchdog.look(access, Arc::new(SystemClock)).map_err(|error| {
        if error.code() == Some(404) {
            anyhow::Error::from(WrongUse::new("the cluster has no Kueue of API v1beta2"))
        } else {
            error.into()
        }
    });
    let barked = barked.context("the cluster cannot be looked at")?;
    for fault in &barked.faults {
        talk(&format!("not done: {fault}"));
    }
    let line = || {
        let mut text = format!("{} wait for an answer\n", barked.waiting);
        for done in &barked.done {
            text += done;
            text.push('\n');
        }
        text
    };
    print(
        output,
        || Ok(line()),
        || {
            let (done, faults) = (&barked.done, &barked.faults);
            Ok(json!({ "waiting": barked.waiting, "done": done, "faults": faults }))
        },
        || {
            let mut table = Table::new(&[("done", Align::Left)]);
            for done in &barked.done {
                table.row([done.clone()]);
            }
            Ok(table)
        },
    )?;
    Ok(if barked.faults.is_empty() { Outcome::Done } else { Outcome::Failed })
}
