//! What the derives make of plain types: everything that the raw layer can say, in the schema and in the rows.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test that unwraps nothing has failed; the types are explained by their tests"
)]

mod payloads;
mod worlds;

use proptest::prelude::*;
use tickwire::glam::IVec2;
use tickwire::prelude::*;
use tickwire::{LaneValue, Payload, RoomGame};
use tickwire_game::{
    Game as RawGame, GameSettings, Messages, RoomMessages, Shots, Step as RawStep,
};
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
        Lane {
            unit: "points".into(),
            ..typed("whole", ValueType::Unsigned)
        },
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
}
