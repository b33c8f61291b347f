//! Cursors: no game, but whatever people do together on a page. Everybody's cursor, a counter for all, a feed of what happened, and the
//! operator's alerts.
//!
//! `cargo run -p cursors -- --tick-rate 20`, then open <http://127.0.0.1:7777/> twice. An alert for all:
//! `curl -d '{"text": "Back in five minutes"}' http://127.0.0.1:9777/notice`.

use tickwire::prelude::*;

/// The size of the shared sheet, in units.
const SHEET: (i32, i32) = (1600, 900);
/// How many lines the feed keeps.
const KEPT_LINES: u32 = 8;

/// Where somebody points.
#[derive(Entity, Default)]
#[entity(placed)]
struct Cursor {
    pos: Pos<4>,
    player: PlayerId,
    name: Text,
}

/// The counter.
#[derive(Entity)]
struct Counter {
    count: u32,
}

/// A line of the feed. Who comes later gets it too, as all that is there.
#[derive(Entity)]
struct Line {
    number: u32,
    text: Text,
}

/// Where the mouse is, in units.
#[derive(Input, Clone)]
struct Pointer {
    #[input(range = 0..=1600)]
    x: u16,
    #[input(range = 0..=900)]
    y: u16,
}

/// What people ask for. It arrives exactly once, also over a lost connection.
#[derive(Command)]
enum Ask {
    Add { amount: u8 },
}

/// One sheet.
#[derive(World)]
struct Sheet {
    cursors: Players<Cursor>,
    counters: Entities<Counter>,
    lines: Entities<Line>,
    counter: Id<Counter>,
    /// How many lines there have ever been.
    posted: u32,
}

#[game]
impl Game for Sheet {
    const NAME: &str = "cursors";
    const SPACE: Space = Space::new(4, SHEET.0, SHEET.1);
    type Input = Pointer;
    type Command = Ask;

    fn new(_: &Setup) -> Self {
        let mut counters = Entities::new();
        Self {
            counter: counters.insert(Counter { count: 0 }),
            counters,
            cursors: Players::new(),
            lines: Entities::new(),
            posted: 0,
        }
    }

    fn join(&mut self, player: PlayerId, identity: &Identity) -> Result<(), Refusal> {
        if !identity.is_spectator {
            let name = Text::from(&*identity.name);
            let cursor = Cursor {
                player,
                name,
                ..Cursor::default()
            };
            self.cursors.insert(player, cursor);
            self.post(player, "is here");
        }
        Ok(())
    }

    fn leave(&mut self, player: PlayerId) {
        self.post(player, "has left");
    }

    fn command(&mut self, player: PlayerId, Ask::Add { amount }: Ask) {
        let count = &mut self.counters[self.counter].count;
        *count = count.saturating_add(amount.into());
        self.post(player, &format!("added {amount}"));
    }

    fn chat(&mut self, player: PlayerId, line: &str) -> bool {
        self.post(player, &format!("says: {line}"));
        false // the feed shows it
    }

    fn step(&mut self, step: &mut Step<'_, Self>) {
        for (player, cursor) in self.cursors.iter_mut() {
            // A mouse that was never seen, or is away, points nowhere: the cursor stays.
            let Pointer { x, y } = step.input(player);
            if (x, y) != (0, 0) {
                cursor.pos = Pos::new(x.into(), y.into());
            }
        }
    }
}

impl Sheet {
    /// Adds a line to the feed, and drops the oldest beyond those that it keeps.
    fn post(&mut self, player: PlayerId, what: &str) {
        let Some(cursor) = self.cursors.get(player) else {
            return;
        };
        let text = Text::from(&*format!("{} {what}", &*cursor.name));
        self.posted += 1;
        let number = self.posted;
        self.lines.insert(Line { number, text });
        self.lines
            .retain(|_, line| line.number + KEPT_LINES > number);
    }
}

fn main() -> std::process::ExitCode {
    Program::<Sheet>::new().page(page!()).run()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickwire::testing::{self, TestRoom};

    fn feed(room: &TestRoom<Sheet>) -> Vec<String> {
        let mut lines = room.rows::<Line>();
        lines.sort_by_key(|(_, line)| line.number);
        let text = |(_, line): &(_, Line)| line.text.to_string();
        lines.iter().map(text).collect()
    }

    #[test]
    fn a_cursor_goes_where_the_mouse_is_and_stays_when_it_is_gone() {
        let mut room = TestRoom::<Sheet>::new();
        let ann = room.join("Ann");
        room.hold(ann, &Pointer { x: 300, y: 200 });
        room.step(1);
        room.away(ann);
        room.step(1);
        assert_eq!(room.game().cursors[ann].pos, Pos::new(300.0, 200.0));
    }

    #[test]
    fn everybody_counts_on_the_same_counter() {
        let mut room = TestRoom::<Sheet>::new();
        let (ann, ben) = (room.join("Ann"), room.join("Ben"));
        room.command(ann, &Ask::Add { amount: 1 });
        room.command(ben, &Ask::Add { amount: 10 });
        room.step(1);
        assert_eq!(room.rows::<Counter>()[0].1.count, 11);
        assert_eq!(
            feed(&room),
            ["Ann is here", "Ben is here", "Ann added 1", "Ben added 10"]
        );
    }

    #[test]
    fn the_feed_keeps_its_newest_lines() {
        let mut room = TestRoom::<Sheet>::new();
        let ann = room.join("Ann");
        for number in 0..20 {
            assert!(!room.chat(ann, &number.to_string()));
        }
        room.leave(ann);
        room.step(1);
        let feed = feed(&room);
        assert_eq!(feed.len(), 8);
        assert_eq!((&*feed[0], &*feed[7]), ("Ann says: 13", "Ann has left"));
    }

    #[test]
    fn a_restored_sheet_goes_on() {
        testing::assert_schema_is_valid::<Sheet>();
        testing::assert_plays_on_after_restore::<Sheet>(7);
    }
}
