//! Pages of lists that are in memory: what is open, budgets, reservations.
//!
//! Such a list changes while someone turns its pages. A cursor therefore names the last thing of
//! the page before, and where that stood: the next page begins after it wherever it is by now, and
//! where it stood if it is gone. So nothing that stays is missed or seen twice unless the list is
//! put into another order meanwhile.

use super::parameters::Parameters;
use super::problem::Problem;
use crate::wire::PageJson;
use axum::http::Uri;

/// Items on a page where nothing is said, and at most.
pub(super) const ITEMS: usize = 100;
pub(super) const ITEMS_MAX: usize = 500;

/// A page that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// Where the last item of the page before stood, from 0, and its name.
    after: Option<(usize, String)>,
    limit: usize,
}

impl Asked {
    /// Reads `cursor` and `limit`.
    pub(super) fn of(uri: &Uri) -> Result<Self, Problem> {
        Self::among(&Parameters::of(uri, &["cursor", "limit"])?)
    }

    /// Reads them among other parameters.
    pub(super) fn among(parameters: &Parameters) -> Result<Self, Problem> {
        let limit = parameters.number("limit", 1..=ITEMS_MAX)?.unwrap_or(ITEMS);
        let after = parameters.get("cursor").map(|text| {
            let read = text
                .split_once('~')
                .and_then(|(position, name)| Some((position.parse().ok()?, name.to_owned())));
            let wrong = || {
                let detail = format!("`{text}` is not the `next` of a page of this list");
                Problem::parameter("cursor", detail, [])
            };
            read.ok_or_else(wrong)
        });
        Ok(Self { after: after.transpose()?, limit })
    }

    /// The page of `items`, each with a name that no other has.
    pub(super) fn page<T>(&self, items: Vec<T>, name: impl Fn(&T) -> &str) -> PageJson<T> {
        let from = self.after.as_ref().map_or(0, |(stood, last)| {
            let stands = items.iter().position(|item| name(item) == last);
            stands.map_or(*stood, |stands| stands + 1)
        });
        let (count, to) = (items.len(), from.saturating_add(self.limit));
        let items: Vec<T> = items.into_iter().skip(from).take(self.limit).collect();
        let last = items.last().filter(|_| to < count);
        let next = last.map(|item| format!("{}~{}", to - 1, name(item)));
        PageJson { items, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Result<Asked, Problem> {
        Asked::of(&format!("/api/v1/steps{query}").parse().unwrap())
    }

    /// All pages of a list, which `change` may change between two of them.
    fn pages(
        mut list: Vec<&'static str>,
        mut change: impl FnMut(&mut Vec<&'static str>),
    ) -> String {
        let (mut query, mut seen) = ("?limit=2".to_owned(), Vec::new());
        loop {
            let page = asked(&query).unwrap().page(list.clone(), |name| name);
            seen.push(page.items.join(""));
            let Some(next) = page.next else { return seen.join(" ") };
            query = format!("?limit=2&cursor={}", next.replace('~', "%7E"));
            change(&mut list);
        }
    }

    #[test]
    fn pages_have_each_item_once() {
        assert_eq!(pages(vec!["a", "b", "c", "d", "e"], |_| {}), "ab cd e");
        assert_eq!(pages(vec!["a", "b"], |_| {}), "ab");
        assert_eq!(pages(vec![], |_| {}), "");
    }

    #[test]
    fn what_comes_and_goes_meanwhile_costs_nobody_his_place() {
        // Something new at the front is not seen, and nothing is seen twice.
        let new = |list: &mut Vec<&'static str>| list.insert(0, "n");
        assert_eq!(pages(vec!["a", "b", "c", "d"], new), "ab cd");
        // The last of the page before is gone: its place is taken by the one after it.
        let gone = |list: &mut Vec<&'static str>| list.retain(|name| *name != "b");
        assert_eq!(pages(vec!["a", "b", "c", "d"], gone), "ab cd");
    }

    #[test]
    fn a_cursor_of_another_list_is_refused() {
        for query in
            ["?cursor=7", "?cursor=x~y", "?cursor=-1~y", "?limit=0", "?limit=501", "?page=1"]
        {
            assert!(asked(query).is_err(), "{query}");
        }
        let id = asked("?cursor=3~p29%2F1").unwrap().after;
        assert_eq!(id, Some((3, "p29/1".to_owned())));
    }
}
