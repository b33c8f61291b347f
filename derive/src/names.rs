//! Names: from Rust's spelling to the schema's, and the last word of a type.

use syn::{Ident, PathSegment, Type};

/// `ScoreBoard` as `score_board`.
pub fn snake_case(ident: &Ident) -> String {
    let mut name = String::new();
    for letter in ident.to_string().trim_start_matches("r#").chars() {
        if letter.is_uppercase() && !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

/// A field's name without the `r#` of a raw identifier.
pub fn plain(ident: &Ident) -> String {
    ident.to_string().trim_start_matches("r#").to_owned()
}

/// The last segment of a type's path: `Pos<16>` of `tickwire::Pos<16>`.
pub fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ty {
        Type::Path(path) => path.path.segments.last(),
        Type::Group(group) => last_segment(&group.elem),
        Type::Paren(paren) => last_segment(&paren.elem),
        _ => None,
    }
}

/// Whether the last word of a type is this one.
pub fn is_named(ty: &Type, name: &str) -> bool {
    last_segment(ty).is_some_and(|segment| segment.ident == name)
}
