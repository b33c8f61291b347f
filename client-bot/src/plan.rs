//! What a swarm does: phases in order, and which bot has which link and behaviour.
//!
//! In: valid options, with a scenario or without. Out: a [`Plan`]. Without a scenario it has two phases, `ramp` and `hold`, so that all runs
//! are carried out and reported alike.

use crate::links::Link;
use crate::options::{BehaviourName, Options};
use std::time::Duration;

/// A part of a run.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Phase {
    /// Its name, for reports and thresholds.
    pub name: String,
    pub action: PhaseAction,
}

/// What happens in a phase.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum PhaseAction {
    /// So many more bots start, one after the other.
    Ramp { bots: u32, per_second: u32 },
    /// They play.
    Hold { duration: Duration },
    /// So many connections a second are dropped, without a closing handshake, of one bot after the other. They reconnect at once.
    Storm { duration: Duration, per_second: f64 },
    /// A share of the bots lose their connections, and no attempt succeeds before the end of the phase. Then they try at once.
    Cut { duration: Duration, share: f64 },
    /// A share of the bots leave, so many a second or all at once.
    Leave { share: f64, per_second: Option<u32> },
}

impl PhaseAction {
    /// The word for it in scenarios and reports.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Ramp { .. } => "ramp",
            Self::Hold { .. } => "hold",
            Self::Storm { .. } => "storm",
            Self::Cut { .. } => "cut",
            Self::Leave { .. } => "leave",
        }
    }

    /// How long it takes, if `playing` bots play.
    pub fn duration(self, playing: u32) -> Duration {
        let paced =
            |bots, per_second| Duration::from_secs_f64(f64::from(bots) / f64::from(per_second));
        match self {
            Self::Ramp { bots, per_second } => paced(bots, per_second),
            Self::Hold { duration } | Self::Storm { duration, .. } | Self::Cut { duration, .. } => {
                duration
            }
            Self::Leave { share, per_second } => per_second.map_or(Duration::ZERO, |per_second| {
                paced(part_of(playing, share), per_second)
            }),
        }
    }
}

/// How many a share of a number of bots is: never none of some.
pub(crate) fn part_of(bots: u32, share: f64) -> u32 {
    ((f64::from(bots) * share).round() as u32).clamp(u32::from(bots > 0), bots)
}

/// What one bot is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Role {
    pub behaviour: BehaviourName,
    pub link: Link,
}

/// What a swarm does.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Plan {
    pub phases: Vec<Phase>,
    /// Of each bot, by its number.
    pub roles: Vec<Role>,
}

impl Plan {
    /// The plan of valid options.
    pub fn of(options: &Options) -> Self {
        let Some(scenario) = &options.scenario else {
            let role = |index| Role {
                behaviour: options.behaviour_of(index),
                link: options.link(),
            };
            let ramp = PhaseAction::Ramp {
                bots: options.bots,
                per_second: options.ramp,
            };
            let hold = PhaseAction::Hold {
                duration: options.duration,
            };
            let phase = |action: PhaseAction| Phase {
                name: action.kind().to_owned(),
                action,
            };
            return Self {
                phases: vec![phase(ramp), phase(hold)],
                roles: (0..options.bots).map(role).collect(),
            };
        };
        let bots = bots_of(&scenario.phases);
        // Links and behaviours are dealt apart, so that no behaviour has but one link.
        let links = deal(&scenario.links, bots, options.seed);
        let behaviours = deal(&scenario.behaviours, bots, options.seed.wrapping_add(1));
        let role = |index: u32| Role {
            behaviour: (behaviours.get(index as usize).copied())
                .unwrap_or_else(|| options.behaviour_of(index)),
            link: (links.get(index as usize).copied()).unwrap_or_else(|| options.link()),
        };
        Self {
            phases: scenario.phases.clone(),
            roles: (0..bots).map(role).collect(),
        }
    }

    /// How many bots are started.
    pub fn bots(&self) -> u32 {
        bots_of(&self.phases)
    }

    /// How long the phases take together.
    pub fn duration(&self) -> Duration {
        let mut playing = 0;
        let durations = self.phases.iter().map(|phase| {
            let duration = phase.action.duration(playing);
            playing = playing_after(playing, phase.action);
            duration
        });
        durations.sum()
    }

    /// Whether some bots read every snapshot at once, so that their rates and gaps are those of the server.
    pub fn has_readers(&self) -> bool {
        self.roles.iter().any(|role| role.behaviour.keeps_reading())
    }
}

/// How many bots play after a phase at whose beginning `playing` did.
pub(crate) fn playing_after(playing: u32, action: PhaseAction) -> u32 {
    match action {
        PhaseAction::Ramp { bots, .. } => playing + bots,
        PhaseAction::Leave { share, .. } => playing - part_of(playing, share),
        _ => playing,
    }
}

fn bots_of(phases: &[Phase]) -> u32 {
    let started = phases.iter().map(|phase| match phase.action {
        PhaseAction::Ramp { bots, .. } => bots,
        _ => 0,
    });
    started.sum()
}

/// Deals kinds to bots in proportion to their weights, to the nearest bot, in an order that repeats with its seed. Nothing for no kinds.
fn deal<T: Copy>(kinds: &[(T, f64)], bots: u32, seed: u64) -> Vec<T> {
    let total: f64 = kinds.iter().map(|(_, weight)| weight).sum();
    let mut dealt = Vec::with_capacity(bots as usize);
    let mut up_to = 0.0;
    for (kind, weight) in kinds {
        up_to += weight;
        let count = (up_to / total * f64::from(bots)).round() as usize;
        dealt.resize(count, *kind);
    }
    fastrand::Rng::with_seed(seed).shuffle(&mut dealt);
    dealt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_met_to_the_nearest_bot() {
        let kinds = [('a', 3.0), ('b', 1.0), ('c', 0.1)];
        let dealt = deal(&kinds, 41, 7);
        let count = |kind| dealt.iter().filter(|dealt| **dealt == kind).count();
        assert_eq!([count('a'), count('b'), count('c')], [30, 10, 1]);
        assert_eq!(dealt, deal(&kinds, 41, 7));
        assert_ne!(dealt, deal(&kinds, 41, 8));
        assert!(deal::<char>(&[], 9, 1).is_empty());
    }

    #[test]
    fn a_share_of_some_bots_is_never_none() {
        assert_eq!(part_of(10, 0.25), 3);
        assert_eq!(part_of(10, 0.001), 1);
        assert_eq!(part_of(10, 1.0), 10);
        assert_eq!(part_of(0, 1.0), 0);
    }
}
