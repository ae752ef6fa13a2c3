//! `farthing undo`: a step is taken back, by the loop that did it, or by its journal where no loop
//! runs.

use super::up::{cluster_access, kube_world};
use crate::args::{Output, UndoArgs};
use crate::home::Home;
use crate::outcome::{Outcome, WrongUse};
use crate::print::{data, talk};
use anyhow::{Context as _, anyhow, bail};
use farthing_edge::{Fetch as _, Question};
use farthing_engine::{EngineError, Journal, Stage, undo};
use farthing_model::StepId;
use farthing_providers::web::Web;
use farthing_server::wire::ReceiptJson;
use jiff::Timestamp;
use serde_json::Value;

/// How often the journal is read again when someone else writes to it meanwhile.
const TRIES: usize = 20;

/// Takes a step back.
pub(crate) fn run(args: &UndoArgs, home: &Home, output: Output) -> anyhow::Result<Outcome> {
    let step = StepId::new(&args.step).map_err(|error| WrongUse::new(error.to_string()))?;
    let receipt = match &args.context {
        Some(context) => by_journal(args, context.as_deref(), (&step, home))?,
        None => by_loop(args, &step)?,
    };
    if output == Output::Json {
        data(&format!("{}\n", serde_json::to_string_pretty(&receipt)?));
    } else {
        let already = receipt["outcome"] == "already-done";
        let how = if already { "is as it was before already" } else { "is as it was before" };
        talk(&format!("step {step} was taken back: what it changed {how}"));
    }
    Ok(Outcome::Done)
}

/// Has the loop do it.
fn by_loop(args: &UndoArgs, step: &StepId) -> anyhow::Result<Value> {
    let server = args.server.trim_end_matches('/');
    let token = args.token.as_ref().map(|path| {
        let read = std::fs::read_to_string(path);
        read.with_context(|| format!("{} cannot be read", path.display()))
    });
    let name: String = step.as_str().replace('%', "%25").replace('/', "%2F");
    let question = Question {
        url: format!("{server}/api/v1/steps/{name}/undo"),
        form: Some(Vec::new()),
        json: None,
        authorization: token.transpose()?.map(|token| format!("Bearer {}", token.trim())),
    };
    let asked = Web::open(server.starts_with("https://"))?.fetch(&question);
    let reply = asked.map_err(|error| {
        let hint = "is `farthing up` running there? Without it: `farthing undo STEP --kube`";
        anyhow::Error::from(WrongUse::new(format!("{server}: {error}")).hint(hint))
    })?;
    let said: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    if (200..300).contains(&reply.status) {
        return Ok(said);
    }
    let why = said["detail"].as_str().or(said["title"].as_str()).unwrap_or("it does not say why");
    bail!("{server} answers {}: {why}", reply.status)
}

/// Does it by what the journal says.
fn by_journal(
    args: &UndoArgs,
    context: Option<&str>,
    (step, home): (&StepId, &Home),
) -> anyhow::Result<Value> {
    let access = cluster_access(&args.kubeconfig, context)?;
    let (mut world, cluster) = kube_world(access)?;
    if !home.store().has(&cluster)? {
        let hint = "name its folder with --data, or its store with --store";
        return Err(WrongUse::new(format!("{cluster} has no journal here")).hint(hint).into());
    }
    let mut journal = Journal::open(home.store().open(&cluster)?)?;
    if !journal.state().steps.get(step).is_some_and(|open| open.stage != Stage::Proposed) {
        let steps = journal.state().steps.values();
        let open = steps.filter(|open| open.stage != Stage::Proposed);
        let names: Vec<&str> = open.map(|open| open.step.id.as_str()).take(10).collect();
        let those = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        bail!("step {step} is not in force in {cluster}; those that are: {those}");
    }
    for _ in 0..TRIES {
        match undo(&mut journal, &mut world, step, Timestamp::now()) {
            Ok(receipt) => return Ok(serde_json::to_value(ReceiptJson::of(&receipt))?),
            // It is taken back and not yet written: what others wrote is read by now.
            Err(EngineError::Superseded) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(anyhow!("the journal of {cluster} is written to all the time: try again"))
}
