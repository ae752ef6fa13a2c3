//! `farthing run`: a command that is reserved for, metered, stopped at its limits and accounted.
//!
//! Start with [`run`]: it is the whole story. The parts: `machine` (what an hour costs and what is
//! set aside), `reserve` (budgets), `child` (the process and its signals), `tab` (from looks to
//! charges in the books), `limit` (when it must end), `metric` (what it achieved), `supervise` (the
//! loop) and `statement` (what is told at the end).

mod child;
mod container;
mod launch;
mod limit;
mod live;
mod machine;
mod metric;
pub(crate) mod reserve;
mod statement;
mod supervise;
mod tab;

pub(crate) use launch::become_command;

use crate::args::{Output, RunArgs};
use crate::home::Home;
use crate::outcome::{Outcome, WrongUse};
use crate::print::talk;
use crate::show;
use child::{Child, Signals, Start};
use container::Container;
use farthing_engine::{Journal, Short, record_run};
use farthing_model::{Attribution, ClusterId, Decimal, Money, WorkloadId};
use farthing_providers::local::{RunGroup, RunMeter, RunMeterOptions};
use farthing_providers::nvml::GpuDriver;
use jiff::{SignedDuration, Timestamp};
use limit::Limits;
use machine::Machine;
use metric::Metric;
use reserve::{Payer, Reservation};
use statement::Statement;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use supervise::{Ended, Supervised};
use tab::Tab;

/// Stopped at a limit, as `timeout` says it.
const STOPPED: u8 = 124;
/// Where nothing bounds the cost, budget is set aside for so long at a time.
const AT_A_TIME: SignedDuration = SignedDuration::from_hours(1);
/// A loop that posted something so long ago still runs, as far as one knows.
const BETWEEN_TICKS: SignedDuration = SignedDuration::from_mins(1);

/// Runs a command.
pub(crate) fn run(args: &RunArgs, home: &Home, output: Output) -> anyhow::Result<Outcome> {
    // 1. Signals first: threads that are started later inherit what is blocked.
    let signals = Signals::listen()?;
    // 2. What was asked for, all of it before anything is set aside.
    let (mut order, gpus) = match order(args)? {
        Ok(order) => order,
        Err(code) => return Ok(Outcome::Code(code)),
    };
    let (nothing, cluster) = (Money::zero(order.machine.currency()), order.cluster.clone());
    // 3. Budget.
    let asked = (&mut order.payer, format!("run {}", order.name));
    let mut reservation =
        Reservation::open(&args.pays, home, asked, (&cluster, nothing.currency()))?;
    if home.cluster(None).is_err() {
        home.begin(&cluster)?;
    }
    let own = order.container.is_none();
    let group = own.then(|| RunGroup::make(&format!("farthing-{}", order.run))).flatten();
    let source = if group.is_some() || !own { "cgroup" } else { "procfs" };
    let mut tab = Tab::open(&order.machine, order.who()?, (home.books()?, cluster), source)?;
    let short = reserve(&mut reservation, &tab, &order.limits)?;
    if !short.is_empty() {
        return refused(&order.name, &short, output);
    }
    // 4. The command, from its first instruction to its end.
    let meter = RunMeter::open(RunMeterOptions {
        ancestor: std::process::id(),
        group,
        tree: own,
        gpus,
        own_devices: order.machine.devices.iter().cloned().collect(),
    })?;
    tab.begin();
    let launch = Start {
        command: &order.command,
        join: meter.group().map(RunGroup::door),
        environment: environment(&order.machine),
        piped: matches!(order.metric, Metric::Output(_)),
    };
    let mut child = start(launch, &mut reservation, nothing)?;
    let pipes = order.metric.follow(child.process());
    let supervised = Supervised {
        signals: &signals,
        child,
        meter,
        tab: &mut tab,
        limits: &order.limits,
        reservation: &mut reservation,
        live: live::Live::new(args.live),
        container: order.container.as_ref(),
    };
    let ended = supervised.watch()?;
    // 5. The account. The command has run, whatever fails from here on: its exit code stays.
    tab.close();
    let spent = tab.sums()?.map(|sums| sums.paid);
    let settled = reservation.settle(spent, &ended.in_words());
    tell_failed("its reservation cannot be settled; it ends by itself", settled);
    let achieved = order.metric.read(pipes.as_ref()).unwrap_or_else(|error| {
        talk(&format!("farthing: {error:#}"));
        None
    });
    account(&order, &tab, (&ended, achieved), (args, home, output))?;
    Ok(Outcome::Code(ended.code()))
}

/// What was asked for.
struct Order {
    name: String,
    run: String,
    cluster: ClusterId,
    machine: Machine,
    limits: Limits,
    payer: Payer,
    metric: Metric,
    container: Option<Container>,
    command: Vec<OsString>,
}

/// An order, and what reads the accelerators; or an exit code.
type Ordered = Result<(Order, Box<dyn GpuDriver>), u8>;

/// Reads what was asked for; or the exit code that says why it cannot be.
fn order(args: &RunArgs) -> anyhow::Result<Ordered> {
    let metric = Metric::of(&args.metric)?;
    let payer = Payer::of(args.pays.team.as_deref(), &args.pays.labels)?;
    let cluster = ClusterId::new(&args.pays.post_to)
        .map_err(|error| WrongUse::new(format!("--post-to: {error}")))?;
    let (machine, gpus) = Machine::look(args)?;
    let priced = machine.price().rate().is_some();
    let limits = Limits::of(&args.limits, machine.currency(), priced, Timestamp::now())?;
    let (name, run) = (name(args), run_id());
    Ok(to_start(args, &machine, &run)?.map(|(container, command)| {
        let order =
            Order { name, run, cluster, machine, limits, payer, metric, container, command };
        (order, gpus)
    }))
}

/// Tells the statement, and keeps it.
fn account(
    order: &Order,
    tab: &Tab<'_>,
    (ended, achieved): (&Ended, Option<Decimal>),
    (args, home, output): (&RunArgs, &Home, Output),
) -> anyhow::Result<()> {
    let also = also_metered(home, order, tab.began());
    let statement = Statement {
        name: &order.name,
        run: &order.run,
        cluster: &order.cluster,
        machine: &order.machine,
        limits: &order.limits,
        began: tab.began(),
        wall: tab.now().duration_since(tab.began()),
        ended,
        hourly: tab.hourly()?,
        sums: tab.sums()?,
        metric: achieved.map(|achieved| (achieved, args.metric.unit.as_str())),
        unposted: tab.unposted.as_deref(),
        also: also.as_ref(),
    };
    statement.tell(output);
    tell_failed("the statement cannot be written", statement.write(args.statement.as_deref()));
    let recorded = record(home, &order.cluster, &statement, args);
    tell_failed("the run cannot be recorded in the journal", recorded);
    Ok(())
}

/// Whose loop metered this machine while the command ran, so that its time is in two books.
fn also_metered(home: &Home, order: &Order, began: Timestamp) -> Option<ClusterId> {
    let machine = ClusterId::new(&order.machine.inventory.hostname).ok()?;
    if machine == order.cluster {
        return None;
    }
    let books = home.books().ok()?;
    let since = began.checked_sub(BETWEEN_TICKS).ok()?;
    // The hour of the end, or that of the beginning where no tick of this hour is posted yet.
    let hours = [Timestamp::now(), began].into_iter();
    let mut posted = hours.filter_map(|at| books.hour(&machine, at).ok().flatten());
    posted.any(|book| book.window.to() >= since).then_some(machine)
}

/// A container, if it is one, and the command that is started; or the exit code that says why it
/// cannot be.
type ToStart = Result<(Option<Container>, Vec<OsString>), u8>;

/// What is started: the command itself, or what runs it in a container.
fn to_start(args: &RunArgs, machine: &Machine, run: &str) -> anyhow::Result<ToStart> {
    let (container, command) = match Container::of(args, machine, run)? {
        Some((container, command)) => (Some(container), command),
        None => (None, args.command.clone()),
    };
    let Some(program) = command.first() else {
        return Err(WrongUse::new("there is no command").hint("name it after --").into());
    };
    if let Err((code, why)) = child::find(Path::new(program)) {
        talk(&format!("farthing: {} {why}", program.display()));
        return Ok(Err(code));
    }
    Ok(Ok((container, command)))
}

/// Starts the command, or gives back what was set aside for it.
fn start(start: Start<'_>, reservation: &mut Reservation, nothing: Money) -> anyhow::Result<Child> {
    match Child::start(start) {
        Ok(child) => Ok(child),
        Err(error) => {
            reservation.settle(Some(nothing), "not started")?;
            Err(anyhow::Error::from(error).context("the command cannot be started"))
        }
    }
}

/// Sets aside all that it may cost, or the first part of it.
fn reserve(
    reservation: &mut Reservation,
    tab: &Tab<'_>,
    limits: &Limits,
) -> anyhow::Result<Vec<Short>> {
    if !reservation.is_asked() {
        return Ok(Vec::new());
    }
    let Some(hourly) = tab.hourly()? else {
        return Err(WrongUse::new("a budget is named, and this machine's price is not known")
            .hint("say what it costs with --price '3.90 USD/h', --offer or --hardware FILE")
            .into());
    };
    let (amount, length) = bound(limits, hourly);
    let gpu_hours = tab.gpu_hours_milli(length);
    let until = tab.now().checked_add(length).unwrap_or(Timestamp::MAX);
    reservation.take(amount, gpu_hours, until)
}

/// The most that it may cost, and until when that lasts; an hour's worth where nothing bounds it.
fn bound(limits: &Limits, hourly: Money) -> (Money, SignedDuration) {
    let currency = hourly.currency();
    let hour = AT_A_TIME.as_nanos();
    let at_most = limits.deadline.and_then(|length| SignedDuration::try_from(length).ok());
    let cost_of = |length: SignedDuration| {
        // Rounded up, as a reservation is an upper end.
        let pico = hourly.pico().checked_mul(length.as_nanos()).map(|all| all / hour + 1);
        pico.map_or(hourly, |pico| Money::from_pico(pico, currency))
    };
    let lasts = |most: Money| {
        let nanos = most.pico().checked_mul(hour)?.checked_div(hourly.pico())?;
        Some(SignedDuration::from_nanos(i64::try_from(nanos).ok()?))
    };
    match (limits.max_cost, at_most) {
        (Some(most), None) => (most, lasts(most).unwrap_or(AT_A_TIME)),
        (None, Some(length)) => (cost_of(length), length),
        (Some(most), Some(length)) => {
            let by_time = cost_of(length);
            (if by_time.pico() < most.pico() { by_time } else { most }, length)
        }
        (None, None) => (hourly, AT_A_TIME),
    }
}

/// Says what is short. Nothing was started.
fn refused(name: &str, short: &[Short], output: Output) -> anyhow::Result<Outcome> {
    let shorts: Vec<_> = short.iter().map(farthing_server::wire::short).collect();
    if output == Output::Json {
        let value = serde_json::json!({ "name": name, "fits": false, "short": shorts });
        talk(&serde_json::to_string_pretty(&value)?);
    } else {
        talk(&format!("farthing: {name} does not fit the budget and was not started"));
        let shorts = serde_json::json!({ "short": shorts });
        talk(show::budget::shortages(&shorts).to_text().trim_end());
    }
    Ok(Outcome::Infeasible)
}

fn tell_failed(what: &str, done: anyhow::Result<()>) {
    if let Err(error) = done {
        talk(&format!("farthing: {what}: {error:#}"));
    }
}

/// The name that it has in statements: of the program, or of the script that an interpreter runs.
fn name(args: &RunArgs) -> String {
    if let Some(name) = &args.name {
        return name.clone();
    }
    let file = |text: &OsString| {
        let name = Path::new(text).file_name().unwrap_or(text);
        name.to_string_lossy().into_owned()
    };
    if let Some(image) = &args.container {
        let name = image.rsplit('/').next().unwrap_or(image);
        return name.split([':', '@']).next().unwrap_or(name).to_owned();
    }
    let Some(program) = args.command.first() else { return "command".to_owned() };
    let script =
        args.command.iter().skip(1).find(|word| !word.as_encoded_bytes().starts_with(b"-"));
    let script =
        script.filter(|word| Path::new(word).is_file() && Path::new(word).extension().is_some());
    script.map_or_else(|| file(program), file)
}

/// Names a run: when and by which process.
fn run_id() -> String {
    format!("{}-{}", Timestamp::now().strftime("%Y%m%dT%H%M%S"), std::process::id())
}

impl Order {
    /// Whom it is charged to.
    fn who(&self) -> anyhow::Result<Attribution> {
        let workload = WorkloadId::new(&self.name)
            .map_err(|error| WrongUse::new(format!("--name: {error}")))?;
        let mut labels = self.payer.labels.clone();
        labels.insert("run".to_owned(), self.run.clone());
        let program = self.command.first().and_then(|program| Path::new(program).file_name());
        let user = ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
        Ok(Attribution {
            team: self.payer.team.clone(),
            user: user.filter(|user| !user.is_empty()),
            process: program.map(|program| program.to_string_lossy().into_owned()),
            labels: Arc::new(labels),
            ..Attribution::of(workload)
        })
    }
}

/// What the command must be told: which accelerators are its own.
fn environment(machine: &Machine) -> Vec<(String, String)> {
    if !machine.some_devices || machine.inventory.gpus.is_empty() {
        return Vec::new();
    }
    vec![("CUDA_VISIBLE_DEVICES".to_owned(), machine.devices.join(","))]
}

/// Keeps what it took, for the next estimate of the same kind.
fn record(
    home: &Home,
    cluster: &ClusterId,
    statement: &Statement<'_>,
    args: &RunArgs,
) -> anyhow::Result<()> {
    let record = statement.record(args)?;
    let mut journal = Journal::open(home.store().open(cluster)?)?;
    record_run(&mut journal, &record, Timestamp::now())?;
    Ok(())
}
