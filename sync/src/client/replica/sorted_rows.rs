//! The rows of one cell, sorted by kind and slot: removes or inserts many at once, in one pass over the cell.

use super::row::Row;
use crate::world::RowKey;

/// Up to this many rows are inserted one by one.
const MAX_SINGLE_INSERTS: usize = 4;

/// Removes the rows at these positions, which must ascend.
pub(super) fn remove(rows: &mut Vec<Row>, positions: &[usize]) -> impl Iterator<Item = Row> {
    let mut place = positions.first().copied().unwrap_or(rows.len());
    let mut leaving = positions.iter().peekable();
    rows.extract_if(place.., move |_| {
        let leaves = leaving.next_if(|position| **position == place).is_some();
        place += 1;
        leaves
    })
}

/// Inserts rows, in any order.
///
/// # Errors
/// A row that is there already. The rows are in disorder then.
pub(super) fn insert(rows: &mut Vec<Row>, arriving: Vec<Row>) -> Result<(), RowKey> {
    if arriving.len() > MAX_SINGLE_INSERTS {
        rows.extend(arriving);
        rows.sort_by_key(|row| row.id.key());
        let twice = rows
            .windows(2)
            .find(|pair| pair[0].id.key() == pair[1].id.key());
        return twice.map_or(Ok(()), |pair| Err(pair[0].id.key()));
    }
    for row in arriving {
        match rows.binary_search_by_key(&row.id.key(), |row| row.id.key()) {
            Ok(_) => return Err(row.id.key()),
            Err(position) => rows.insert(position, row),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Lanes;
    use crate::world::{EntityId, KindId, Tick};
    use proptest::prelude::*;

    fn row(slot: u32) -> Row {
        let id = EntityId {
            kind: KindId(0),
            slot,
            generation: 1,
        };
        Row::new(id, Lanes::new(), Vec::new(), Tick(1))
    }

    fn slots(rows: &[Row]) -> Vec<u32> {
        rows.iter().map(|row| row.id.slot).collect()
    }

    proptest! {
        #[test]
        fn bulk_changes_equal_single_ones(
            before in prop::collection::btree_set(0..60_u32, 0..40),
            out in prop::collection::btree_set(0..40_usize, 0..40),
            arriving in prop::collection::vec(0..60_u32, 0..12),
        ) {
            let before: Vec<u32> = before.into_iter().collect();
            let out: Vec<usize> = out.into_iter().filter(|place| *place < before.len()).collect();
            let mut rows: Vec<Row> = before.iter().map(|slot| row(*slot)).collect();
            let taken: Vec<Row> = remove(&mut rows, &out).collect();
            prop_assert_eq!(slots(&taken), out.iter().map(|place| before[*place]).collect::<Vec<_>>());

            let mut expected: Vec<u32> = slots(&rows);
            prop_assert_eq!(expected.len() + taken.len(), before.len());
            expected.extend(&arriving);
            expected.sort_unstable();
            let is_possible = expected.windows(2).all(|pair| pair[0] != pair[1]);
            let done = insert(&mut rows, arriving.into_iter().map(row).collect());
            prop_assert_eq!(done.is_ok(), is_possible);
            if is_possible {
                prop_assert_eq!(slots(&rows), expected);
            }
        }
    }
}
