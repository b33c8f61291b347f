//! The size of a game's world, and what of it a player sees.

use tickwire_game::glam::{IVec2, Vec2};
use tickwire_sync::interest::InterestArea;
use tickwire_sync::{Grid, Layer, LayerSet};

/// The size of a game's world, and what a screen shows of it. All lengths are in units.
///
/// ```
/// # use tickwire::Space;
/// const FIELD: Space = Space::new(16, 2048, 2048).screen(1440, 880).cells(512);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Space {
    steps: i32,
    size: IVec2,
    screen: IVec2,
    cell: i32,
    layers: u8,
}

impl Space {
    /// A world of this width and height from (0, 0), whose positions have `steps` steps a unit: the `N` of `Pos<N>`. A screen shows all
    /// of it, and a cell of the interest grid has an eighth of its larger side.
    #[must_use]
    pub const fn new(steps: i32, width: i32, height: i32) -> Self {
        let larger = if width > height { width } else { height };
        let cell = if larger >= 8 { larger / 8 } else { 1 };
        Self {
            steps,
            size: IVec2::new(width, height),
            screen: IVec2::new(2 * width, 2 * height),
            cell,
            layers: 1,
        }
    }

    /// For a game without positions: everyone is sent everything.
    #[must_use]
    pub const fn none() -> Self {
        Self::new(1, 1, 1)
    }

    /// How much of the world a player is sent: the width and height around the player's own entity. Somewhat more than a screen shows, so
    /// that what comes into sight is already there.
    #[must_use]
    pub const fn screen(self, width: i32, height: i32) -> Self {
        Self {
            screen: IVec2::new(width, height),
            ..self
        }
    }

    /// The side of a cell of the interest grid. Cells of about a third of a screen are a good choice.
    #[must_use]
    pub const fn cells(self, side: i32) -> Self {
        Self { cell: side, ..self }
    }

    /// How many layers the grid has, 1 to 32. Everyone sees layer 0; others only those whose [`Sight`] has the layer.
    #[must_use]
    pub const fn layers(self, count: u8) -> Self {
        Self {
            layers: count,
            ..self
        }
    }

    pub(crate) fn grid(self) -> Grid {
        Grid {
            layers: self.layers,
            ..Grid::covering(
                IVec2::ZERO,
                self.size.saturating_mul(IVec2::splat(self.steps)),
                self.cell.saturating_mul(self.steps).max(1) as u32,
            )
        }
    }

    pub(crate) fn steps(self) -> i32 {
        self.steps
    }

    pub(crate) fn middle(self) -> IVec2 {
        (self.size / 2).saturating_mul(IVec2::splat(self.steps))
    }

    fn half_screen(self) -> IVec2 {
        (self.screen / 2).saturating_mul(IVec2::splat(self.steps))
    }
}

/// What a player sees of the world.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sight {
    focus: IVec2,
    half_extent: IVec2,
    layers: LayerSet,
}

impl Sight {
    /// A sight around a position, with the width and height that [`Space::screen`] says.
    #[must_use]
    pub fn around(position: impl Into<IVec2>, space: Space) -> Self {
        Self {
            focus: position.into(),
            half_extent: space.half_screen(),
            layers: LayerSet::default(),
        }
    }

    /// This sight with another width and height, in units.
    #[must_use]
    pub fn extent(self, extent: Vec2, space: Space) -> Self {
        Self {
            half_extent: (extent / 2.0 * space.steps as f32).as_ivec2(),
            ..self
        }
    }

    /// This sight with one more layer.
    #[must_use]
    pub fn with_layer(self, layer: Layer) -> Self {
        Self {
            layers: self.layers.with(layer),
            ..self
        }
    }

    pub(crate) fn area(self) -> InterestArea {
        InterestArea {
            focus: self.focus,
            half_extent: self.half_extent,
            layers: self.layers,
        }
    }
}
