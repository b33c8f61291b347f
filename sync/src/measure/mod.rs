//! Measurements over a sliding window of fixed memory, which client and server share.

mod jitter;
mod ring;

pub use jitter::{ARRIVALS_PER_BUCKET, JitterEstimator, MAX_BUCKETS};
pub(crate) use ring::Ring;
