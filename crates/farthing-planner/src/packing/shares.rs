//! Parts of accelerators: a member that asks for less than one has its part on one device, and two
//! of 600 thousandths are never on the same.
//!
//! The search adds amounts up, which says nothing of devices. So parts are rounded up to sizes of
//! which each divides the one before: of those, any that fit in the sum fit on devices. The bound
//! is of the parts as they are. [`fit`] is for the checkers and shares nothing with that.

/// Sizes of parts in thousandths, each a divisor of the one before.
const CHAINS: [[u64; 7]; 4] = [
    [1_000, 500, 250, 125, 25, 5, 1],
    [1_000, 500, 250, 50, 10, 5, 1],
    [1_000, 500, 100, 50, 10, 5, 1],
    [1_000, 200, 100, 50, 10, 5, 1],
];
/// Thousandths of one accelerator.
const WHOLE: u64 = 1_000;
/// Ways to put parts on devices that a checker looks at, where the usual order finds none.
const WAYS_MAX: u32 = 20_000;

/// How parts are rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts(&'static [u64; 7]);

impl Parts {
    /// The sizes that waste the least for so many members of each part.
    pub(super) fn of(asked: &(impl Iterator<Item = (u64, u64)> + Clone)) -> Self {
        let waste = |chain: &&'static [u64; 7]| -> u128 {
            let members = asked.clone();
            members
                .map(|(milli, n)| u128::from(Self(chain).up(milli) - milli) * u128::from(n))
                .sum()
        };
        Self(CHAINS.iter().min_by_key(waste).unwrap_or(&CHAINS[0]))
    }

    /// What a member is taken to ask for: a part rounded up, whole accelerators as they are.
    pub(super) fn up(self, milli: u64) -> u64 {
        let (whole, part) = (milli / WHOLE * WHOLE, milli % WHOLE);
        if part == 0 {
            return whole;
        }
        let sizes = self.0.iter().rev();
        whole + sizes.copied().find(|size| *size >= part).unwrap_or(WHOLE)
    }
}

/// Whether the usual order, the largest part first, finds room for members with such parts on so
/// many accelerators; pairs as in [`fit`].
pub(super) fn first_fit(has_milli: u64, mut members: Vec<(u64, u64)>) -> bool {
    members.sort_unstable_by_key(|(milli, _)| std::cmp::Reverse(milli % WHOLE));
    let whole: u64 = members.iter().map(|(milli, n)| milli / WHOLE * n).sum();
    let Some(devices) = (has_milli / WHOLE).checked_sub(whole) else { return false };
    let mut free: Vec<u64> = Vec::new();
    for (milli, n) in members.iter().filter(|(milli, _)| milli % WHOLE > 0) {
        for _ in 0..*n {
            let used = u64::try_from(free.len()).unwrap_or(u64::MAX);
            match free.iter_mut().find(|free| **free >= milli % WHOLE) {
                Some(free) => *free -= milli % WHOLE,
                None if used < devices => free.push(WHOLE - milli % WHOLE),
                None => return false,
            }
        }
    }
    true
}

/// Whether members with such parts fit on so many accelerators, each part on one of them: pairs of
/// thousandths and members.
pub(super) fn fit(has_milli: u64, members: &[(u64, u64)]) -> bool {
    let all: u128 = members.iter().map(|(milli, n)| u128::from(*milli) * u128::from(*n)).sum();
    if all > u128::from(has_milli) {
        return false;
    }
    let whole: u64 = members.iter().map(|(milli, n)| milli / WHOLE * n).sum();
    let mut parts: Vec<u64> = Vec::new();
    for (milli, n) in members.iter().filter(|(milli, n)| milli % WHOLE > 0 && *n > 0) {
        // More of them than there is room for was refused by the sum.
        parts.extend((0..*n).map(|_| milli % WHOLE));
    }
    if parts.is_empty() {
        return true;
    }
    parts.sort_unstable_by(|a, b| b.cmp(a));
    let devices = usize::try_from((has_milli / WHOLE).saturating_sub(whole)).unwrap_or(usize::MAX);
    let mut free = vec![WHOLE; devices.min(parts.len())];
    place(&mut free, &parts, &mut 0)
}

/// Puts the largest part where it fits, and the rest after it.
fn place(free: &mut [u64], parts: &[u64], ways: &mut u32) -> bool {
    let Some((part, rest)) = parts.split_first() else { return true };
    *ways += 1;
    let mut tried = Vec::new();
    for at in 0..free.len() {
        // Devices with as much left are alike.
        if free[at] < *part || tried.contains(&free[at]) || *ways > WAYS_MAX {
            continue;
        }
        tried.push(free[at]);
        free[at] -= part;
        if place(free, rest, ways) {
            return true;
        }
        free[at] += part;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_on_one_device_each() {
        assert!(!fit(2_000, &[(600, 3)]));
        assert!(fit(2_000, &[(600, 2), (400, 2)]));
        assert!(!fit(2_000, &[(600, 2), (401, 1)]));
        assert!(fit(3_000, &[(1_000, 2), (500, 2)]));
        assert!(!fit(2_000, &[(1_000, 1), (600, 1), (500, 1)]));
        assert!(fit(0, &[(0, 7)]) && !fit(0, &[(1, 1)]));
        // The largest first onto the first device does not find it: 5+3+2, 4+3+3.
        assert!(fit(2_000, &[(500, 1), (400, 1), (300, 3), (200, 1)]));
    }

    /// What fits in the sum when rounded fits on devices, whatever was drawn.
    #[test]
    fn rounded_parts_that_fit_in_the_sum_fit_on_devices() {
        let mut state = 7_u64;
        let mut draw = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % below
        };
        for _ in 0..400 {
            let kinds: Vec<(u64, u64)> =
                (0..=draw(4)).map(|_| (1 + draw(999), 1 + draw(4))).collect();
            let parts = Parts::of(&kinds.iter().copied());
            let up: Vec<(u64, u64)> =
                kinds.iter().map(|(milli, n)| (parts.up(*milli), *n)).collect();
            assert!(up.iter().zip(&kinds).all(|(up, kind)| up.0 >= kind.0));
            let sum: u64 = up.iter().map(|(milli, n)| milli * n).sum();
            let devices = sum.div_ceil(1_000) * 1_000;
            assert!(fit(devices, &up), "{kinds:?}");
            assert!(fit(devices, &kinds), "{kinds:?}");
        }
        assert_eq!(Parts::of(&[(250, 9), (100, 1)].into_iter()).up(250), 250);
        assert_eq!(Parts::of(&[(200, 9)].into_iter()).up(200), 200);
        assert_eq!(Parts::of(&[(200, 9)].into_iter()).up(3_000), 3_000);
    }
}
