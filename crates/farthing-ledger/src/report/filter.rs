//! Filters: which charges a report is about.
//!
//! A filter is an expression over keys. It is true, false, or *not known*: capacity that nobody
//! asked for has a node and no namespace, so `namespace:"web"` does not decide about it; the report
//! then keeps the part of it that goes with what the filter keeps. Read `parse` for the language.

mod parse;

use super::key::{Column, Key};
use crate::books::{Batch, BooksError};
pub use parse::FilterError;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// An expression over keys, such as `namespace:"web"+label[app]!:"cache"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter(Node);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Compare(Comparison),
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
}

/// One comparison: true when one of the values matches.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Comparison {
    field: Field,
    test: Test,
    values: Vec<String>,
}

/// What is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Field {
    /// The value of a key.
    Key(Key),
    /// Any of the services.
    Services,
    /// The names of the labels.
    Labels,
    /// The names of the annotations.
    Annotations,
}

/// How it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Test {
    Equal,
    Contains,
    Starts,
    Ends,
}

/// What stands for a value that is not there.
const UNALLOCATED: &str = "__unallocated__";

impl Test {
    fn holds(self, text: &str, value: &str) -> bool {
        match self {
            Self::Equal => text == value,
            Self::Contains => text.contains(value),
            Self::Starts => text.starts_with(value),
            Self::Ends => text.ends_with(value),
        }
    }
}

impl Comparison {
    fn holds(&self, text: Option<&str>) -> bool {
        let text = text.unwrap_or(UNALLOCATED);
        self.values.iter().any(|value| self.test.holds(text, value))
    }

    /// Whether one of several texts matches; of none, whether nothing does.
    fn holds_any<'t>(&self, texts: impl Iterator<Item = &'t str>) -> bool {
        let mut none = true;
        for text in texts {
            none = false;
            if self.holds(Some(text)) {
                return true;
            }
        }
        none && self.holds(None)
    }

    fn column(&self) -> Column<'_> {
        match &self.field {
            Field::Key(key) => key.column(),
            Field::Services => Column::Plain("x_services"),
            Field::Labels => Column::Plain("Tags"),
            Field::Annotations => Column::Plain("x_annotations"),
        }
    }

    /// Whether it holds for a text of its column.
    fn holds_in_column(&self, text: Option<&str>) -> bool {
        let Some(text) = text else { return self.holds(None) };
        match &self.field {
            Field::Key(key) => self.holds(key.column().read(text).as_deref()),
            Field::Services => {
                let all: Vec<String> = serde_json::from_str(text).unwrap_or_default();
                self.holds_any(all.iter().map(String::as_str))
            }
            Field::Labels | Field::Annotations => {
                let all: BTreeMap<String, String> = serde_json::from_str(text).unwrap_or_default();
                self.holds_any(all.keys().map(String::as_str))
            }
        }
    }

    const fn is_attribution(&self) -> bool {
        match &self.field {
            Field::Key(key) => key.is_attribution(),
            _ => true,
        }
    }
}

impl Filter {
    /// All of several filters; `None` for none.
    pub fn all(filters: impl IntoIterator<Item = Self>) -> Option<Self> {
        Self::join(filters, Node::All)
    }

    /// Any of several filters; `None` for none.
    pub fn any(filters: impl IntoIterator<Item = Self>) -> Option<Self> {
        Self::join(filters, Node::Any)
    }

    fn join(filters: impl IntoIterator<Item = Self>, of: fn(Vec<Node>) -> Node) -> Option<Self> {
        let mut nodes: Vec<Node> = filters.into_iter().map(|filter| filter.0).collect();
        if nodes.len() > 1 { Some(Self(of(nodes))) } else { nodes.pop().map(Self) }
    }

    /// One of these values of a key.
    pub fn one_of(key: Key, values: Vec<String>) -> Self {
        let (field, test) = (Field::Key(key), Test::Equal);
        Self(Node::Compare(Comparison { field, test, values }))
    }

    /// The columns that it looks at.
    pub(super) fn columns(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        collect(&self.0, &mut names);
        names
    }

    /// The filter in the columns of a batch.
    pub(super) fn over<'b>(&self, batch: &'b Batch) -> Result<Prepared<'b>, BooksError> {
        let mut leaves = Vec::new();
        let node = prepare(&self.0, batch, &mut leaves)?;
        Ok(Prepared { node, leaves })
    }
}

fn collect(node: &Node, names: &mut Vec<&'static str>) {
    match node {
        Node::Compare(comparison) => names.push(comparison.column().name()),
        Node::All(nodes) | Node::Any(nodes) => nodes.iter().for_each(|node| collect(node, names)),
        Node::Not(node) => collect(node, names),
    }
}

/// A filter whose comparisons are decided for every distinct value of a batch.
pub(super) struct Prepared<'b> {
    node: Ready,
    leaves: Vec<Leaf<'b>>,
}

enum Ready {
    Leaf(usize),
    All(Vec<Ready>),
    Any(Vec<Ready>),
    Not(Box<Ready>),
}

struct Leaf<'b> {
    is_attribution: bool,
    answers: Answers<'b>,
    /// The answer where there is no value.
    missing: bool,
}

enum Answers<'b> {
    /// The column is absent in this format.
    Absent,
    Text(crate::books::Text<'b>, Vec<bool>),
    /// For each row.
    Rows(Vec<bool>),
}

fn prepare<'b>(
    node: &Node,
    batch: &'b Batch,
    leaves: &mut Vec<Leaf<'b>>,
) -> Result<Ready, BooksError> {
    let mut each = |nodes: &[Node]| -> Result<Vec<Ready>, BooksError> {
        nodes.iter().map(|node| prepare(node, batch, leaves)).collect()
    };
    Ok(match node {
        Node::All(nodes) => Ready::All(each(nodes)?),
        Node::Any(nodes) => Ready::Any(each(nodes)?),
        Node::Not(node) => Ready::Not(Box::new(prepare(node, batch, leaves)?)),
        Node::Compare(comparison) => {
            leaves.push(leaf(comparison, batch)?);
            Ready::Leaf(leaves.len() - 1)
        }
    })
}

fn leaf<'b>(comparison: &Comparison, batch: &'b Batch) -> Result<Leaf<'b>, BooksError> {
    let column = comparison.column();
    let answers = if let (Field::Key(key), Column::Time(name)) = (&comparison.field, column) {
        let starts = batch.instant(name)?;
        let text = |row| {
            let at = crate::books::instant(crate::books::value(starts, row));
            at.map(|at| key.time_text(at))
        };
        let holds = |row| comparison.holds(text(row).as_deref());
        Answers::Rows((0..batch.len()).map(holds).collect())
    } else {
        let text = if column.is_in_every_format() {
            Some(batch.text(column.name())?)
        } else {
            batch.optional_text(column.name())?
        };
        text.map_or(Answers::Absent, |text| {
            let holds = text.values().map(|value| comparison.holds_in_column(Some(value)));
            Answers::Text(text, holds.collect())
        })
    };
    let (is_attribution, missing) = (comparison.is_attribution(), comparison.holds(None));
    Ok(Leaf { is_attribution, answers, missing })
}

impl Prepared<'_> {
    /// Whether a row is kept; not known, where that is up to an owner and it has none.
    pub(super) fn keeps(&self, row: usize, has_owner: bool) -> Option<bool> {
        self.value(&self.node, row, has_owner)
    }

    fn value(&self, node: &Ready, row: usize, has_owner: bool) -> Option<bool> {
        match node {
            Ready::Leaf(index) => {
                let leaf = &self.leaves[*index];
                if leaf.is_attribution && !has_owner {
                    return None;
                }
                Some(match &leaf.answers {
                    Answers::Absent => leaf.missing,
                    Answers::Rows(rows) => rows[row],
                    Answers::Text(text, holds) => {
                        text.index(row).map_or(leaf.missing, |index| holds[index])
                    }
                })
            }
            Ready::Not(node) => self.value(node, row, has_owner).map(|value| !value),
            Ready::All(nodes) => self.decide(nodes, false, (row, has_owner)),
            Ready::Any(nodes) => self.decide(nodes, true, (row, has_owner)),
        }
    }

    /// One part that is `decisive` decides; else one that is not known leaves it open.
    fn decide(
        &self,
        nodes: &[Ready],
        decisive: bool,
        (row, has_owner): (usize, bool),
    ) -> Option<bool> {
        let mut answer = Some(!decisive);
        for node in nodes {
            match self.value(node, row, has_owner) {
                Some(value) if value == decisive => return Some(decisive),
                Some(_) => {}
                None => answer = None,
            }
        }
        answer
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        parse::parse(text).map(Self)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.0)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |out: &mut fmt::Formatter<'_>, nodes: &[Self], between: &str| {
            out.write_str("(")?;
            for (index, node) in nodes.iter().enumerate() {
                write!(out, "{}{node}", if index > 0 { between } else { "" })?;
            }
            out.write_str(")")
        };
        match self {
            Self::All(nodes) => list(out, nodes, "+"),
            Self::Any(nodes) => list(out, nodes, "|"),
            Self::Not(node) => match &**node {
                Self::Compare(comparison) => comparison.write(out, "!"),
                node => write!(out, "!{node}"),
            },
            Self::Compare(comparison) => comparison.write(out, ""),
        }
    }
}

impl Comparison {
    fn write(&self, out: &mut fmt::Formatter<'_>, not: &str) -> fmt::Result {
        match &self.field {
            Field::Key(Key::Label(name)) => write!(out, "label[{name}]")?,
            Field::Key(Key::Annotation(name)) => write!(out, "annotation[{name}]")?,
            Field::Key(key) => write!(out, "{key}")?,
            Field::Services => out.write_str("services")?,
            Field::Labels => out.write_str("label")?,
            Field::Annotations => out.write_str("annotation")?,
        }
        let test = match self.test {
            Test::Equal => ":",
            Test::Contains => "~:",
            Test::Starts => "<~:",
            Test::Ends => "~>:",
        };
        write!(out, "{not}{test}")?;
        for (index, value) in self.values.iter().enumerate() {
            write!(out, "{}\"{value}\"", if index > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}
