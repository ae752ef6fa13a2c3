//! Values as bytes: whole numbers by sevens of bits, texts and lists with their length.

use super::KeptError;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is left to read.
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl Bytes<'_> {
    pub(super) fn byte(&mut self) -> Result<u8, KeptError> {
        let (first, rest) = self.0.split_first().ok_or(KeptError::Length)?;
        self.0 = rest;
        Ok(*first)
    }

    fn number(&mut self) -> Result<u128, KeptError> {
        let (mut number, mut shift) = (0_u128, 0_u32);
        loop {
            let byte = self.byte()?;
            let part = u128::from(byte & 0x7f);
            if shift > 126 || part << shift >> shift != part {
                return Err(KeptError::Value("number"));
            }
            number |= part << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
            shift += 7;
        }
    }

    /// A length of something of which each part has a byte at least.
    fn length(&mut self) -> Result<usize, KeptError> {
        let length = usize::try_from(self.number()?).map_err(|_| KeptError::Length)?;
        if length > self.0.len() { Err(KeptError::Length) } else { Ok(length) }
    }
}

/// What can be kept.
pub(super) trait Kept: Sized {
    fn put(&self, out: &mut Vec<u8>);
    fn take(from: &mut Bytes<'_>) -> Result<Self, KeptError>;
}

fn put_number(mut number: u128, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(u8::try_from(number & 0x7f).unwrap_or(0) | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).unwrap_or(0));
}

macro_rules! unsigned {
    ($($name:ty),+) => {$(
        impl Kept for $name {
            fn put(&self, out: &mut Vec<u8>) {
                put_number((*self).into(), out);
            }

            fn take(from: &mut Bytes<'_>) -> Result<Self, KeptError> {
                from.number()?.try_into().map_err(|_| KeptError::Value(stringify!($name)))
            }
        }
    )+};
}

macro_rules! signed {
    ($($name:ty),+) => {$(
        impl Kept for $name {
            /// The sign is the lowest bit, so that small numbers are short.
            fn put(&self, out: &mut Vec<u8>) {
                let wide = i128::from(*self);
                put_number((wide << 1 ^ wide >> 127).cast_unsigned(), out);
            }

            fn take(from: &mut Bytes<'_>) -> Result<Self, KeptError> {
                let number = from.number()?;
                let wide = (number >> 1).cast_signed() ^ -(number & 1).cast_signed();
                wide.try_into().map_err(|_| KeptError::Value(stringify!($name)))
            }
        }
    )+};
}

unsigned!(u8, u16, u32, u64);
signed!(i32, i64, i128);

impl Kept for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push((*self).into());
    }

    fn take(from: &mut Bytes<'_>) -> Result<Self, KeptError> {
        match from.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(KeptError::Value("yes or no")),
        }
    }
}

pub(super) fn put_text(text: &str, out: &mut Vec<u8>) {
    put_number(text.len().try_into().unwrap_or(u128::MAX), out);
    out.extend_from_slice(text.as_bytes());
}

impl Kept for String {
    fn put(&self, out: &mut Vec<u8>) {
        put_text(self, out);
    }

    fn take(from: &mut Bytes<'_>) -> Result<Self, KeptError> {
        let length = from.length()?;
        let (text, rest) = from.0.split_at(length);
        from.0 = rest;
        Self::from_utf8(text.to_vec()).map_err(|_| KeptError::Value("text"))
    }
}

impl<T: Kept> Kept for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }

    fn take(from: &mut Bytes<'_>) -> Result<Self, KeptError> {
        if bool::take(from)? { T::take(from).map(Some) } else { Ok(None) }
    }
}

fn put_all<'a, T: Kept + 'a>(all: impl ExactSizeIterator<Item = &'a T>, out: &mut Vec<u8>) {
    put_number(all.len().try_into().unwrap_or(u128::MAX), out);
    all.for_each(|one| one.put(out));
}

impl<T: Kept> Kept for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        put_all(self.iter(), out);
    }

    fn take(from: &mut Bytes<'_>) -> Result<Self, KeptError> {
        let length = from.length()?;
        (0..length).map(|_| T::take(from)).collect()
    }
}

impl<T: Kept> Kept for Arc<[T]> {
    fn put(&self, out: &mut Vec<u8>) {
        put_all(self.iter(), out);
    }

    fn take(from: &mut Bytes<'_>) -> Result<Self, KeptError> {
        Vec::take(from).map(Into::into)
    }
}

impl<T: Kept> Kept for Arc<T> {
    fn put(&self, out: &mut Vec<u8>) {
        T::put(self, out);
    }

    fn take(from: &mut Bytes<'_>) -> Result<Self, KeptError> {
        T::take(from).map(Self::new)
    }
}

impl<K: Kept + Ord, V: Kept> Kept for BTreeMap<K, V> {
    fn put(&self, out: &mut Vec<u8>) {
        put_number(self.len().try_into().unwrap_or(u128::MAX), out);
        for (key, value) in self {
            key.put(out);
            value.put(out);
        }
    }

    fn take(from: &mut Bytes<'_>) -> Result<Self, KeptError> {
        let length = from.length()?;
        (0..length).map(|_| Ok((K::take(from)?, V::take(from)?))).collect()
    }
}

impl<A: Kept, B: Kept> Kept for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }

    fn take(from: &mut Bytes<'_>) -> Result<Self, KeptError> {
        Ok((A::take(from)?, B::take(from)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn again<T: Kept>(value: &T) -> (Result<T, KeptError>, usize) {
        let mut out = Vec::new();
        value.put(&mut out);
        let mut from = Bytes(&out);
        let back = T::take(&mut from);
        (back, from.0.len())
    }

    proptest! {
        #[test]
        fn values_come_back_as_they_were(
            numbers in proptest::collection::vec(any::<i128>(), 0..8),
            small in any::<(u32, i64)>(),
            texts in proptest::collection::btree_map(".*", any::<Option<bool>>(), 0..5),
        ) {
            prop_assert_eq!(again(&numbers), (Ok(numbers.clone()), 0));
            prop_assert_eq!(again(&small), (Ok(small), 0));
            prop_assert_eq!(again(&texts), (Ok(texts.clone()), 0));
        }

        #[test]
        fn foreign_bytes_are_refused_and_nothing_breaks(bytes in any::<Vec<u8>>()) {
            let _read = BTreeMap::<String, Vec<(i128, Option<u16>)>>::take(&mut Bytes(&bytes));
            let _read = crate::Input::from_bytes(&bytes);
        }
    }

    #[test]
    fn the_ends_of_numbers_fit() {
        for number in [i128::MIN, -1, 0, 1, i128::MAX] {
            assert_eq!(again(&number), (Ok(number), 0));
        }
        assert_eq!(again(&u64::MAX), (Ok(u64::MAX), 0));
        assert_eq!(u8::take(&mut Bytes(&[0x80, 0x02])), Err(KeptError::Value("u8")));
        let too_long = [0xff; 20];
        assert_eq!(u64::take(&mut Bytes(&too_long)), Err(KeptError::Value("number")));
    }
}
