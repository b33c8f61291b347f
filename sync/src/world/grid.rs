//! The interest grid: squares over the game's plane, in layers, and one global cell.
//!
//! In: positions in the unit of the x and y lanes. Out: cell numbers. Every position has a cell: one outside the grid belongs
//! to the nearest square.

use glam::IVec2;
#[cfg(feature = "wire")]
use tickwire_proto::v1;

/// The number of a cell: 0 is the global cell, then come the squares, layer by layer and row by row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CellId(pub u32);

impl CellId {
    /// The cell that everyone sees.
    pub const GLOBAL: Self = Self(0);

    /// The number as an index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A layer of the grid, 0 to 31. Everyone sees layer 0; another one only those whose area of interest includes it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Layer(pub u8);

/// The layers that one player sees, one bit each. The default is layer 0 alone.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LayerSet(u32);

impl Default for LayerSet {
    fn default() -> Self {
        Self(1)
    }
}

impl LayerSet {
    /// This set with one more layer.
    #[must_use]
    pub const fn with(self, layer: Layer) -> Self {
        Self(self.0 | 1 << (layer.0 & 31))
    }

    /// How many layers there are in the set.
    #[must_use]
    pub const fn count(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether the layer is in the set.
    #[must_use]
    pub const fn contains(self, layer: Layer) -> bool {
        self.0 >> (layer.0 & 31) & 1 == 1
    }
}

/// Where a row is published in the interest grid: who can see it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Scope {
    /// In the square of the row's position on this layer. Only for placed kinds.
    Layer(Layer),
    /// In the global cell, which everyone sees: for kinds without a position, and for what is larger than a cell.
    Global,
}

/// The shape of the grid. Positions and sides are in the unit of the x and y lanes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Grid {
    /// The smallest position of the first square.
    pub origin: IVec2,
    /// The side of a square, at least 1.
    pub cell_size: u32,
    /// Squares along x.
    pub columns: u32,
    /// Squares along y.
    pub rows: u32,
    /// Layers, 1 to 32.
    pub layers: u8,
}

impl Default for Grid {
    /// A single square of one layer.
    fn default() -> Self {
        Self::covering(IVec2::ZERO, IVec2::ONE, 1)
    }
}

/// A rectangle of squares, both corners included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SquareRange {
    pub min: IVec2,
    pub max: IVec2,
}

impl SquareRange {
    pub fn contains(self, square: IVec2) -> bool {
        square.cmpge(self.min).all() && square.cmple(self.max).all()
    }
}

impl Grid {
    /// A grid of one layer that covers `size` from `origin` by squares of `cell_size`.
    #[must_use]
    pub fn covering(origin: IVec2, size: IVec2, cell_size: u32) -> Self {
        let count = |length: i32| (length.max(1) as u32).div_ceil(cell_size.max(1));
        Self {
            origin,
            cell_size: cell_size.max(1),
            columns: count(size.x),
            rows: count(size.y),
            layers: 1,
        }
    }

    /// Whether the sizes are within the limits that cell numbers rely on.
    pub(crate) fn is_valid(&self) -> bool {
        let squares = u64::from(self.columns) * u64::from(self.rows);
        let cells = squares.saturating_mul(u64::from(self.layers));
        (1..=1 << 20).contains(&cells) && self.cell_size >= 1 && (1..=32).contains(&self.layers)
    }

    /// How many cells there are, the global one included.
    #[must_use]
    pub fn cell_count(&self) -> usize {
        1 + self.columns as usize * self.rows as usize * usize::from(self.layers)
    }

    /// The cell of a position on a layer.
    ///
    /// # Panics
    /// If the grid has no such layer. Clamping it would show everyone what was meant for a few.
    #[must_use]
    pub fn cell_at(&self, position: IVec2, layer: Layer) -> CellId {
        self.assert_has(layer);
        self.cell_of(self.square_at(position), layer)
    }

    /// The layer of a cell or a part; the global cell counts as layer 0.
    #[must_use]
    pub fn layer_of(&self, cell: CellId) -> Layer {
        match self.whole_cell(cell).0.0.checked_sub(1) {
            Some(square) => Layer((square / (self.columns * self.rows)) as u8),
            None => Layer(0),
        }
    }

    /// Whether a cell is one of this layer's squares.
    pub(crate) fn is_on_layer(&self, cell: CellId, layer: Layer) -> bool {
        let squares = self.columns * self.rows;
        let first = 1 + u32::from(layer.0) * squares;
        // A smaller number wraps to one beyond every layer.
        cell.0.wrapping_sub(first) < squares
    }

    /// Calls `touch` once for every cell of a layer that a straight line touches. The part of the line beyond the grid touches
    /// the cells at its edge.
    ///
    /// # Panics
    /// If the grid has no such layer.
    pub fn for_each_cell_on_line(
        &self,
        from: IVec2,
        to: IVec2,
        layer: Layer,
        mut touch: impl FnMut(CellId),
    ) {
        self.assert_has(layer);
        let (low, high) = if from.y <= to.y {
            (from, to)
        } else {
            (to, from)
        };
        let squares = self.squares_within(from.min(to), from.max(to));
        for y in squares.min.y..=squares.max.y {
            // The part of the line within this row of squares.
            let edge =
                |row: i32| i64::from(self.origin.y) + i64::from(row) * i64::from(self.cell_size);
            let begin = if y == squares.min.y {
                low.y.into()
            } else {
                edge(y)
            };
            let end = if y == squares.max.y {
                high.y.into()
            } else {
                edge(y + 1)
            };
            let columns = if low.y == high.y {
                squares.min.x..=squares.max.x
            } else {
                let (a, b) = (
                    self.column_at(low, high, begin),
                    self.column_at(low, high, end),
                );
                let clamp =
                    |column: i128| column.clamp(squares.min.x.into(), squares.max.x.into()) as i32;
                clamp(a.0.min(b.0))..=clamp(a.1.max(b.1))
            };
            for x in columns {
                touch(self.cell_of(IVec2::new(x, y), layer));
            }
        }
    }

    /// The columns of squares in which the line from `low` up to `high` crosses `y`: two if it is between them, else one.
    fn column_at(&self, low: IVec2, high: IVec2, y: i64) -> (i128, i128) {
        let (low, high) = (low.as_i64vec2(), high.as_i64vec2());
        let (along, up) = (i128::from(high.x - low.x), i128::from(high.y - low.y));
        // As a fraction, so that no rounding moves the line.
        let x = i128::from(low.x - i64::from(self.origin.x)) * up + along * i128::from(y - low.y);
        let column = up * i128::from(self.cell_size);
        let last = x.div_euclid(column);
        (last - i128::from(x.rem_euclid(column) == 0), last)
    }

    /// Column and row of the square at a position.
    pub(crate) fn square_at(&self, position: IVec2) -> IVec2 {
        let along = |value: i32, origin: i32, count: u32| {
            // A position before the grid belongs to the first square, so an unsigned 32-bit division suffices.
            let ahead = (i64::from(value) - i64::from(origin)).max(0) as u32;
            (ahead / self.cell_size).min(count - 1) as i32
        };
        IVec2::new(
            along(position.x, self.origin.x, self.columns),
            along(position.y, self.origin.y, self.rows),
        )
    }

    /// The first and the last position of the square at a position. The outermost squares reach to the ends of `i32`.
    pub(crate) fn square_bounds(&self, position: IVec2) -> (IVec2, IVec2) {
        let square = self.square_at(position).as_i64vec2();
        let size = i64::from(self.cell_size);
        let first = self.origin.as_i64vec2() + square * size;
        let last = first + (size - 1);
        let along = |square: i64, first: i64, last: i64, count: u32| {
            let clamp = |at: i64| at.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
            (
                if square == 0 { i32::MIN } else { clamp(first) },
                if square + 1 == i64::from(count) {
                    i32::MAX
                } else {
                    clamp(last)
                },
            )
        };
        let (left, right) = along(square.x, first.x, last.x, self.columns);
        let (bottom, top) = along(square.y, first.y, last.y, self.rows);
        (IVec2::new(left, bottom), IVec2::new(right, top))
    }

    /// The squares that a rectangle of positions touches.
    pub(crate) fn squares_within(&self, low: IVec2, high: IVec2) -> SquareRange {
        SquareRange {
            min: self.square_at(low),
            max: self.square_at(high),
        }
    }

    /// The global cell, and on these layers every cell that is within `reach` of a position along each axis.
    pub fn cells_near(
        &self,
        position: IVec2,
        reach: u32,
        layers: LayerSet,
    ) -> impl Iterator<Item = CellId> + use<> {
        let grid = *self;
        let squares = grid.squares_around(position, reach);
        let layers = (0..grid.layers)
            .map(Layer)
            .filter(move |layer| layers.contains(*layer));
        let cells = layers.flat_map(move |layer| {
            (grid.squares_in(squares)).map(move |square| grid.cell_of(square, layer))
        });
        std::iter::once(CellId::GLOBAL).chain(cells)
    }

    /// The squares within `reach` of a position along each axis.
    pub(crate) fn squares_around(&self, position: IVec2, reach: u32) -> SquareRange {
        let reach = IVec2::splat(i32::try_from(reach).unwrap_or(i32::MAX));
        self.squares_within(
            position.saturating_sub(reach),
            position.saturating_add(reach),
        )
    }

    fn assert_has(&self, layer: Layer) {
        if layer.0 >= self.layers {
            no_such_layer(layer, self.layers);
        }
    }

    /// The cell of a square, on a layer that the grid has.
    pub(crate) fn cell_of(&self, square: IVec2, layer: Layer) -> CellId {
        let layer = u32::from(layer.0);
        CellId(1 + (layer * self.rows + square.y as u32) * self.columns + square.x as u32)
    }

    /// The square of a cell or a part; `None` for the global cell.
    pub(crate) fn square_of(&self, cell: CellId) -> Option<IVec2> {
        let square = self.whole_cell(cell).0.0.checked_sub(1)? % (self.columns * self.rows);
        Some(IVec2::new(
            (square % self.columns) as i32,
            (square / self.columns) as i32,
        ))
    }

    /// How near a cell is to a position: [`Self::NEARNESS_INSIDE`] where the position is inside, half of that at half a side
    /// from the edge, a sixtieth at a whole side. The global cell counts as half.
    pub(crate) fn nearness(&self, cell: CellId, position: IVec2) -> u32 {
        let Some(square) = self.square_of(cell) else {
            return Self::NEARNESS_INSIDE / 2;
        };
        let side = i64::from(self.cell_size);
        let low = self.origin.as_i64vec2() + square.as_i64vec2() * side;
        let position = position.as_i64vec2();
        // Distances in 1/64 of a side, so that their powers fit.
        let off = (low - position).max(position - low - side + 1);
        let off = (off.max(glam::I64Vec2::ZERO) * 64 / side).min(glam::I64Vec2::splat(1 << 9));
        // The weight is 1 / (1 + (distance / 0.5 sides)^6); its divisor here is in 1/256.
        let squared = off.length_squared() / 4;
        let divisor = 256 + squared * squared * squared / (1 << 16);
        (i64::from(Self::NEARNESS_INSIDE) * 256 / divisor) as u32
    }

    /// The nearness of the cell that a position is in.
    pub(crate) const NEARNESS_INSIDE: u32 = 4096;

    /// Columns and rows of a range of squares, row by row.
    pub(crate) fn squares_in(&self, squares: SquareRange) -> impl Iterator<Item = IVec2> + use<> {
        (squares.min.y..=squares.max.y)
            .flat_map(move |y| (squares.min.x..=squares.max.x).map(move |x| IVec2::new(x, y)))
    }
}

#[cfg(feature = "wire")]
impl Grid {
    pub(crate) fn to_proto(self) -> v1::Grid {
        v1::Grid {
            origin_x: self.origin.x,
            origin_y: self.origin.y,
            cell_size: self.cell_size,
            columns: self.columns,
            rows: self.rows,
            layers: u32::from(self.layers),
        }
    }

    pub(crate) fn from_proto(grid: &v1::Grid) -> Self {
        Self {
            origin: IVec2::new(grid.origin_x, grid.origin_y),
            cell_size: grid.cell_size,
            columns: grid.columns,
            rows: grid.rows,
            layers: u8::try_from(grid.layers).unwrap_or(u8::MAX),
        }
    }
}

/// Panics. Takes its arguments by value: borrowed ones would have to be stored in memory for every position looked up.
#[cold]
#[inline(never)]
fn no_such_layer(layer: Layer, layers: u8) -> ! {
    panic!(
        "there is no layer {}: the schema's grid has {layers} layers, counted from 0",
        layer.0
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn grid() -> Grid {
        Grid {
            layers: 2,
            ..Grid::covering(IVec2::new(-100, 0), IVec2::new(400, 300), 100)
        }
    }

    #[test]
    fn every_position_has_a_cell() {
        let grid = grid();
        assert_eq!(grid.cell_count(), 1 + 4 * 3 * 2);
        assert_eq!(grid.cell_at(IVec2::new(-100, 0), Layer(0)), CellId(1));
        assert_eq!(
            grid.cell_at(IVec2::new(i32::MIN, i32::MIN), Layer(0)),
            CellId(1)
        );
        assert_eq!(
            grid.cell_at(IVec2::new(i32::MAX, i32::MAX), Layer(1)),
            CellId(24)
        );
        assert_eq!(grid.layer_of(CellId(13)), Layer(1));
        for cell in 0..25 {
            let layers = [0, 1, 9].map(|layer| grid.is_on_layer(CellId(cell), Layer(layer)));
            let upper = cell > 12;
            assert_eq!(layers, [cell > 0 && !upper, upper, false], "{cell}");
        }
        assert_eq!(grid.square_of(CellId(24)), Some(IVec2::new(3, 2)));
    }

    #[test]
    fn nearness_falls_with_the_distance_to_the_cells_edge() {
        let grid = grid();
        // Squares from -100 to 300 and from 0 to 300, of side 100.
        let nearness = |x, y| grid.nearness(CellId(1), IVec2::new(x, y));
        assert_eq!(
            [nearness(-100, 0), nearness(-1, 99)],
            [Grid::NEARNESS_INSIDE; 2]
        );
        let quarter = nearness(24, 50);
        assert!((3900..4096).contains(&quarter), "{quarter}");
        let half = nearness(49, 50);
        assert!((1900..2200).contains(&half), "{half}");
        let whole = nearness(99, 50);
        assert!((55..75).contains(&whole), "{whole}");
        assert!(nearness(99, 199) < whole);
        assert_eq!(nearness(i32::MAX, i32::MAX), 0);
        assert!(grid.nearness(CellId::GLOBAL, IVec2::ZERO) > whole);
    }

    /// Whether the square of a cell of layer 0 lies on both sides of an endless line, or touches it.
    fn is_on_line(grid: &Grid, cell: CellId, from: IVec2, to: IVec2) -> bool {
        let (column, row) = ((cell.0 - 1) % grid.columns, (cell.0 - 1) / grid.columns);
        let low = grid.origin + IVec2::new(column as i32, row as i32) * grid.cell_size as i32;
        let high = low + grid.cell_size as i32;
        let direction = (to - from).as_i64vec2();
        let side = |x: i32, y: i32| {
            let at = (IVec2::new(x, y) - from).as_i64vec2();
            direction.perp_dot(at).signum()
        };
        let corners = [
            side(low.x, low.y),
            side(high.x, low.y),
            side(low.x, high.y),
            side(high.x, high.y),
        ];
        corners.iter().sum::<i64>().abs() < 4
    }

    proptest! {
        #[test]
        fn a_line_touches_what_it_passes_and_nothing_else(
            from in (-400..700_i32, -300..600_i32),
            step in (-30..30_i32, -30..30_i32),
            steps in 0..40,
        ) {
            let (grid, from, step) = (grid(), IVec2::from(from), IVec2::from(step));
            let to = from + step * steps;
            let mut cells = Vec::new();
            grid.for_each_cell_on_line(from, to, Layer(0), |cell| cells.push(cell));
            for count in 0..=steps {
                let at = from + step * count;
                prop_assert!(cells.contains(&grid.cell_at(at, Layer(0))), "{at} of {cells:?}");
            }
            // Inside of the grid none is another.
            let is_inside = |at: IVec2| (0..400).contains(&(at.x + 100)) && (0..300).contains(&at.y);
            if is_inside(from) && is_inside(to) && from != to {
                let squares = grid.squares_within(from.min(to), from.max(to));
                let all = grid.squares_in(squares).map(|square| grid.cell_of(square, Layer(0)));
                let expected: Vec<CellId> = all.filter(|cell| is_on_line(&grid, *cell, from, to)).collect();
                prop_assert_eq!(cells, expected);
            }
        }
    }

    #[test]
    fn a_line_touches_the_cells_it_crosses_and_no_others() {
        let grid = grid();
        let mut cells = Vec::new();
        grid.for_each_cell_on_line(
            IVec2::new(-50, 50),
            IVec2::new(150, 250),
            Layer(0),
            |cell| cells.push(cell.0),
        );
        // The diagonal passes through the corners, so it touches the squares on both sides of them.
        assert_eq!(cells, [1, 2, 5, 6, 7, 10, 11]);
        cells.clear();
        grid.for_each_cell_on_line(IVec2::new(-50, 50), IVec2::new(-50, 50), Layer(0), |cell| {
            cells.push(cell.0);
        });
        assert_eq!(cells, [1]);
    }
}
