//! One metric for every value of a label, and the registration of metrics.

use prometheus::core::Collector;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};

use crate::labels::Label;

/// One metric (a counter, a histogram) for every value of a label, resolved once.
#[derive(Clone, Debug)]
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

/// Registers a metric.
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

/// Registers one counter for each value of the label.
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

/// Registers one histogram for each value of the label.
pub(super) fn histograms<L: Label>(
    registry: &Registry,
    options: HistogramOpts,
    label: &str,
) -> prometheus::Result<ByLabel<L, prometheus::Histogram>> {
    let all = register(registry, HistogramVec::new(options, &[label]))?;
    ByLabel::new(|value| all.get_metric_with_label_values(&[value]))
}
