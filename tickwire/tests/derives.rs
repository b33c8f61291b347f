//! What the derives make of plain types: everything that the raw layer can say, in the schema and in the rows.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test that unwraps nothing has failed; the types are explained by their tests"
)]

use proptest::prelude::*;
use tickwire::glam::IVec2;
use tickwire::prelude::*;
use tickwire::{LaneValue, Payload, RoomGame};
use tickwire_game::{Game as RawGame, GameSettings, Messages, Shots, Step as RawStep};
use tickwire_sync::frame::{Events, History};
use tickwire_sync::{
    EntityId, Field, FieldType, InputField, KindId, Lane, PayloadKind, Priority, ValueType,
};

#[derive(Choice, Clone, Copy, PartialEq, Debug, Default)]
enum Gait {
    #[default]
    Walk,
    Run,
    FlyHigh,
}

#[derive(Flags, Clone, Copy, PartialEq, Debug, Default)]
struct Keys {
    red: bool,
    blue: bool,
    r#type: bool,
}

/// A kind with a field of every type and every attribute.
#[derive(Entity, Clone, PartialEq, Debug)]
#[entity(placed, name = "animal", every = 4, priority = 30)]
struct Everything {
    awake: bool,
    pos: Pos<16>,
    heading: Angle<1024>,
    #[entity(unit = "degrees", wrap = 360, continuous)]
    bearing: u16,
    #[entity(discrete)]
    speed: Fixed<256>,
    #[entity(name = "hit_points")]
    hp: i8,
    small: u8,
    medium: i16,
    large: i32,
    #[entity(unit = "points")]
    whole: u32,
    gait: Gait,
    keys: Keys,
    keeper: PlayerId,
    rider: Option<PlayerId>,
    nest: Id<Pebble>,
    prey: Option<Id<Pebble>>,
    ammo: [u8; 3],
    jumps: Teleport,
    #[entity(private, unit = "ticks")]
    breath: u16,
    #[entity(private)]
    target: Option<Id<Pebble>>,
    name: Text,
    motto: Text,
    #[entity(name = "clan")]
    group: Text,
}

#[derive(Entity, Clone, PartialEq, Debug, Default)]
#[entity(placed)]
struct Pebble {
    pos: Pos<16>,
}

/// A kind without a position, with one text.
#[derive(Entity, Clone, PartialEq, Debug, Default)]
struct Keeper {
    fed: u32,
    #[entity(private)]
    coins: u16,
    name: Text,
}

/// A kind without any field.
#[derive(Entity, Clone, PartialEq, Debug, Default)]
struct Flag {}

/// An animal of which every lane is 0.
fn nothing() -> Everything {
    Everything::from_row(
        &[0; Everything::LANES],
        &[0; Everything::PRIVATE_LANES],
        &[],
    )
}

fn fixed(steps: u32) -> ValueType {
    ValueType::Fixed { steps }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

fn typed(name: &str, value: ValueType) -> Lane {
    Lane {
        value,
        ..Lane::discrete(name, "")
    }
}

fn reference(name: &str) -> [Lane; 2] {
    let kind = "pebble".to_owned();
    [
        typed(&format!("{name}.slot"), ValueType::EntitySlot { kind }),
        typed(&format!("{name}.generation"), ValueType::EntityGeneration),
    ]
}

#[test]
fn every_field_type_has_its_lanes() {
    let kind = Everything::kind();
    let position = |name| Lane {
        value: fixed(16),
        ..Lane::continuous(name, "1/16 unit")
    };
    let mut lanes = vec![
        // The position comes first, wherever the field stands.
        position("x"),
        position("y"),
        typed("awake", ValueType::Boolean),
        Lane {
            value: ValueType::Angle,
            ..Lane::angle("heading", "1/1024 turn", 1024)
        },
        Lane::angle("bearing", "degrees", 360),
        Lane {
            value: fixed(256),
            ..Lane::discrete("speed", "1/256 unit")
        },
        Lane::discrete("hit_points", ""),
        Lane::discrete("small", ""),
        Lane::discrete("medium", ""),
        Lane::discrete("large", ""),
        Lane::discrete("whole", "points"),
        typed(
            "gait",
            ValueType::Choice(names(&["walk", "run", "fly_high"])),
        ),
        typed("keys", ValueType::Flags(names(&["red", "blue", "type"]))),
        typed("keeper", ValueType::Player),
        typed("rider", ValueType::Player),
    ];
    lanes.extend(reference("nest"));
    lanes.extend(reference("prey"));
    lanes.extend(["ammo.0", "ammo.1", "ammo.2"].map(|name| Lane::discrete(name, "")));
    lanes.push(typed("jumps", ValueType::Teleports));
    assert_eq!(kind.lanes, lanes);
    assert_eq!(kind.teleport_lane, Some(lanes.len() - 1));
    let mut private = vec![Lane::discrete("breath", "ticks")];
    private.extend(reference("target"));
    assert_eq!(kind.private_lanes, private);
    assert_eq!(kind.texts, ["name", "motto", "clan"]);
    assert_eq!(
        (&*kind.name, kind.placed, kind.predicted),
        ("animal", true, false)
    );
    assert_eq!((Everything::EVERY, Everything::STEPS), (4, 16));
    assert_eq!(
        (kind.priority, Keeper::kind().priority),
        (Priority(30), Priority::default())
    );
}

#[test]
fn a_kind_can_have_no_position_text_or_lane() {
    let kind = Keeper::kind();
    assert_eq!((kind.placed, kind.teleport_lane), (false, None));
    assert_eq!(kind.texts, ["name"]);
    assert_eq!(Keeper::default().position(), IVec2::ZERO);
    let kind = Flag::kind();
    assert!(kind.lanes.is_empty() && kind.private_lanes.is_empty() && kind.texts.is_empty());
    Flag {}.with_row(|lanes, private_lanes, texts| {
        assert!(lanes.is_empty() && private_lanes.is_empty() && texts.is_empty());
    });
}

fn pebble_id() -> impl Strategy<Value = Id<Pebble>> {
    (any::<u32>(), 1_u32..).prop_map(|(slot, generation)| Id::new(slot, generation))
}

fn gait() -> impl Strategy<Value = Gait> {
    prop_oneof![Just(Gait::Walk), Just(Gait::Run), Just(Gait::FlyHigh)]
}

fn keys() -> impl Strategy<Value = Keys> {
    any::<[bool; 3]>().prop_map(|[red, blue, r#type]| Keys { red, blue, r#type })
}

fn player() -> impl Strategy<Value = Option<PlayerId>> {
    proptest::option::of((1_u32..).prop_map(PlayerId))
}

prop_compose! {
    fn everything()(
        (awake, x, y, heading, bearing, speed) in any::<(bool, i32, i32, i32, u16, i32)>(),
        (hp, small, medium, large, whole) in any::<(i8, u8, i16, i32, u32)>(),
        (gait, keys, keeper, rider) in (gait(), keys(), any::<u32>(), player()),
        (nest, prey, target) in (pebble_id(), proptest::option::of(pebble_id()), proptest::option::of(pebble_id())),
        (ammo, jumps, breath) in any::<([u8; 3], i32, u16)>(),
        (name, motto, group) in any::<(String, String, String)>(),
    ) -> Everything {
        Everything {
            awake,
            pos: Pos::from_steps(IVec2::new(x, y)),
            heading: Angle::from_steps(heading),
            bearing: bearing % 360,
            speed: Fixed::from_steps(speed),
            hp, small, medium, large, whole, gait, keys,
            keeper: PlayerId(keeper),
            rider, nest, prey, ammo,
            jumps: Teleport::read(&[jumps]),
            breath, target,
            name: name.into(),
            motto: motto.into(),
            group: group.into(),
        }
    }
}

proptest! {
    #[test]
    fn an_entity_is_read_as_it_was_written(entity in everything()) {
        let read = entity.with_row(Everything::from_row);
        prop_assert_eq!(&read, &entity);
        let mut normalised = read;
        normalised.normalise();
        prop_assert_eq!(normalised, entity);
    }

    #[test]
    fn any_lanes_are_an_entity_in_range(
        lanes in proptest::collection::vec(any::<i32>(), Everything::LANES),
        private in proptest::collection::vec(any::<i32>(), Everything::PRIVATE_LANES),
    ) {
        let mut entity = Everything::from_row(&lanes, &private, &[]);
        entity.normalise();
        prop_assert!(entity.bearing < 360 && entity.heading.steps() < 1024);
        prop_assert_eq!(entity.with_row(Everything::from_row), entity);
    }

    #[test]
    fn an_input_is_read_as_it_was_written(input in input()) {
        prop_assert_eq!(Wish::decode(&input.to_payload()), input);
    }

    #[test]
    fn any_payload_is_an_input_in_range(payload: Vec<u8>) {
        let input = Wish::decode(&payload);
        prop_assert!((-1..=1).contains(&input.dx) && input.aim.steps() < 1000);
        prop_assert_eq!(Wish::decode(&input.to_payload()), input);
    }

    #[test]
    fn a_repeated_input_has_no_once_fields(input in input()) {
        let repeated = input.clone().repeated();
        prop_assert_eq!(repeated, Wish { shoot: false, weapon: Gait::Walk, ..input });
    }

    #[test]
    fn an_event_is_read_as_it_was_written(happening in happening()) {
        let mut fields = Vec::new();
        happening.encode_fields(&mut fields);
        prop_assert_eq!(Happening::decode_fields(happening.kind(), &fields), Ok(happening.clone()));
        let mut payload = Vec::new();
        happening.encode(&mut payload);
        prop_assert_eq!(Happening::decode(&payload), Ok(happening));
        payload.push(0);
        prop_assert!(Happening::decode(&payload).is_err());
    }

    #[test]
    fn any_payload_is_an_event_or_an_error(payload: Vec<u8>, kind in 0..8_u32) {
        let _ = Happening::decode(&payload);
        let _ = Happening::decode_fields(kind, &payload);
    }
}

#[derive(Input, Clone, PartialEq, Debug, Default)]
struct Wish {
    #[input(range = -1..=1)]
    dx: i8,
    #[input(once)]
    shoot: bool,
    aim: Angle<1000>,
    #[input(once, name = "chosen")]
    weapon: Gait,
    keys: Keys,
    at: Pos<16>,
    target: Option<PlayerId>,
}

prop_compose! {
    fn input()(
        (dx, shoot, aim) in (-1..=1_i8, any::<bool>(), any::<i32>()),
        (weapon, keys, x, y, target) in (gait(), keys(), any::<i32>(), any::<i32>(), player()),
    ) -> Wish {
        Wish {
            dx, shoot,
            aim: Angle::from_steps(aim),
            weapon, keys,
            at: Pos::from_steps(IVec2::new(x, y)),
            target,
        }
    }
}

#[test]
fn the_schema_says_which_bits_an_input_has() {
    let field = |name: &str, bits, min, max, value| InputField {
        name: name.into(),
        bits,
        min,
        max,
        value,
        ..InputField::default()
    };
    let whole = |name: &str, unit: &str, value| InputField {
        unit: unit.into(),
        ..field(name, 32, i32::MIN, i32::MAX, value)
    };
    let fields = [
        field("dx", 2, -1, 1, ValueType::Integer),
        InputField {
            once: true,
            ..field("shoot", 1, 0, 1, ValueType::Boolean)
        },
        InputField {
            unit: "1/1000 turn".into(),
            ..field("aim", 10, 0, 999, ValueType::Angle)
        },
        InputField {
            once: true,
            ..field(
                "chosen",
                2,
                0,
                2,
                ValueType::Choice(names(&["walk", "run", "fly_high"])),
            )
        },
        field(
            "keys",
            3,
            0,
            7,
            ValueType::Flags(names(&["red", "blue", "type"])),
        ),
        whole("at.x", "1/16 unit", fixed(16)),
        whole("at.y", "1/16 unit", fixed(16)),
        whole("target", "", ValueType::Player),
    ];
    assert_eq!(Wish::fields(), fields);
    assert!(fields.iter().all(InputField::is_valid));
    assert!(Wish::default().to_payload().is_empty());
}

#[derive(Event, Clone, PartialEq, Debug)]
enum Happening {
    Nightfall,
    HitHard {
        #[event(unit = "points", name = "damage")]
        points: u8,
        by: Option<Id<Pebble>>,
        at: Pos<16>,
    },
    Said(Text),
    Pair(i32, String),
    Sound {
        wave: Vec<u8>,
        gaits: [Gait; 2],
    },
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        Just(Happening::Nightfall),
        (
            any::<u8>(),
            proptest::option::of(pebble_id()),
            any::<[i32; 2]>()
        )
            .prop_map(|(points, by, at)| Happening::HitHard {
                points,
                by,
                at: Pos::from_steps(IVec2::from_array(at)),
            }),
        any::<String>().prop_map(|text| Happening::Said(text.into())),
        any::<(i32, String)>().prop_map(|(number, text)| Happening::Pair(number, text)),
        (any::<Vec<u8>>(), gait(), gait()).prop_map(|(wave, a, b)| Happening::Sound {
            wave,
            gaits: [a, b]
        }),
    ]
}

#[test]
fn the_schema_says_which_fields_an_event_has() {
    let field = |name: &str, unit: &str, value| Field {
        name: name.into(),
        unit: unit.into(),
        encoding: FieldType::Integer,
        value,
    };
    let other = |name: &str, encoding| Field {
        name: name.into(),
        encoding,
        ..Field::default()
    };
    let kind = |name: &str, fields| PayloadKind {
        name: name.into(),
        fields: Some(fields),
    };
    let slot = ValueType::EntitySlot {
        kind: "pebble".into(),
    };
    let gaits = ValueType::Choice(names(&["walk", "run", "fly_high"]));
    assert_eq!(
        Happening::kinds(),
        [
            kind("nightfall", vec![]),
            kind(
                "hit_hard",
                vec![
                    field("damage", "points", ValueType::Integer),
                    field("by.slot", "", slot),
                    field("by.generation", "", ValueType::EntityGeneration),
                    field("at.x", "1/16 unit", fixed(16)),
                    field("at.y", "1/16 unit", fixed(16)),
                ]
            ),
            kind("said", vec![other("value", FieldType::Text)]),
            kind(
                "pair",
                vec![
                    field("0", "", ValueType::Integer),
                    other("1", FieldType::Text)
                ]
            ),
            kind(
                "sound",
                vec![
                    other("wave", FieldType::Bytes),
                    field("gaits.0", "", gaits.clone()),
                    field("gaits.1", "", gaits),
                ]
            ),
        ]
    );
}

/// A command that is a struct: one kind.
#[derive(Command, PartialEq, Debug)]
struct Buy {
    #[command(unit = "pieces")]
    count: u16,
}

#[derive(Message, PartialEq, Debug)]
enum Word {
    Welcome { name: Text },
}

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
