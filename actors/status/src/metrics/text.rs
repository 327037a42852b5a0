//! The text, by the rules of OpenMetrics 1.0.

use std::{borrow::Cow, fmt};

use lttngd_handle::Status;
use lttngd_model::Escaped;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, text::encode},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::{Registry, Unit},
};

use super::families;

/// Begins the names of all.
const PREFIX: &str = "lttngd";

/// The labels of a sample: their names and values.
pub(super) type Labels<'a, const N: usize> = [(&'static str, Cow<'a, str>); N];

/// Writes a status as the text of a scrape.
///
/// # Errors
/// None, as long as a string can be written.
pub fn metrics(status: Status) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix(PREFIX);
    registry.register_collector(Box::new(Told(status)));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Told(Status);

impl Collector for Told {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        families::write(&mut Families(encoder), &self.0)
    }
}

/// Writes one family after the other. Those without a sample are left out.
pub(super) struct Families<'a>(DescriptorEncoder<'a>);

/// A text of a peer as a label has it: on its line.
pub(super) fn shown(text: &str) -> Cow<'_, str> {
    let is_plain = |it: char| it.is_ascii() && !it.is_ascii_control();
    if text.chars().all(is_plain) { text.into() } else { Escaped(text).to_string().into() }
}

impl Families<'_> {
    /// What only grows: its name is to be that of what is counted.
    pub(super) fn counter<'l, const N: usize>(
        &mut self,
        (name, help): (&str, &str),
        samples: impl IntoIterator<Item = (Labels<'l, N>, u64)>,
    ) -> fmt::Result {
        let samples = samples.into_iter().map(|(labels, value)| (labels, ConstCounter::new(value)));
        self.family((name, help, None, MetricType::Counter), samples)
    }

    /// The same with a unit, which is the end of its name.
    pub(super) fn counter_of<'l, const N: usize>(
        &mut self,
        (name, help, unit): (&str, &str, Unit),
        samples: impl IntoIterator<Item = (Labels<'l, N>, f64)>,
    ) -> fmt::Result {
        let samples = samples.into_iter().map(|(labels, value)| (labels, ConstCounter::new(value)));
        self.family((name, help, Some(&unit), MetricType::Counter), samples)
    }

    /// What there is now.
    pub(super) fn gauge<'l, const N: usize>(
        &mut self,
        (name, help): (&str, &str),
        samples: impl IntoIterator<Item = (Labels<'l, N>, u64)>,
    ) -> fmt::Result {
        let count = |it| i64::try_from(it).unwrap_or(i64::MAX);
        let samples =
            samples.into_iter().map(|(labels, value)| (labels, ConstGauge::new(count(value))));
        self.family((name, help, None, MetricType::Gauge), samples)
    }

    /// The same with a unit, which is the end of its name.
    pub(super) fn gauge_of<'l, const N: usize>(
        &mut self,
        (name, help, unit): (&str, &str, Unit),
        samples: impl IntoIterator<Item = (Labels<'l, N>, f64)>,
    ) -> fmt::Result {
        let samples = samples.into_iter().map(|(labels, value)| (labels, ConstGauge::new(value)));
        self.family((name, help, Some(&unit), MetricType::Gauge), samples)
    }

    /// What is the same as long as the process runs.
    pub(super) fn info<const N: usize>(
        &mut self,
        (name, help): (&str, &str),
        labels: Labels<'_, N>,
    ) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Info)?.encode_info(&labels)
    }

    /// How long something takes: of each sample the sum, and how many took up to a time and more than the time before.
    pub(super) fn durations<'l, const N: usize>(
        &mut self,
        (name, help): (&str, &str),
        samples: impl IntoIterator<Item = (Labels<'l, N>, f64, Vec<(f64, u64)>)>,
    ) -> fmt::Result {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let kind = MetricType::Histogram;
        let mut family = self.0.encode_descriptor(name, help, Some(&Unit::Seconds), kind)?;
        for (labels, sum, buckets) in samples {
            let count = buckets.iter().map(|(_, count)| count).sum();
            let mut sample = family.encode_family(&labels)?;
            sample.encode_histogram::<Labels<'_, 0>>(sum, count, &buckets, None)?;
        }
        Ok(())
    }

    fn family<'l, const N: usize>(
        &mut self,
        (name, help, unit, kind): (&str, &str, Option<&Unit>, MetricType),
        samples: impl IntoIterator<Item = (Labels<'l, N>, impl EncodeMetric)>,
    ) -> fmt::Result {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let mut family = self.0.encode_descriptor(name, help, unit, kind)?;
        for (labels, value) in samples {
            if N == 0 {
                value.encode(family)?;
                return Ok(());
            }
            value.encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
