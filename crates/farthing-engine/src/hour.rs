//! The running hour: its telemetry is in the books, and what it comes to so far is known here, so
//! that a tick costs what is there and not how often that was looked at.
//!
//! It refuses to know where charges go. Where telemetry says some of the hour twice, as after two
//! controllers have kept it, or a tick failed half-way, the hour is metered from the books.

use crate::error::EngineError;
use farthing_ledger::{
    Again, Books, MeterError, MeterInput, Metered, Method, Running, Segment, TelemetryError,
    Weights, meter,
};
use farthing_model::{ClusterId, Currency, Window};
use jiff::Timestamp;

/// How an hour is metered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct How<'a> {
    pub(crate) books: &'a Books,
    pub(crate) cluster: &'a ClusterId,
    pub(crate) currency: Currency,
    pub(crate) weights: &'a Weights,
}

/// The hour so far.
#[derive(Debug)]
pub(crate) struct Hour {
    window: Window,
    /// `None`: only the books know.
    running: Option<Running>,
}

impl<'a> How<'a> {
    fn input(&self, segment: &'a Segment) -> MeterInput<'a> {
        MeterInput {
            cluster: self.cluster,
            window: segment.window,
            currency: self.currency,
            spans: &segment.spans,
            samples: &segment.samples,
            weights: self.weights,
        }
    }

    /// Meters a segment alone.
    pub(crate) fn alone(&self, segment: &Segment) -> Result<Metered, MeterError> {
        meter(&How { ..*self }.input(segment))
    }

    /// The hour that holds `at`, as the books have it; `None` where they have nothing.
    pub(crate) fn kept(&self, at: Timestamp) -> Result<Option<Hour>, EngineError> {
        let mut hour: Option<Hour> = None;
        let books = |error| EngineError::Books(error);
        for segment in self.books.each_segment(self.cluster, at).map_err(books)? {
            let segment = segment.map_err(books)?;
            let hour = hour.get_or_insert_with(|| Hour::of(segment.window));
            hour.add(self, &segment).map_err(EngineError::Meter)?;
        }
        Ok(hour)
    }
}

impl Hour {
    /// An hour that begins to be known with a tick.
    pub(crate) fn of(first: Window) -> Self {
        Self { window: first, running: Some(Running::default()) }
    }

    /// From the first tick to the end of the last.
    pub(crate) const fn window(&self) -> Window {
        self.window
    }

    /// From now on only the books know what it comes to.
    pub(crate) fn is_in_books(&mut self) {
        self.running = None;
    }

    /// Adds a tick, which is in the books, and says what it alone comes to.
    pub(crate) fn add(&mut self, how: &How<'_>, segment: &Segment) -> Result<Metered, MeterError> {
        let from = self.window.from().min(segment.window.from());
        let to = self.window.to().max(segment.window.to());
        self.window = Window::new(from, to).unwrap_or(self.window);
        match self.running.take().filter(|running| running.takes(segment.window)) {
            Some(mut running) => {
                let metered = running.add(&How { ..*how }.input(segment))?;
                self.running = Some(running);
                Ok(metered)
            }
            None => how.alone(segment),
        }
    }

    /// What the hour comes to: the charges of metering all of its telemetry at once.
    pub(crate) fn metered(&self, how: &How<'_>) -> Result<Metered, EngineError> {
        let How { books, cluster, currency, weights } = *how;
        let window = self.window;
        let metered = if let Some(running) = &self.running {
            let (spans, samples) = (&[][..], &[][..]);
            let input = MeterInput { cluster, window, currency, spans, samples, weights };
            let kept = |is_asked: &dyn Fn(&str) -> bool| {
                books.samples_of((cluster, window.from()), is_asked)
            };
            running.metered(&input, kept)
        } else {
            let method = Method::default();
            books.meter_kept(cluster, Again { window, currency, method, weights })
        };
        metered.map_err(|error| match error {
            TelemetryError::Read(error) => EngineError::Books(error),
            TelemetryError::Meter(error) => EngineError::Meter(error),
        })
    }
}
