//! Payloads of inputs, events, commands and messages, as the schema describes them, with the values of their fields.
//!
//! Integers are numbers, texts are strings, and bytes are hexadecimal. Without `values` a payload cannot be read.

use crate::step::hex;
use serde_json::{Value, json};
use tickwire_rules::{BitReader, FieldValue, PayloadError, encode_fields};
use tickwire_sync::{Field, FieldType, InputField, PayloadKind, Schema, ValueType};

/// Fields of an input, of every shape: one bit and 32, with and without a sign, and values that a byte's end divides.
pub fn input() -> Vec<InputField> {
    let field = |name: &str, bits, min, max, value| InputField {
        name: name.into(),
        bits,
        min,
        max,
        value,
        ..InputField::default()
    };
    let fixed = |name: &str| InputField {
        unit: "1/16 unit".into(),
        ..field(name, 32, i32::MIN, i32::MAX, ValueType::Fixed { steps: 16 })
    };
    vec![
        field("dx", 2, -1, 1, ValueType::Integer),
        InputField {
            once: true,
            ..field("dash", 1, 0, 1, ValueType::Boolean)
        },
        InputField {
            unit: "1/1000 turn".into(),
            ..field("heading", 10, 0, 999, ValueType::Angle)
        },
        InputField {
            once: true,
            ..field(
                "weapon",
                2,
                0,
                2,
                ValueType::Choice(names(&["bow", "axe", "net"])),
            )
        },
        field(
            "keys",
            3,
            0,
            7,
            ValueType::Flags(names(&["red", "green", "blue"])),
        ),
        field("depth", 8, -128, 0, ValueType::Integer),
        fixed("aim.x"),
        fixed("aim.y"),
        field("largest", 31, 0, i32::MAX, ValueType::Integer),
        field("target", 32, i32::MIN, i32::MAX, ValueType::Player),
    ]
}

/// A kind of event without fields, and one with a field of every encoding and meaning.
pub fn events() -> [PayloadKind; 3] {
    let slot = ValueType::EntitySlot {
        kind: "ghost".into(),
    };
    let damage = Field {
        unit: "points".into(),
        ..integer("damage", ValueType::Integer)
    };
    let fields = vec![
        integer("who", ValueType::Player),
        damage,
        integer("by.slot", slot),
        integer("by.generation", ValueType::EntityGeneration),
        other("cry", FieldType::Text),
        other("sound", FieldType::Bytes),
    ];
    let fixed = |name| other(name, FieldType::Fixed);
    let line = vec![fixed("from"), fixed("to")];
    [
        kind("nightfall", vec![]),
        kind("hit", fields),
        kind("beam", line),
    ]
}

/// Two kinds of command.
pub fn commands() -> Vec<PayloadKind> {
    let item = integer("item", ValueType::Choice(names(&["hat", "coat", "boots"])));
    let count = integer("count", ValueType::Integer);
    vec![kind("sell", vec![]), kind("buy", vec![item, count])]
}

/// One kind of message.
pub fn messages() -> Vec<PayloadKind> {
    vec![kind("told", vec![other("line", FieldType::Text)])]
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

fn kind(name: &str, fields: Vec<Field>) -> PayloadKind {
    PayloadKind {
        name: name.into(),
        fields: Some(fields),
    }
}

fn integer(name: &str, value: ValueType) -> Field {
    Field {
        name: name.into(),
        value,
        ..Field::default()
    }
}

fn other(name: &str, encoding: FieldType) -> Field {
    Field {
        name: name.into(),
        encoding,
        ..Field::default()
    }
}

/// Values with the payload that a client writes, then payloads with the values that a game reads.
pub fn input_payloads(schema: &Schema) -> Vec<Value> {
    let fields = &schema.input;
    let written: [[i32; 10]; 7] = [
        [0; 10],
        [-1, 1, 256, 2, 5, -128, 0, 0, 0, 0],
        [1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 999, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 7, -1, -1, 1, i32::MAX, -1],
        [0, 0, 0, 0, 0, 0, i32::MIN, i32::MAX, 1, 7],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, i32::MIN],
    ];
    let written = written.iter().map(|values| {
        let payload = encode_fields(fields, values).unwrap();
        assert_eq!(read_input(fields, &payload), values);
        json!({"values": values, "payload": hex(&payload), "is_written": true})
    });
    let read: [(&str, &[u8]); 4] = [
        ("zeros at the end", &[5, 0, 0]),
        (
            "every bit set: what is out of range is the nearest value",
            &[255; 24],
        ),
        ("longer than its fields", &[1; 40]),
        ("dx -2", &[2]),
    ];
    let read = read.iter().map(|(about, payload)| {
        json!({"about": about, "values": read_input(fields, payload), "payload": hex(payload)})
    });
    written.chain(read).collect()
}

fn read_input(fields: &[InputField], payload: &[u8]) -> Vec<i32> {
    let mut bits = BitReader::new(payload);
    let read = |field: &InputField| {
        bits.get_int(field.bits, field.min < 0)
            .clamp(field.min, field.max)
    };
    fields.iter().map(read).collect()
}

/// Payloads of events, which do not name their kind, and of commands and messages, which begin with it.
pub fn payloads(schema: &Schema) -> Vec<Value> {
    let hit = |values: [i32; 4], cry: &str, sound: &[u8]| {
        let mut out = Vec::new();
        for value in values {
            value.encode(&mut out);
        }
        cry.to_owned().encode(&mut out);
        sound.to_vec().encode(&mut out);
        out
    };
    let long = "o".repeat(200);
    let all = [
        ("event", 2, vec![]),
        ("event", 3, hit([7, -300, 1, 2], "Zoë 🚀", &[0, 255])),
        ("event", 3, hit([0; 4], "", &[])),
        ("event", 3, hit([i32::MAX, i32::MIN, -1, 64], &long, &[])),
        ("event", 4, vec![0xFE, 0xFF, 0xFF, 0xFF, 0, 1, 0, 0]),
        ("command", 0, vec![0]),
        ("command", 1, vec![1, 4, 0x90, 3]),
        ("message", 0, vec![0, 3, b'h', b'i', b'!']),
        // Damaged ones: too short, too long, a text that is no UTF-8, an integer of more than 32 bits.
        ("event", 2, vec![0]),
        ("event", 3, vec![14, 2, 2]),
        ("event", 3, vec![14, 2, 2, 2, 1, 0xFF, 0]),
        ("event", 3, vec![14, 2, 2, 2, 9, b'a', 0]),
        ("event", 4, vec![0, 0, 0, 0, 1, 0, 0]),
        ("command", 1, vec![1, 4]),
        ("command", 1, vec![1, 4, 4, 4]),
        ("command", 1, vec![1, 4, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F]),
        ("command", 1, vec![1, 4, 0x80, 0x80, 0x80, 0x80, 0x80, 0]),
    ];
    let all = all.iter().map(|(of, kind, payload)| {
        let (kinds, fields) = match *of {
            "event" => (&schema.events, &payload[..]),
            "command" => (&schema.commands, &payload[1..]),
            _ => (&schema.messages, &payload[1..]),
        };
        let described = kinds[*kind].fields.as_ref().unwrap();
        let mut vector = json!({"of": of, "kind": kind, "payload": hex(payload)});
        if let Ok(values) = read_fields(described, fields) {
            vector["values"] = json!(values);
        }
        vector
    });
    all.collect()
}

fn read_fixed(bytes: &mut &[u8]) -> Result<i32, PayloadError> {
    let (word, rest) = bytes.split_first_chunk().ok_or(PayloadError::Length)?;
    *bytes = rest;
    Ok(i32::from_le_bytes(*word))
}

fn read_fields(fields: &[Field], mut bytes: &[u8]) -> Result<Vec<Value>, PayloadError> {
    let mut values = Vec::new();
    for field in fields {
        values.push(match field.encoding {
            FieldType::Integer => json!(i32::decode(&mut bytes)?),
            FieldType::Text => json!(String::decode(&mut bytes)?),
            FieldType::Bytes => json!(hex(&Vec::<u8>::decode(&mut bytes)?)),
            FieldType::Fixed => json!(read_fixed(&mut bytes)?),
        });
    }
    if bytes.is_empty() {
        Ok(values)
    } else {
        Err(PayloadError::Length)
    }
}
