//! A session's view against the area of interest that the game gives for its player.

use super::Verdict;
use glam::IVec2;
use tickwire_sync::interest::InterestArea;
use tickwire_sync::{CellId, Grid, Layer};

/// The view, of whole cells, has every cell that the area touches, and none that is farther away than a quarter of a cell, or on another layer.
pub fn view_is_the_interest(grid: &Grid, area: &InterestArea, view: &[CellId]) -> Verdict {
    let margin = IVec2::splat((grid.cell_size / 4) as i32);
    let needed = cells(grid, area, area.half_extent);
    let allowed = cells(grid, area, area.half_extent + margin);
    if let Some(missing) = needed.iter().find(|cell| !view.contains(cell)) {
        return Err(format!(
            "{missing:?} is in the area {area:?}, and not in the view {view:?}"
        ));
    }
    if let Some(extra) = view.iter().find(|cell| !allowed.contains(cell)) {
        return Err(format!(
            "{extra:?} is in the view, and not allowed by the area {area:?}"
        ));
    }
    Ok(())
}

/// The cells that a rectangle around the focus touches, on the area's layers, and the global one.
fn cells(grid: &Grid, area: &InterestArea, half: IVec2) -> Vec<CellId> {
    let square = |position: IVec2| {
        let size = grid.cell_size as i32;
        let square = (position - grid.origin).div_euclid(IVec2::splat(size));
        square.clamp(
            IVec2::ZERO,
            IVec2::new(grid.columns as i32, grid.rows as i32) - 1,
        )
    };
    let (first, last) = (square(area.focus - half), square(area.focus + half));
    let layers = (0..grid.layers).map(Layer);
    let mut cells = vec![CellId::GLOBAL];
    for layer in layers.filter(|layer| area.layers.contains(*layer)) {
        for y in first.y..=last.y {
            for x in first.x..=last.x {
                let inside = grid.origin + IVec2::new(x, y) * grid.cell_size as i32;
                cells.push(grid.cell_at(inside, layer));
            }
        }
    }
    cells
}
