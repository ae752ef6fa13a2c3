//! Jobs that can use more accelerators than they asked for, on those that nobody needs.
//!
//! Everybody keeps what was asked for. What is idle beyond that is given out such that the sum of
//! the times that are left is the least, exactly: dynamic programming over jobs and accelerators. A
//! change of size costs the job a restart, so that nobody is moved for a gain of seconds.

/// A job that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elastic {
    /// Work that is left, in seconds at the size that was asked for.
    pub work_s: u64,
    /// Sizes with their speed, in millionths of that at the size that was asked for, which is the
    /// first of them and the smallest.
    pub sizes: Vec<(u32, u64)>,
    /// The size that it runs at; `None` where it is yet to start.
    pub now: Option<u32>,
    /// What a change of size loses, in seconds.
    pub restart_s: u64,
}

impl Elastic {
    /// Seconds until it is done at a size.
    fn left_s(&self, (size, speed): (u32, u64)) -> u64 {
        let changes = self.now.is_some_and(|now| now != size);
        let scaled = u128::from(self.work_s) * 1_000_000;
        let left = u64::try_from(scaled.div_ceil(u128::from(speed.max(1)))).unwrap_or(u64::MAX / 4);
        left.min(u64::MAX / 4).saturating_add(if changes { self.restart_s } else { 0 })
    }
}

/// The size of each job on so many accelerators, or `None` where they are too few for what was
/// asked for.
pub fn grow(accelerators: u32, jobs: &[Elastic]) -> Option<Vec<u32>> {
    let asked = |job: &Elastic| job.sizes.first().map(|(size, _)| *size);
    let asked: Vec<u32> = jobs.iter().map(asked).collect::<Option<_>>()?;
    let taken = asked.iter().try_fold(0_u32, |sum, size| sum.checked_add(*size))?;
    let spare = usize::try_from(accelerators.checked_sub(taken)?).ok()?;
    // The least sum of times with so many spare accelerators given to the jobs so far, and the size
    // of the last of them; a job that takes more of them comes with fewer for the ones before it.
    let mut least = vec![0_u64; spare + 1];
    let mut chosen: Vec<Vec<u32>> = Vec::with_capacity(jobs.len());
    for (job, asked) in jobs.iter().zip(&asked) {
        let mut next = vec![u64::MAX; spare + 1];
        let mut sizes = vec![*asked; spare + 1];
        for option in &job.sizes {
            let more = usize::try_from(option.0.checked_sub(*asked)?).ok()?;
            let left = job.left_s(*option);
            for at in more..=spare {
                let sum = least[at - more].saturating_add(left);
                if sum < next[at] {
                    (next[at], sizes[at]) = (sum, option.0);
                }
            }
        }
        least = next;
        chosen.push(sizes);
    }
    let mut at = spare;
    let mut all = vec![0; jobs.len()];
    for (place, sizes) in chosen.iter().enumerate().rev() {
        all[place] = sizes[at];
        at -= usize::try_from(sizes[at] - asked[place]).ok()?;
    }
    Some(all)
}
