//! The usual `process_*` metrics, with the fractions of a second of processor time that the library's collector cuts off:
//! without them the use of a light server would show as nothing, and then as a whole second at once.

use prometheus::core::{Collector, Desc};
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::{Counter, MetricFamily};
use rustix::time::{ClockId, clock_gettime};

/// See the module's head.
pub(super) struct Process(ProcessCollector);

impl Process {
    pub fn new() -> Self {
        Self(ProcessCollector::for_self())
    }
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        self.0.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut families = self.0.collect();
        let is_cpu = |family: &&mut MetricFamily| family.name() == "process_cpu_seconds_total";
        for metric in families
            .iter_mut()
            .filter(is_cpu)
            .flat_map(|cpu| cpu.mut_metric())
        {
            let used = clock_gettime(ClockId::ProcessCPUTime);
            let mut counter = Counter::default();
            counter.set_value(used.tv_sec as f64 + used.tv_nsec as f64 / 1e9);
            metric.set_counter(counter);
        }
        families
    }
}
