//! The columns that say who: the same in charges and in telemetry, under two sets of names.
//!
//! Maps and lists are one JSON text each, as FOCUS writes tags; an empty one is null. Columns that
//! an earlier format did not have are absent in its files, and so is what they say.

use super::BooksError;
use super::columns::{Batch, Table, Text};
use crate::meter::FastMap;
use farthing_model::{Attribution, Controller, TeamId, WorkloadId};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// How many columns there are.
const COLUMNS: usize = 12;
/// Their names in a file, in the order of [`cells`].
pub(super) type Names = [&'static str; COLUMNS];

/// The names in files of charges: ours begin with `x_`, labels are the tags of FOCUS.
pub(super) const IN_CHARGES: Names = [
    "x_workload",
    "x_team",
    "x_user",
    "x_container",
    "x_process",
    "x_namespace",
    "x_pod",
    "x_controller_kind",
    "x_controller",
    "Tags",
    "x_annotations",
    "x_services",
];

/// The names in files of telemetry.
pub(super) const IN_TELEMETRY: Names = [
    "workload",
    "team",
    "user",
    "container",
    "process",
    "namespace",
    "pod",
    "controller_kind",
    "controller",
    "labels",
    "annotations",
    "services",
];

/// The first columns are in files of every format.
const IN_EVERY_FORMAT: usize = 5;

/// One text of an attribution that is there as it is.
type Plain = fn(&Attribution) -> Option<&str>;

/// The columns before the three of JSON, in order.
const PLAIN: [Plain; COLUMNS - 3] = [
    |who| Some(who.workload.as_str()),
    |who| who.team.as_ref().map(TeamId::as_str),
    |who| who.user.as_deref(),
    |who| who.container.as_deref(),
    |who| who.process.as_deref(),
    |who| who.namespace.as_deref(),
    |who| who.pod.as_deref(),
    |who| who.controller.as_ref().map(|controller| controller.kind.as_str()),
    |who| who.controller.as_ref().map(|controller| controller.name.as_str()),
];

/// Writes the columns of rows of which each is someone's or no one's.
pub(super) fn write<'v, I>(table: &mut Table<'_>, names: Names, rows: impl Fn() -> I)
where
    I: Iterator<Item = Option<&'v Attribution>>,
{
    let (plain, json) = names.split_at(PLAIN.len());
    for (name, of) in plain.iter().zip(PLAIN) {
        table.text(name, rows().map(|who| who.and_then(of)));
    }
    let text: [(Address, Said); 3] = [
        (|who| Arc::as_ptr(&who.labels).addr(), |who| object(&who.labels)),
        (|who| std::ptr::from_ref(who).addr(), |who| object(&who.annotations)),
        (|who| std::ptr::from_ref(who).addr(), |who| array(&who.services)),
    ];
    for (name, (address, of)) in json.iter().zip(text) {
        // A text is made once for all rows that share what it says.
        let mut known: FastMap<usize, Option<usize>> = FastMap::default();
        let mut texts = Vec::new();
        let mut text_of = |who: &Attribution| {
            *known.entry(address(who)).or_insert_with(|| {
                texts.push(of(who)?);
                Some(texts.len() - 1)
            })
        };
        let places: Vec<Option<usize>> = rows().map(|who| who.and_then(&mut text_of)).collect();
        table.text(name, places.iter().map(|place| place.map(|at| texts[at].as_str())));
    }
}

/// By what an attribution is known to say the same as another one.
type Address = fn(&Attribution) -> usize;

/// What it says, as JSON; `None` where that is nothing.
type Said = fn(&Attribution) -> Option<String>;

/// A map as FOCUS writes tags: one JSON object, its keys sorted; none is null.
fn object(map: &BTreeMap<String, String>) -> Option<String> {
    let entries = map.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str())));
    (!map.is_empty()).then(|| Value::Object(entries.collect()).to_string())
}

fn array(list: &[String]) -> Option<String> {
    (!list.is_empty()).then(|| Value::from(list).to_string())
}

/// The columns of a batch, and the distinct attributions met so far.
pub(super) struct Who<'a> {
    names: Names,
    columns: [Option<Text<'a>>; COLUMNS],
    known: HashMap<[Option<usize>; COLUMNS], Arc<Attribution>>,
}

impl<'a> Who<'a> {
    /// Finds the columns.
    ///
    /// # Errors
    /// One that every format has is missing, or one is of another type.
    pub(super) fn new(batch: &'a Batch, names: Names) -> Result<Self, BooksError> {
        let mut columns = [None; COLUMNS];
        for (index, (column, name)) in columns.iter_mut().zip(names).enumerate() {
            *column = if index < IN_EVERY_FORMAT {
                Some(batch.text(name)?)
            } else {
                batch.optional_text(name)?
            };
        }
        Ok(Self { names, columns, known: HashMap::new() })
    }

    /// The attribution of a row; `None` when there is no workload.
    pub(super) fn get(
        &mut self,
        batch: &Batch,
        row: usize,
    ) -> Result<Option<Arc<Attribution>>, BooksError> {
        let key = self.columns.map(|column| column.and_then(|column| column.index(row)));
        if key[0].is_none() {
            return Ok(None);
        }
        if let Some(known) = self.known.get(&key) {
            return Ok(Some(known.clone()));
        }
        let who = Arc::new(self.decode(batch, row)?);
        self.known.insert(key, who.clone());
        Ok(Some(who))
    }

    fn decode(&self, batch: &Batch, row: usize) -> Result<Attribution, BooksError> {
        let text = self.columns.map(|column| column.and_then(|column| column.get(row)));
        let wrong = |index: usize| batch.wrong(row, self.names[index]);
        let owned = text.map(|text| text.map(str::to_owned));
        let [_, _, user, container, process, namespace, pod, kind, controller, ..] = owned;
        let workload = text[0].and_then(|name| WorkloadId::new(name).ok());
        let team = text[1].map(TeamId::new).transpose();
        let labels = text[9].map(serde_json::from_str).transpose();
        let annotations = text[10].map(serde_json::from_str).transpose();
        let services = text[11].map(serde_json::from_str).transpose();
        Ok(Attribution {
            workload: workload.ok_or_else(|| wrong(0))?,
            team: team.map_err(|_| wrong(1))?,
            user,
            namespace,
            pod,
            controller: match (kind, controller) {
                (Some(kind), Some(name)) => Some(Controller { kind, name }),
                (None, None) => None,
                (Some(_), None) => return Err(wrong(8)),
                (None, Some(_)) => return Err(wrong(7)),
            },
            container,
            process,
            labels: Arc::new(labels.map_err(|_| wrong(9))?.unwrap_or_default()),
            annotations: annotations.map_err(|_| wrong(10))?.unwrap_or_default(),
            services: services.map_err(|_| wrong(11))?.unwrap_or_default(),
        })
    }
}
