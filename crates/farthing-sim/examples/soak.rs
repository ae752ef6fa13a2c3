//! Storms until somebody stops it, or for `--seconds N`: see `farthing_sim::storm`. Prints what was
//! simulated, what went wrong and which laws were checked; on a breach one command that replays it,
//! then a smaller case, and ends with status 1.
//!
//! ```text
//! soak [--seconds N] [--from SEED]     seed after seed
//! soak --runs N [--from SEED]          so many seeds, also after a breach; a line for each
//! soak CASE                            one case, as a breach prints it: 17,jobs=2,troubles=timeout
//! soak --defects                       in how many seeds each defect is seen
//! ```
#![allow(clippy::print_stdout, reason = "an example talks")]

use farthing_sim::storm::{
    Case, Checked, Coverage, Defect, Law, Op, Outcome, Sim, Trouble, shrink,
};
use jiff::SignedDuration;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Runs that shrinking may take.
const SHRINK_TRIES: u32 = 150;
/// Seeds that a defect is looked for in.
const DEFECT_SEEDS: u64 = 200;
/// Each so many a case is run twice, for the law that both are the same.
const TWICE: u64 = 16;
/// How often it says how far it is.
const SAYS_EVERY: Duration = Duration::from_secs(30);

/// What all runs came to.
#[derive(Default)]
struct Sum {
    runs: u64,
    ticks: u64,
    calls: u64,
    steps: u64,
    between: u64,
    simulated: SignedDuration,
    coverage: Coverage,
    checked: Checked,
}

impl Sum {
    fn add(&mut self, outcome: &Outcome) {
        self.runs += 1;
        self.ticks += outcome.ticks;
        self.calls += outcome.calls;
        self.steps += outcome.steps;
        self.between += outcome.between;
        self.simulated = self.simulated.saturating_add(outcome.simulated);
        self.coverage.add(&outcome.coverage);
        self.checked.add(&outcome.checked);
    }

    fn line(&self, since: Instant) -> String {
        format!(
            "{} runs, {} simulated hours ({} days), {} ticks, {} calls, {} steps in {} s",
            self.runs,
            self.simulated.as_hours(),
            self.simulated.as_hours() / 24,
            self.ticks,
            self.calls,
            self.steps,
            since.elapsed().as_secs()
        )
    }

    fn print(&self, since: Instant) {
        println!("{}", self.line(since));
        println!("\ntrouble            struck  during");
        print!("{}", self.coverage);
        println!("\nlaw                    checked");
        for law in Law::ALL {
            println!("{:<22}{:>8}", law.name(), self.checked.of(law));
        }
        let never = self.coverage.never_met();
        let all = Coverage::pairs().count();
        println!("\n{} of {all} pairs of trouble and operation were met", all - never.len());
        for trouble in Trouble::ALL {
            let missing = never.iter().filter(|(it, _)| *it == trouble);
            let missing: Vec<&str> = missing.map(|(_, op)| op.name()).collect();
            if !missing.is_empty() {
                println!("never met: {} during {}", trouble.name(), missing.join(", "));
            }
        }
        let undone: Vec<&str> =
            Op::ALL.iter().filter(|op| self.coverage.of(**op) == 0).map(|op| op.name()).collect();
        if !undone.is_empty() {
            println!("never done: {}", undone.join(", "));
        }
        println!(
            "{} steps were done while another controller was told that they never were",
            self.between
        );
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (mut seconds, mut from, mut runs) = (u64::MAX, 0, None);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|text| text.parse().ok());
        match argument.as_str() {
            "--seconds" => seconds = number().unwrap_or(seconds),
            "--from" => from = number().unwrap_or(from),
            "--defects" => return defects(),
            "--runs" => runs = number(),
            case => match case.parse() {
                Ok(case) => return replay(&case),
                Err(error) => {
                    println!("{error}");
                    return ExitCode::from(2);
                }
            },
        }
    }
    match runs {
        Some(runs) => each(from, runs),
        None => soak(seconds, from),
    }
}

/// So many seeds, with a line for each breach.
fn each(from: u64, runs: u64) -> ExitCode {
    let (began, mut sum, mut broken) = (Instant::now(), Sum::default(), 0);
    for seed in from..from.saturating_add(runs) {
        let outcome = Sim::run(seed);
        sum.add(&outcome);
        if let Some(breach) = &outcome.breach {
            broken += 1;
            println!("{}: {breach}", outcome.case);
        }
    }
    sum.print(began);
    println!("{broken} of {runs} seeds broke a law");
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Seed after seed on all cores, until the time is over or a law is broken.
fn soak(seconds: u64, from: u64) -> ExitCode {
    let (began, next) = (Instant::now(), AtomicU64::new(from));
    let sum = Mutex::new((Sum::default(), None::<Outcome>, Instant::now()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        while began.elapsed().as_secs() < seconds {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let mut outcome = Sim::run(seed);
            if seed.is_multiple_of(TWICE) {
                outcome = outcome.against(&Sim::run(seed));
            }
            let mut sum = sum.lock().expect("no thread panics");
            sum.0.add(&outcome);
            if outcome.breach.is_some() {
                sum.1.get_or_insert(outcome);
            }
            if sum.1.is_some() {
                return;
            }
            if sum.2.elapsed() > SAYS_EVERY {
                sum.2 = Instant::now();
                println!("{}", sum.0.line(began));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let (sum, broken, _) = sum.into_inner().expect("no thread panics");
    sum.print(began);
    broken.map_or(ExitCode::SUCCESS, |broken| tell(&broken))
}

/// How a breach is replayed, and a smaller case of it.
fn tell(broken: &Outcome) -> ExitCode {
    let Some(breach) = &broken.breach else { return ExitCode::SUCCESS };
    println!("\nBROKEN: {breach}\nreplay: make soak CASE='{}'", broken.case);
    println!("{:?}\nthe calls that led to it:", broken.case);
    broken.trail.iter().for_each(|call| println!("  {call}"));
    let small = shrink(broken, SHRINK_TRIES);
    if let Some(breach) = &small.breach {
        println!("\nsmaller: {breach}\nreplay: make soak CASE='{}'", small.case);
    }
    println!("{:?}\nthe calls that led to it:", small.case);
    small.trail.iter().for_each(|call| println!("  {call}"));
    ExitCode::FAILURE
}

fn replay(case: &Case) -> ExitCode {
    let began = Instant::now();
    let outcome = Sim::of(case).against(&Sim::of(case));
    let mut sum = Sum::default();
    sum.add(&outcome);
    sum.print(began);
    tell(&outcome)
}

/// In how many seeds each defect is seen, and by which law.
fn defects() -> ExitCode {
    let mut all = true;
    for defect in Defect::ALL {
        let seen = (0..DEFECT_SEEDS).find_map(|seed| {
            let outcome = Sim::of(&Case::with(defect, seed));
            outcome.breach.map(|breach| (seed, breach))
        });
        let Some((seed, breach)) = seen else {
            all = false;
            println!("{:<28}not seen in {DEFECT_SEEDS} seeds", defect.name());
            continue;
        };
        let right = defect.breaches().contains(&breach.law);
        all &= right;
        let mark = if right { "" } else { " (another law than it should be)" };
        println!("{:<28}seed {seed:>3}{mark}: {breach}", defect.name());
    }
    if all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
