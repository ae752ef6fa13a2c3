//! Whole numbers without limit, for the exact arithmetic of one small linear program.
//!
//! Sign and magnitude, 32 bits a limb, least significant first. Only what the pivots need: there
//! is no general arithmetic here, and division is for divisors that leave no rest.

use std::cmp::Ordering;

/// A whole number of any size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Whole {
    negative: bool,
    /// No zero at the end; empty is zero, which is not negative.
    limbs: Vec<u32>,
}

const fn low(value: u64) -> u32 {
    (value & 0xffff_ffff) as u32
}

fn trim(limbs: &mut Vec<u32>) {
    while limbs.last() == Some(&0) {
        limbs.pop();
    }
}

fn compare(a: &[u32], b: &[u32]) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.iter().rev().cmp(b.iter().rev()))
}

fn add(a: &[u32], b: &[u32]) -> Vec<u32> {
    let mut sum = Vec::with_capacity(a.len().max(b.len()) + 1);
    let mut carry = 0_u64;
    for index in 0..a.len().max(b.len()) {
        let at = |limbs: &[u32]| u64::from(limbs.get(index).copied().unwrap_or(0));
        carry += at(a) + at(b);
        sum.push(low(carry));
        carry >>= 32;
    }
    sum.push(low(carry));
    trim(&mut sum);
    sum
}

/// `a - b`, where `a >= b`.
fn subtract(a: &[u32], b: &[u32]) -> Vec<u32> {
    let mut rest = Vec::with_capacity(a.len());
    let mut borrow = 0_u64;
    for (index, limb) in a.iter().enumerate() {
        let taken = u64::from(b.get(index).copied().unwrap_or(0)) + borrow;
        let have = u64::from(*limb);
        borrow = u64::from(have < taken);
        rest.push(low((have + (borrow << 32)) - taken));
    }
    trim(&mut rest);
    rest
}

fn shift_left(limbs: &[u32], bits: u32) -> Vec<u32> {
    let mut shifted = Vec::with_capacity(limbs.len() + 1);
    let mut carry = 0_u64;
    for limb in limbs {
        carry |= u64::from(*limb) << bits;
        shifted.push(low(carry));
        carry >>= 32;
    }
    shifted.push(low(carry));
    shifted
}

/// The quotient of long division, digit by digit (Knuth's algorithm D); `b` is not zero.
fn divide(a: &[u32], b: &[u32]) -> Vec<u32> {
    if compare(a, b) == Ordering::Less {
        return Vec::new();
    }
    let bits = b.last().map_or(0, |limb| limb.leading_zeros());
    let mut rest = shift_left(a, bits);
    let mut divisor = shift_left(b, bits);
    trim(&mut divisor);
    let size = divisor.len();
    let top = u64::from(divisor[size - 1]);
    let second = if size > 1 { u64::from(divisor[size - 2]) } else { 0 };
    let mut quotient = vec![0_u32; rest.len() - size];
    for place in (0..quotient.len()).rev() {
        let head = (u64::from(rest[place + size]) << 32) | u64::from(rest[place + size - 1]);
        let next = if size > 1 { u64::from(rest[place + size - 2]) } else { 0 };
        let (mut digit, mut left) = (head / top, head % top);
        while digit > 0xffff_ffff || digit * second > ((left << 32) | next) {
            digit -= 1;
            left += top;
            if left > 0xffff_ffff {
                break;
            }
        }
        if take(&mut rest[place..=place + size], &divisor, digit) {
            digit -= 1;
            give(&mut rest[place..=place + size], &divisor);
        }
        quotient[place] = low(digit);
    }
    trim(&mut quotient);
    quotient
}

/// `part -= divisor x digit`; whether that went below zero, and so wrapped.
fn take(part: &mut [u32], divisor: &[u32], digit: u64) -> bool {
    let (mut carry, mut borrow) = (0_u64, 0_u64);
    for (index, limb) in part.iter_mut().enumerate() {
        carry += u64::from(divisor.get(index).copied().unwrap_or(0)) * digit;
        let taken = (carry & 0xffff_ffff) + borrow;
        carry >>= 32;
        let have = u64::from(*limb);
        borrow = u64::from(have < taken);
        *limb = low((have + (borrow << 32)) - taken);
    }
    borrow == 1
}

/// `part += divisor`, dropping the carry that undoes the wrap of [`take`].
fn give(part: &mut [u32], divisor: &[u32]) {
    let mut carry = 0_u64;
    for (index, limb) in part.iter_mut().enumerate() {
        carry += u64::from(*limb) + u64::from(divisor.get(index).copied().unwrap_or(0));
        *limb = low(carry);
        carry >>= 32;
    }
}

impl Whole {
    pub(super) const ZERO: Self = Self { negative: false, limbs: Vec::new() };

    pub(super) const fn is_negative(&self) -> bool {
        self.negative
    }

    pub(super) const fn is_positive(&self) -> bool {
        !self.negative && !self.limbs.is_empty()
    }

    fn new(negative: bool, limbs: Vec<u32>) -> Self {
        Self { negative: negative && !limbs.is_empty(), limbs }
    }

    pub(super) fn plus(&self, other: &Self) -> Self {
        if self.negative == other.negative {
            return Self::new(self.negative, add(&self.limbs, &other.limbs));
        }
        match compare(&self.limbs, &other.limbs) {
            Ordering::Less => Self::new(other.negative, subtract(&other.limbs, &self.limbs)),
            _ => Self::new(self.negative, subtract(&self.limbs, &other.limbs)),
        }
    }

    pub(super) fn minus(&self, other: &Self) -> Self {
        self.plus(&Self::new(!other.negative, other.limbs.clone()))
    }

    pub(super) fn times(&self, other: &Self) -> Self {
        let mut product = vec![0_u32; self.limbs.len() + other.limbs.len()];
        for (index, a) in self.limbs.iter().enumerate() {
            let mut carry = 0_u64;
            for (offset, place) in product[index..].iter_mut().enumerate() {
                let b = other.limbs.get(offset).copied().unwrap_or(0);
                carry += u64::from(*a) * u64::from(b) + u64::from(*place);
                *place = low(carry);
                carry >>= 32;
            }
        }
        trim(&mut product);
        Self::new(self.negative != other.negative, product)
    }

    /// `self / divisor`, where the divisor is not zero and leaves no rest.
    pub(super) fn over(&self, divisor: &Self) -> Self {
        Self::new(self.negative != divisor.negative, divide(&self.limbs, &divisor.limbs))
    }

    pub(super) fn order(&self, other: &Self) -> Ordering {
        let rest = self.minus(other);
        if rest.negative {
            Ordering::Less
        } else if rest.limbs.is_empty() {
            Ordering::Equal
        } else {
            Ordering::Greater
        }
    }
}

impl From<i128> for Whole {
    fn from(value: i128) -> Self {
        let mut magnitude = value.unsigned_abs();
        let mut limbs = Vec::new();
        while magnitude > 0 {
            limbs.push(low((magnitude & 0xffff_ffff) as u64));
            magnitude >>= 32;
        }
        Self::new(value < 0, limbs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_machine_integers(a in any::<i64>(), b in any::<i64>()) {
            let (a, b) = (i128::from(a), i128::from(b));
            let (x, y) = (Whole::from(a), Whole::from(b));
            prop_assert_eq!(x.plus(&y), Whole::from(a + b));
            prop_assert_eq!(x.minus(&y), Whole::from(a - b));
            prop_assert_eq!(x.times(&y), Whole::from(a * b));
            prop_assert_eq!(x.order(&y), a.cmp(&b));
        }

        #[test]
        fn division_undoes_a_product(
            a in prop::collection::vec(any::<i128>(), 1..4),
            b in prop::collection::vec(any::<i128>(), 1..4),
        ) {
            let product = |parts: &[i128]| {
                parts.iter().fold(Whole::from(1), |all, part| all.times(&Whole::from(*part)))
            };
            let (x, y) = (product(&a), product(&b));
            prop_assume!(y != Whole::ZERO);
            prop_assert_eq!(x.times(&y).over(&y), x);
        }
    }

    /// The rare correction of a digit that was guessed one too large.
    #[test]
    fn divides_where_the_guess_is_too_large() {
        let top = Whole::from(1_i128 << 63);
        let divisor = top.times(&Whole::from(1_i128 << 32)).plus(&Whole::from(1));
        let quotient = Whole::from(0xffff_ffff);
        assert_eq!(divisor.times(&quotient).over(&divisor), quotient);
        let ones = Whole::from(i128::MAX);
        assert_eq!(ones.times(&ones).over(&ones), ones);
    }
}
