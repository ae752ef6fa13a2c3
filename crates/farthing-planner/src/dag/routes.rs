//! Places that data moves between, and what each route is charged by.
//!
//! Two places that no route of this DAG tells apart are one *class*: moving between them is
//! charged as staying is, and every third place is as dear from one as from the other. Of all
//! offers of a class only the cheapest can be in a cheapest plan, which is what makes the search
//! small.

use farthing_model::{EgressSpot, EgressTable, Place, Tariff};
use std::collections::BTreeMap;

/// Routes between classes of places.
#[derive(Clone)]
pub(crate) struct Routes<'a> {
    table: Option<&'a EgressTable>,
    /// The class of each place.
    class: Vec<usize>,
    classes: usize,
    /// The tariff between classes, by rows of the class that data leaves.
    route: Vec<usize>,
    tariffs: Vec<Tariff>,
}

impl<'a> Routes<'a> {
    /// The routes between places, each given once.
    pub(crate) fn new(places: &[Place], table: Option<&'a EgressTable>) -> Self {
        let spots = Spots::new(places, table);
        let mut class: Vec<usize> = Vec::with_capacity(places.len());
        let mut first: Vec<usize> = Vec::new();
        for place in 0..places.len() {
            let same = first.iter().position(|other| spots.alike(*other, place));
            class.push(same.unwrap_or(first.len()));
            if same.is_none() {
                first.push(place);
            }
        }
        let classes = first.len();
        let between = |at: usize| spots.tariff(first[at / classes], first[at % classes]);
        let route = (0..classes * classes).map(between).collect();
        Self { table, class, classes, route, tariffs: spots.tariffs }
    }

    /// How many classes there are.
    pub(crate) fn classes(&self) -> usize {
        self.classes
    }

    /// The class of a place.
    pub(crate) fn class(&self, place: usize) -> usize {
        self.class[place]
    }

    /// Which tariff holds between two classes.
    pub(crate) fn tariff(&self, from: usize, to: usize) -> usize {
        self.route[from * self.classes + to]
    }

    /// What so many bytes cost by each tariff, in 10^-12; `None` where that is not known.
    pub(crate) fn charges(&self, bytes: u64) -> Vec<Option<i128>> {
        let charge = |tariff: &Tariff| match (self.table, tariff) {
            (_, Tariff::Free) => Some(0),
            (Some(table), Tariff::Rows(_)) => {
                table.charge(tariff, bytes).map(farthing_model::Money::pico)
            }
            (None, Tariff::Rows(_)) => (bytes == 0).then_some(0),
        };
        self.tariffs.iter().map(charge).collect()
    }

    /// How long so many bytes travel by each tariff, in milliseconds; `None` where no tariff says.
    pub(crate) fn delays(&self, bytes: u64) -> Option<Vec<i64>> {
        let table = self.table.filter(|_| bytes > 0)?;
        let delays: Vec<Option<i64>> = self
            .tariffs
            .iter()
            .map(|tariff| {
                let millis = table.duration(tariff, bytes)?.as_millis();
                i64::try_from(millis).ok()
            })
            .collect();
        let any = delays.iter().any(Option::is_some);
        any.then(|| delays.into_iter().map(Option::unwrap_or_default).collect())
    }
}

/// Places as the table knows them: those of one provider that no row names are one spot.
struct Spots {
    of: Vec<usize>,
    inside: Vec<usize>,
    between: Vec<usize>,
    count: usize,
    tariffs: Vec<Tariff>,
}

impl Spots {
    fn new(places: &[Place], table: Option<&EgressTable>) -> Self {
        let mut known: BTreeMap<EgressSpot, usize> = BTreeMap::new();
        let mut spots: Vec<EgressSpot> = Vec::new();
        let mut of = Vec::with_capacity(places.len());
        for place in places {
            let Some(table) = table else {
                of.push(0);
                continue;
            };
            let spot = table.spot(place);
            of.push(*known.entry(spot).or_insert_with(|| {
                spots.push(spot);
                spots.len() - 1
            }));
        }
        let count = spots.len().max(1);
        let mut ids: BTreeMap<Tariff, usize> = BTreeMap::new();
        let mut tariffs = Vec::new();
        let mut id = |tariff: Tariff| {
            *ids.entry(tariff.clone()).or_insert_with(|| {
                tariffs.push(tariff);
                tariffs.len() - 1
            })
        };
        let Some(table) = table else {
            let (inside, between) = (vec![id(Tariff::Free)], vec![id(Tariff::Rows(Vec::new()))]);
            return Self { of, inside, between, count, tariffs };
        };
        let inside = spots.iter().map(|spot| id(table.inside(*spot))).collect();
        let mut between = Vec::with_capacity(count * count);
        for from in &spots {
            for to in &spots {
                between.push(id(table.between(*from, *to)));
            }
        }
        Self { of, inside, between, count, tariffs }
    }

    fn tariff(&self, from: usize, to: usize) -> usize {
        if from == to {
            return self.inside[self.of[from]];
        }
        self.between[self.of[from] * self.count + self.of[to]]
    }

    /// Whether no route tells two places apart.
    fn alike(&self, a: usize, b: usize) -> bool {
        let here = self.tariff(a, a);
        if [self.tariff(b, b), self.tariff(a, b), self.tariff(b, a)] != [here; 3] {
            return false;
        }
        let others = (0..self.of.len()).filter(|other| *other != a && *other != b);
        let mut same = others.map(|other| {
            self.tariff(a, other) == self.tariff(b, other)
                && self.tariff(other, a) == self.tariff(other, b)
        });
        same.all(|same| same)
    }
}
