//! What is seen for a moment: beams, hits, ships that burst.
//!
//! In: beams and kills as the server tells them, and own shots as they are made. Out: a flat list for the frame that is
//! drawn. The world on the screen is a little in the past, so what others do waits until the screen has come to its tick;
//! an own beam is drawn at once from the predicted ship, and what the server says of it later only confirms the hit.

use super::screen::Screen;
use std::collections::VecDeque;
use tickwire_game::arena::{BeamEnd, BeamFired, Kill, UNIT};
use tickwire_sync::{EntityId, Tick, ViewTick};

/// Numbers per effect: what, x, y, x, y, player slot (-1: unknown), flags, 0.
pub(super) const STRIDE: usize = 8;
const BEAM: f32 = 0.0;
const HIT: f32 = 1.0;
const BURST: f32 = 2.0;
/// Flags: the own player's, ends at a ship, ends at the own ship.
const OWN: u32 = 1;
const ENDS_AT_SHIP: u32 = 2;
const ENDS_AT_OWN: u32 = 4;

/// Effects that wait for their tick, or for a frame; a hidden page draws none.
const CAPACITY: usize = 256;
/// What the screen has passed by this many ticks is not worth showing any more.
const STALE_TICKS: u32 = 30;
/// Own shots that may still be confirmed.
const SHOTS: usize = 32;

#[derive(Debug)]
enum Waiting {
    Beam(BeamFired),
    Kill(Kill),
}

/// The effects of the frames to come.
#[derive(Debug, Default)]
pub(super) struct Effects {
    waiting: VecDeque<(Tick, Waiting)>,
    ready: Vec<f32>,
    frame: Vec<f32>,
    /// Numbers of the inputs whose beams were drawn already.
    shots: VecDeque<u32>,
}

impl Effects {
    /// Draws an own beam before the server knows of it.
    pub fn own_shot(&mut self, seq: u32, from: [i32; 2], end: BeamEnd, player: u32) {
        if self.shots.len() == SHOTS {
            self.shots.pop_front();
        }
        self.shots.push_back(seq);
        let flags = OWN | if end.hit.is_some() { ENDS_AT_SHIP } else { 0 };
        self.push(BEAM, [from[0], from[1], end.x, end.y], player as f32, flags);
    }

    /// Takes a beam from the server. `own`: whether the shooter is the own ship.
    pub fn beam(&mut self, tick: Tick, beam: BeamFired, own: Option<u32>) {
        let Some(player) = own else {
            self.wait(tick, Waiting::Beam(beam));
            return;
        };
        let drawn = self.shots.iter().position(|seq| *seq == beam.seq);
        match drawn {
            Some(index) => {
                self.shots.remove(index);
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
    pub fn kill(&mut self, tick: Tick, kill: Kill, own_player: Option<u32>, screen: &Screen) {
        // The own ship is shown as it is now, not in the past.
        if own_player == Some(kill.victim) {
            self.burst(kill, own_player, screen);
        } else {
            self.wait(tick, Waiting::Kill(kill));
        }
    }

    /// Makes the list of the frame that shows `view`.
    pub fn look(
        &mut self,
        view: ViewTick,
        own_ship: Option<EntityId>,
        own_player: Option<u32>,
        screen: &Screen,
    ) {
        while let Some((tick, effect)) = self
            .waiting
            .pop_front_if(|(tick, _)| ViewTick::new(*tick, 0) <= view)
        {
            if view.tick().since(tick) > STALE_TICKS {
                continue;
            }
            match effect {
                Waiting::Beam(beam) => {
                    let player = screen
                        .player_of(beam.shooter)
                        .map_or(-1.0, |player| player as f32);
                    let mut flags = if beam.hit.is_some() { ENDS_AT_SHIP } else { 0 };
                    if beam.hit.is_some() && beam.hit == own_ship {
                        flags |= ENDS_AT_OWN;
                    }
                    self.push(BEAM, beam.line, player, flags);
                }
                Waiting::Kill(kill) => self.burst(kill, own_player, screen),
            }
        }
        self.frame.clear();
        std::mem::swap(&mut self.frame, &mut self.ready);
    }

    /// The list that [`Self::look`] made.
    pub fn frame(&self) -> &[f32] {
        &self.frame
    }

    /// Another session, another world.
    pub fn clear(&mut self) {
        self.waiting.clear();
        self.ready.clear();
        self.shots.clear();
    }

    fn burst(&mut self, kill: Kill, own_player: Option<u32>, screen: &Screen) {
        if let Some([x, y]) = screen.last_place(kill.victim) {
            let flags = if own_player == Some(kill.victim) {
                OWN
            } else {
                0
            };
            self.push(BURST, [x, y, x, y], kill.victim as f32, flags);
        }
    }

    fn wait(&mut self, tick: Tick, effect: Waiting) {
        if self.waiting.len() == CAPACITY {
            self.waiting.pop_front();
        }
        self.waiting.push_back((tick, effect));
    }

    fn push(&mut self, what: f32, line: [i32; 4], player: f32, flags: u32) {
        if self.ready.len() < CAPACITY * STRIDE {
            let [x0, y0, x1, y1] = line.map(|value| value as f32 / UNIT as f32);
            self.ready
                .extend_from_slice(&[what, x0, y0, x1, y1, player, flags as f32, 0.0]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickwire_game::arena::kind;

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
    fn an_own_beam_is_drawn_once_and_its_hit_when_the_server_says_so() {
        let (mut effects, screen) = (Effects::default(), Screen::default());
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
        effects.look(view, None, Some(3), &screen);
        assert_eq!(kinds(&effects), [BEAM]);
        effects.beam(Tick(100), beam(1, 7, Some(2)), Some(3));
        effects.look(view, None, Some(3), &screen);
        assert_eq!(kinds(&effects), [HIT]);
        // One that was not foreseen is drawn when it is known.
        effects.beam(Tick(101), beam(1, 8, None), Some(3));
        effects.look(view, None, Some(3), &screen);
        assert_eq!(kinds(&effects), [BEAM]);
    }

    #[test]
    fn what_others_do_is_drawn_when_the_screen_comes_to_its_tick() {
        let (mut effects, screen) = (Effects::default(), Screen::default());
        effects.beam(Tick(100), beam(2, 0, Some(1)), None);
        effects.look(
            ViewTick::new(Tick(99), 255),
            Some(ship(1)),
            Some(3),
            &screen,
        );
        assert_eq!(effects.frame(), [0.0; 0]);
        effects.look(ViewTick::new(Tick(100), 0), Some(ship(1)), Some(3), &screen);
        assert_eq!(kinds(&effects), [BEAM]);
        assert_eq!(effects.frame()[6], (ENDS_AT_SHIP | ENDS_AT_OWN) as f32);
    }
}
