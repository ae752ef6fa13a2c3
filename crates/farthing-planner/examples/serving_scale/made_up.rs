//! Cases of services, made up from a seed: five generators, each hard in a way of its own.

/// Name, price in cents, speed in tokens/s, memory in GB.
pub(super) const KINDS: [(&str, i64, i64, i64); 8] = [
    ("L4-24GB", 71, 900, 24),
    ("A10G-24GB", 101, 1_300, 24),
    ("H100-80GB", 298, 9_500, 80),
    ("A100-80GB", 179, 4_600, 80),
    ("T4-16GB", 35, 330, 16),
    ("L40S-48GB", 126, 2_600, 48),
    ("A100-40GB", 129, 3_900, 40),
    ("H200-141GB", 379, 13_000, 141),
];

/// A small generator, the same everywhere.
struct Dice(u64);

impl Dice {
    fn new(seed: u64, number: u64) -> Self {
        let mut dice = Self(seed.wrapping_mul(1_000_003).wrapping_add(number));
        (0..8).for_each(|_| {
            dice.from(0, 1);
        });
        dice
    }

    fn from(&mut self, low: i64, high: i64) -> i64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let span = u64::try_from(high - low + 1).unwrap();
        low + i64::try_from((self.0 >> 33) % span).unwrap()
    }
}

/// An accelerator count that can be bought.
pub(super) struct Kind {
    /// Of [`KINDS`].
    pub(super) name: usize,
    /// Accelerators of a node, and of the copy whose throughput is in the table.
    pub(super) count: u32,
    /// Cents an hour.
    pub(super) cents: i64,
    pub(super) available: Option<u32>,
}

/// What a case is made of, as a peer would be given it.
pub(super) struct Case {
    pub(super) rate: i64,
    pub(super) slices: u32,
    pub(super) kinds: Vec<Kind>,
    /// Input and output tokens, and the share in 10^-9.
    pub(super) buckets: Vec<(u32, u32, i64)>,
    /// Requests per second in 10^-9, by kind and bucket.
    pub(super) most: Vec<Vec<i64>>,
}

/// A case like those of people: prices near the worth of a kind, four slices.
pub(super) fn usual(seed: u64, number: u64) -> Case {
    let mut dice = Dice::new(seed, number * 7_919 + 1);
    let kinds = usize::try_from(dice.from(2, 8)).unwrap();
    let buckets = usize::try_from(dice.from(4, 60)).unwrap();
    let weights: Vec<i64> = (0..buckets).map(|_| dice.from(1, 30).pow(2)).collect();
    let whole: i64 = weights.iter().sum();
    let mut left = 1_000_000_000;
    let mut rows = Vec::new();
    for (at, weight) in weights.iter().enumerate() {
        let share = if at + 1 == buckets { left } else { 1_000_000_000 * weight / whole };
        left -= share;
        let (column, row) = (i64::try_from(at).unwrap() % 10, i64::try_from(at).unwrap() / 10);
        let input = u32::try_from(64 << (column / 2)).unwrap() + u32::try_from(column).unwrap();
        let output = u32::try_from(32 << row).unwrap();
        rows.push((input, output, share));
    }
    let most = KINDS[..kinds].iter().map(|(_, _, speed, memory)| {
        let of = |(input, output, _): &(u32, u32, i64)| {
            let (input, output) = (i64::from(*input), i64::from(*output));
            // Prompts are read about eight times as fast as answers are written.
            let nanos = speed * 1_000_000_000 / (input / 8 + output + 8);
            let fits = (input + output) / 60 <= *memory;
            if fits { nanos / 100 * dice.from(70, 130) } else { 0 }
        };
        rows.iter().map(of).collect()
    });
    let most: Vec<Vec<i64>> = most.collect();
    let kinds = KINDS[..kinds].iter().enumerate().map(|(name, it)| {
        let cents = it.1 * dice.from(80, 120) / 100;
        Kind { name, count: 1, cents, available: None }
    });
    Case { rate: 1 << (number % 11), slices: 4, kinds: kinds.collect(), buckets: rows, most }
}

/// A case that is harder than those of people: speeds that differ by more than their prices, by
/// bucket and without order, several counts of one accelerator, nodes that run out, buckets that
/// some cannot serve, any rate, and 1 to 8 slices.
pub(super) fn harsh(seed: u64, number: u64) -> Case {
    let mut dice = Dice::new(seed, number * 104_729 + 7);
    let (names, buckets) = (dice.from(2, 8), usize::try_from(dice.from(4, 60)).unwrap());
    let rate = (1 << dice.from(0, 10)) * dice.from(64, 127) / 64;
    let slices = [1, 2, 4, 8][usize::try_from(dice.from(0, 3)).unwrap()];
    let weights: Vec<i64> = (0..buckets).map(|_| dice.from(1, 100).pow(2)).collect();
    let whole: i64 = weights.iter().sum();
    let mut shares: Vec<i64> = weights.iter().map(|it| 1_000_000_000 * it / whole).collect();
    shares[0] += 1_000_000_000 - shares.iter().sum::<i64>();
    let tokens = |at: usize| u32::try_from(at).unwrap() + 1;
    let rows: Vec<(u32, u32, i64)> =
        shares.iter().enumerate().map(|(at, share)| (100 * tokens(at), 50, *share)).collect();
    let (mut kinds, mut most) = (Vec::new(), Vec::new());
    while i64::try_from(kinds.len()).unwrap() < names {
        let name = kinds.len();
        let count = [1, 2, 4, 8][usize::try_from(dice.from(0, 3)).unwrap()];
        // Requests per second in 10^-3 of a usual bucket: a factor of 128 from least to most.
        let speed = (1 << dice.from(0, 6)) * dice.from(100, 200) * 4;
        let cents = (speed / 20 * dice.from(50, 150) / 100).max(1);
        let rates = (0..buckets).map(|at| {
            let size = 30 + i64::from(tokens(at));
            let able = name == 0 || dice.from(1, 7) > 1;
            if able { speed * 50_000_000 / size * dice.from(30, 300) / 100 } else { 0 }
        });
        let rates: Vec<i64> = rates.collect();
        let limited = name > 0 && dice.from(1, 3) == 1;
        let available = limited.then(|| u32::try_from(dice.from(1, 1 + rate / 8)).unwrap());
        kinds.push(Kind { name, count, cents, available });
        most.push(rates);
    }
    Case { rate, slices, kinds, buckets: rows, most }
}

/// A case like the tables that people publish: ten sizes of prompts by six of answers, most of
/// them rare, on accelerators that are the better the larger requests are and cannot hold the
/// largest in a small memory.
pub(super) fn skewed(seed: u64, number: u64) -> Case {
    let mut dice = Dice::new(seed, number * 15_485_863 + 11);
    let (kinds, slices) = (usize::try_from(dice.from(3, 8)).unwrap(), [4, 8, 1, 16][at(number)]);
    let rate = 1 << (number % 11);
    let (mode, spread) = (dice.from(0, 9), dice.from(1, 4));
    let inputs = [25, 100, 250, 500, 1_000, 2_000, 4_000, 8_000, 12_000, 16_000];
    let (mut weights, mut rows) = (Vec::new(), Vec::new());
    for (column, input) in (0_i64..).zip(inputs) {
        for (row, output) in (0_i64..).zip([25, 100, 250, 500, 1_000, 2_000]) {
            let far = (column - mode).abs() * 3 / spread + (row - mode * 6 / 10).abs();
            let weight = (100_000 >> (2 * far).min(16)) * dice.from(1, 4);
            weights.push(if weight < 20 { 0 } else { weight });
            rows.push((input, output));
        }
    }
    let most = KINDS[..kinds].iter().map(|(_, _, speed, memory)| {
        let of = |(input, output): &(u32, u32)| {
            let (input, output) = (i64::from(*input), i64::from(*output));
            // So many requests share a batch, and a batch is the faster the fuller it is.
            let held = (memory - 14) * 2_000 / (input + output);
            let batch = held.min(64);
            let nanos = speed * 1_000_000_000 / (input / 10 + output) * batch / (batch + 12);
            if held < 1 { 0 } else { nanos / 1_000 * dice.from(90, 110) }
        };
        rows.iter().map(of).collect()
    });
    let most = most.collect();
    let kinds = (0..kinds).map(|name| kind(name, 1, KINDS[name].1, None)).collect();
    Case { rate, slices, kinds, buckets: shared(&rows, &weights), most }
}

/// A case of near ties: every accelerator is worth its price within a few hundredths.
pub(super) fn near(seed: u64, number: u64) -> Case {
    let mut dice = Dice::new(seed, number * 32_452_843 + 13);
    let (kinds, buckets) = (dice.from(2, 8), dice.from(4, 60));
    let slices = [4, 8, 2, 1][at(number / 11)];
    let weights: Vec<i64> = (0..buckets).map(|_| dice.from(1, 40)).collect();
    let rows: Vec<(u32, u32)> =
        (1..=u32::try_from(buckets).unwrap()).map(|n| (60 * n, 40)).collect();
    let (mut offered, mut most) = (Vec::new(), Vec::new());
    for name in 0..usize::try_from(kinds).unwrap() {
        let cents = dice.from(40, 400);
        offered.push(kind(name, 1, cents, None));
        let rates = rows.iter().map(|(input, _)| {
            cents * 20_000_000_000 / (i64::from(*input) + 400) * dice.from(97, 103) / 100
        });
        most.push(rates.collect());
    }
    Case {
        rate: 1 << (number % 11),
        slices,
        kinds: offered,
        buckets: shared(&rows, &weights),
        most,
    }
}

/// A case of counts: copies over 1, 2, 4 and 8 accelerators of few names, the best in short
/// supply, one worse than another in most buckets.
pub(super) fn scarce(seed: u64, number: u64) -> Case {
    let mut dice = Dice::new(seed, number * 49_979_687 + 17);
    let (kinds, buckets) = (dice.from(3, 8), dice.from(4, 60));
    let rate = (1 << (number % 11)) * dice.from(4, 7) / 4;
    let slices = [4, 1, 8, 2][at(number / 11)];
    let weights: Vec<i64> = (0..buckets).map(|_| dice.from(1, 12).pow(3)).collect();
    let rows: Vec<(u32, u32)> =
        (1..=u32::try_from(buckets).unwrap()).map(|n| (80 * n, 60)).collect();
    let (mut offered, mut most) = (Vec::new(), Vec::new());
    for name in 0..usize::try_from(kinds).unwrap() {
        let count = 1 << dice.from(0, 3);
        let (speed, bent) = (dice.from(60, 140) * i64::from(count), dice.from(0, 3));
        let cents = (speed * dice.from(75, 125) / 100).max(1);
        let rates = rows.iter().map(|(input, _)| {
            let size = i64::from(*input) + 500 - 100 * bent;
            // Worse in most sizes, better in some.
            let luck = if dice.from(1, 5) == 1 { dice.from(100, 220) } else { dice.from(50, 100) };
            speed * 8_000_000_000 / size * luck / 100
        });
        most.push(rates.collect());
        let needed = (rate * 400 / speed).max(1);
        let limited = name > 0 && dice.from(1, 3) < 3;
        let available = limited.then(|| u32::try_from(dice.from(0, needed)).unwrap());
        offered.push(kind(name, count, cents, available));
    }
    Case { rate, slices, kinds: offered, buckets: shared(&rows, &weights), most }
}

/// One of four, in turn.
fn at(number: u64) -> usize {
    usize::try_from(number % 4).unwrap()
}

fn kind(name: usize, count: u32, cents: i64, available: Option<u32>) -> Kind {
    Kind { name, count, cents, available }
}

/// Sizes with their shares, which sum to one.
fn shared(rows: &[(u32, u32)], weights: &[i64]) -> Vec<(u32, u32, i64)> {
    let whole: i64 = weights.iter().sum();
    let mut shares: Vec<i64> = weights.iter().map(|it| 1_000_000_000 * it / whole).collect();
    let most = (0..shares.len()).max_by_key(|at| (shares[*at], *at)).unwrap();
    shares[most] += 1_000_000_000 - shares.iter().sum::<i64>();
    rows.iter().zip(shares).map(|((input, output), share)| (*input, *output, share)).collect()
}
