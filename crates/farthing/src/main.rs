//! The farthing binary: arguments, wiring, exit codes. Everything else is in the crates.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong use, 3 infeasible or over budget (the output says why);
//! `run` gives that of its command, or 124 when it stopped it at a limit.
#![allow(unreachable_pub, reason = "a binary has no public interface")]

mod args;
mod commands;
mod home;
mod inputs;
mod outcome;
mod plot;
mod print;
mod show;
mod store;
mod table;
mod wiring;

use args::{Cli, Command};
use clap::Parser as _;
use home::Home;
use outcome::Outcome;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(outcome) => outcome.into(),
        Err(error) => outcome::tell(&error),
    }
}

fn run(cli: &Cli) -> anyhow::Result<Outcome> {
    let home = || {
        let home = Home::new(cli.data.as_deref(), cli.books.as_deref(), cli.store.as_deref())?;
        anyhow::Ok(home.with_key(cli.signing_key.as_deref()))
    };
    match &cli.command {
        Command::Up(args) => commands::up::run(args, &home()?),
        Command::Plan(args) => commands::plan::run(args, cli.output),
        Command::Estimate(args) => commands::estimate::run(args, &home()?, cli.output),
        Command::Run(args) => commands::run::run(args, &home()?, cli.output),
        Command::Become(args) => Ok(commands::run::become_command(args)),
        Command::Simulate(args) => commands::simulate::run(args, cli.books.as_deref(), cli.output),
        Command::Offers(args) => commands::offers::run(args, cli.output),
        Command::Import(args) => commands::import::run(args, &home()?, cli.output),
        Command::Export(args) => commands::export::run(args, &home()?),
        Command::Cost(args) => commands::cost::run(args, &home()?, cli.output),
        Command::Budget(args) => commands::budget::run(args, &home()?, cli.output),
        Command::Idle(args) => commands::idle::run(args, &home()?, cli.output),
        Command::Explain(args) => commands::explain::run(args, &home()?, cli.output),
        Command::Undo(args) => commands::undo::run(args, &home()?, cli.output),
        Command::Correct(args) => commands::correct::run(args, &home()?, cli.output),
        Command::Books(args) => commands::books::run(args, &home()?, cli.output),
        Command::Sql(args) => commands::sql::run(args, &home()?, cli.output),
        Command::Kube(args) => commands::kube::run(&args.what, cli.output),
        Command::Token(args) => commands::token::run(args, &home()?, cli.output),
        Command::Verify(args) => commands::verify::run(args, &home()?, cli.output),
        Command::Journal(args) => commands::journal::run(args, &home()?, cli.output),
        Command::Store(args) => commands::store::run(args, &home()?, cli.output),
        Command::Completions { shell } => commands::reference::completions(*shell),
        Command::Reference { openapi, man } => commands::reference::run(*openapi, *man),
    }
}
