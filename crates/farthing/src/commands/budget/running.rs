//! A loop that runs, asked over HTTP: for whoever has its address and not its journal.

use super::{Answered, answered};
use crate::args::{BudgetCheckArgs, Output};
use crate::commands::run::reserve::Payer;
use crate::commands::{amount, duration};
use crate::outcome::{Outcome, WrongUse};
use crate::print::talk;
use anyhow::{Context as _, bail};
use farthing_edge::{Fetch as _, Question, Reply};
use farthing_model::Money;
use farthing_providers::web::Web;
use serde_json::{Value, json};

/// Where `farthing up` answers when nothing else is said.
const DEFAULT: &str = "http://127.0.0.1:4040";

/// Asks the loop that was named.
pub(super) fn check(args: &BudgetCheckArgs, output: Output) -> anyhow::Result<Outcome> {
    let server = args.server.as_deref().unwrap_or(DEFAULT);
    let (amount, body) = asked(args)?;
    let reply = ask(server, args, &body).with_context(|| format!("{server} was not asked"))?;
    tell(server, (args, amount), &reply, output)
}

/// Asks the loop at the usual address, where one answers; else it is told why nothing could be
/// asked here.
pub(super) fn check_default(
    args: &BudgetCheckArgs,
    why: anyhow::Error,
    output: Output,
) -> anyhow::Result<Outcome> {
    if args.strict {
        return Err(why);
    }
    let (amount, body) = asked(args)?;
    let Ok(reply) = ask(DEFAULT, args, &body) else { return Err(why) };
    talk(&format!("{why}\nasked instead: the loop at {DEFAULT}"));
    tell(DEFAULT, (args, amount), &reply, output)
}

/// What is asked for, in the words of the API.
fn asked(args: &BudgetCheckArgs) -> anyhow::Result<(Money, Value)> {
    let Payer { team, labels } = Payer::of(args.team.as_deref(), &args.labels)?;
    let amount = amount("--estimate", &args.estimate)?;
    let mut body = json!({ "estimate": amount.to_string(), "for": args.what, "labels": labels });
    if let Some(team) = team {
        body["team"] = json!(team.as_str());
    }
    if let Some(hours) = &args.gpu_hours {
        body["gpu_hours"] = json!(hours);
    }
    if let Some(text) = &args.reserve {
        duration("--reserve", text)?;
        body["hold"] = json!(text);
    }
    Ok((amount, body))
}

fn ask(server: &str, args: &BudgetCheckArgs, body: &Value) -> anyhow::Result<Reply> {
    let server = server.trim_end_matches('/');
    let path = if args.reserve.is_some() { "reservations" } else { "reservations/check" };
    let token = args.token.as_ref().map(|path| {
        let read = std::fs::read_to_string(path);
        read.with_context(|| format!("{} cannot be read", path.display()))
    });
    let question = Question {
        url: format!("{server}/api/v1/{path}"),
        json: Some(body.to_string()),
        authorization: token.transpose()?.map(|token| format!("Bearer {}", token.trim())),
        ..Question::default()
    };
    Ok(Web::open(server.starts_with("https://"))?.fetch(&question)?)
}

fn tell(
    server: &str,
    (args, amount): (&BudgetCheckArgs, Money),
    reply: &Reply,
    output: Output,
) -> anyhow::Result<Outcome> {
    let said: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let detail = said["detail"].as_str().unwrap_or("it does not say why");
    let (answer, reservation) = match reply.status {
        200 if said["fits"].is_boolean() => (said, None),
        201 => (json!({ "fits": true, "short": [], "soft": [], "hard": [] }), Some(said)),
        409 if args.reserve.is_some() && said["budgets"].is_array() => {
            let short = said["budgets"].clone();
            (json!({ "fits": false, "short": short, "soft": [], "hard": [] }), None)
        }
        400 => return Err(WrongUse::new(format!("{server}: {detail}")).into()),
        401 | 403 => {
            let hint = "--server URL --token FILE: a token of `farthing token create`";
            return Err(WrongUse::new(format!("{server}: {detail}")).hint(hint).into());
        }
        status => bail!("{server} answered with status {status}: {detail}"),
    };
    answered(&Answered { amount, answer, reservation, stranger: None }, output)
}
