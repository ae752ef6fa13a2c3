//! Stretches of time in milliseconds, and values and amounts over them.

/// A half-open stretch of milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl Span {
    pub(crate) const fn new(from: i64, to: i64) -> Option<Self> {
        if from < to { Some(Self { from, to }) } else { None }
    }

    pub(crate) const fn len(self) -> i64 {
        self.to - self.from
    }

    pub(crate) fn intersect(self, other: Self) -> Option<Self> {
        Self::new(self.from.max(other.from), self.to.min(other.to))
    }
}

/// A value that holds over a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) span: Span,
    pub(crate) value: i64,
}

/// Stretches of time, sorted and without touching each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spans(Vec<Span>);

impl Spans {
    /// No time at all.
    pub(crate) const NONE: Self = Self(Vec::new());

    /// Joins what overlaps or touches.
    pub(crate) fn of(mut spans: Vec<Span>) -> Self {
        spans.sort_unstable();
        let mut joined: Vec<Span> = Vec::with_capacity(spans.len());
        for span in spans {
            match joined.last_mut() {
                Some(last) if span.from <= last.to => last.to = last.to.max(span.to),
                _ => joined.push(span),
            }
        }
        Self(joined)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Span> + '_ {
        self.0.iter().copied()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn contains(&self, at: i64) -> bool {
        let next = self.0.partition_point(|span| span.to <= at);
        self.0.get(next).is_some_and(|span| span.from <= at)
    }

    pub(crate) fn len(&self) -> i64 {
        self.0.iter().map(|span| span.len()).sum()
    }

    /// Time that is in both.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let (mut a, mut b) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut both = Vec::new();
        while let (Some(left), Some(right)) = (a.peek(), b.peek()) {
            both.extend(left.intersect(**right));
            if left.to <= right.to {
                a.next();
            } else {
                b.next();
            }
        }
        Self(both)
    }

    /// Time that is in this one and not in the other.
    pub(crate) fn without(&self, other: &Self) -> Self {
        let mut left = Vec::new();
        for span in &self.0 {
            let mut from = span.from;
            let first = other.0.partition_point(|cut| cut.to <= span.from);
            for cut in other.0[first..].iter().take_while(|cut| cut.from < span.to) {
                left.extend(Span::new(from, cut.from));
                from = from.max(cut.to);
            }
            left.extend(Span::new(from, span.to));
        }
        Self(left)
    }

    /// Time that is in either.
    pub(crate) fn or(&self, other: &Self) -> Self {
        Self::of(self.0.iter().chain(&other.0).copied().collect())
    }

    /// What of it is inside a stretch.
    pub(crate) fn within(&self, span: Span) -> Self {
        Self(self.0.iter().filter_map(|own| own.intersect(span)).collect())
    }
}

/// The value that holds at a moment, of steps in order without overlap.
pub(crate) fn value_at(steps: &[Step], at: i64) -> Option<i64> {
    let next = steps.partition_point(|step| step.span.to <= at);
    steps.get(next).filter(|step| step.span.from <= at).map(|step| step.value)
}

/// The part of an amount over `whole` that falls into `part`: a difference of running totals, so
/// that parts sum to the whole however it is cut.
pub(crate) fn part_of(amount: i128, whole: Span, part: Span) -> i128 {
    let until = |at: i64| amount * i128::from(at - whole.from) / i128::from(whole.len());
    until(part.to) - until(part.from)
}
