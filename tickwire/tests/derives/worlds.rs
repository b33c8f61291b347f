//! Worlds and games: what a room gets of them.

use super::*;
use crate::payloads::{Buy, Happening, Wish, Word};

/// A world with every sort of table, and state that clients never see.
#[derive(World, Default)]
struct Zoo {
    keepers: Players<Keeper>,
    animals: Entities<Everything>,
    pebbles: Entities<Pebble>,
    flags: Entities<Flag>,
    second: Option<Timer>,
    #[world(skip)]
    cache: Vec<f32>,
}

impl Game for Zoo {
    const NAME: &str = "zoo";
    const SPACE: Space = Space::new(16, 1024, 1024).cells(128).layers(3);
    type Input = Wish;
    type Event = Happening;
    type Command = Buy;
    type Message = Word;
    type RoomMessage = Nothing;
    type Rules = NoRules;

    fn new(_: &Setup) -> Self {
        Self::default()
    }

    fn join(&mut self, player: PlayerId, identity: &Identity) -> Result<(), Refusal> {
        let name = Text::from(&*identity.name);
        self.keepers.insert(
            player,
            Keeper {
                coins: 5,
                name,
                ..Keeper::default()
            },
        );
        Ok(())
    }

    fn step(&mut self, _: &mut Step<'_, Self>) {}
}

/// The zoo as the room runs it.
struct Room {
    game: RoomGame<Zoo>,
    history: History,
    tick: Tick,
}

impl Room {
    fn new() -> Self {
        let game = RoomGame::<Zoo>::new(&GameSettings {
            tick_rate: 60,
            ..GameSettings::default()
        });
        game.schema().validate().unwrap();
        Self {
            history: History::new(game.schema(), 64),
            game,
            tick: Tick(0),
        }
    }

    fn zoo(&mut self) -> &mut Zoo {
        self.game.game_mut()
    }

    fn join(&mut self, player: u32) -> PlayerId {
        let identity = Identity {
            name: "Ann".into(),
            subject: None,
            is_spectator: false,
        };
        self.game.join(PlayerId(player), &identity).unwrap();
        PlayerId(player)
    }

    fn step(&mut self) {
        self.tick = self.tick.next();
        let mut events = Events::default();
        self.game.step(&mut RawStep {
            tick: self.tick,
            tick_rate: 60,
            inputs: &(),
            history: &self.history,
            events: &mut events,
            messages: &mut Messages::default(),
            room_messages: &mut RoomMessages::default(),
            shots: &mut Shots::default(),
            kicks: &mut Vec::new(),
        });
        let game = &self.game;
        self.history
            .publish(self.tick, &mut events, |out| game.publish(out));
    }

    /// The lanes and texts of an entity in the newest frame.
    fn row(&self, kind: u8, slot: u32) -> Option<(EntityId, Vec<i32>, Vec<String>)> {
        let frame = self.history.newest().unwrap();
        let id = frame.entities(KindId(kind)).find(|id| id.slot == slot)?;
        let texts = frame.texts(id.key()).map(str::to_owned).collect();
        Some((id, frame.lanes(id.key()).collect(), texts))
    }

    fn cell(&self, kind: u8, slot: u32) -> tickwire_sync::CellId {
        let (id, ..) = self.row(kind, slot).unwrap();
        self.history.newest().unwrap().cell_of(id.key()).unwrap()
    }
}

#[test]
fn the_schema_has_the_tables_in_their_order() {
    let room = Room::new();
    let schema = room.game.schema();
    let kinds: Vec<_> = schema.kinds.iter().map(|kind| &*kind.name).collect();
    assert_eq!(kinds, ["keeper", "animal", "pebble", "flag"]);
    assert_eq!(schema.input, Wish::fields());
    assert_eq!(schema.events, Happening::kinds());
    let kinds = |kinds: &[PayloadKind]| -> Vec<_> {
        let described = kinds
            .iter()
            .map(|kind| (kind.name.clone(), kind.fields.clone().unwrap().len()));
        described.collect()
    };
    assert_eq!(kinds(&schema.commands), [("buy".to_owned(), 1)]);
    assert_eq!(kinds(&schema.messages), [("welcome".to_owned(), 1)]);
    assert_eq!((schema.grid.layers, schema.grid.cell_size), (3, 128 * 16));
}

#[test]
fn only_the_owner_has_the_private_lanes() {
    let mut room = Room::new();
    let (ann, ben) = (room.join(1), room.join(2));
    let animal = Everything {
        breath: 7,
        ..nothing()
    };
    let id = room.zoo().animals.insert_owned(ann, animal);
    room.step();
    let schema = room.game.schema();
    let owned = |player| -> Vec<_> {
        let rows = room.history.owned().of(player, &schema);
        rows.map(|(id, lanes)| (id.kind.0, lanes.to_vec()))
            .collect()
    };
    assert_eq!(owned(ann), [(0, vec![5]), (1, vec![7, 0, 0])]);
    assert_eq!(owned(ben), [(0, vec![5])]);
    room.zoo().animals.set_owner(id, Some(ben));
    room.step();
    let rows: Vec<_> = room.history.owned().of(ben, &schema).collect();
    assert_eq!(rows.len(), 2);
}

#[test]
fn a_row_is_what_the_fields_say() {
    let mut room = Room::new();
    room.join(1);
    room.zoo().keepers[PlayerId(1)].fed = u32::MAX;
    let animal = Everything {
        pos: Pos::new(10.0, 20.5),
        bearing: 725,
        motto: "moo".into(),
        ..nothing()
    };
    room.zoo().animals.insert(animal);
    room.step();
    let (_, lanes, texts) = room.row(0, 0).unwrap();
    assert_eq!((lanes, texts), (vec![-1], names(&["Ann"])));
    let (_, lanes, texts) = room.row(1, 0).unwrap();
    // Publishing brings a lane with a modulus into its range.
    assert_eq!((&lanes[..2], lanes[4]), (&[160, 328][..], 5));
    assert_eq!(texts, names(&["", "moo", ""]));
}

#[test]
fn layers_and_the_global_cell_say_who_sees_an_entity() {
    let mut room = Room::new();
    room.join(1);
    let pebble = Pebble {
        pos: Pos::new(300.0, 20.0),
    };
    let [ground, air, seen] = [(); 3].map(|()| room.zoo().pebbles.insert(pebble.clone()));
    room.zoo().pebbles.set_layer(air, Layer(2));
    room.zoo().pebbles.show_to_all(seen);
    room.step();
    let grid = room.game.schema().grid;
    let at = pebble.pos.steps();
    assert_eq!(room.cell(2, ground.slot()), grid.cell_at(at, Layer(0)));
    assert_eq!(room.cell(2, air.slot()), grid.cell_at(at, Layer(2)));
    assert_eq!(room.cell(2, seen.slot()), tickwire_sync::CellId::GLOBAL);
    // A kind without a position is in the global cell.
    assert_eq!(room.cell(0, 0), tickwire_sync::CellId::GLOBAL);
}

#[test]
fn a_slot_that_is_used_again_has_a_new_generation() {
    let mut room = Room::new();
    let first = room.zoo().pebbles.insert(Pebble::default());
    assert!(room.zoo().pebbles.remove(first).is_some());
    assert!(room.zoo().pebbles.remove(first).is_none());
    let second = room.zoo().pebbles.insert(Pebble::default());
    assert_eq!(
        (first.slot(), first.generation()),
        (second.slot(), second.generation() - 1)
    );
    assert!(room.zoo().pebbles.get(first).is_none());
    room.step();
    assert_eq!(room.row(2, 0).unwrap().0.generation, 2);
}

#[test]
fn every_four_ticks_a_change_is_shown() {
    let mut room = Room::new();
    let id = room.zoo().animals.insert(nothing());
    let mut shown = Vec::new();
    for count in 0..9 {
        room.zoo().animals[id].small = count;
        room.step();
        shown.push(room.row(1, 0).unwrap().1[7]);
    }
    // New at tick 1, so shown at once; then at ticks 4 and 8.
    assert_eq!(shown, [0, 0, 0, 3, 3, 3, 3, 7, 7]);
}

#[test]
fn the_framework_removes_who_has_left() {
    let mut room = Room::new();
    let (ann, ben) = (room.join(1), room.join(2));
    let pet = room.zoo().animals.insert_owned(ann, nothing());
    room.game.leave(ann);
    room.step();
    assert!(!room.zoo().keepers.contains(ann) && room.zoo().keepers.contains(ben));
    assert!(room.row(0, 0).is_none() && room.row(0, 1).is_some());
    // What a player only owned stays, and belongs to nobody.
    assert_eq!(room.zoo().animals.owner(pet), None);
}

#[test]
fn the_own_entity_is_the_one_in_the_first_table_of_players() {
    let mut room = Room::new();
    let identity = Identity {
        name: "Ann".into(),
        subject: None,
        is_spectator: false,
    };
    let own = room.game.join(PlayerId(9), &identity).unwrap().unwrap();
    assert_eq!((own.kind, own.slot, own.generation), (KindId(0), 0, 1));
}

#[test]
fn a_restored_world_is_the_saved_one_but_for_skipped_fields() {
    let mut room = Room::new();
    room.join(1);
    let gone = room.zoo().pebbles.insert(Pebble::default());
    room.zoo().pebbles.remove(gone);
    let animal = Everything {
        name: "Bo".into(),
        breath: 3,
        ..nothing()
    };
    room.zoo().animals.insert_owned(PlayerId(1), animal);
    room.zoo().cache.push(1.0);
    room.step();
    let mut state = Vec::new();
    room.game.save(&mut state).unwrap();
    let mut other = Room::new();
    other.game.restore(&state).unwrap();
    assert!(other.zoo().cache.is_empty());
    let mut again = Vec::new();
    other.game.save(&mut again).unwrap();
    assert_eq!(state, again);
    // A slot that was in use before the save gets its next generation after it.
    assert_eq!(
        other.zoo().pebbles.insert(Pebble::default()).generation(),
        2
    );
    state.push(0);
    assert!(Room::new().game.restore(&state).is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_restoring_panic(state in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Room::new().game.restore(&state);
    }
}

/// A game whose mistake is found when it is made.
macro_rules! mistaken_game {
    ($name:ident, $entity:ident, $space:expr) => {
        #[derive(World, Default)]
        struct $name {
            entities: Players<$entity>,
        }

        impl Game for $name {
            const NAME: &str = "mistaken";
            const SPACE: Space = $space;
            type Input = Wish;
            type Event = Nothing;
            type Command = Nothing;
            type Message = Nothing;
            type RoomMessage = Nothing;
            type Rules = NoRules;

            fn new(_: &Setup) -> Self {
                Self::default()
            }

            fn join(&mut self, _: PlayerId, _: &Identity) -> Result<(), Refusal> {
                Ok(())
            }

            fn step(&mut self, _: &mut Step<'_, Self>) {}
        }
    };
}

#[derive(Entity)]
#[entity(placed, predicted)]
struct Swimmer {
    pos: Pos<16>,
}

impl Predict for Swimmer {
    type Input = Wish;
    type Map = ();

    fn advance(&mut self, _: &Wish, _: &Nearby<'_, ()>) {}
}

mistaken_game!(OtherSteps, Pebble, Space::new(32, 1024, 1024));
mistaken_game!(WithoutRules, Swimmer, Space::new(16, 1024, 1024));

#[test]
#[should_panic(expected = "write Space::new(16, ...)")]
fn a_position_with_other_steps_than_the_space_is_refused() {
    let _ = RoomGame::<OtherSteps>::new(&GameSettings::default());
}

#[test]
#[should_panic(expected = "name it in rules!")]
fn a_predicted_kind_that_no_rules_move_is_refused() {
    let _ = RoomGame::<WithoutRules>::new(&GameSettings::default());
}
