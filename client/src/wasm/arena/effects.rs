//! Short-lived effects: beams, hits, bursting ships.
//!
//! In: beams and kills from the server, and the player's own shots. Out: a flat list for each frame. The screen is a little in the
//! past, so effects of others wait until the view tick reaches their tick. The player's own beam is drawn at once, from the
//! predicted ship; the server's report of it then only confirms the hit. Never draws one shot twice.

use super::scene::{STRIDE, Scene};
use std::collections::VecDeque;
use tickwire_arena::{BeamEnd, BeamFired, Kill, UNIT};
use tickwire_sync::{EntityId, Tick, ViewTick};

/// Kinds of effects, the first of the `STRIDE` numbers of each: kind, x, y, x, y (units), player slot (-1: unknown), flags, 0.
const BEAM: f32 = 0.0;
const HIT: f32 = 1.0;
const BURST: f32 = 2.0;
/// Flags: of the player's own ship, ends at a ship, ends at the player's own ship.
const OWN: u32 = 1;
const ENDS_AT_SHIP: u32 = 2;
const ENDS_AT_OWN: u32 = 4;

/// Effects that may wait for their tick or for a frame; a hidden page draws no frames.
const MAX_EFFECTS: usize = 256;
/// An effect that the view tick passed by more than this is dropped.
const MAX_AGE_TICKS: u32 = 30;
/// The player's own shots that may still be confirmed.
const MAX_UNCONFIRMED_SHOTS: usize = 32;

#[derive(Debug)]
enum PendingEffect {
    Beam(BeamFired),
    Kill(Kill),
}

/// The effects of the frames to come.
#[derive(Debug, Default)]
pub(in crate::wasm) struct Effects {
    pending: VecDeque<(Tick, PendingEffect)>,
    /// The list of the next frame.
    next_frame: Vec<f32>,
    frame: Vec<f32>,
    /// Sequence numbers of the inputs whose beams are drawn already.
    drawn_shots: VecDeque<u32>,
}

impl Effects {
    /// Draws the player's own beam before the server knows of it.
    pub fn own_shot(&mut self, seq: u32, from: [i32; 2], end: BeamEnd, player: u32) {
        if self.drawn_shots.len() == MAX_UNCONFIRMED_SHOTS {
            self.drawn_shots.pop_front();
        }
        self.drawn_shots.push_back(seq);
        let flags = OWN | if end.hit.is_some() { ENDS_AT_SHIP } else { 0 };
        self.push(BEAM, [from[0], from[1], end.x, end.y], player as f32, flags);
    }

    /// Takes a beam from the server. `own_player`: the player's slot if the shooter is the player's own ship.
    pub fn beam(&mut self, tick: Tick, beam: BeamFired, own_player: Option<u32>) {
        let Some(player) = own_player else {
            self.push_pending(tick, PendingEffect::Beam(beam));
            return;
        };
        let drawn = self.drawn_shots.iter().position(|seq| *seq == beam.seq);
        match drawn {
            Some(index) => {
                self.drawn_shots.remove(index);
            }
            None => self.push(
                BEAM,
                beam.line,
                player as f32,
                OWN | if beam.hit.is_some() { ENDS_AT_SHIP } else { 0 },
            ),
        }
        if beam.hit.is_some() {
            let [_, _, x, y] = beam.line;
            self.push(HIT, [x, y, x, y], player as f32, OWN);
        }
    }

    /// Takes a kill from the server.
    pub fn kill(&mut self, tick: Tick, kill: Kill, own_player: Option<u32>, scene: &Scene) {
        // The player's own ship is shown in the present, not at the view tick.
        if own_player == Some(kill.victim) {
            self.burst(kill, own_player, scene);
        } else {
            self.push_pending(tick, PendingEffect::Kill(kill));
        }
    }

    /// Fills the list of the frame at `view`.
    pub fn sample(
        &mut self,
        view: ViewTick,
        own_ship: Option<EntityId>,
        own_player: Option<u32>,
        scene: &Scene,
    ) {
        while let Some((tick, effect)) = self
            .pending
            .pop_front_if(|(tick, _)| ViewTick::new(*tick, 0) <= view)
        {
            if view.tick().since(tick) > MAX_AGE_TICKS {
                continue;
            }
            match effect {
                PendingEffect::Beam(beam) => {
                    let player = scene
                        .player_of(beam.shooter)
                        .map_or(-1.0, |player| player as f32);
                    let mut flags = if beam.hit.is_some() { ENDS_AT_SHIP } else { 0 };
                    if beam.hit.is_some() && beam.hit == own_ship {
                        flags |= ENDS_AT_OWN;
                    }
                    self.push(BEAM, beam.line, player, flags);
                }
                PendingEffect::Kill(kill) => self.burst(kill, own_player, scene),
            }
        }
        self.frame.clear();
        std::mem::swap(&mut self.frame, &mut self.next_frame);
    }

    /// The list of the latest [`Self::sample`].
    pub fn frame(&self) -> &[f32] {
        &self.frame
    }

    /// Forgets everything: the session has joined another world.
    pub fn clear(&mut self) {
        self.pending.clear();
        self.next_frame.clear();
        self.drawn_shots.clear();
    }

    fn burst(&mut self, kill: Kill, own_player: Option<u32>, scene: &Scene) {
        if let Some([x, y]) = scene.last_position(kill.victim) {
            let flags = if own_player == Some(kill.victim) {
                OWN
            } else {
                0
            };
            self.push(BURST, [x, y, x, y], kill.victim as f32, flags);
        }
    }

    fn push_pending(&mut self, tick: Tick, effect: PendingEffect) {
        if self.pending.len() == MAX_EFFECTS {
            self.pending.pop_front();
        }
        self.pending.push_back((tick, effect));
    }

    fn push(&mut self, kind: f32, line: [i32; 4], player: f32, flags: u32) {
        if self.next_frame.len() < MAX_EFFECTS * STRIDE {
            let [x0, y0, x1, y1] = line.map(|value| value as f32 / UNIT as f32);
            self.next_frame
                .extend_from_slice(&[kind, x0, y0, x1, y1, player, flags as f32, 0.0]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickwire_arena::kind;

    fn ship(slot: u32) -> EntityId {
        EntityId {
            kind: kind::SHIP,
            slot,
            generation: 1,
        }
    }

    fn beam(shooter: u32, seq: u32, hit: Option<u32>) -> BeamFired {
        BeamFired {
            shooter: ship(shooter),
            seq,
            line: [0, 0, 1600, 0],
            hit: hit.map(ship),
        }
    }

    fn kinds(effects: &Effects) -> Vec<f32> {
        effects
            .frame()
            .chunks(STRIDE)
            .map(|effect| effect[0])
            .collect()
    }

    #[test]
    fn the_own_beam_is_drawn_once_and_its_hit_when_confirmed() {
        let (mut effects, scene) = (Effects::default(), Scene::default());
        let view = ViewTick::new(Tick(90), 0);
        effects.own_shot(
            7,
            [0, 0],
            BeamEnd {
                x: 1600,
                y: 0,
                hit: None,
            },
            3,
        );
        effects.sample(view, None, Some(3), &scene);
        assert_eq!(kinds(&effects), [BEAM]);
        effects.beam(Tick(100), beam(1, 7, Some(2)), Some(3));
        effects.sample(view, None, Some(3), &scene);
        assert_eq!(kinds(&effects), [HIT]);
        // A shot that was not predicted is drawn when the server reports it.
        effects.beam(Tick(101), beam(1, 8, None), Some(3));
        effects.sample(view, None, Some(3), &scene);
        assert_eq!(kinds(&effects), [BEAM]);
    }

    #[test]
    fn effects_of_others_wait_for_the_view_tick() {
        let (mut effects, scene) = (Effects::default(), Scene::default());
        effects.beam(Tick(100), beam(2, 0, Some(1)), None);
        effects.sample(ViewTick::new(Tick(99), 255), Some(ship(1)), Some(3), &scene);
        assert_eq!(effects.frame(), [0.0; 0]);
        effects.sample(ViewTick::new(Tick(100), 0), Some(ship(1)), Some(3), &scene);
        assert_eq!(kinds(&effects), [BEAM]);
        assert_eq!(effects.frame()[6], (ENDS_AT_SHIP | ENDS_AT_OWN) as f32);
    }
}
