//! Scenarios: a run written down as TOML.
//!
//! In: a file. Out: a [`Scenario`] that can be carried out, or an error of one line with its place in the file. Every key is known, every value
//! possible, and every threshold names a figure that the report will have. Nothing behind this module checks them again.

use crate::links::{Link, LinkName};
use crate::options::BehaviourName;
use crate::plan::{Phase, PhaseAction, playing_after};
use crate::report::Report;
use crate::threshold::Threshold;
use clap::ValueEnum;
use serde::Deserialize;
use std::ops::{Range, RangeInclusive};
use std::path::Path;
use std::time::Duration;
use tickwire_proto::{MAX_ROOM_NAME_BYTES, is_room_name};
use toml::Spanned;

/// How many bots a scenario may start, as `--bots`.
const MAX_BOTS: u32 = 100_000;
/// As `--ramp`.
const MAX_PER_SECOND: u32 = 1_000_000;
/// The longest phase.
const MAX_DURATION: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest name of a phase.
const MAX_NAME_BYTES: usize = 32;

/// A run written down.
#[derive(Clone, PartialEq, Debug)]
pub struct Scenario {
    /// The file; empty if it was none.
    pub(crate) path: String,
    pub(crate) phases: Vec<Phase>,
    /// Links with their shares; empty: what the flags say.
    pub(crate) links: Vec<(Link, f64)>,
    /// Behaviours with their shares; empty: what the flags say.
    pub(crate) behaviours: Vec<(BehaviourName, f64)>,
    pub(crate) thresholds: Vec<Threshold>,
    pub(crate) room: Option<String>,
    pub(crate) rooms: Option<u32>,
}

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    room: Option<Spanned<String>>,
    rooms: Option<Spanned<u32>>,
    #[serde(default)]
    fail_if: Vec<Spanned<String>>,
    #[serde(default)]
    link: Vec<Spanned<LinkTable>>,
    #[serde(default)]
    behaviour: Vec<Spanned<BehaviourTable>>,
    #[serde(default)]
    phase: Vec<Spanned<PhaseTable>>,
}

/// A link and its share of the bots.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkTable {
    name: Option<Spanned<String>>,
    share: Option<Spanned<f64>>,
    latency: Option<Spanned<String>>,
    jitter: Option<Spanned<String>>,
    stall: Option<Spanned<f64>>,
}

/// A behaviour and its share of the bots.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BehaviourTable {
    name: Spanned<String>,
    share: Option<Spanned<f64>>,
}

/// A phase. Which keys it may have depends on its kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct PhaseTable {
    kind: Spanned<String>,
    name: Option<Spanned<String>>,
    #[serde(rename = "for")]
    duration: Option<Spanned<String>>,
    bots: Option<Spanned<u32>>,
    per_second: Option<Spanned<f64>>,
    share: Option<Spanned<f64>>,
}

/// What is wrong, and where in the text.
struct Fault(Range<usize>, String);

type Checked<T> = Result<T, Fault>;

impl Scenario {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read or carried out: one line with the place.
    pub fn of_file(path: &str) -> Result<Self, String> {
        let text = std::fs::read_to_string(Path::new(path)).map_err(|error| error.to_string())?;
        let scenario = Self::parse(&text)?;
        Ok(Self {
            path: path.to_owned(),
            ..scenario
        })
    }

    /// Reads a scenario's text.
    ///
    /// # Errors
    /// If it is none, or cannot be carried out: one line with the place.
    pub fn parse(text: &str) -> Result<Self, String> {
        let checked = toml::from_str::<File>(text)
            .map_err(|error| {
                let message = error.message().replace('\n', "; ");
                Fault(error.span().unwrap_or(0..0), message)
            })
            .and_then(|file| file.check(text));
        checked.map_err(|Fault(span, message)| {
            let before = &text[..span.start.min(text.len())];
            let line = before.matches('\n').count() + 1;
            let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
            format!("line {line}, column {column}: {message}")
        })
    }
}

impl File {
    fn check(self, text: &str) -> Checked<Scenario> {
        let phases = phases_of(&self.phase, text)?;
        let links = (self.link.iter())
            .map(|link| link_of(link.get_ref()))
            .collect::<Checked<_>>()?;
        let behaviours = (self.behaviour.iter())
            .map(|behaviour| behaviour_of(behaviour.get_ref()))
            .collect::<Checked<_>>()?;
        let rooms = in_range(self.rooms.as_ref(), "rooms", 1..=MAX_BOTS)?;
        let room = self
            .room
            .as_ref()
            .map(|room| room_of(room, rooms))
            .transpose()?;
        let shape = Report::shape(phases.iter().map(|phase| phase.name.as_str()));
        let threshold = |written: &Spanned<String>| {
            let threshold: Threshold = written
                .get_ref()
                .parse()
                .map_err(|error| at(written, error))?;
            threshold
                .check(&shape)
                .map_err(|error| at(written, error))?;
            Ok(threshold)
        };
        Ok(Scenario {
            path: String::new(),
            thresholds: self.fail_if.iter().map(threshold).collect::<Checked<_>>()?,
            phases,
            links,
            behaviours,
            room,
            rooms,
        })
    }
}

fn at<T>(value: &Spanned<T>, message: impl std::fmt::Display) -> Fault {
    Fault(value.span(), message.to_string())
}

fn room_of(room: &Spanned<String>, rooms: Option<u32>) -> Checked<String> {
    let name = room.get_ref();
    let longest = match rooms {
        Some(rooms @ 2..) => format!("{name}-{}", rooms - 1),
        _ => name.clone(),
    };
    if !is_room_name(&longest) {
        let message = format!(
            "room: {longest:?} is no room name: use up to {MAX_ROOM_NAME_BYTES} of A-Z a-z 0-9 _ -"
        );
        return Err(at(room, message));
    }
    Ok(name.clone())
}

fn link_of(table: &LinkTable) -> Checked<(Link, f64)> {
    let name = table.name.as_ref().map(named::<LinkName>).transpose()?;
    let link = Link {
        name,
        latency: duration(table.latency.as_ref(), "latency")?,
        jitter: duration(table.jitter.as_ref(), "jitter")?,
        stall: in_range(table.stall.as_ref(), "stall", 0.0..=1.0)?,
    };
    Ok((link, weight(table.share.as_ref())?))
}

fn behaviour_of(table: &BehaviourTable) -> Checked<(BehaviourName, f64)> {
    let name = named(&table.name)?;
    if name == BehaviourName::Mixed {
        let message =
            "name: mixed is a mix of its own: list behaviours, or leave them to --behaviour";
        return Err(at(&table.name, message));
    }
    Ok((name, weight(table.share.as_ref())?))
}

/// The value of this name.
fn named<T: ValueEnum>(name: &Spanned<String>) -> Checked<T> {
    T::from_str(name.get_ref(), false).map_err(|_| {
        let values = T::value_variants().iter().filter_map(T::to_possible_value);
        let names: Vec<String> = values.map(|value| value.get_name().to_owned()).collect();
        at(
            name,
            format!("name: {:?} is none of {}", name.get_ref(), names.join(", ")),
        )
    })
}

/// A share among others, which need not add up to anything; by default 1.
fn weight(share: Option<&Spanned<f64>>) -> Checked<f64> {
    match share {
        None => Ok(1.0),
        Some(share) if (1e-6..=1e6).contains(share.get_ref()) => Ok(*share.get_ref()),
        Some(share) => Err(at(
            share,
            "share: must be more than 0, and at most a million",
        )),
    }
}

fn in_range<T: PartialOrd + Copy + std::fmt::Display>(
    value: Option<&Spanned<T>>,
    key: &str,
    range: RangeInclusive<T>,
) -> Checked<Option<T>> {
    match value {
        Some(value) if !range.contains(value.get_ref()) => {
            let (from, to) = range.into_inner();
            Err(at(value, format!("{key}: must be from {from} to {to}")))
        }
        value => Ok(value.map(|value| *value.get_ref())),
    }
}

fn duration(text: Option<&Spanned<String>>, key: &str) -> Checked<Option<Duration>> {
    let Some(text) = text else { return Ok(None) };
    let duration = humantime::parse_duration(text.get_ref()).map_err(|error| {
        at(
            text,
            format!("{key}: {error}, such as \"10s\" or \"150ms\""),
        )
    })?;
    if duration > MAX_DURATION {
        return Err(at(text, format!("{key}: must be at most 24h")));
    }
    Ok(Some(duration))
}

fn phases_of(tables: &[Spanned<PhaseTable>], text: &str) -> Checked<Vec<Phase>> {
    let mut phases: Vec<Phase> = Vec::new();
    let mut playing = 0;
    for table in tables {
        let action = action_of(table)?;
        let name = name_of(table.get_ref(), action, &phases)?;
        if playing == 0 && !matches!(action, PhaseAction::Ramp { .. }) {
            let message = "nobody plays here: a phase of kind \"ramp\" must come before it";
            return Err(at(&table.get_ref().kind, message));
        }
        playing = playing_after(playing, action);
        phases.push(Phase { name, action });
    }
    if phases.is_empty() {
        let message = "a scenario needs phases: [[phase]] with kind = \"ramp\" first";
        return Err(Fault(text.len()..text.len(), message.to_owned()));
    }
    let started = phases.iter().map(|phase| match phase.action {
        PhaseAction::Ramp { bots, .. } => u64::from(bots),
        _ => 0,
    });
    if started.sum::<u64>() > u64::from(MAX_BOTS) {
        let message = format!("more than {MAX_BOTS} bots in all phases together");
        return Err(Fault(text.len()..text.len(), message));
    }
    Ok(phases)
}

/// The name of a phase: its own, or that of its kind.
fn name_of(table: &PhaseTable, action: PhaseAction, before: &[Phase]) -> Checked<String> {
    let (name, place) = match &table.name {
        Some(name) => (name.get_ref().clone(), name),
        None => (action.kind().to_owned(), &table.kind),
    };
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.chars().all(is_word) {
        let message = format!("name: use 1 to {MAX_NAME_BYTES} of A-Z a-z 0-9 _ -");
        return Err(at(place, message));
    }
    if before.iter().any(|phase| phase.name == name) {
        let message = format!("there is a phase {name:?} already: give this one another name");
        return Err(at(place, message));
    }
    Ok(name)
}

fn action_of(table: &Spanned<PhaseTable>) -> Checked<PhaseAction> {
    let keys = table.get_ref();
    let kind = keys.kind.get_ref().as_str();
    let allowed: &[&str] = match kind {
        "ramp" => &["bots", "per-second"],
        "hold" => &["for"],
        "storm" => &["for", "per-second"],
        "cut" => &["for", "share"],
        "leave" => &["share", "per-second"],
        _ => {
            let message = format!("kind: {kind:?} is none of ramp, hold, storm, cut, leave");
            return Err(at(&keys.kind, message));
        }
    };
    let places = [
        ("for", keys.duration.as_ref().map(Spanned::span)),
        ("bots", keys.bots.as_ref().map(Spanned::span)),
        ("per-second", keys.per_second.as_ref().map(Spanned::span)),
        ("share", keys.share.as_ref().map(Spanned::span)),
    ];
    for (key, span) in places {
        if let Some(span) = span.filter(|_| !allowed.contains(&key)) {
            let known = allowed.join(" and ");
            return Err(Fault(
                span,
                format!("{key}: a phase of kind {kind:?} has {known}"),
            ));
        }
    }
    let missing = |key: &str| at(&keys.kind, format!("a phase of kind {kind:?} needs {key}"));
    let duration = || match duration(keys.duration.as_ref(), "for")? {
        Some(duration) => Ok(duration),
        None => Err(missing("for")),
    };
    let whole = || {
        let range = 1.0..=f64::from(MAX_PER_SECOND);
        let rate = in_range(keys.per_second.as_ref(), "per-second", range)?;
        match (rate, &keys.per_second) {
            (Some(rate), Some(place)) if rate.fract() != 0.0 => {
                Err(at(place, "per-second: must be a whole number here"))
            }
            (rate, _) => Ok(rate.map(|rate| rate as u32)),
        }
    };
    // A thousandth is one of a thousand bots.
    let share = || Ok(in_range(keys.share.as_ref(), "share", 0.001..=1.0)?.unwrap_or(1.0));
    Ok(match kind {
        "ramp" => PhaseAction::Ramp {
            bots: in_range(keys.bots.as_ref(), "bots", 1..=MAX_BOTS)?
                .ok_or_else(|| missing("bots"))?,
            per_second: whole()?.unwrap_or(200),
        },
        "hold" => PhaseAction::Hold {
            duration: duration()?,
        },
        "storm" => PhaseAction::Storm {
            duration: duration()?,
            per_second: in_range(keys.per_second.as_ref(), "per-second", 0.01..=100_000.0)?
                .ok_or_else(|| missing("per-second"))?,
        },
        "cut" => PhaseAction::Cut {
            duration: duration()?,
            share: share()?,
        },
        _ => PhaseAction::Leave {
            share: share()?,
            per_second: whole()?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAMP: &str = "[[phase]]\nkind = \"ramp\"\nbots = 4\n";

    #[test]
    fn a_scenario_is_read_as_written() {
        let text = r#"
            room = "gate"
            rooms = 2
            fail-if = ["phases.arrive.snapshot_gap_ms.p99 > 60", "view_mismatches!=0"]
            [[link]]
            name = "wifi"
            share = 3
            [[link]]
            latency = "30ms"
            [[behaviour]]
            name = "duel"
            [[phase]]
            name = "arrive"
            kind = "ramp"
            bots = 40
            per-second = 20
            [[phase]]
            kind = "hold"
            for = "10s"
            [[phase]]
            kind = "storm"
            for = "5s"
            per-second = 2.5
            [[phase]]
            name = "tunnel"
            kind = "cut"
            for = "3s"
            share = 0.5
            [[phase]]
            kind = "leave"
        "#;
        let scenario = Scenario::parse(text).unwrap();
        let names: Vec<&str> = scenario
            .phases
            .iter()
            .map(|phase| phase.name.as_str())
            .collect();
        assert_eq!(names, ["arrive", "hold", "storm", "tunnel", "leave"]);
        assert_eq!(
            scenario.phases[2].action,
            PhaseAction::Storm {
                duration: Duration::from_secs(5),
                per_second: 2.5
            }
        );
        assert_eq!(scenario.links[0].0.name, Some(LinkName::Wifi));
        assert_eq!(scenario.links[1].0.latency, Some(Duration::from_millis(30)));
        assert_eq!((scenario.links[0].1, scenario.links[1].1), (3.0, 1.0));
        assert_eq!(scenario.behaviours, [(BehaviourName::Duel, 1.0)]);
        assert_eq!(scenario.thresholds.len(), 2);
        assert_eq!(
            (scenario.room.as_deref(), scenario.rooms),
            (Some("gate"), Some(2))
        );
    }

    #[test]
    fn the_scenario_of_the_documentation_can_be_read() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/BOTS.md");
        let page = std::fs::read_to_string(page).unwrap();
        let mut blocks = page.split("```toml\n").skip(1);
        let block = blocks
            .next()
            .and_then(|block| block.split("```").next())
            .unwrap();
        let scenario = Scenario::parse(block).unwrap();
        assert_eq!((scenario.phases.len(), scenario.links.len()), (2, 2));
        assert!(blocks.next().is_none());
    }

    #[test]
    fn every_scenario_that_is_shipped_can_be_read() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
        let mut count = 0;
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let scenario = Scenario::of_file(path.to_str().unwrap()).unwrap();
            assert!(!scenario.thresholds.is_empty(), "{}", path.display());
            count += 1;
        }
        assert!(count >= 3, "{count} scenarios");
    }

    #[test]
    fn a_mistake_is_one_line_with_its_place() {
        let with = |lines: &str| format!("{RAMP}{lines}\n");
        for (text, place, part) in [
            ("", "line 1, column 1", "needs phases"),
            ("botz = 3", "line 1, column 1", "botz"),
            ("rooms = = 3", "line 1", ""),
            (
                &with("[[phase]]\nkind = \"rest\""),
                "line 5, column 8",
                "ramp, hold, storm, cut, leave",
            ),
            (
                &with("[[phase]]\nkind = \"hold\""),
                "line 5, column 8",
                "needs for",
            ),
            (
                &with("[[phase]]\nkind = \"hold\"\nfor = \"soon\""),
                "line 6, column 7",
                "for:",
            ),
            (
                &with("[[phase]]\nkind = \"hold\"\nfor = \"25h\""),
                "line 6, column 7",
                "24h",
            ),
            (
                &with("[[phase]]\nkind = \"hold\"\nfor = \"1s\"\nbots = 3"),
                "line 7, column 8",
                "has for",
            ),
            (
                &with("[[phase]]\nkind = \"hold\"\nwait = \"1s\""),
                "line 6, column 1",
                "wait",
            ),
            (
                &with("[[phase]]\nkind = \"cut\"\nfor = \"1s\"\nshare = 1.5"),
                "line 7, column 9",
                "share",
            ),
            (
                &with("[[phase]]\nkind = \"cut\"\nfor = \"1s\"\nshare = 0"),
                "line 7, column 9",
                "share",
            ),
            (
                &with("[[phase]]\nkind = \"storm\"\nfor = \"1s\""),
                "line 5, column 8",
                "per-second",
            ),
            (
                &with("[[phase]]\nkind = \"ramp\"\nbots = 1"),
                "line 5, column 8",
                "already",
            ),
            (
                &with("[[phase]]\nname = \"a.b\"\nkind = \"ramp\"\nbots = 1"),
                "line 5, column 8",
                "A-Z",
            ),
            (
                &with("[[phase]]\nname = \"b\"\nkind = \"ramp\"\nbots = 0"),
                "line 7, column 8",
                "from 1",
            ),
            (
                &with("[[phase]]\nname = \"b\"\nkind = \"ramp\"\nbots = 100000"),
                "line 8",
                "more than",
            ),
            (
                &with("[[phase]]\nkind = \"leave\"\n[[phase]]\nkind = \"hold\"\nfor = \"1s\""),
                "line 7, column 8",
                "nobody plays",
            ),
            (
                "[[phase]]\nkind = \"hold\"\nfor = \"1s\"",
                "line 2, column 8",
                "nobody plays",
            ),
            (
                &with("[[link]]\nname = \"5g\""),
                "line 5, column 8",
                "bad-wifi",
            ),
            (
                &with("[[link]]\nname = \"wifi\"\nshare = -1"),
                "line 6, column 9",
                "share",
            ),
            (
                &with("[[link]]\nstall = 2.0"),
                "line 5, column 9",
                "from 0 to 1",
            ),
            (
                &with("[[behaviour]]\nname = \"dance\""),
                "line 5, column 8",
                "slow-reader",
            ),
            (
                &with("[[behaviour]]\nname = \"mixed\""),
                "line 5, column 8",
                "mix of its own",
            ),
            (
                &format!("fail-if = [\"bots<1\",\n  \"gap>3\"]\n{RAMP}"),
                "line 2, column 3",
                "no figure gap",
            ),
            (
                &format!("fail-if = [\"phases.hold.resumes>3\"]\n{RAMP}"),
                "line 1, column 12",
                "phases has ramp",
            ),
            (
                &format!("room = \"a b\"\n{RAMP}"),
                "line 1, column 8",
                "A-Z",
            ),
            (&format!("rooms = 0\n{RAMP}"), "line 1, column 9", "from 1"),
        ] {
            let error = Scenario::parse(text).unwrap_err();
            assert!(
                error.starts_with(place) && error.contains(part) && error.lines().count() == 1,
                "{text}\n{error:?}"
            );
        }
    }
}
