//! Columns to rows: the world again, tick by tick, with its hash.

use super::{Malformed, check_length};
use crate::column::{ColumnReader, Layout, Named, OfRows};
use crate::encode::{CAME, CHANGED, GONE, OTHER_ROWS, SAME, SAME_ROWS, WITH_SCOPE, WITH_TEXTS};
use crate::world_hash;
use glam::IVec2;
use std::collections::BTreeMap;
use std::sync::Arc;
use tickwire_sync::{CellId, EntityId, Kind, KindId, Layer, PlayerId, Schema};

/// Owned rows of a tick, at most: more than the rooms have that fit a server, and not more memory than a hundred times their columns.
const MAX_OWNED_ROWS: usize = 1 << 20;

/// The world at one tick of a recording.
#[derive(Clone, PartialEq, Debug)]
pub struct World {
    schema: Arc<Schema>,
    /// By kind and slot.
    tables: Vec<BTreeMap<u32, Row>>,
    owned: Vec<OwnedRow>,
    rows_hash: u64,
    owned_hash: u64,
    /// Counts the ticks of the chunk, from 1.
    ordinal: u32,
}

/// One row of a world.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// The entity's generation.
    pub generation: u32,
    /// The cell that the row is in.
    pub cell: CellId,
    /// The public lanes, in the schema's order.
    pub lanes: Vec<i32>,
    /// The texts, in the schema's order.
    pub texts: Vec<String>,
    /// 0 in the global cell, else one more than the layer.
    scope: u8,
    hash: u64,
    steps: Vec<i32>,
    moved: u32,
}

/// One row that belongs to a player.
#[derive(Clone, PartialEq, Eq, Debug)]
struct OwnedRow {
    owner: PlayerId,
    id: EntityId,
    lanes: Vec<i32>,
}

impl World {
    pub(crate) fn new(schema: Arc<Schema>) -> Self {
        Self {
            tables: vec![BTreeMap::new(); schema.kinds.len()],
            schema,
            owned: Vec::new(),
            rows_hash: 0,
            owned_hash: 0,
            ordinal: 0,
        }
    }

    /// The schema of the world.
    #[must_use]
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The rows of a kind, by ascending slot.
    pub fn rows(&self, kind: KindId) -> impl Iterator<Item = (EntityId, &Row)> {
        let table = self.tables.get(kind.index()).into_iter().flatten();
        table.map(move |(slot, row)| {
            let id = EntityId {
                kind,
                slot: *slot,
                generation: row.generation,
            };
            (id, row)
        })
    }

    /// The row of an entity; `None` if it does not exist.
    #[must_use]
    pub fn row(&self, id: EntityId) -> Option<&Row> {
        let row = self.tables.get(id.kind.index())?.get(&id.slot)?;
        (row.generation == id.generation).then_some(row)
    }

    /// The rows that belong to players, with their private lanes, by ascending owner.
    pub fn owned(&self) -> impl Iterator<Item = (PlayerId, EntityId, &[i32])> {
        (self.owned.iter()).map(|row| (row.owner, row.id, &row.lanes[..]))
    }

    /// How many rows there are.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.tables.iter().map(BTreeMap::len).sum()
    }

    /// The hash of these rows.
    pub(crate) fn hash(&self) -> u64 {
        self.rows_hash.wrapping_add(self.owned_hash)
    }

    pub(super) fn read_tick(
        &mut self,
        layout: &Layout,
        columns: &mut [ColumnReader],
    ) -> Result<(), Malformed> {
        self.ordinal += 1;
        let schema = Arc::clone(&self.schema);
        self.read_owned(&schema, layout, columns)?;
        for (index, kind) in schema.kinds.iter().enumerate() {
            self.read_kind(&schema, index, kind, layout, columns)?;
        }
        Ok(())
    }

    fn read_kind(
        &mut self,
        schema: &Schema,
        index: usize,
        kind: &Kind,
        layout: &Layout,
        columns: &mut [ColumnReader],
    ) -> Result<(), Malformed> {
        let (table, ordinal) = (&mut self.tables[index], self.ordinal);
        let count = columns[layout.of_rows(index, OfRows::Slots)].count()?;
        let mut next = 0_u32;
        for _ in 0..count {
            let gap = columns[layout.of_rows(index, OfRows::Slots)].word()?;
            let slot = next.checked_add(gap).ok_or(Malformed)?;
            if slot >= EntityId::MAX_SLOTS {
                return Err(Malformed);
            }
            next = slot + 1;
            let operation = columns[layout.of_rows(index, OfRows::Operations)].byte()?;
            if operation == GONE {
                let gone = table.remove(&slot).ok_or(Malformed)?;
                self.rows_hash = self.rows_hash.wrapping_sub(gone.hash);
                continue;
            }
            let mut row = match (operation, table.remove(&slot)) {
                (CAME, before) => {
                    let hash_before = before.map_or(0, |row| row.hash);
                    self.rows_hash = self.rows_hash.wrapping_sub(hash_before);
                    let generations = &mut columns[layout.of_rows(index, OfRows::Generations)];
                    Row::new(generations.word()?)
                }
                (_, Some(row)) if operation & 3 == CHANGED => {
                    self.rows_hash = self.rows_hash.wrapping_sub(row.hash);
                    row
                }
                _ => return Err(Malformed),
            };
            let has = |flag: u8| operation == CAME || operation & flag != 0;
            if has(WITH_SCOPE) {
                row.scope = columns[layout.of_rows(index, OfRows::Scopes)].byte()?;
                if row.scope > schema.grid.layers || (row.scope > 0 && !kind.placed) {
                    return Err(Malformed);
                }
            }
            if has(WITH_TEXTS) {
                let texts = &mut columns[layout.of_rows(index, OfRows::Texts)];
                row.texts = (kind.texts.iter())
                    .map(|_| read_text(texts))
                    .collect::<Result<_, _>>()?;
            }
            row.read_lanes(operation == CAME, ordinal, kind, |lane| {
                columns[layout.lane(index, lane)].signed()
            })?;
            row.moved = ordinal;
            row.cell = match row.scope.checked_sub(1) {
                None => CellId::GLOBAL,
                Some(layer) => {
                    let position = IVec2::new(row.lanes[0], row.lanes[1]);
                    schema.grid.cell_at(position, Layer(layer))
                }
            };
            let id = EntityId {
                kind: KindId(index as u8),
                slot,
                generation: row.generation,
            };
            let texts = row.texts.iter().map(|text| &**text);
            row.hash = world_hash::of_row(row.cell, id, row.lanes.iter().copied(), texts);
            self.rows_hash = self.rows_hash.wrapping_add(row.hash);
            table.insert(slot, row);
        }
        Ok(())
    }

    fn read_owned(
        &mut self,
        schema: &Schema,
        layout: &Layout,
        columns: &mut [ColumnReader],
    ) -> Result<(), Malformed> {
        let list_column = Named::OwnedList as usize;
        match columns[list_column].byte()? {
            SAME => return Ok(()),
            SAME_ROWS => {}
            OTHER_ROWS => {
                let count = check_length(columns[list_column].count()?, MAX_OWNED_ROWS)?;
                self.owned.clear();
                let mut owner = 0_u32;
                for _ in 0..count {
                    let list = &mut columns[list_column];
                    owner = owner.checked_add(list.word()?).ok_or(Malformed)?;
                    let id = EntityId {
                        kind: KindId(list.byte()?),
                        slot: list.word()?,
                        generation: list.word()?,
                    };
                    let kind = schema.kind(id.kind).ok_or(Malformed)?;
                    // Each value is read before the next takes memory, so there is none without a byte in its column.
                    let lanes = (0..kind.private_lanes.len()).map(|lane| {
                        let column = layout.private_lane(id.kind.index(), lane);
                        Ok(columns[column].signed()? as i32)
                    });
                    self.owned.push(OwnedRow {
                        owner: PlayerId(owner),
                        id,
                        lanes: lanes.collect::<Result<_, Malformed>>()?,
                    });
                }
                self.owned_hash = hash_of(&self.owned);
                return Ok(());
            }
            _ => return Err(Malformed),
        }
        for row in &mut self.owned {
            let kind = schema.kind(row.id.kind).ok_or(Malformed)?;
            let lanes = row.lanes.iter_mut().zip(&kind.private_lanes).enumerate();
            for (index, (value, lane)) in lanes {
                let column = layout.private_lane(row.id.kind.index(), index);
                *value = lane.add(*value, columns[column].signed()? as i32);
            }
        }
        self.owned_hash = hash_of(&self.owned);
        Ok(())
    }
}

fn hash_of(rows: &[OwnedRow]) -> u64 {
    rows.iter().fold(0, |sum: u64, row| {
        sum.wrapping_add(world_hash::of_owned(row.owner, row.id, &row.lanes))
    })
}

fn read_text(texts: &mut ColumnReader) -> Result<String, Malformed> {
    let length = texts.count()?;
    let text = std::str::from_utf8(texts.bytes(length)?).map_err(|_| Malformed)?;
    Ok(text.to_owned())
}

impl Row {
    fn new(generation: u32) -> Self {
        Self {
            generation,
            cell: CellId::GLOBAL,
            lanes: Vec::new(),
            texts: Vec::new(),
            scope: 0,
            hash: 0,
            steps: Vec::new(),
            moved: 0,
        }
    }

    fn read_lanes(
        &mut self,
        came: bool,
        ordinal: u32,
        kind: &Kind,
        mut residual: impl FnMut(usize) -> Result<i64, Malformed>,
    ) -> Result<(), Malformed> {
        if came {
            self.steps.resize(kind.lanes.len(), 0);
            for (index, lane) in kind.lanes.iter().enumerate() {
                self.lanes.push(lane.normalise(residual(index)? as i32));
            }
            return Ok(());
        }
        let goes_on = self.moved + 1 == ordinal;
        let values = self.lanes.iter_mut().zip(&mut self.steps);
        for (index, ((value, step), lane)) in values.zip(&kind.lanes).enumerate() {
            let expected = match lane.continuous && goes_on {
                true => lane.add(*value, *step),
                false => *value,
            };
            let now = lane.add(expected, residual(index)? as i32);
            *step = lane.difference(*value, now);
            *value = now;
        }
        Ok(())
    }
}
