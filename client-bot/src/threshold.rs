//! Thresholds: what a report's figures must not be.
//!
//! In: an expression such as `snapshot_gap_ms.p99>25`, and a report as JSON. Out: a verdict. A path is the names of fields with dots
//! between them. In a list of phases the next name is a phase's; in the list of bots the last one is `min`, `max`, `mean` or `sum` over them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::str::FromStr;

/// How the figure and the bound are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Operator {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

impl Operator {
    /// Longer ones first, as `<` begins `<=`.
    const ALL: [(&'static str, Self); 6] = [
        ("<=", Self::LessOrEqual),
        (">=", Self::GreaterOrEqual),
        ("==", Self::Equal),
        ("!=", Self::NotEqual),
        ("<", Self::Less),
        (">", Self::Greater),
    ];

    fn as_str(self) -> &'static str {
        let mut all = Self::ALL.iter();
        all.find(|(_, operator)| *operator == self)
            .map_or("", |(text, _)| text)
    }

    fn holds(self, figure: f64, bound: f64) -> bool {
        match self {
            Self::Less => figure < bound,
            Self::LessOrEqual => figure <= bound,
            Self::Greater => figure > bound,
            Self::GreaterOrEqual => figure >= bound,
            // Counts and bounds that a person writes are exact.
            Self::Equal => figure == bound,
            Self::NotEqual => figure != bound,
        }
    }
}

/// A condition under which a run has failed.
#[derive(Clone, PartialEq, Debug)]
pub struct Threshold {
    path: Vec<String>,
    operator: Operator,
    bound: f64,
}

/// What is wrong with a threshold, in a sentence for people.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ThresholdError {
    /// The expression cannot be read.
    #[error(
        "{0:?} is no threshold: write a figure of the report, one of < <= > >= == != and a number, such as snapshot_gap_ms.p99>25"
    )]
    NoThreshold(String),
    /// The bound cannot be read.
    #[error("{0:?} in {1:?} is no number")]
    NoNumber(String, String),
    /// The report has no such figure.
    #[error("the report has no figure {path}: {at} has {has}")]
    UnknownFigure {
        /// What was asked for.
        path: String,
        /// Where the search ended.
        at: String,
        /// What is there instead.
        has: String,
    },
    /// The path leads to something else than a number.
    #[error("{path} is no number{hint}")]
    NotANumber {
        /// What was asked for.
        path: String,
        /// What to add, if anything helps.
        hint: String,
    },
}

/// How a threshold was met.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Verdict {
    /// The threshold, as in `--fail-if`.
    pub fail_if: String,
    /// The figure; none if nothing was measured.
    pub value: Option<f64>,
    /// The bound.
    pub bound: f64,
    /// Whether the run has failed by it. A figure of which there is no sample fails too.
    pub failed: bool,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.failed { "failed" } else { "passed" };
        match self.value {
            Some(value) => write!(f, "{state}: {} (it is {})", self.fail_if, Rounded(value)),
            None => write!(f, "{state}: {} (nothing was measured)", self.fail_if),
        }
    }
}

/// A number with at most three decimals.
struct Rounded(f64);

impl fmt::Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", (self.0 * 1e3).round() / 1e3)
    }
}

impl FromStr for Threshold {
    type Err = ThresholdError;

    fn from_str(text: &str) -> Result<Self, ThresholdError> {
        let no_threshold = || ThresholdError::NoThreshold(text.to_owned());
        let at = text.find(['<', '>', '=', '!']).ok_or_else(no_threshold)?;
        let (path, rest) = text.split_at(at);
        let mut operators = Operator::ALL.iter();
        let (sign, operator) = operators
            .find(|(sign, _)| rest.starts_with(sign))
            .ok_or_else(no_threshold)?;
        let bound = rest[sign.len()..].trim();
        let no_number = || ThresholdError::NoNumber(bound.to_owned(), text.to_owned());
        let number: f64 = bound.parse().map_err(|_| no_number())?;
        let path: Vec<String> = path.trim().split('.').map(str::to_owned).collect();
        if path.iter().any(String::is_empty) {
            return Err(no_threshold());
        }
        if !number.is_finite() {
            return Err(no_number());
        }
        Ok(Self {
            path,
            operator: *operator,
            bound: number,
        })
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            operator,
            bound,
        } = self;
        write!(f, "{}{}{bound}", path.join("."), operator.as_str())
    }
}

impl Threshold {
    /// Whether a report of this shape has the figure.
    ///
    /// # Errors
    /// If it has none, or something else than a number there.
    pub(crate) fn check(&self, shape: &Value) -> Result<(), ThresholdError> {
        self.figure(shape).map(drop)
    }

    /// Judges a report.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub(crate) fn judge(&self, report: &Value) -> Result<Verdict, ThresholdError> {
        let value = self.figure(report)?;
        Ok(Verdict {
            fail_if: self.to_string(),
            value,
            bound: self.bound,
            failed: value.is_none_or(|value| self.operator.holds(value, self.bound)),
        })
    }

    /// The figure; `None` if there is no sample of it.
    fn figure(&self, report: &Value) -> Result<Option<f64>, ThresholdError> {
        self.search(report, 0)
    }

    fn search(&self, part: &Value, depth: usize) -> Result<Option<f64>, ThresholdError> {
        let path = || self.path.join(".");
        let Some(name) = self.path.get(depth) else {
            return part
                .as_f64()
                .map(Some)
                .ok_or_else(|| ThresholdError::NotANumber {
                    path: path(),
                    hint: hint(part),
                });
        };
        let unknown = |names: Vec<&str>| ThresholdError::UnknownFigure {
            path: path(),
            at: match depth {
                0 => "it".to_owned(),
                _ => self.path[..depth].join("."),
            },
            has: match &names[..] {
                [] => "no parts".to_owned(),
                names => names.join(", "),
            },
        };
        match part {
            Value::Object(fields) => {
                let field = fields.get(name).ok_or_else(|| unknown(names_of(fields)))?;
                let has_no_sample = fields.get("samples").is_some_and(|count| *count == 0);
                match self.search(field, depth + 1)? {
                    _ if has_no_sample && name != "samples" => Ok(None),
                    found => Ok(found),
                }
            }
            Value::Array(items) => {
                let named = |item: &&Value| item.get("name").and_then(Value::as_str) == Some(name);
                // A list of phases.
                if let Some(item) = items.iter().find(named) {
                    return self.search(item, depth + 1);
                }
                if items.iter().all(|item| item.get("kind").is_some()) {
                    let names = items.iter().filter_map(|item| item.get("name")?.as_str());
                    return Err(unknown(names.collect()));
                }
                self.over_bots(items, depth, &unknown)
            }
            _ => Err(unknown(Vec::new())),
        }
    }

    /// The figure over all bots: the path's last name says how.
    fn over_bots(
        &self,
        bots: &[Value],
        depth: usize,
        unknown: &dyn Fn(Vec<&str>) -> ThresholdError,
    ) -> Result<Option<f64>, ThresholdError> {
        let (last, field) = match self.path.split_last() {
            Some((last, before)) if before.len() > depth => (last, before),
            _ => {
                return Err(unknown(vec![
                    "FIELD.min",
                    "FIELD.max",
                    "FIELD.mean",
                    "FIELD.sum",
                ]));
            }
        };
        let of_bot = Self {
            path: field.to_owned(),
            operator: self.operator,
            bound: self.bound,
        };
        let mut values = Vec::new();
        for bot in bots {
            values.extend(of_bot.search(bot, depth)?);
        }
        let count = values.len();
        let sum = || values.iter().sum::<f64>();
        let value = match last.as_str() {
            "min" => values.iter().copied().reduce(f64::min),
            "max" => values.iter().copied().reduce(f64::max),
            "mean" => (count > 0).then(|| sum() / count as f64),
            "sum" => (count > 0).then(sum),
            _ => {
                return Err(unknown(vec![
                    "FIELD.min",
                    "FIELD.max",
                    "FIELD.mean",
                    "FIELD.sum",
                ]));
            }
        };
        Ok(value)
    }
}

fn names_of(fields: &serde_json::Map<String, Value>) -> Vec<&str> {
    fields.keys().map(String::as_str).collect()
}

fn hint(part: &Value) -> String {
    match part {
        Value::Object(fields) => format!(": it has {}", names_of(fields).join(", ")),
        Value::Array(_) => ": it is a list".to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn report() -> Value {
        json!({
            "bots": 3,
            "gap": {"p99": 31.2501, "samples": 9},
            "rtt": {"p99": 0.0, "samples": 0},
            "url": "ws://x",
            "phases": [{"name": "cut", "kind": "cut", "resumes": 4}],
            "per_bot": [
                {"name": "a", "longest": 5.0, "gap": {"p99": 1.0, "samples": 1}},
                {"name": "b", "longest": 8.0, "gap": {"p99": 7.0, "samples": 0}},
            ],
        })
    }

    fn judge(text: &str) -> Result<Verdict, String> {
        let threshold: Threshold = text
            .parse()
            .map_err(|error: ThresholdError| error.to_string())?;
        threshold
            .judge(&report())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn figures_are_compared_as_written() {
        let failed = |text| judge(text).unwrap().failed;
        for (text, expected) in [
            ("bots<3", false),
            ("bots<=3", true),
            ("bots > 2", true),
            ("bots>=4", false),
            ("bots == 3", true),
            ("bots!=3", false),
            ("gap.p99>31.25", true),
            ("phases.cut.resumes<4", false),
            ("per_bot.longest.max>7", true),
            ("per_bot.longest.min<5", false),
            ("per_bot.longest.sum==13", true),
            ("per_bot.longest.mean==6.5", true),
            // Of the second bot there is no sample.
            ("per_bot.gap.p99.max>1", false),
        ] {
            assert_eq!(failed(text), expected, "{text}");
        }
        let verdict = judge("gap.p99 > 25").unwrap();
        assert_eq!(verdict.to_string(), "failed: gap.p99>25 (it is 31.25)");
    }

    #[test]
    fn what_was_never_measured_fails() {
        for text in ["rtt.p99>100", "rtt.p99<100"] {
            let verdict = judge(text).unwrap();
            assert!(verdict.failed && verdict.value.is_none(), "{text}");
        }
        assert!(!judge("rtt.samples>0").unwrap().failed);
    }

    #[test]
    fn an_error_says_what_there_is() {
        for (text, part) in [
            ("gap.p99", "is no threshold"),
            ("", "is no threshold"),
            (">3", "is no threshold"),
            ("bots=3", "is no threshold"),
            ("a..b>3", "is no threshold"),
            ("bots>three", "\"three\""),
            ("bots>", "is no number"),
            ("bots>nan", "is no number"),
            ("bots>3ms", "\"3ms\""),
            ("gaps.p99>3", "it has bots, gap"),
            ("gap.p98>3", "gap has p99, samples"),
            ("gap>3", "it has p99, samples"),
            ("bots.max>3", "bots has no parts"),
            ("url>3", "is no number"),
            ("phases.storm.resumes>3", "phases has cut"),
            ("per_bot.longest>3", "FIELD.max"),
            ("per_bot.longest.p50>3", "FIELD.max"),
            ("per_bot.length.max>3", "per_bot has gap, longest"),
        ] {
            let error = judge(text).unwrap_err();
            assert!(
                error.contains(part) && error.lines().count() == 1,
                "{text}: {error}"
            );
        }
    }
}
