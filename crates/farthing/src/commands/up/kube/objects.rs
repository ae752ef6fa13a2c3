//! The board of a loop on a cluster: Budgets, Policies and price books that tell it something, and
//! Plans that it shows.
//!
//! Nothing here ends the loop: an object that cannot be written is named, and tried again with the
//! next tick, or later where the right to write it is missing.

use super::Prices;
use super::plans::{self, Word};
use super::status;
use super::told::{Name, Told, name};
use crate::args::UpArgs;
use crate::commands::up::board::{Board, News, Said};
use crate::outcome::WrongUse;
use crate::print::talk;
use anyhow::{Context as _, anyhow};
use farthing_engine::Open;
use farthing_kube::{ApiError, Known, OurObject, Ours};
use farthing_ledger::{Outlook, outlooks};
use farthing_model::{Budget, Currency, Mode, Policy, hour_floor};
use farthing_providers::manifest::Manifests;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Before something is written again that there was no right to write.
const DENIED: Duration = Duration::from_secs(600);

/// The board.
pub(super) struct Objects {
    ours: Ours,
    told: Told,
    prices: Prices,
    /// Whether price books of the command line take the place of those of the cluster.
    has_prices: bool,
    /// The most that is done here, and the mode where no policy names one.
    most: Mode,
    mode: Mode,
    /// Budgets of the run before, for those whose objects are wrong at the start.
    before: Vec<Budget>,
    journal: String,
    offers: usize,
    /// What was heard on plans, by the name of the object.
    heard: BTreeMap<String, Word>,
    denied: BTreeMap<String, Instant>,
    /// What is wrong in files now.
    of_files: Vec<String>,
    /// What was named as wrong, in which generation.
    named: BTreeSet<(Name, i64)>,
    /// Where budgets go, as of an hour: the books are read for it.
    ahead: Option<(Timestamp, Vec<Budget>, Vec<Outlook>)>,
}

impl Objects {
    pub(super) fn new(ours: Ours, args: &UpArgs, prices: Prices, most: Mode) -> Self {
        Self {
            ours,
            told: Told::new(args.config.clone(), Currency::USD),
            prices,
            has_prices: !args.kube.prices.is_empty(),
            most,
            mode: Mode::Observe,
            before: Vec::new(),
            journal: String::new(),
            offers: 0,
            heard: BTreeMap::new(),
            denied: BTreeMap::new(),
            of_files: Vec::new(),
            named: BTreeSet::new(),
            ahead: None,
        }
    }

    /// What files and objects say now; `None` where nothing changed or a file is wrong.
    fn read(&mut self, known: &Known, now: Timestamp) -> Option<Manifests> {
        let reading = self.told.read(&known.objects, now)?;
        if !reading.of_files.is_empty() {
            let lines = reading.of_files.iter().map(ToString::to_string);
            let lines: Vec<String> = lines.collect();
            if lines != self.of_files {
                talk(&format!("what the loop was told stays as it was: {}", lines.join("\n")));
            }
            // Read again with the next tick: files change without a word.
            self.of_files = lines;
            self.told.forget_seen();
            return None;
        }
        self.of_files.clear();
        let mut told = reading.manifests;
        for (name, verdict) in self.told.verdicts() {
            let Some(why) = &verdict.why else { continue };
            if self.named.insert((name.clone(), verdict.generation)) {
                talk(&format!("{} {} in the cluster: {why}", name.0, name.1));
            }
            let before = self.before.iter().find(|it| it.id.as_str() == name.1);
            if name.0 == "Budget" && !verdict.stays {
                told.budgets.extend(before.cloned());
            }
        }
        told.budgets.sort_by(|a, b| a.id.cmp(&b.id));
        let mode = self.mode;
        told.policy.get_or_insert_with(|| Policy { mode, ..Policy::default() });
        self.price(&mut told);
        Some(told)
    }

    /// Prices of nodes by the price books of the cluster from now on, where there are any.
    fn price(&mut self, told: &mut Manifests) {
        let book = told.price_book.take();
        if self.has_prices {
            return;
        }
        self.offers = book.as_ref().map_or(0, |book| book.offers.len());
        if let Err(error) = self.prices.take(book.as_ref()) {
            talk(&format!("prices stay as they were: {error:#}"));
        }
    }

    /// Writes something, unless there was no right to lately; a line where it fails.
    fn write(
        &mut self,
        what: &str,
        ask: impl FnOnce(&Ours) -> Result<bool, ApiError>,
    ) -> Option<String> {
        if self.denied.get(what).is_some_and(|since| since.elapsed() < DENIED) {
            return None;
        }
        let error = ask(&self.ours).err()?;
        if error.code() == Some(403) {
            self.denied.insert(what.to_owned(), Instant::now());
            return Some(format!(
                "{what} cannot be written: {error}; `farthing kube manifests --role recommend | \
                 kubectl apply -f -` gives the right"
            ));
        }
        Some(format!("{what} cannot be written now: {error}"))
    }

    /// What is said of an object that tells something.
    fn status(&self, object: &OurObject, said: Option<&Said<'_>>) -> anyhow::Result<Value> {
        let verdict = self.told.verdicts().get(&name(object));
        let mut verdict = verdict.cloned().context("it was not read")?;
        if object.kind == "PriceBook" && self.has_prices && verdict.why.is_none() {
            verdict.why = Some("--prices of the loop takes its place".to_owned());
        }
        let is = |budget: &Budget| object.kind == "Budget" && budget.id.as_str() == object.name;
        verdict.stays |= verdict.why.is_some() && self.before.iter().any(is);
        let mut status = match (object.kind, said) {
            ("Budget", Some(said)) => {
                let stands = said.exposures.iter().position(|it| is(&it.state.budget));
                // One that a file has is that of the file.
                let stands = stands.filter(|_| verdict.why.is_none() || verdict.stays);
                let ahead = self.ahead.as_ref().map(|(_, _, all)| all);
                let stands = stands.map(|at| {
                    (&said.exposures[at], ahead.and_then(|all: &Vec<Outlook>| all.get(at)))
                });
                status::budget(&verdict, stands)?
            }
            _ => status::verdict(&verdict),
        };
        match (object.kind, said) {
            ("Policy", Some(said)) if verdict.why.is_none() => {
                status["mode"] = json!(said.policy.mode.name());
            }
            ("PriceBook", Some(_)) if verdict.why.is_none() => {
                status["offers"] = json!(self.offers);
            }
            _ => {}
        }
        Ok(status)
    }

    /// Says of each object that tells something what became of it.
    fn say_all(&mut self, known: &Known, said: Option<&Said<'_>>) -> Vec<String> {
        let mut lines = Vec::new();
        for object in known.objects.iter().filter(|it| it.kind != "Plan") {
            match self.status(object, said) {
                Ok(status) => {
                    let what = format!("the status of {} objects", object.kind);
                    lines.extend(self.write(&what, |ours| ours.say(object, &status)));
                }
                Err(error) => lines.push(format!("{} {}: {error:#}", object.kind, object.name)),
            }
        }
        lines
    }

    /// Shows the plan of now, says of all plans what became of them, and lets go of old ones.
    fn show_plans(&mut self, known: &Known, said: &Said<'_>) -> Vec<String> {
        // What is there is not known: nothing can be said of it.
        if known.absent.contains(&"Plan") || known.unknown.iter().any(|(it, _)| *it == "Plan") {
            return Vec::new();
        }
        let mut lines = Vec::new();
        let mut current = String::new();
        if let Some(plan) = &said.open.plan {
            current = plans::name(plan, &self.journal);
            if !known.objects.iter().any(|it| it.kind == "Plan" && it.name == current) {
                let spec = plans::spec(plan, said.open, said.at);
                lines.extend(self.write("Plans", |ours| ours.make_plan(&current, &spec)));
            }
        }
        for object in known.objects.iter().filter(|it| it.kind == "Plan" && !it.is_retired) {
            let heard = self.heard.get(&object.name);
            let status = plans::status(object, said.open, &self.journal, heard);
            let what = "the status of Plan objects";
            lines.extend(self.write(what, |ours| ours.say(object, &status)));
        }
        // What was heard on plans of before is said.
        self.heard.retain(|name, _| *name == current);
        for plan in plans::too_many(&known.objects, &current) {
            let retire = |ours: &Ours| ours.retire_plan(plan).map(|()| true);
            lines.extend(self.write("Plans that are over", retire));
        }
        lines
    }

    /// Looks ahead once an hour, and when there are other budgets.
    fn look_ahead(&mut self, said: &Said<'_>) {
        let hour = hour_floor(said.at);
        let budgets: Vec<Budget> =
            said.exposures.iter().map(|it| it.state.budget.clone()).collect();
        if self.ahead.as_ref().is_some_and(|(at, of, _)| *at == hour && *of == budgets) {
            return;
        }
        let looked = farthing_server::wire::looked(said.exposures);
        match outlooks((said.books, said.cluster, said.currency), &looked, said.at) {
            Ok(all) => self.ahead = Some((hour, budgets, all)),
            Err(error) => talk(&format!("where budgets go is not known: {error}")),
        }
    }
}

impl Board for Objects {
    fn begin(
        &mut self,
        args: &UpArgs,
        mode: Mode,
        last: &dyn Fn() -> anyhow::Result<Vec<Budget>>,
    ) -> anyhow::Result<Manifests> {
        // Files that are wrong end the start, as everywhere.
        crate::commands::up::told(args, mode)?;
        // Where nobody named a mode, nothing is changed, whatever could be.
        self.mode = mode.min(self.most).min(Mode::Recommend);
        let known = self.ours.known();
        if !known.absent.is_empty() {
            talk(&format!(
                "this cluster has no {} of ours: `farthing kube manifests --crds-only | kubectl \
                 apply -f -` installs them",
                known.absent.join(", ")
            ));
        }
        // One that may not be seen is named; one that is not read yet may say that all must wait.
        if let Some((kind, why)) = known.unknown.iter().find(|(_, why)| !why.contains("403")) {
            return Err(anyhow!("what {kind} objects of the cluster say is not known: {why}"));
        }
        let now = Timestamp::now();
        self.read(&known, now).ok_or_else(|| anyhow!("--config cannot be read any more"))?;
        let wrong = |kind: &str, told: &Told| {
            let mut all = told.verdicts().iter();
            all.any(|(name, verdict)| name.0 == kind && verdict.why.is_some())
        };
        if wrong("Budget", &self.told) {
            self.before = last()?;
        }
        if wrong("PriceBook", &self.told) {
            self.say_all(&known, None);
            let what = "a PriceBook of the cluster is wrong, and prices would be others without it";
            return Err(WrongUse::new(what)
                .hint("its status says why; correct or delete it")
                .into());
        }
        self.told.forget_seen();
        self.read(&known, now).ok_or_else(|| anyhow!("--config cannot be read any more"))
    }

    fn again(&mut self, args: &UpArgs, mode: Mode) -> anyhow::Result<Manifests> {
        crate::commands::up::told(args, mode)?;
        self.told.forget_seen();
        let known = self.ours.known();
        self.read(&known, Timestamp::now()).ok_or_else(|| anyhow!("--config cannot be read"))
    }

    fn opened(&mut self, journal: &str) {
        journal.clone_into(&mut self.journal);
    }

    fn news(&mut self, open: &Open, now: Timestamp) -> News {
        let known = self.ours.known();
        let told = self.read(&known, now);
        let words = plans::words(&known.objects, open, &self.journal, now);
        if let (Some(word), Some(plan)) = (words.first(), &open.plan) {
            self.heard.insert(plans::name(plan, &self.journal), word.clone());
        }
        News { told, words }
    }

    fn show(&mut self, said: &Said<'_>) -> Vec<String> {
        let known = self.ours.known();
        if known.objects.iter().any(|it| it.kind == "Budget") {
            self.look_ahead(said);
        }
        let mut lines = self.say_all(&known, Some(said));
        lines.extend(self.show_plans(&known, said));
        lines
    }
}
