//! A probe's record: lines of text, and figures computed from them.

use std::fmt;

/// One line of a record. Times are in microseconds since 1970, ages in milliseconds.
#[derive(Clone, Copy, Debug)]
pub enum Line {
    Snapshot {
        at: u64,
        age: f64,
        bytes: u64,
    },
    Joined {
        at: u64,
        resumed: bool,
        slot: u32,
    },
    Rows {
        near: f64,
        far: f64,
    },
    /// When tick 0 was due, as the probe's client estimates it.
    Zero {
        at: f64,
    },
    End {
        mismatches: u64,
        errors: u64,
        checks: u64,
    },
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Snapshot { at, age, bytes } => write!(f, "s {at} {age} {bytes}"),
            Self::Joined { at, resumed, slot } => write!(f, "j {at} {} {slot}", u8::from(*resumed)),
            Self::Rows { near, far } => write!(f, "r {near} {far}"),
            Self::Zero { at } => write!(f, "z {at}"),
            Self::End {
                mismatches,
                errors,
                checks,
            } => write!(f, "e {mismatches} {errors} {checks}"),
        }
    }
}

impl Line {
    fn read(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let kind = words.next()?;
        let mut next = || words.next()?.parse::<f64>().ok();
        Some(match kind {
            "s" => Self::Snapshot {
                at: next()? as u64,
                age: next()?,
                bytes: next()? as u64,
            },
            "j" => Self::Joined {
                at: next()? as u64,
                resumed: next()? > 0.0,
                slot: next()? as u32,
            },
            "r" => Self::Rows {
                near: next()?,
                far: next()?,
            },
            "z" => Self::Zero { at: next()? },
            "e" => Self::End {
                mismatches: next()? as u64,
                errors: next()? as u64,
                checks: next()? as u64,
            },
            _ => return None,
        })
    }
}

/// A probe's whole record.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub snapshots: Vec<(u64, f64, u64)>,
    pub joined: Vec<(u64, bool, u32)>,
    pub near: Vec<f64>,
    pub far: Vec<f64>,
    pub zero: f64,
    /// Mismatches, protocol errors, view checks.
    pub end: Option<(u64, u64, u64)>,
}

impl Record {
    pub fn read(text: &str) -> Self {
        let mut record = Self::default();
        for line in text.lines().filter_map(Line::read) {
            match line {
                Line::Snapshot { at, age, bytes } => record.snapshots.push((at, age, bytes)),
                Line::Joined { at, resumed, slot } => record.joined.push((at, resumed, slot)),
                Line::Rows { near, far } => {
                    record.near.push(near);
                    record.far.push(far);
                }
                Line::Zero { at } => record.zero = at,
                Line::End {
                    mismatches,
                    errors,
                    checks,
                } => record.end = Some((mismatches, errors, checks)),
            }
        }
        record
    }

    /// The snapshots that arrived from `from` on and before `to`.
    pub fn between(&self, from: u64, to: u64) -> impl Iterator<Item = &(u64, f64, u64)> {
        self.snapshots
            .iter()
            .filter(move |(at, _, _)| (from..to).contains(at))
    }

    pub fn ages(&self, from: u64, to: u64) -> Vec<f64> {
        self.between(from, to).map(|(_, age, _)| *age).collect()
    }

    /// The gaps between snapshots, in milliseconds.
    pub fn gaps(&self, from: u64, to: u64) -> Vec<f64> {
        let times: Vec<u64> = self.between(from, to).map(|(at, _, _)| *at).collect();
        times
            .windows(2)
            .map(|pair| (pair[1] - pair[0]) as f64 / 1e3)
            .collect()
    }

    /// How long after `from` until all snapshots are fresh for 300 ms, in milliseconds. `allowed` gives the age that a snapshot of
    /// so many bytes may have.
    pub fn fresh_after(&self, from: u64, to: u64, allowed: impl Fn(u64) -> f64) -> f64 {
        const WHILE_US: u64 = 300_000;
        let is_old = |(_, age, bytes): &(u64, f64, u64)| *age > allowed(*bytes);
        let fresh = self.between(from, to).find(|(at, _, _)| {
            let mut next = self.between(*at, at + WHILE_US);
            !next.any(is_old)
        });
        fresh.map_or(f64::NAN, |(at, _, _)| (at - from) as f64 / 1e3)
    }
}

/// A quantile: this part of all values is at most the result.
pub fn at(part: f64, values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    let place = ((values.len() as f64 * part) as usize).min(values.len().saturating_sub(1));
    values.get(place).copied().unwrap_or(f64::NAN)
}

pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
