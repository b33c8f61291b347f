//! `#[derive(Event)]`, `#[derive(Command)]` and `#[derive(Message)]`: from variants to kinds, from fields to bytes.

use crate::attributes::{read_words, refuse_generics, string};
use crate::names::{last_segment, plain, snake_case};
use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Data, DeriveInput, Fields, Ident};

/// One kind: a variant of an enum, or a whole struct.
struct PayloadKind<'a> {
    name: &'a Ident,
    /// How a value of this kind is constructed and matched: `Self::Variant`, or `Self`.
    path: TokenStream,
    fields: &'a Fields,
}

pub fn derive(item: &DeriveInput, attribute: &str, kind_of: &str) -> syn::Result<TokenStream> {
    refuse_generics(item, kind_of)?;
    let mut is_fixed = false;
    read_words(&item.attrs, attribute, "fixed", |word, _| {
        is_fixed |= word == "fixed";
        Ok(word == "fixed")
    })?;
    // With the field's place, which an error names.
    let functions = |span| {
        if is_fixed {
            (
                quote_spanned!(span=> ::tickwire::derived::declare_fixed),
                quote_spanned!(span=> ::tickwire::derived::encode_fixed),
                quote_spanned!(span=> ::tickwire::derived::decode_fixed),
            )
        } else {
            (
                quote_spanned!(span=> ::tickwire::derived::declare_field),
                quote_spanned!(span=> ::tickwire::derived::FieldValue::encode),
                quote_spanned!(span=> ::tickwire::derived::FieldValue::decode),
            )
        }
    };
    let kinds: Vec<_> = match &item.data {
        Data::Enum(data) => {
            let variants = data.variants.iter().map(|variant| {
                let name = &variant.ident;
                PayloadKind {
                    name,
                    path: quote!(Self::#name),
                    fields: &variant.fields,
                }
            });
            variants.collect()
        }
        Data::Struct(data) => vec![PayloadKind {
            name: &item.ident,
            path: quote!(Self),
            fields: &data.fields,
        }],
        Data::Union(data) => {
            return Err(syn::Error::new(
                data.union_token.span(),
                format!("{kind_of} needs an enum or a struct, not a union"),
            ));
        }
    };
    if kinds.is_empty() {
        return Err(syn::Error::new(
            item.ident.span(),
            format!("{kind_of} needs at least one variant; for none at all, use the type Nothing"),
        ));
    }
    let (mut describe, mut number, mut encode, mut decode) = (
        TokenStream::new(),
        TokenStream::new(),
        TokenStream::new(),
        TokenStream::new(),
    );
    for (position, kind) in kinds.iter().enumerate() {
        let position = position as u32;
        let (name, path) = (snake_case(kind.name), &kind.path);
        number.extend(quote! { #path { .. } => #position, });
        let (mut declare, mut put, mut patterns, mut values) = (
            TokenStream::new(),
            TokenStream::new(),
            TokenStream::new(),
            TokenStream::new(),
        );
        let is_single = kind.fields.len() == 1;
        for (index, field) in kind.fields.iter().enumerate() {
            let ty = &field.ty;
            refuse_type(ty)?;
            let member = match &field.ident {
                Some(ident) => quote!(#ident),
                None => {
                    let index = syn::Index::from(index);
                    quote!(#index)
                }
            };
            let mut shown = match &field.ident {
                Some(ident) => plain(ident),
                None if is_single => "value".to_owned(),
                None => index.to_string(),
            };
            let mut unit = String::new();
            let known = "unit = \"...\" and name = \"...\"";
            read_words(&field.attrs, attribute, known, |word, meta| {
                match word {
                    "unit" => unit = string(meta)?,
                    "name" => shown = string(meta)?,
                    _ => return Ok(false),
                }
                Ok(true)
            })?;
            let binding = format_ident!("field_{index}");
            let (declare_field, encode_field, decode_field) = functions(ty.span());
            declare.extend(quote_spanned! {ty.span()=>
                #declare_field::<#ty>(#shown, #unit, &mut fields);
            });
            patterns.extend(quote! { #member: #binding, });
            put.extend(quote_spanned! {ty.span()=>
                #encode_field(#binding, out);
            });
            values.extend(quote_spanned! {ty.span()=>
                #member: #decode_field(&mut fields)?,
            });
        }
        describe.extend(quote! {
            kinds.push(::tickwire::derived::PayloadKind {
                name: #name.into(),
                fields: ::core::option::Option::Some({
                    #[allow(unused_mut)]
                    let mut fields = ::std::vec::Vec::new();
                    #declare
                    fields
                }),
            });
        });
        encode.extend(quote! { #path { #patterns } => { #put } });
        decode.extend(quote! { #position => #path { #values }, });
    }
    let ident = &item.ident;
    let marker = format_ident!("{kind_of}");
    Ok(quote! {
        #[automatically_derived]
        impl ::tickwire::derived::Payload for #ident {
            fn kinds() -> ::std::vec::Vec<::tickwire::derived::PayloadKind> {
                let mut kinds = ::std::vec::Vec::new();
                #describe
                kinds
            }

            fn kind(&self) -> u32 {
                match self { #number }
            }

            #[allow(unused_variables)]
            fn encode_fields(&self, out: &mut ::std::vec::Vec<u8>) {
                match self { #encode }
            }

            #[allow(unused_mut)]
            fn decode_fields(
                kind: u32,
                mut fields: &[u8],
            ) -> ::core::result::Result<Self, ::tickwire::derived::PayloadError> {
                let value = match kind {
                    #decode
                    _ => return ::core::result::Result::Err(::tickwire::derived::PayloadError::Kind),
                };
                if fields.is_empty() {
                    ::core::result::Result::Ok(value)
                } else {
                    ::core::result::Result::Err(::tickwire::derived::PayloadError::Length)
                }
            }
        }

        #[automatically_derived]
        impl ::tickwire::derived::#marker for #ident {}
    })
}

fn refuse_type(ty: &syn::Type) -> syn::Result<()> {
    let Some(segment) = last_segment(ty) else {
        return Ok(());
    };
    let instead = match segment.ident.to_string().as_str() {
        "f32" | "f64" => {
            "a float is not the same on every machine: use Fixed<N>, Pos<N> or Angle<N>"
        }
        "i64" | "u64" | "i128" | "u128" | "usize" | "isize" => {
            "a field has 32 bits: use i32, u32 or a smaller integer"
        }
        _ => return Ok(()),
    };
    Err(syn::Error::new(ty.span(), instead))
}
