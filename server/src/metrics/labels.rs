//! Labels as enums: every value is known when the server starts, so every series exists from the
//! first scrape on, and counting is an index into an array, never a look-up by name.

use prometheus::core::Collector;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};

/// One label's values. Made by the crate's `labels!`.
pub trait Label: Copy + 'static {
    /// Every value, in the order of [`Label::index`].
    const ALL: &'static [Self];
    /// The value as Prometheus shows it.
    fn as_str(self) -> &'static str;
    /// The value's place in [`Label::ALL`].
    fn index(self) -> usize;
}

/// Declares an enum whose variants are a label's values.
macro_rules! labels {
    ($(#[$meta:meta])* pub enum $name:ident {
        $($(#[$doc:meta])* $variant:ident = $text:literal,)+
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// The label's value as Prometheus shows it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl $crate::metrics::Label for $name {
            const ALL: &'static [Self] = &[$(Self::$variant,)+];
            fn as_str(self) -> &'static str { Self::as_str(self) }
            fn index(self) -> usize { self as usize }
        }
    };
}
pub(crate) use labels;

/// One metric (a counter, a histogram) for every value of a label.
#[derive(Debug)]
pub struct ByLabel<L, M> {
    metrics: Vec<M>,
    label: std::marker::PhantomData<L>,
}

impl<L: Label, M> ByLabel<L, M> {
    /// The metric of one value.
    #[inline]
    pub fn get(&self, label: L) -> &M {
        &self.metrics[label.index()]
    }

    fn new(make: impl Fn(&'static str) -> prometheus::Result<M>) -> prometheus::Result<Self> {
        Ok(Self {
            metrics: L::ALL
                .iter()
                .map(|label| make(label.as_str()))
                .collect::<prometheus::Result<_>>()?,
            label: std::marker::PhantomData,
        })
    }
}

/// Registers one metric of any sort.
pub(super) fn register<C>(
    registry: &Registry,
    metric: prometheus::Result<C>,
) -> prometheus::Result<C>
where
    C: Collector + Clone + 'static,
{
    let metric = metric?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

/// Registers counters, one a value of the label.
pub(super) fn counters<L: Label>(
    registry: &Registry,
    name: &str,
    help: &str,
    label: &str,
) -> prometheus::Result<ByLabel<L, prometheus::IntCounter>> {
    let all = IntCounterVec::new(Opts::new(name, help), &[label]);
    let all = register(registry, all)?;
    ByLabel::new(|value| all.get_metric_with_label_values(&[value]))
}

/// Registers histograms, one a value of the label.
pub(super) fn histograms<L: Label>(
    registry: &Registry,
    options: HistogramOpts,
    label: &str,
) -> prometheus::Result<ByLabel<L, prometheus::Histogram>> {
    let all = register(registry, HistogramVec::new(options, &[label]))?;
    ByLabel::new(|value| all.get_metric_with_label_values(&[value]))
}
