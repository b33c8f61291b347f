//! A game's protocol as TypeScript, for `join` of `@tickwire/client`.
//!
//! In: a game's name and its schema. Out: the source of a module: types for the compiler, and a shape that the client compares with the
//! room's schema. Names, types and shapes are those of web/src/sdk/values.ts, which reads the same schema at run time.

use std::fmt::Write as _;
use tickwire_sync::{Field, FieldType, InputField, Kind, Lane, PayloadKind, Schema, ValueType};

/// The source of a module that exports the game's protocol and its types.
#[must_use]
pub fn typescript_of(game: &str, schema: &Schema) -> String {
    let game_type = pascal_case(game);
    let mut source = String::new();
    let out = &mut source;
    line(
        out,
        0,
        &format!("// The protocol of the game {game}, written by `tickwire types`. Do not edit."),
    );
    line(out, 0, "");
    line(
        out,
        0,
        "import type { Protocol } from \"@tickwire/client\";",
    );
    let mut shape = vec![(
        "input".to_owned(),
        Shape::Types(types(&input_leaves(&schema.input))),
    )];
    let mut kinds = Vec::new();
    let mut members = Vec::new();
    for kind in &schema.kinds {
        let (name, leaves) = (camel_case(&kind.name), kind_leaves(kind));
        let type_name = pascal_case(&kind.name);
        line(out, 0, "");
        line(
            out,
            0,
            &format!(
                "/** An entity of the kind {}, as the screen shows it. */",
                kind.name
            ),
        );
        line(out, 0, &format!("export interface {type_name} {{"));
        write_members(out, 1, &leaves, true);
        line(out, 0, "}");
        members.push((name.clone(), type_name));
        kinds.push((name, Shape::Types(types(&leaves))));
    }
    shape.push(("kinds".into(), Shape::Lists(kinds)));
    line(out, 0, "");
    line(out, 0, "/** What a player wants in one tick. */");
    line(out, 0, &format!("export interface {game_type}Input {{"));
    write_members(out, 1, &input_leaves(&schema.input), false);
    line(out, 0, "}");
    let lists = [
        ("events", "Events", &schema.events),
        ("commands", "Commands", &schema.commands),
        ("messages", "Messages", &schema.messages),
    ];
    for (name, suffix, list) in lists {
        line(out, 0, "");
        line(out, 0, &format!("export interface {game_type}{suffix} {{"));
        for kind in list {
            write_payload(out, kind, name != "commands");
        }
        line(out, 0, "}");
        let kinds = list.iter().map(|kind| {
            let leaves = payload_leaves(kind);
            let raw = vec![(String::new(), "raw".to_owned())];
            let types = if kind.fields.is_some() {
                types(&leaves)
            } else {
                raw
            };
            (camel_case(&kind.name), Shape::Types(types))
        });
        shape.push((name.into(), Shape::Lists(kinds.collect())));
    }
    line(out, 0, "");
    line(out, 0, &format!("/** The types of the game {game}. */"));
    line(out, 0, &format!("export interface {game_type} {{"));
    line(out, 1, &format!("input: {game_type}Input;"));
    line(out, 1, "kinds: {");
    for (name, type_name) in members {
        line(out, 2, &format!("{}: {type_name};", key(&name)));
    }
    line(out, 1, "};");
    for (name, suffix, _) in lists {
        line(out, 1, &format!("{name}: {game_type}{suffix};"));
    }
    line(out, 0, "}");
    line(out, 0, "");
    line(out, 0, "/** The first argument of `join`. */");
    let constant = identifier(&camel_case(game));
    line(
        out,
        0,
        &format!("export const {constant}: Protocol<{game_type}> = {{"),
    );
    line(out, 1, &format!("game: {},", quoted(game)));
    line(out, 1, "shape: {");
    write_shape(out, 2, &shape);
    line(out, 1, "},");
    line(out, 0, "};");
    source
}

/// One value that a page sees.
struct Leaf {
    /// Names from the outside in.
    path: Vec<String>,
    /// The type of TypeScript.
    ts: String,
    /// The type in the shape.
    shape: String,
    /// For people; can be empty.
    note: String,
}

enum Shape {
    Types(Vec<(String, String)>),
    Lists(Vec<(String, Shape)>),
}

fn types(leaves: &[Leaf]) -> Vec<(String, String)> {
    let one = |leaf: &Leaf| (leaf.path.join("."), leaf.shape.clone());
    leaves.iter().map(one).collect()
}

fn kind_leaves(kind: &Kind) -> Vec<Leaf> {
    let lanes = |lanes: &[Lane]| -> Vec<Leaf> {
        let leaves = |lane: &Lane| leaves_of(&lane.name, &lane.unit, &lane.value, "");
        lanes.iter().flat_map(leaves).collect()
    };
    let private = lanes(&kind.private_lanes).into_iter().map(|leaf| Leaf {
        ts: format!("{} | undefined", leaf.ts),
        shape: format!("private {}", leaf.shape),
        note: format!("{} Only of the player's own.", leaf.note)
            .trim()
            .to_owned(),
        ..leaf
    });
    let texts = kind.texts.iter().map(|text| blob(text, "string", "text"));
    lanes(&kind.lanes)
        .into_iter()
        .chain(private)
        .chain(texts)
        .collect()
}

fn input_leaves(fields: &[InputField]) -> Vec<Leaf> {
    let leaves = |field: &InputField| {
        let steps = match field.value {
            ValueType::Fixed { steps } => f64::from(steps.max(1)),
            _ => 1.0,
        };
        let (min, max) = (f64::from(field.min) / steps, f64::from(field.max) / steps);
        let is_number = matches!(
            field.value,
            ValueType::Integer | ValueType::Unsigned | ValueType::Fixed { .. }
        );
        let range = if is_number {
            format!("{min} to {max}.")
        } else {
            String::new()
        };
        leaves_of(&field.name, &field.unit, &field.value, &range)
    };
    fields.iter().flat_map(leaves).collect()
}

fn payload_leaves(kind: &PayloadKind) -> Vec<Leaf> {
    let leaves = |field: &Field| match field.encoding {
        FieldType::Text => vec![blob(&field.name, "string", "text")],
        FieldType::Bytes => vec![blob(&field.name, "Uint8Array", "bytes")],
        _ => leaves_of(&field.name, &field.unit, &field.value, ""),
    };
    kind.fields.iter().flatten().flat_map(leaves).collect()
}

fn blob(name: &str, ts: &str, shape: &str) -> Leaf {
    Leaf {
        path: path_of(name),
        ts: ts.into(),
        shape: shape.into(),
        note: String::new(),
    }
}

/// The values of one integer; none for the second half of a reference.
fn leaves_of(name: &str, unit: &str, value: &ValueType, range: &str) -> Vec<Leaf> {
    let leaf = |path: Vec<String>, ts: &str, shape: &str, note: &str| Leaf {
        path,
        ts: ts.into(),
        shape: shape.into(),
        note: format!("{note} {range}").trim().to_owned(),
    };
    let path = path_of(name);
    match value {
        ValueType::Boolean => vec![leaf(path, "boolean", "boolean", "")],
        ValueType::Flags(names) => {
            let flag = |name: &String| {
                let path = path.iter().cloned().chain([camel_case(name)]).collect();
                leaf(path, "boolean", "boolean", "")
            };
            names.iter().map(flag).collect()
        }
        ValueType::Choice(names) => {
            let names: Vec<_> = names.iter().map(|name| quoted(&camel_case(name))).collect();
            let union = names.join(" | ");
            vec![leaf(path, &union, &union, "")]
        }
        ValueType::Angle => vec![leaf(path, "number", "number", "In radians.")],
        ValueType::Player => {
            vec![leaf(
                path,
                "number",
                "player",
                "A player's number; 0: nobody.",
            )]
        }
        ValueType::EntitySlot { kind } => {
            let note = format!("The id of an entity of the kind {kind}.");
            let path = path[..path.len() - 1].to_vec();
            vec![leaf(path, "number | undefined", "id", &note)]
        }
        ValueType::EntityGeneration => Vec::new(),
        ValueType::Fixed { .. } => {
            let unit = unit.split_once(' ').map_or("", |(_, unit)| unit);
            vec![leaf(path, "number", "number", &in_unit(&plural(unit)))]
        }
        ValueType::Integer | ValueType::Unsigned | ValueType::Teleports => {
            vec![leaf(path, "number", "number", &in_unit(unit))]
        }
    }
}

fn in_unit(unit: &str) -> String {
    if unit.is_empty() {
        String::new()
    } else {
        format!("In {unit}.")
    }
}

fn plural(unit: &str) -> String {
    if unit == "unit" {
        "units".into()
    } else {
        unit.into()
    }
}

/// Writes the members of a type: the leaves by their first names, those that share it as one object.
fn write_members(out: &mut String, indent: usize, leaves: &[Leaf], is_readonly: bool) {
    let mut rest = leaves;
    while let Some(first) = rest.first() {
        let name = &first.path[0];
        let together = rest.iter().take_while(|leaf| leaf.path[0] == *name).count();
        let (group, after) = rest.split_at(together);
        rest = after;
        let readonly = if is_readonly { "readonly " } else { "" };
        if !first.note.is_empty() && first.path.len() == 1 {
            line(out, indent, &format!("/** {} */", first.note));
        }
        let ts = type_of(group, indent, is_readonly);
        line(out, indent, &format!("{readonly}{}: {ts};", key(name)));
    }
}

/// The type of the member that `group` shares.
fn type_of(group: &[Leaf], indent: usize, is_readonly: bool) -> String {
    if group[0].path.len() == 1 {
        return group[0].ts.clone();
    }
    let inner: Vec<Leaf> = group
        .iter()
        .map(|leaf| Leaf {
            path: leaf.path[1..].to_vec(),
            ts: leaf.ts.clone(),
            shape: leaf.shape.clone(),
            note: leaf.note.clone(),
        })
        .collect();
    let readonly = if is_readonly { "readonly " } else { "" };
    if inner[0].path[0] == "0" {
        let mut items = Vec::new();
        let mut rest = &inner[..];
        while let Some(first) = rest.first() {
            let name = &first.path[0];
            let together = rest.iter().take_while(|leaf| leaf.path[0] == *name).count();
            let (group, after) = rest.split_at(together);
            rest = after;
            items.push(type_of(group, indent, is_readonly));
        }
        return format!("{readonly}[{}]", items.join(", "));
    }
    let mut source = String::from("{\n");
    write_members(&mut source, indent + 1, &inner, is_readonly);
    for _ in 0..indent {
        source.push_str("  ");
    }
    source.push('}');
    source
}

fn write_payload(out: &mut String, kind: &PayloadKind, is_readonly: bool) {
    let name = key(&camel_case(&kind.name));
    let leaves = payload_leaves(kind);
    if kind.fields.is_none() {
        let raw = if is_readonly {
            "{ readonly payload: Uint8Array }"
        } else {
            "Uint8Array"
        };
        line(out, 1, &format!("{name}: {raw};"));
    } else if leaves.is_empty() {
        line(out, 1, &format!("{name}: Record<string, never>;"));
    } else {
        line(out, 1, &format!("{name}: {{"));
        write_members(out, 2, &leaves, is_readonly);
        line(out, 1, "};");
    }
}

fn write_shape(out: &mut String, indent: usize, shapes: &[(String, Shape)]) {
    for (name, shape) in shapes {
        let name = key(name);
        match shape {
            Shape::Types(types) => {
                let pair = |(path, of): &(String, String)| format!("{}: {}", key(path), quoted(of));
                let pairs: Vec<_> = types.iter().map(pair).collect();
                let object = if pairs.is_empty() {
                    "{}".to_owned()
                } else {
                    format!("{{ {} }}", pairs.join(", "))
                };
                line(out, indent, &format!("{name}: {object},"));
            }
            Shape::Lists(lists) if lists.is_empty() => {
                line(out, indent, &format!("{name}: {{}},"));
            }
            Shape::Lists(lists) => {
                line(out, indent, &format!("{name}: {{"));
                write_shape(out, indent + 1, lists);
                line(out, indent, "},");
            }
        }
    }
}

fn line(out: &mut String, indent: usize, text: &str) {
    for _ in 0..indent {
        out.push_str("  ");
    }
    out.push_str(text);
    out.push('\n');
}

fn path_of(name: &str) -> Vec<String> {
    camel_case(name).split('.').map(str::to_owned).collect()
}

/// `you_are_it` as `youAreIt`.
fn camel_case(name: &str) -> String {
    let mut out = String::new();
    let mut underscores = String::new();
    for letter in name.chars() {
        if letter == '_' {
            underscores.push(letter);
        } else if !underscores.is_empty()
            && (letter.is_ascii_lowercase() || letter.is_ascii_digit())
        {
            underscores.clear();
            out.push(letter.to_ascii_uppercase());
        } else {
            out.push_str(&std::mem::take(&mut underscores));
            out.push(letter);
        }
    }
    out + &underscores
}

/// `score_board` and `score-board` as `ScoreBoard`.
fn pascal_case(name: &str) -> String {
    let words = name.split(|letter: char| !letter.is_ascii_alphanumeric());
    let mut out = String::new();
    for word in words {
        let mut letters = word.chars();
        out.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        out.extend(letters);
    }
    if out.starts_with(|letter: char| letter.is_ascii_alphabetic()) {
        out
    } else {
        format!("Game{out}")
    }
}

/// A name as an identifier of TypeScript.
fn identifier(name: &str) -> String {
    let pascal = pascal_case(name);
    let mut letters = pascal.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_ascii_lowercase().to_string() + letters.as_str()
    })
}

/// A name as a member's: quoted if it is no identifier.
fn key(name: &str) -> String {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '$';
    let starts = name.starts_with(|letter: char| is_word(letter) && !letter.is_ascii_digit());
    if starts && name.chars().all(is_word) {
        name.into()
    } else {
        quoted(name)
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => {
                out.push('\\');
                out.push(letter);
            }
            '\0'..='\x1F' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            _ => out.push(letter),
        }
    }
    out.push('"');
    out
}
