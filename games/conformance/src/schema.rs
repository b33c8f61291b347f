//! The schema: kinds with every shape of row, and payloads with every encoding of a field.

use tickwire_game::glam::IVec2;
use tickwire_sync::{
    Field, FieldType, Grid, InputField, Kind, KindId, Lane, PayloadKind, Schema, ValueType,
};

/// A player's own: teleports, and private lanes with the player's newest input.
pub const PROBE: KindId = KindId(0);
/// The crowd: a position and a text.
pub const MOTE: KindId = KindId(1);
/// Comes and goes: its slots are reused all the time.
pub const SPARK: KindId = KindId(2);
/// Two texts, and lanes that wrap.
pub const SIGN: KindId = KindId(3);
/// A lane of every meaning; goes from layer to layer.
pub const GHOST: KindId = KindId(4);
/// Where the script is; lanes that wrap at 32 bits and at the largest modulus. Without a position.
pub const TALLY: KindId = KindId(5);
/// All 64 lanes that a kind can have. Without a position.
pub const PANEL: KindId = KindId(6);
/// Neither lanes nor texts.
pub const MARK: KindId = KindId(7);

/// The numbers of events, in the schema's order.
pub mod event {
    pub const RAW: u32 = 0;
    pub const HIT: u32 = 1;
    pub const NIGHTFALL: u32 = 2;
    pub const BEAM: u32 = 3;
}

/// The numbers of messages, in the schema's order.
pub mod message {
    pub const TOLD: u8 = 0;
    pub const ECHO: u8 = 1;
}

/// The choices and flags of a ghost.
const MOODS: [&str; 3] = ["calm", "sad", "angry"];
const KEYS: [&str; 3] = ["red", "green", "blue"];

pub fn schema() -> Schema {
    Schema {
        kinds: vec![
            probe(),
            mote(),
            spark(),
            sign(),
            ghost(),
            tally(),
            panel(),
            Kind {
                name: "mark".into(),
                ..Kind::default()
            },
        ],
        events: events(),
        grid: Grid {
            layers: 3,
            ..Grid::covering(IVec2::ZERO, IVec2::splat(1024), 256)
        },
        input: input(),
        commands: commands(),
        messages: messages(),
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

fn position() -> Vec<Lane> {
    vec![Lane::continuous("x", "unit"), Lane::continuous("y", "unit")]
}

fn typed(name: &str, value: ValueType) -> Lane {
    Lane {
        value,
        ..Lane::discrete(name, "")
    }
}

/// A discrete lane that wraps.
fn wheel(name: &str, modulus: u32) -> Lane {
    Lane {
        modulus,
        ..Lane::discrete(name, "")
    }
}

fn placed(name: &str, more: impl IntoIterator<Item = Lane>, texts: &[&str]) -> Kind {
    let mut lanes = position();
    lanes.extend(more);
    Kind {
        name: name.into(),
        lanes,
        texts: names(texts),
        placed: true,
        ..Kind::default()
    }
}

fn probe() -> Kind {
    let lanes = [
        Lane::angle("heading", "1/1024 turn", 1024),
        wheel("colour", 5),
        typed("hops", ValueType::Teleports),
    ];
    Kind {
        private_lanes: vec![
            Lane::discrete("steer", ""),
            typed("dash", ValueType::Boolean),
            Lane::angle("aim", "1/1000 turn", 1000),
            Lane::discrete("level", ""),
            Lane::discrete("fresh inputs", ""),
        ],
        teleport_lane: Some(4),
        ..placed("probe", lanes, &["name"])
    }
}

fn mote() -> Kind {
    placed("mote", [], &["label"])
}

fn spark() -> Kind {
    placed("spark", [Lane::discrete("age", "ticks")], &[])
}

fn sign() -> Kind {
    let lanes = [
        Lane::angle("heading", "1/1024 turn", 1024),
        Lane::discrete("hull", "points"),
        wheel("gear", 5),
    ];
    placed("sign", lanes, &["title", "motto"])
}

fn ghost() -> Kind {
    let prey = ValueType::EntitySlot {
        kind: "spark".into(),
    };
    let lanes = [
        typed("jumps", ValueType::Teleports),
        Lane {
            value: ValueType::Angle,
            ..Lane::angle("heading", "1/1024 turn", 1024)
        },
        typed("seen", ValueType::Boolean),
        typed("mood", ValueType::Choice(names(&MOODS))),
        typed("keys", ValueType::Flags(names(&KEYS))),
        typed("host", ValueType::Player),
        typed("prey.slot", prey),
        typed("prey.generation", ValueType::EntityGeneration),
        typed("age", ValueType::Unsigned),
        Lane {
            value: ValueType::Fixed { steps: 16 },
            ..Lane::continuous("height", "1/16 unit")
        },
    ];
    Kind {
        teleport_lane: Some(2),
        ..placed("ghost", lanes, &[])
    }
}

fn tally() -> Kind {
    Kind {
        name: "tally".into(),
        lanes: vec![
            Lane::discrete("at", "ticks"),
            Lane::discrete("run", ""),
            Lane::continuous("drift", "unit"),
            Lane::angle("phase", "1/2147483647 turn", i32::MAX as u32),
            Lane::angle("spin", "1/7 turn", 7),
        ],
        ..Kind::default()
    }
}

fn panel() -> Kind {
    let dials = (0..63).map(|dial| Lane::discrete(&format!("d{dial}"), ""));
    Kind {
        name: "panel".into(),
        lanes: dials.chain([Lane::continuous("d63", "")]).collect(),
        texts: names(&["title"]),
        ..Kind::default()
    }
}

/// The fields of an input, which come back in a probe's private lanes.
pub fn input() -> Vec<InputField> {
    let field = |name: &str, bits, min, max| InputField {
        name: name.into(),
        bits,
        min,
        max,
        ..InputField::default()
    };
    vec![
        field("steer", 2, -1, 1),
        InputField {
            once: true,
            value: ValueType::Boolean,
            ..field("dash", 1, 0, 1)
        },
        InputField {
            unit: "1/1000 turn".into(),
            value: ValueType::Angle,
            ..field("aim", 10, 0, 999)
        },
        field("level", 32, i32::MIN, i32::MAX),
    ]
}

fn kind(name: &str, fields: Vec<Field>) -> PayloadKind {
    PayloadKind {
        name: name.into(),
        fields: Some(fields),
    }
}

fn field(name: &str, encoding: FieldType, value: ValueType) -> Field {
    Field {
        name: name.into(),
        encoding,
        value,
        ..Field::default()
    }
}

fn integer(name: &str, value: ValueType) -> Field {
    field(name, FieldType::Integer, value)
}

fn other(name: &str, encoding: FieldType) -> Field {
    field(name, encoding, ValueType::Integer)
}

fn events() -> Vec<PayloadKind> {
    let spark = ValueType::EntitySlot {
        kind: "spark".into(),
    };
    let hit = vec![
        integer("who", ValueType::Player),
        integer("damage", ValueType::Integer),
        integer("by.slot", spark),
        integer("by.generation", ValueType::EntityGeneration),
        other("cry", FieldType::Text),
        other("sound", FieldType::Bytes),
    ];
    let fixed = |name| {
        let value = ValueType::Fixed { steps: 16 };
        field(name, FieldType::Fixed, value)
    };
    let beam = vec![
        fixed("from.x"),
        fixed("from.y"),
        fixed("to.x"),
        fixed("to.y"),
    ];
    vec![
        "raw".into(),
        kind("hit", hit),
        kind("nightfall", vec![]),
        kind("beam", beam),
    ]
}

fn commands() -> Vec<PayloadKind> {
    let say = vec![
        other("text", FieldType::Text),
        integer("number", ValueType::Integer),
    ];
    vec![kind("ping", vec![]), kind("say", say)]
}

fn messages() -> Vec<PayloadKind> {
    vec![
        kind("told", vec![other("line", FieldType::Text)]),
        kind("echo", vec![other("command", FieldType::Bytes)]),
    ]
}
