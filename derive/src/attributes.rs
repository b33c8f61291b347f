//! Reads attributes, and refuses what a derive does not know.

use proc_macro2::Span;
use syn::meta::ParseNestedMeta;
use syn::parse::ParseStream;
use syn::spanned::Spanned as _;
use syn::{Attribute, Data, DeriveInput, Fields, FieldsNamed, Ident, LitInt, LitStr, Token};

/// Calls `read` for every word of the attributes with this name. `read` returns whether it knows the word; `known` lists the words
/// for the error otherwise.
pub fn read_words(
    attributes: &[Attribute],
    name: &str,
    known: &str,
    mut read: impl FnMut(&str, &ParseNestedMeta<'_>) -> syn::Result<bool>,
) -> syn::Result<()> {
    for attribute in attributes {
        if !attribute.path().is_ident(name) {
            continue;
        }
        attribute.parse_nested_meta(|meta| {
            let word = meta.path.get_ident().map(ToString::to_string);
            if read(word.as_deref().unwrap_or_default(), &meta)? {
                Ok(())
            } else {
                Err(meta.error(format!("unknown attribute: {name} takes {known}")))
            }
        })?;
    }
    Ok(())
}

/// The string of `word = "..."`, not empty.
pub fn string(meta: &ParseNestedMeta<'_>) -> syn::Result<String> {
    let text: LitStr = meta.value()?.parse()?;
    if text.value().is_empty() {
        return Err(syn::Error::new(text.span(), "this text must not be empty"));
    }
    Ok(text.value())
}

/// The number of `word = 15`, within a range.
pub fn number(meta: &ParseNestedMeta<'_>, min: i64, max: i64) -> syn::Result<i64> {
    let (number, span) = integer(meta.value()?)?;
    if (min..=max).contains(&number) {
        Ok(number)
    } else {
        Err(syn::Error::new(
            span,
            format!("this number must be from {min} to {max}"),
        ))
    }
}

/// The range of `word = -1..=1`.
pub fn range(meta: &ParseNestedMeta<'_>) -> syn::Result<(i32, i32)> {
    let stream = meta.value()?;
    let (min, from) = integer(stream)?;
    stream.parse::<Token![..=]>().map_err(|error| {
        syn::Error::new(
            error.span(),
            "a range is written with both its ends: -1..=1",
        )
    })?;
    let (max, to) = integer(stream)?;
    let min = i32::try_from(min)
        .map_err(|_| syn::Error::new(from, "this number needs more than 32 bits"))?;
    let max = i32::try_from(max)
        .map_err(|_| syn::Error::new(to, "this number needs more than 32 bits"))?;
    if min > 0 || max < 0 {
        return Err(syn::Error::new(
            if min > 0 { from } else { to },
            "the range must include 0, which is the neutral value",
        ));
    }
    Ok((min, max))
}

fn integer(stream: ParseStream<'_>) -> syn::Result<(i64, Span)> {
    let minus = stream.parse::<Option<Token![-]>>()?;
    let literal: LitInt = stream.parse()?;
    let number: i64 = literal.base10_parse()?;
    Ok((
        if minus.is_some() { -number } else { number },
        literal.span(),
    ))
}

/// The named fields of a struct without generics, or an error that says what `derive` needs.
pub fn named_fields<'a>(item: &'a DeriveInput, derive: &str) -> syn::Result<&'a FieldsNamed> {
    refuse_generics(item, derive)?;
    match &item.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => Ok(fields),
            _ => Err(syn::Error::new(
                item.ident.span(),
                format!("{derive} needs a struct with named fields"),
            )),
        },
        Data::Enum(data) => Err(syn::Error::new(
            data.enum_token.span(),
            format!("{derive} needs a struct, not an enum"),
        )),
        Data::Union(data) => Err(syn::Error::new(
            data.union_token.span(),
            format!("{derive} needs a struct, not a union"),
        )),
    }
}

/// Refuses type parameters: the schema of a game is one fixed thing.
pub fn refuse_generics(item: &DeriveInput, derive: &str) -> syn::Result<()> {
    if item.generics.params.is_empty() {
        Ok(())
    } else {
        Err(syn::Error::new(
            item.generics.span(),
            format!("{derive} needs a type without generic parameters"),
        ))
    }
}

/// Refuses two fields that clients would know by the same name.
pub fn refuse_same_names<'a>(
    fields: impl IntoIterator<Item = (&'a Ident, &'a str)>,
) -> syn::Result<()> {
    let mut names = Vec::new();
    for (ident, name) in fields {
        if names.contains(&name) {
            return Err(syn::Error::new(
                ident.span(),
                format!("two fields are called {name}: give one of them another name"),
            ));
        }
        names.push(name);
    }
    Ok(())
}
