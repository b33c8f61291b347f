//! The schema as `Welcome` carries it.
//!
//! In: a schema, or the message. Out: the other one; a schema that came from a network is checked.

use super::grid::Grid;
use super::lane::Lane;
use super::payload_schema::{Field, FieldType, InputField, PayloadKind};
use super::schema::{Kind, Priority, Schema, SchemaError};
use super::value_type::ValueType;
use tickwire_proto::v1;

impl Schema {
    /// The schema as `Welcome` carries it.
    #[must_use]
    pub fn to_proto(&self) -> v1::Schema {
        v1::Schema {
            kinds: self.kinds.iter().map(Kind::to_proto).collect(),
            events: self.events.iter().map(PayloadKind::to_proto).collect(),
            grid: Some(self.grid.to_proto()),
            input: self.input.iter().map(InputField::to_proto).collect(),
            commands: self.commands.iter().map(PayloadKind::to_proto).collect(),
            messages: self.messages.iter().map(PayloadKind::to_proto).collect(),
        }
    }

    /// The schema that a `Welcome` carried.
    ///
    /// # Errors
    /// If it breaks a limit of [`Self::validate`].
    pub fn from_proto(schema: &v1::Schema) -> Result<Self, SchemaError> {
        let schema = Self {
            kinds: schema.kinds.iter().map(Kind::from_proto).collect(),
            events: schema.events.iter().map(PayloadKind::from_proto).collect(),
            grid: Grid::from_proto(schema.grid.as_ref().ok_or(SchemaError::Grid)?),
            input: schema.input.iter().map(InputField::from_proto).collect(),
            commands: schema
                .commands
                .iter()
                .map(PayloadKind::from_proto)
                .collect(),
            messages: schema
                .messages
                .iter()
                .map(PayloadKind::from_proto)
                .collect(),
        };
        schema.validate()?;
        Ok(schema)
    }
}

impl Kind {
    fn to_proto(&self) -> v1::Kind {
        v1::Kind {
            name: self.name.clone(),
            lanes: self.lanes.iter().map(Lane::to_proto).collect(),
            private_lanes: self.private_lanes.iter().map(Lane::to_proto).collect(),
            texts: self.texts.clone(),
            placed: self.placed,
            predicted: self.predicted,
            teleport_lane_plus_one: self.teleport_lane.map_or(0, |lane| lane as u32 + 1),
        }
    }

    fn from_proto(kind: &v1::Kind) -> Self {
        Self {
            name: kind.name.clone(),
            lanes: kind.lanes.iter().map(Lane::from_proto).collect(),
            private_lanes: kind.private_lanes.iter().map(Lane::from_proto).collect(),
            texts: kind.texts.clone(),
            placed: kind.placed,
            predicted: kind.predicted,
            priority: Priority::default(),
            teleport_lane: kind
                .teleport_lane_plus_one
                .checked_sub(1)
                .map(|lane| lane as usize),
        }
    }
}

impl Lane {
    fn to_proto(&self) -> v1::Lane {
        v1::Lane {
            name: self.name.clone(),
            unit: self.unit.clone(),
            modulus: self.modulus,
            continuous: self.continuous,
            value: self.value.to_proto(),
        }
    }

    fn from_proto(lane: &v1::Lane) -> Self {
        Self {
            name: lane.name.clone(),
            unit: lane.unit.clone(),
            modulus: lane.modulus,
            continuous: lane.continuous,
            value: ValueType::from_proto(lane.value.as_ref()),
        }
    }
}

impl InputField {
    fn to_proto(&self) -> v1::InputField {
        v1::InputField {
            name: self.name.clone(),
            unit: self.unit.clone(),
            bits: self.bits,
            min: self.min,
            max: self.max,
            once: self.once,
            value: self.value.to_proto(),
        }
    }

    fn from_proto(field: &v1::InputField) -> Self {
        Self {
            name: field.name.clone(),
            unit: field.unit.clone(),
            bits: field.bits,
            min: field.min,
            max: field.max,
            once: field.once,
            value: ValueType::from_proto(field.value.as_ref()),
        }
    }
}

impl PayloadKind {
    fn to_proto(&self) -> v1::PayloadKind {
        v1::PayloadKind {
            name: self.name.clone(),
            fields: self.fields.iter().flatten().map(Field::to_proto).collect(),
            described: self.fields.is_some(),
        }
    }

    fn from_proto(kind: &v1::PayloadKind) -> Self {
        Self {
            name: kind.name.clone(),
            fields: kind
                .described
                .then(|| kind.fields.iter().map(Field::from_proto).collect()),
        }
    }
}

impl Field {
    fn to_proto(&self) -> v1::Field {
        let encoding = match self.encoding {
            FieldType::Integer => v1::FieldType::Integer,
            FieldType::Text => v1::FieldType::Text,
            FieldType::Bytes => v1::FieldType::Bytes,
            FieldType::Fixed => v1::FieldType::Fixed,
        };
        v1::Field {
            name: self.name.clone(),
            unit: self.unit.clone(),
            encoding: encoding.into(),
            value: self.value.to_proto(),
        }
    }

    fn from_proto(field: &v1::Field) -> Self {
        Self {
            name: field.name.clone(),
            unit: field.unit.clone(),
            encoding: match field.encoding() {
                v1::FieldType::Integer => FieldType::Integer,
                v1::FieldType::Text => FieldType::Text,
                v1::FieldType::Bytes => FieldType::Bytes,
                v1::FieldType::Fixed => FieldType::Fixed,
            },
            value: ValueType::from_proto(field.value.as_ref()),
        }
    }
}

impl ValueType {
    /// The message; `None` for a plain integer, so that a raw game's schema needs no byte for it.
    fn to_proto(&self) -> Option<v1::ValueType> {
        use v1::value_type::Meaning;
        let (meaning, steps, names) = match self {
            Self::Integer => return None,
            Self::Boolean => (Meaning::Boolean, 0, Vec::new()),
            Self::Fixed { steps } => (Meaning::Fixed, *steps, Vec::new()),
            Self::Angle => (Meaning::Angle, 0, Vec::new()),
            Self::Choice(names) => (Meaning::Choice, 0, names.clone()),
            Self::Flags(names) => (Meaning::Flags, 0, names.clone()),
            Self::Player => (Meaning::Player, 0, Vec::new()),
            Self::EntitySlot { kind } => (Meaning::EntitySlot, 0, vec![kind.clone()]),
            Self::EntityGeneration => (Meaning::EntityGeneration, 0, Vec::new()),
            Self::Teleports => (Meaning::Teleports, 0, Vec::new()),
            Self::Unsigned => (Meaning::Unsigned, 0, Vec::new()),
        };
        Some(v1::ValueType {
            meaning: meaning.into(),
            steps,
            names,
        })
    }

    /// What a message says. A meaning that this version does not know is a plain integer.
    fn from_proto(value: Option<&v1::ValueType>) -> Self {
        use v1::value_type::Meaning;
        let Some(value) = value else {
            return Self::Integer;
        };
        match value.meaning() {
            Meaning::Integer => Self::Integer,
            Meaning::Boolean => Self::Boolean,
            Meaning::Fixed => Self::Fixed {
                steps: value.steps.max(1),
            },
            Meaning::Angle => Self::Angle,
            Meaning::Choice => Self::Choice(value.names.clone()),
            Meaning::Flags => Self::Flags(value.names.clone()),
            Meaning::Player => Self::Player,
            Meaning::EntitySlot => Self::EntitySlot {
                kind: value.names.first().cloned().unwrap_or_default(),
            },
            Meaning::EntityGeneration => Self::EntityGeneration,
            Meaning::Teleports => Self::Teleports,
            Meaning::Unsigned => Self::Unsigned,
        }
    }
}
