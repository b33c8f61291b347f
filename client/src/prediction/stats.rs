//! How accurate prediction is: counts, and distributions of errors.
//!
//! In: errors in lane units. Out: how many there were, and how many beyond a bound. Never allocates.

/// How accurate prediction is.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct PredictionStats {
    /// Inputs predicted.
    pub inputs: u64,
    /// Snapshots whose state could be compared with a prediction made with equal knowledge: by rules that look at other rows, from
    /// rows that were confirmed.
    pub compared: u64,
    /// Those of them that differed from the prediction in the position or in a private lane.
    pub corrections: u64,
    /// The largest of these differences in position, in lane units.
    pub max_error: f64,
    /// How far each snapshot's replay moved the newest predicted position, in lane units, by rules that look at other rows. The screen
    /// moves there smoothly.
    pub replay_errors: ErrorHistogram,
    /// How far the position that was first predicted for an input's tick was from the confirmed one, in lane units.
    pub input_errors: ErrorHistogram,
}

/// Errors up to 3 have a bucket each, above that four buckets share each power of two.
const BUCKETS: usize = 4 * 31;

/// The distribution of errors, in lane units. Buckets are exact up to 7, and within a quarter of the value above that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ErrorHistogram {
    counts: [u32; BUCKETS],
}

impl Default for ErrorHistogram {
    fn default() -> Self {
        Self {
            counts: [0; BUCKETS],
        }
    }
}

impl ErrorHistogram {
    pub(super) fn record(&mut self, error: f64) {
        // `as` saturates. Positions are integers, so an error between 0 and 1 does not exist.
        let count = &mut self.counts[bucket(error as u32)];
        *count = count.saturating_add(1);
    }

    /// How many errors were counted, those of 0 included.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|count| u64::from(*count)).sum()
    }

    /// How many errors were larger than `bound`. Those in the bound's own bucket count if the bucket holds larger ones, so the number
    /// is never too small.
    #[must_use]
    pub fn beyond(&self, bound: u32) -> u64 {
        let buckets = self.counts.iter().enumerate();
        let beyond = buckets.filter(|(bucket, _)| largest(*bucket) > u64::from(bound));
        beyond.map(|(_, count)| u64::from(*count)).sum()
    }

    /// Adds the errors of another distribution, for instance of another client.
    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count = count.saturating_add(*more);
        }
    }
}

fn bucket(error: u32) -> usize {
    if error < 4 {
        return error as usize;
    }
    let octave = error.ilog2();
    4 * (octave as usize - 1) + (error >> (octave - 2) & 3) as usize
}

/// The largest error of a bucket.
fn largest(bucket: usize) -> u64 {
    let (group, within) = (bucket / 4, bucket as u64 % 4);
    match group {
        0 => within,
        _ => ((5 + within) << (group - 1)) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_error_has_a_bucket_that_is_not_far_above(error: u32) {
            let largest = largest(bucket(error));
            prop_assert!(u64::from(error) <= largest);
            prop_assert!(largest <= u64::from(error) + u64::from(error) / 4);
        }
    }

    #[test]
    fn errors_beyond_a_bound_are_never_too_few() {
        let mut errors = ErrorHistogram::default();
        for error in 0..=200 {
            errors.record(f64::from(error));
        }
        assert_eq!((errors.count(), errors.beyond(0)), (201, 200));
        assert_eq!(errors.beyond(7), 193);
        assert!((100..=116).contains(&errors.beyond(100)));
        assert_eq!(errors.beyond(255), 0);
    }
}
