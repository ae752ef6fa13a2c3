//! What observing this machine costs: `observe_local [TICKS] [SECONDS] [PROCESSES]`.
//!
//! Measures this machine TICKS times (default 6), SECONDS apart (default 10), and prints for each
//! the processor time that the measurement took and the memory that this process holds. The last
//! lines are for `make bench`. Sleeping processes are started until there are PROCESSES (500) of
//! all kinds; they end with it.
#![allow(clippy::print_stdout, reason = "an example speaks to people")]

use farthing_edge::{Measure as _, Measured};
use farthing_model::{ClusterId, OfferId, Place, Price, Resource, Window};
use farthing_providers::local::{LocalMachine, MachineOffer, inventory};
use farthing_providers::nvml;
use jiff::Timestamp;
use std::error::Error;
use std::path::Path;
use std::{env, fs, thread, time::Duration};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let ticks: u32 = arguments.next().map_or(Ok(6), |text| text.parse())?;
    let seconds: u64 = arguments.next().map_or(Ok(10), |text| text.parse())?;
    let wanted: usize = arguments.next().map_or(Ok(500), |text| text.parse())?;
    let missing = wanted.saturating_sub(process_count()?);
    let _sleepers: Vec<Sleeper> =
        (0..missing).map(|_| Sleeper::start()).collect::<Result<_, _>>()?;
    let root = Path::new("/");
    let has = inventory(root, &mut *nvml::driver())?;
    println!(
        "{}: {} cores ({}), {} MiB of memory, {} GB of disk, {} GPUs",
        has.hostname,
        has.cores,
        has.cpu_model.as_deref().unwrap_or("unnamed"),
        has.memory_bytes >> 20,
        has.storage_bytes / 1_000_000_000,
        has.gpus.len(),
    );
    let offer = MachineOffer {
        offer: OfferId::new("local/here/machine/owned")?,
        place: Place { provider: "local".into(), region: "here".into(), zone: None },
        instance_type: "machine".to_owned(),
        price: Price::Unknown("not needed to measure".to_owned()),
    };
    let mut machine = LocalMachine::open(root, ClusterId::new("local")?, offer, nvml::driver())?;
    let mut from = Timestamp::now();
    let mut costs = Vec::new();
    for tick in 1..=ticks {
        thread::sleep(Duration::from_secs(seconds));
        let before = cpu_micros()?;
        let to = Timestamp::now();
        let measured = machine.measure(Window::new(from, to)?)?;
        let cost = cpu_micros()? - before;
        from = to;
        costs.push(cost);
        let used: i128 = measured
            .samples
            .iter()
            .filter(|sample| sample.resource == Resource::Cpu)
            .map(farthing_model::Sample::known_use)
            .sum();
        println!(
            "tick {tick}: {cost} us of processor, {} kB resident, {} samples, {} core-ms used",
            resident_kb()?,
            measured.samples.len(),
            used / 1_000_000,
        );
        tell(&machine, &measured);
    }
    let sum: u64 = costs.iter().sum();
    let most = costs.iter().max().copied().unwrap_or(0);
    let (mean, resident) = (sum / u64::from(ticks.max(1)), resident_kb()?);
    // At one tick every ten seconds: 1 % of a core is 100,000 us a tick.
    println!(
        "{{\"bench\": \"observe-cpu\", \"value\": {mean}, \"limit\": 100000, \"unit\": \"us/tick\", \
         \"most_us\": {most}, \"processes\": {}}}",
        process_count()?
    );
    println!(
        "{{\"bench\": \"observe-memory\", \"value\": {resident}, \"limit\": 61440, \"unit\": \"kB\"}}"
    );
    Ok(())
}

/// What processors and devices drew, what is odd, and with `VERBOSE` who used what.
fn tell(machine: &LocalMachine, measured: &Measured) {
    for (zone, joules) in machine.energy_of_processors() {
        println!("  energy: {zone} {joules}");
    }
    for (device, joules) in machine.energy() {
        println!("  energy: {device} {joules}");
    }
    for fault in &measured.faults {
        println!("  note: {fault}");
    }
    let verbose = env::var_os("VERBOSE").is_some();
    for sample in measured.samples.iter().filter(|_| verbose) {
        let who = sample.attribution.as_ref();
        let who = who.map_or("(system)", |who| who.workload.as_str());
        println!("  {:>8} {:>24} {who}", sample.resource, sample.known_use());
    }
}

/// A process that does nothing, and ends with this one.
struct Sleeper(std::process::Child);

impl Sleeper {
    fn start() -> std::io::Result<Self> {
        std::process::Command::new("sleep").arg("600").spawn().map(Self)
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Processor time of this thread, in microseconds, by the scheduler's own account.
fn cpu_micros() -> Result<u64, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos: u64 = text.split(' ').next().unwrap_or_default().parse()?;
    Ok(nanos / 1_000)
}

fn process_count() -> Result<usize, Box<dyn Error>> {
    let is_process = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
    let names =
        fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.filter(|name| is_process(name)).count())
}

fn resident_kb() -> Result<u64, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
