//! What a server checks beyond types: rules in schemas, and admission policies for values that no
//! schema can give a type. Each says what the command line says of the same.

use super::super::shape::{self, API_VERSION, Form, Shape};
use farthing_model::Resource;
use serde_json::{Value, json};

/// What is wrong with a text that does not fit its form, and what would be right.
pub(super) const fn wrong(form: Form) -> &'static str {
    match form {
        Form::Count => "is not a count: write a whole number from 1 on, such as 8",
        Form::Whole => "is not a whole number such as 0 or 8",
        Form::Money => "is not money such as 120000 USD",
        Form::Duration => "is not a duration such as 90m, 2h30m or 120s",
        Form::Time => "is not a time such as 2026-12-01T06:00:00Z",
        Form::Date => "is not a date such as 2026-11-24",
        _ => "is not written as it should be",
    }
}

/// Rules of the spec of a kind, over its typed fields.
pub(super) fn of_spec(shape: &str) -> Vec<Value> {
    let rule = |rule: &str, said: &str| json!({ "rule": rule, "messageExpression": said });
    match shape {
        "BudgetSpec" => vec![rule(
            r"self.limit.matches(r'^[ ]*[0-9]*[.]?[0-9]* *([A-Z]{3}|GPU-hours?|GPU-h)[ ]*$')",
            "'`limit`: `' + self.limit + '` is neither money such as 120000 USD, nor time such as \
             500 GPU-hours'",
        )],
        "PriceBookSpec" => vec![rule(
            "has(self.offers) || has(self.owned) || has(self.adjust) || has(self.exchange)",
            "'`spec` says nothing: give offers, owned, adjust or exchange'",
        )],
        _ => Vec::new(),
    }
}

/// A rule of an admission policy: what must hold, and what is said where it does not, both in CEL.
struct Rule {
    holds: String,
    said: String,
}

/// An admission policy for each kind that has such rules, and what puts it in force.
pub(super) fn policies() -> Vec<Value> {
    let all = [
        ("budgets", &SHARES[..], budget()),
        ("policies", &[][..], policy()),
        ("pricebooks", &[][..], price_book()),
    ];
    let each =
        |(plural, variables, rules): (&str, &[_], Vec<Rule>)| policy_of(plural, variables, &rules);
    all.into_iter().flat_map(each).collect()
}

fn policy_of(plural: &str, variables: &[(&str, &str)], rules: &[Rule]) -> [Value; 2] {
    let (group, version) = API_VERSION.split_once('/').unwrap_or((API_VERSION, "v1"));
    let name = format!("{plural}.{group}");
    // The schema gives no type to what is looked at here: it is not checked against it.
    let spec = ("spec", "dyn(object.spec)");
    let variables = [spec].into_iter().chain(variables.iter().copied());
    let variables = variables.map(|(name, is)| json!({ "name": name, "expression": is }));
    let validations = rules
        .iter()
        .map(|rule| json!({ "expression": rule.holds, "messageExpression": rule.said }));
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": { "name": name },
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": { "resourceRules": [{
                "apiGroups": [group],
                "apiVersions": [version],
                "operations": ["CREATE", "UPDATE"],
                "resources": [plural],
            }] },
            "variables": variables.collect::<Vec<_>>(),
            "validations": validations.collect::<Vec<_>>(),
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": { "name": name },
        "spec": { "policyName": name, "validationActions": ["Deny"] },
    });
    [policy, binding]
}

/// Shares of the rungs as numbers: `80%` and 0.8 are the same.
const SHARES: [(&str, &str); 2] = [
    ("rungs", "has(variables.spec.escalate) ? variables.spec.escalate : []"),
    (
        "shares",
        "variables.rungs.map(rung, type(rung.at) != string ? double(rung.at) : \
         rung.at.endsWith('%') ? double(rung.at.replace('%', '').trim()) / 100.0 : \
         double(rung.at))",
    ),
];

fn budget() -> Vec<Rule> {
    let rule = |holds: &str, said: &str| Rule { holds: holds.to_owned(), said: said.to_owned() };
    let scope = known("variables.spec.scope", "spec.scope", &shape::SCOPE);
    let period = known("variables.spec.period", "spec.period", &shape::SPAN);
    vec![
        scope,
        period,
        rule(
            "type(variables.spec.scope) != map || !(has(variables.spec.scope.all) && \
             variables.spec.scope.all) || size(variables.spec.scope) == 1",
            "'`scope` is all and something narrower; keep one of them'",
        ),
        rule(
            "type(variables.spec.period) != map || !has(variables.spec.period.last) || \
             size(variables.spec.period) == 1",
            "'`period` is rolling or one span; keep `last` or `from` and `to`'",
        ),
        rule(
            "type(variables.spec.period) != map || has(variables.spec.period.last) || \
             (has(variables.spec.period.from) && has(variables.spec.period.to))",
            "'`period` needs `from` and `to`, or `last` for the last so many days'",
        ),
        rule(
            "variables.shares.isSorted() && \
             variables.shares.all(one, variables.shares.exists_one(other, one == other))",
            "'`escalate` must ascend: each `at` above the one before it'",
        ),
        rule(
            "!has(variables.spec.carry) || type(variables.spec.period) != map",
            "'`carry` needs a period that another one follows: day, week, month or quarter'",
        ),
    ]
}

fn policy() -> Vec<Rule> {
    let band = |resource: &Resource| {
        let name = resource.name();
        let at = format!("variables.spec.utilisation.{name}");
        let number = |field: &str| {
            let is = format!("{at}.{field}");
            format!(
                "(type({is}) != string ? double({is}) : {is}.endsWith('%') ? \
                 double({is}.replace('%', '').trim()) / 100.0 : double({is}))"
            )
        };
        let (reserve, max) = (number("reserve"), number("max"));
        let absent = format!("!has(variables.spec.utilisation) || !has({at})");
        [
            Rule {
                holds: format!("{absent} || ({max} <= 1.0 && {reserve} <= 1.0)"),
                said: format!("'`utilisation.{name}` has a share of more than the whole'"),
            },
            Rule {
                holds: format!("{absent} || {reserve} < {max}"),
                said: format!(
                    "'`utilisation.{name}`: `reserve` must be below `max`: the band is \
                     max - reserve to max'"
                ),
            },
        ]
    };
    let resources = shape::UTILISATION.names();
    let known = |resource: &&Resource| resources.contains(&resource.name());
    Resource::ALL.iter().filter(known).flat_map(band).collect()
}

fn price_book() -> Vec<Rule> {
    const CHANGES: [&str; 5] = ["discount", "discounts", "off", "price", "committed"];
    let count = |name: &str| format!("(has(change.{name}) ? 1 : 0)");
    let count: Vec<String> = CHANGES.into_iter().map(count).collect();
    vec![Rule {
        holds: format!(
            "!has(variables.spec.adjust) || variables.spec.adjust.all(change, {} == 1)",
            count.join(" + ")
        ),
        said: "'`adjust` has not exactly one of discount, discounts, off, price and committed'"
            .to_owned(),
    }]
}

/// That a map which may also be a word has no field that is not known.
fn known(at: &str, name: &str, shape: &Shape) -> Rule {
    let names = shape.names();
    let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    let among = quoted.join(", ");
    Rule {
        holds: format!("type({at}) != map || {at}.all(key, key in [{among}])"),
        said: format!(
            "'unknown field `{name}.' + {at}.filter(key, !(key in [{among}]))[0] + \
             '`; known here: {}'",
            names.join(", ")
        ),
    }
}
