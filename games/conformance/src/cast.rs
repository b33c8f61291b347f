//! Events and messages: what the script tells beside its rows.

use crate::schema::{event, message};
use crate::script::{HOME, ScriptTick, scattered};
use crate::world::spark_id;
use tickwire_game::glam::IVec2;
use tickwire_game::{Messages, Recipient, Step};
use tickwire_rules::FieldValue as _;
use tickwire_sync::{CellId, Layer, PlayerId};

/// The tick with more events in one cell than a cell keeps.
const BURST: u32 = 120;
const BURST_EVENTS: u8 = 70;
/// The tick of the message to those who see layer 1.
const WHISPER: u32 = 80;

/// Emits the events of a tick.
pub fn events(ScriptTick(at): ScriptTick, step: &mut Step<'_>) {
    let grid = *step.grid();
    let home = grid.cell_at(HOME, Layer(0));
    if at.is_multiple_of(7) {
        // From no byte to more than 15, as their number has another length then; in the crowd's cell, or in one that is often empty.
        let length = (at / 7 % 40) as u8;
        let payload: Vec<u8> = (0..length).collect();
        let cells = if at % 2 == 0 {
            [home, CellId::GLOBAL]
        } else {
            [home, grid.cell_at(IVec2::new(500, 500), Layer(0))]
        };
        let count = 1 + at as usize / 7 % 2;
        step.events
            .emit(event::RAW, &payload, cells.into_iter().take(count));
    }
    if at % 11 == 3 {
        let prey = spark_id(at % 8, 1 + at);
        let mut payload = Vec::new();
        let fields = [1, 300 - at as i32, prey.slot as i32, prey.generation as i32];
        for value in fields {
            value.encode(&mut payload);
        }
        let cries = ["", "ouch", "Zoë 🚀", "a cry of more than fifteen bytes"];
        let cry = cries[at as usize / 11 % cries.len()];
        cry.to_owned().encode(&mut payload);
        vec![0_u8, 255, at as u8].encode(&mut payload);
        step.events.emit(event::HIT, &payload, [home]);
    }
    if at % 50 == 25 {
        step.events.emit(event::NIGHTFALL, &[], [CellId::GLOBAL]);
    }
    if at % 23 == 5 {
        let from = HOME - IVec2::splat(100 + scattered(at, 0, 100));
        let to = HOME + IVec2::new(scattered(at, 1, 300), scattered(at, 2, 300));
        let ends = [from.x, from.y, to.x, to.y].map(|unit| (unit * 16).to_le_bytes());
        let mut cells = Vec::new();
        grid.for_each_cell_on_line(from, to, Layer(0), |cell| cells.push(cell));
        step.events.emit(event::BEAM, ends.as_flattened(), cells);
    }
    if at == BURST {
        for number in 0..BURST_EVENTS {
            step.events.emit(event::RAW, &[number], [home]);
        }
    }
}

/// Sends the messages of a tick; `echoes` are commands that go back to who sent them.
pub fn messages(
    ScriptTick(at): ScriptTick,
    echoes: impl Iterator<Item = (PlayerId, Vec<u8>)>,
    out: &mut Messages,
) {
    let tell = |line: String| {
        let mut payload = vec![message::TOLD];
        line.encode(&mut payload);
        payload
    };
    if at % 100 == 50 {
        let line = format!("tick {at} of the script, Zoë 🚀");
        out.send(Recipient::Everyone, tell(line));
    }
    if at == WHISPER {
        out.send(Recipient::Layer(Layer(1)), tell("a whisper".to_owned()));
    }
    for (player, command) in echoes {
        let mut payload = vec![message::ECHO];
        command.encode(&mut payload);
        out.send(Recipient::Player(player), payload);
    }
}
