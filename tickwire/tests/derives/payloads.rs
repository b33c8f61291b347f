//! Inputs, events, commands and messages.

use super::*;

#[derive(Input, Clone, PartialEq, Debug, Default)]
pub(crate) struct Wish {
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
pub(crate) enum Happening {
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

/// An event whose numbers have four bytes each.
#[derive(Event, Clone, Copy, PartialEq, Debug)]
#[event(fixed)]
struct Shot {
    at: Pos<16>,
    hit: Option<Id<Pebble>>,
}

#[test]
fn fixed_numbers_take_four_bytes_each() {
    let shot = Shot {
        at: Pos::from_steps(IVec2::new(-2, 256)),
        hit: None,
    };
    let mut payload = Vec::new();
    shot.encode_fields(&mut payload);
    let words: [i32; 4] = [-2, 256, 0, 0];
    assert_eq!(payload, words.map(i32::to_le_bytes).concat());
    assert_eq!(Shot::decode_fields(0, &payload), Ok(shot));
    payload.pop();
    assert!(Shot::decode_fields(0, &payload).is_err());
    let kinds = Shot::kinds();
    let fields = kinds[0].fields.as_ref().unwrap();
    assert!(
        fields
            .iter()
            .all(|field| field.encoding == FieldType::Fixed)
    );
}

/// A command that is a struct: one kind.
#[derive(Command, PartialEq, Debug)]
pub(crate) struct Buy {
    #[command(unit = "pieces")]
    count: u16,
}

#[derive(Message, PartialEq, Debug)]
pub(crate) enum Word {
    Welcome { name: Text },
}

proptest! {
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
