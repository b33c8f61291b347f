//! The TypeScript of a game with every kind of value. `TICKWIRE_WRITE_GOLDEN=1 cargo test -p tickwire-cli` writes the file anew.

use tickwire_cli::typescript::typescript_of;
use tickwire_sync::{Field, FieldType, InputField, Kind, Lane, PayloadKind, Schema, ValueType};

fn lane(name: &str, unit: &str, value: ValueType) -> Lane {
    Lane {
        value,
        ..Lane::discrete(name, unit)
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn field(name: &str, encoding: FieldType, value: ValueType) -> Field {
    Field {
        name: name.into(),
        encoding,
        value,
        ..Field::default()
    }
}

fn schema() -> Schema {
    let fixed = ValueType::Fixed { steps: 16 };
    let ghost = Kind {
        name: "old_ghost".into(),
        lanes: vec![
            lane("x", "1/16 unit", fixed.clone()),
            lane("y", "1/16 unit", fixed.clone()),
            lane("velocity.x", "1/16 unit", fixed.clone()),
            lane("velocity.y", "1/16 unit", fixed.clone()),
            lane("heading", "1/1024 turn", ValueType::Angle),
            lane("seen", "", ValueType::Boolean),
            lane("mood", "", ValueType::Choice(names(&["calm", "very_sad"]))),
            lane("keys", "", ValueType::Flags(names(&["red", "dark_blue"]))),
            lane("host", "", ValueType::Player),
            lane(
                "prey.slot",
                "",
                ValueType::EntitySlot {
                    kind: "old_ghost".into(),
                },
            ),
            lane("prey.generation", "", ValueType::EntityGeneration),
            lane("bars.0", "points", ValueType::Integer),
            lane("bars.1", "points", ValueType::Unsigned),
            lane("jumps", "", ValueType::Teleports),
        ],
        private_lanes: vec![lane("breath", "ticks", ValueType::Integer)],
        texts: names(&["nick_name"]),
        placed: true,
        ..Kind::default()
    };
    let input = |name: &str, min, max, value| InputField {
        name: name.into(),
        bits: 32,
        min,
        max,
        value,
        ..InputField::default()
    };
    let payload = |name: &str, fields| PayloadKind {
        name: name.into(),
        fields,
    };
    Schema {
        kinds: vec![ghost],
        events: vec![
            payload("bump", None),
            payload("night_fall", Some(Vec::new())),
            payload(
                "hit",
                Some(vec![
                    field("who", FieldType::Integer, ValueType::Player),
                    field("at.x", FieldType::Integer, fixed.clone()),
                    field("at.y", FieldType::Integer, fixed.clone()),
                    field("cry", FieldType::Text, ValueType::Integer),
                    field("sound", FieldType::Bytes, ValueType::Integer),
                ]),
            ),
        ],
        input: vec![
            input("dx", -1, 1, ValueType::Integer),
            input("dash", 0, 1, ValueType::Boolean),
            input("aim.x", -32, 32, fixed.clone()),
            input("aim.y", -32, 32, fixed),
            input("heading", 0, 999, ValueType::Angle),
        ],
        commands: vec![
            payload("sell", Some(Vec::new())),
            payload(
                "buy",
                Some(vec![
                    field(
                        "item",
                        FieldType::Integer,
                        ValueType::Choice(names(&["hat", "coat"])),
                    ),
                    field("count", FieldType::Integer, ValueType::Integer),
                ]),
            ),
        ],
        messages: vec![payload(
            "you_are_it",
            Some(vec![field("line", FieldType::Text, ValueType::Integer)]),
        )],
        ..Schema::default()
    }
}

#[test]
fn every_kind_of_value_has_its_type() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden.ts");
    let source = typescript_of("haunted-house", &schema());
    if std::env::var_os("TICKWIRE_WRITE_GOLDEN").is_some() {
        std::fs::write(file, &source).unwrap();
    }
    assert_eq!(source, std::fs::read_to_string(file).unwrap());
}
