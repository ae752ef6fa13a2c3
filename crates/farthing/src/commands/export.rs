//! `farthing export`: the books for others.

use super::cost::clusters;
use super::covered;
use crate::args::{ExportArgs, ExportFocusArgs, ExportWhat, FocusColumns};
use crate::home::Home;
use crate::outcome::{Outcome, WrongUse};
use crate::print::talk;
use anyhow::Context as _;
use farthing_ledger::{FocusCsv, FocusParquet, FocusQuery, FocusSink, FocusVersion, export_focus};
use farthing_model::Window;
use jiff::Timestamp;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Exports, and says what came of it.
pub(crate) fn run(args: &ExportArgs, home: &Home) -> anyhow::Result<Outcome> {
    match &args.what {
        ExportWhat::Focus(args) => focus(args, home),
    }
}

fn focus(args: &ExportFocusArgs, home: &Home) -> anyhow::Result<Outcome> {
    let clusters = clusters(args.cluster.as_deref(), home)?;
    let books = home.books()?;
    let asked = args.window.as_deref().unwrap_or("1h");
    let covered = covered(&books, &clusters, asked, args.now.as_deref())?;
    let all = Window::new(Timestamp::MIN, Timestamp::MAX)?;
    let query = FocusQuery {
        clusters,
        window: if args.window.is_some() { covered.window } else { all },
        currency: covered.currency,
        version: match args.focus_version {
            FocusColumns::V1_2 => FocusVersion::V1_2,
            FocusColumns::V1_3 => FocusVersion::V1_3,
        },
        account: args.account.clone(),
    };
    let is_parquet = args.out.extension().is_some_and(|end| end.eq_ignore_ascii_case("parquet"));
    let is_csv = args.out.extension().is_some_and(|end| end.eq_ignore_ascii_case("csv"));
    let export = if args.out == Path::new("-") {
        export_focus(&books, &query, &mut FocusCsv::new(BufWriter::new(std::io::stdout())))?
    } else if is_parquet || is_csv {
        // Written beside its place and renamed, so that there is never half a file.
        let draft = args.out.with_extension("new");
        let name = args.out.display();
        let file = File::create(&draft).with_context(|| format!("{name} cannot be written"))?;
        let mut sink: Box<dyn FocusSink> = if is_parquet {
            Box::new(FocusParquet::new(file.try_clone()?))
        } else {
            Box::new(FocusCsv::new(BufWriter::with_capacity(1 << 20, file.try_clone()?)))
        };
        let export = export_focus(&books, &query, &mut *sink).inspect_err(|_| {
            let _ = std::fs::remove_file(&draft);
        })?;
        drop(sink);
        finish(file)
            .and_then(|()| std::fs::rename(&draft, &args.out))
            .with_context(|| format!("{name} cannot be written"))?;
        export
    } else {
        return Err(WrongUse::new(format!("--out {}: its form is not known", args.out.display()))
            .hint("name it .csv or .parquet, or write - for CSV on stdout")
            .into());
    };
    let difference = export.paid.checked_sub(export.billed)?;
    talk(&format!(
        "{} rows, billed {}, paid {} (difference {})",
        export.rows,
        export.billed,
        export.paid,
        difference.to_decimal()
    ));
    Ok(if difference.is_zero() { Outcome::Done } else { Outcome::Failed })
}

fn finish(mut file: File) -> std::io::Result<()> {
    file.flush()?;
    file.sync_all()
}
