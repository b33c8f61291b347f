//! Arena, the first game: ships fly, shoot beams, collect pellets, and respawn.
//!
//! In: inputs of three bytes (`input`). Out: rows of three kinds, and beams and kills as events. `movement`, `map` and `beam`
//! are the rules that clients share. `world` is the server's half, `npc` its computer players. Positions are in 1/16 unit,
//! headings in 1/1024 turn, clockwise from +x with y pointing down, as on a screen.

mod beam;
mod event;
mod input;
mod map;
mod movement;
mod nearest;
mod npc;
mod pellets;
mod world;

pub use beam::{Beam, BeamEnd, Target, cast};
pub use event::{BEAM, BeamFired, KILL, Kill};
pub use input::ArenaInput;
pub use map::Map;
pub use movement::{Motion, Movement};
pub use world::Arena;

use glam::IVec2;
use std::sync::Arc;
use tickwire_rules::hash_of_sources;
use tickwire_sync::{Grid, Kind, KindId, Lane, Schema};

/// The game's name.
pub const NAME: &str = "arena";

/// Steps of the position lanes in one unit, which is a pixel on an unscaled screen.
pub const UNIT: i32 = 16;
/// Steps of the heading lane in one turn.
pub const TURN: u32 = 1024;
/// The side of the square world, in units.
pub const WORLD_SIDE: i32 = 4096;
/// The side of a cell of the interest grid, in units.
const CELL_SIDE: u32 = 512;
/// Half of what a screen shows of the world around its ship, in units.
pub const HALF_SCREEN: IVec2 = IVec2::new(640, 360);
/// How far beyond the screen the area of interest reaches, in units, so that what comes into sight is already there.
const INTEREST_MARGIN: i32 = 80;

/// A ship's radius, in units.
pub const SHIP_RADIUS: f32 = 16.0;
/// A ship's full health.
pub const FULL_HEALTH: i32 = 100;
/// The health that a beam takes.
const BEAM_DAMAGE: i32 = 25;
/// How far a beam reaches, in units.
pub const BEAM_RANGE: f32 = 600.0;
/// Spectators change to another player only once that one leads by this many points.
pub const CLEAR_LEAD: i32 = 10;

/// The kinds, as the schema numbers them.
pub mod kind {
    use tickwire_sync::KindId;

    /// A player's ship. It lives from spawn to death.
    pub const SHIP: KindId = KindId(0);
    /// A pellet to pick up.
    pub const PELLET: KindId = KindId(1);
    /// A player's name and score, in the global cell for the whole session.
    pub const PLAYER: KindId = KindId(2);
}

/// The public lanes of a ship.
pub mod ship_lane {
    /// Position along x.
    pub const X: usize = 0;
    /// Position along y.
    pub const Y: usize = 1;
    /// Where the ship points.
    pub const HEADING: usize = 2;
    /// Health left, 1 to [`super::FULL_HEALTH`].
    pub const HEALTH: usize = 3;
    /// The slot of the ship's player.
    pub const PLAYER: usize = 4;
    /// How many lanes there are.
    pub const COUNT: usize = 5;
}

/// The private lanes of a ship.
pub mod ship_private {
    /// Velocity along x, in 1/256 unit per tick.
    pub const VELOCITY_X: usize = 0;
    /// Velocity along y, in 1/256 unit per tick.
    pub const VELOCITY_Y: usize = 1;
    /// Ticks until the next beam.
    pub const COOLDOWN: usize = 2;
    /// How many lanes there are.
    pub const COUNT: usize = 3;
}

/// The public lanes of a player.
pub mod player_lane {
    /// Points.
    pub const SCORE: usize = 0;
    /// Ships shot down.
    pub const KILLS: usize = 1;
    /// Own ships lost.
    pub const DEATHS: usize = 2;
    /// The session's number; 0 for computer players.
    pub const SESSION: usize = 3;
    /// How many lanes there are.
    pub const COUNT: usize = 4;
}

/// A hash that changes whenever the shared rules do.
pub const RULES_HASH: u64 = hash_of_sources(&[
    include_bytes!("beam.rs"),
    include_bytes!("input.rs"),
    include_bytes!("map.rs"),
    include_bytes!("movement.rs"),
    include_bytes!("lib.rs"),
]);

/// What the arena replicates.
#[must_use]
pub fn schema() -> Arc<Schema> {
    let position = || {
        [
            Lane::continuous("x", "1/16 unit"),
            Lane::continuous("y", "1/16 unit"),
        ]
    };
    let ship = Kind {
        name: "ship".into(),
        lanes: position()
            .into_iter()
            .chain([
                Lane::angle("heading", "1/1024 turn", TURN),
                Lane::discrete("health", "points"),
                Lane::discrete("player", "slot of kind player"),
            ])
            .collect(),
        private_lanes: vec![
            Lane::discrete("velocity x", "1/256 unit per tick"),
            Lane::discrete("velocity y", "1/256 unit per tick"),
            Lane::discrete("cooldown", "ticks"),
        ],
        placed: true,
        predicted: true,
        ..Kind::default()
    };
    let pellet = Kind {
        name: "pellet".into(),
        lanes: position()
            .into_iter()
            .chain([Lane::discrete("worth", "points")])
            .collect(),
        placed: true,
        ..Kind::default()
    };
    let player = Kind {
        name: "player".into(),
        lanes: ["score", "kills", "deaths"]
            .map(|name| Lane::discrete(name, "count"))
            .into_iter()
            .chain([Lane::discrete("session", "number, 0: computer")])
            .collect(),
        texts: vec!["name".into()],
        ..Kind::default()
    };
    let grid = Grid::covering(
        IVec2::ZERO,
        IVec2::splat(WORLD_SIDE * UNIT),
        CELL_SIDE * UNIT as u32,
    );
    debug_assert_eq!(kind::SHIP, KindId(0));
    Arc::new(Schema {
        kinds: vec![ship, pellet, player],
        events: vec!["beam".into(), "kill".into()],
        grid,
        ..Schema::default()
    })
}

/// The direction that a heading points to.
#[must_use]
pub fn direction(heading: i32) -> glam::Vec2 {
    glam::Vec2::from_angle(
        heading.rem_euclid(TURN as i32) as f32 * (std::f32::consts::TAU / TURN as f32),
    )
}

/// The heading from one position to another, in any common unit; 0 if they are equal.
#[must_use]
pub fn heading_to(from: glam::Vec2, to: glam::Vec2) -> i32 {
    let angle = (to - from).to_angle() * (TURN as f32 / std::f32::consts::TAU);
    (angle.round() as i32).rem_euclid(TURN as i32)
}

/// The arena's rules, for a native client to predict with. `None` for another game, an unreadable map, or rules with another hash
/// than the server's.
#[must_use]
pub fn rules_for(
    name: &str,
    map: &[u8],
    rules_hash: u64,
) -> Option<Box<dyn tickwire_rules::Rules>> {
    let map = (name == NAME && rules_hash == RULES_HASH).then(|| Map::decode(map))??;
    Some(Box::new(Movement::new(Arc::new(map))))
}
