//! What `Welcome` has said as JSON, once for each: the schema's names are those of docs/PROTOCOL.md, as docs/protocol-vectors.json
//! has them.

use crate::client::Client;
use tickwire_sync::{Field, FieldType, InputField, Kind, Lane, PayloadKind, Schema, ValueType};

/// The room, the player, the game, and the part of its schema that typed clients use; empty before the first `Welcome`.
pub(super) fn welcome_json(client: &Client) -> String {
    let Some(replica) = client.replica() else {
        return String::new();
    };
    let mut json = Json::default();
    json.object(|json| {
        json.text_member("room", client.room());
        json.text_member("game", client.game());
        json.text_member("name", client.name());
        json.member("session", client.session().into());
        json.member("spectator", client.is_spectator().into());
        if let Some(id) = client.entity() {
            json.name("entity");
            json.object(|json| {
                json.member("kind", id.kind.0.into());
                json.member("slot", id.slot.into());
                json.member("generation", id.generation.into());
            });
        }
        json.name("schema");
        json.schema(replica.schema());
    });
    json.finish()
}

/// A writer of JSON. Formatting machinery would be the larger part of it.
#[derive(Default)]
struct Json {
    text: String,
}

impl Json {
    fn finish(mut self) -> String {
        // The comma after the whole.
        self.text.pop();
        self.text
    }

    fn schema(&mut self, schema: &Schema) {
        self.object(|json| {
            json.list("kinds", &schema.kinds, Self::kind);
            json.list("input", &schema.input, Self::input_field);
            json.list("events", &schema.events, Self::payload_kind);
            json.list("commands", &schema.commands, Self::payload_kind);
            json.list("messages", &schema.messages, Self::payload_kind);
        });
    }

    fn object(&mut self, members: impl FnOnce(&mut Self)) {
        self.text.push('{');
        members(self);
        self.end('}');
    }

    /// Replaces the comma after the last member or item.
    fn end(&mut self, bracket: char) {
        if self.text.ends_with(',') {
            self.text.pop();
        }
        self.text.push(bracket);
        self.text.push(',');
    }

    fn name(&mut self, name: &str) {
        self.text.push('"');
        self.text.push_str(name);
        self.text.push_str("\":");
    }

    fn list<T>(&mut self, name: &str, items: &[T], item: fn(&mut Self, &T)) {
        self.name(name);
        self.text.push('[');
        for one in items {
            item(self, one);
        }
        self.end(']');
    }

    fn str(&mut self, value: &str) {
        self.text.push('"');
        for letter in value.chars() {
            match letter {
                '"' | '\\' => {
                    self.text.push('\\');
                    self.text.push(letter);
                }
                // No name has such a letter.
                '\0'..='\x1F' => self.text.push(' '),
                _ => self.text.push(letter),
            }
        }
        self.text.push_str("\",");
    }

    fn number(&mut self, value: i64) {
        if value < 0 {
            self.text.push('-');
        }
        let mut rest = value.unsigned_abs();
        let at = self.text.len();
        loop {
            self.text.insert(at, (b'0' + (rest % 10) as u8) as char);
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.text.push(',');
    }

    fn member(&mut self, name: &str, value: i64) {
        self.name(name);
        self.number(value);
    }

    fn kind(&mut self, kind: &Kind) {
        self.object(|json| {
            json.names(&kind.name, "");
            json.list("lanes", &kind.lanes, Self::lane);
            json.list("private_lanes", &kind.private_lanes, Self::lane);
            json.list("texts", &kind.texts, |json, text| json.str(text));
        });
    }

    fn text_member(&mut self, name: &str, value: &str) {
        self.name(name);
        self.str(value);
    }

    fn names(&mut self, name: &str, unit: &str) {
        self.text_member("name", name);
        self.text_member("unit", unit);
    }

    fn lane(&mut self, lane: &Lane) {
        self.object(|json| {
            json.names(&lane.name, &lane.unit);
            json.member("modulus", lane.modulus.into());
            json.value(&lane.value);
        });
    }

    fn input_field(&mut self, field: &InputField) {
        self.object(|json| {
            json.names(&field.name, &field.unit);
            json.member("bits", field.bits.into());
            json.member("min", field.min.into());
            json.member("max", field.max.into());
            json.value(&field.value);
        });
    }

    fn payload_kind(&mut self, kind: &PayloadKind) {
        self.object(|json| {
            json.names(&kind.name, "");
            json.member("described", kind.fields.is_some().into());
            let fields = kind.fields.as_deref().unwrap_or_default();
            json.list("fields", fields, Self::field);
        });
    }

    fn field(&mut self, field: &Field) {
        self.object(|json| {
            json.names(&field.name, &field.unit);
            let encoding = match field.encoding {
                FieldType::Integer => 0,
                FieldType::Text => 1,
                FieldType::Bytes => 2,
                FieldType::Fixed => 3,
            };
            json.member("encoding", encoding);
            json.value(&field.value);
        });
    }

    fn value(&mut self, value: &ValueType) {
        let (meaning, steps, names): (i64, u32, &[String]) = match value {
            ValueType::Integer => return,
            ValueType::Boolean => (1, 0, &[]),
            ValueType::Fixed { steps } => (2, *steps, &[]),
            ValueType::Angle => (3, 0, &[]),
            ValueType::Choice(names) => (4, 0, names),
            ValueType::Flags(names) => (5, 0, names),
            ValueType::Player => (6, 0, &[]),
            ValueType::EntitySlot { kind } => (7, 0, std::slice::from_ref(kind)),
            ValueType::EntityGeneration => (8, 0, &[]),
            ValueType::Teleports => (9, 0, &[]),
            ValueType::Unsigned => (10, 0, &[]),
        };
        self.name("value");
        self.object(|json| {
            json.member("meaning", meaning);
            json.member("steps", steps.into());
            json.list("names", names, |json, name| json.str(name));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_written_as_json() {
        let lane = Lane {
            value: ValueType::Choice(vec!["a\"b".into(), "c".into()]),
            ..Lane::angle("heading", "1/1024 turn", 1024)
        };
        let schema = Schema {
            kinds: vec![Kind {
                name: "ship".into(),
                lanes: vec![lane],
                texts: vec!["name".into()],
                ..Kind::default()
            }],
            input: vec![InputField {
                name: "dx".into(),
                bits: 32,
                min: i32::MIN,
                max: i32::MAX,
                ..InputField::default()
            }],
            ..Schema::default()
        };
        let mut json = Json::default();
        json.schema(&schema);
        assert_eq!(
            json.finish(),
            concat!(
                r#"{"kinds":[{"name":"ship","unit":"","lanes":[{"name":"heading","unit":"1/1024 turn","modulus":1024,"#,
                r#""value":{"meaning":4,"steps":0,"names":["a\"b","c"]}}],"private_lanes":[],"texts":["name"]}],"#,
                r#""input":[{"name":"dx","unit":"","bits":32,"min":-2147483648,"max":2147483647}],"#,
                r#""events":[],"commands":[],"messages":[]}"#,
            )
        );
    }
}
