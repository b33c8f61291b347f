//! `#[derive(World)]`: the tables of a game's struct, in their order, and its state field by field.

use crate::attributes::{named_fields, read_words};
use crate::names::last_segment;
use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{DeriveInput, GenericArgument, Ident, PathArguments, Type};

/// A field that holds entities.
struct Table<'a> {
    field: &'a Ident,
    entity: &'a Type,
    /// Whether it has one entity a player.
    is_of_players: bool,
}

pub fn derive(item: &DeriveInput) -> syn::Result<TokenStream> {
    let fields = named_fields(item, "World")?;
    let (mut tables, mut saved) = (Vec::new(), Vec::new());
    for field in &fields.named {
        let Some(ident) = &field.ident else { continue };
        let mut skip = None;
        read_words(&field.attrs, "world", "skip", |word, meta| {
            skip = (word == "skip").then(|| meta.path.span());
            Ok(skip.is_some())
        })?;
        let table = table(ident, &field.ty)?;
        match (skip, &table) {
            (Some(span), Some(_)) => {
                return Err(syn::Error::new(
                    span,
                    "entities are part of the state, so they cannot be skipped",
                ));
            }
            (Some(_), None) => {}
            (None, _) => saved.push((ident, &field.ty)),
        }
        tables.extend(table);
    }
    refuse_same_kinds(&tables)?;
    if tables.is_empty() {
        return Err(syn::Error::new(
            item.ident.span(),
            "a World needs at least one field of type Entities<T> or Players<T>",
        ));
    }
    if tables.len() > 255 {
        return Err(syn::Error::new(
            item.ident.span(),
            "a World has at most 255 kinds of entity",
        ));
    }
    let ident = &item.ident;
    let table_fields: Vec<_> = tables.iter().map(|table| table.field).collect();
    let entities: Vec<_> = tables.iter().map(|table| table.entity).collect();
    let numbers: Vec<_> = (0..tables.len() as u8).collect();
    let own = tables
        .iter()
        .zip(&numbers)
        .find(|(table, _)| table.is_of_players);
    let own_entity = match own {
        Some((table, number)) => {
            let field = table.field;
            quote! {
                ::tickwire::derived::Table::entity_of(&self.#field, ::tickwire::derived::KindId(#number), player)
            }
        }
        None => quote! { let _ = player; ::core::option::Option::None },
    };
    let own_position = match own {
        Some((table, _)) => {
            let field = table.field;
            quote! { ::tickwire::derived::Table::position_of(&self.#field, player) }
        }
        None => quote! { let _ = player; ::core::option::Option::None },
    };
    let save = saved.iter().map(|(field, ty)| {
        quote_spanned! {ty.span()=> ::tickwire::derived::save_field(&self.#field, out)?; }
    });
    let restore = saved.iter().map(|(field, ty)| {
        quote_spanned! {ty.span()=> self.#field = ::tickwire::derived::restore_field(state)?; }
    });
    let kinds = entities.iter().zip(&numbers).map(|(entity, number)| {
        quote_spanned! {entity.span()=>
            #[automatically_derived]
            impl ::tickwire::derived::HasKind<#entity> for #ident {
                const KIND: ::tickwire::derived::KindId = ::tickwire::derived::KindId(#number);
            }
        }
    });
    Ok(quote! {
        #[automatically_derived]
        impl ::tickwire::derived::World for #ident {
            fn kinds() -> ::std::vec::Vec<::tickwire::derived::Kind> {
                ::std::vec![#(<#entities as ::tickwire::derived::Entity>::kind()),*]
            }

            fn for_each_table(&self, visit: &mut dyn FnMut(::tickwire::derived::KindId, &dyn ::tickwire::derived::Table)) {
                #(visit(::tickwire::derived::KindId(#numbers), &self.#table_fields);)*
            }

            fn for_each_table_mut(&mut self, visit: &mut dyn FnMut(::tickwire::derived::KindId, &mut dyn ::tickwire::derived::Table)) {
                #(visit(::tickwire::derived::KindId(#numbers), &mut self.#table_fields);)*
            }

            fn own_entity(&self, player: ::tickwire::derived::PlayerId) -> ::core::option::Option<::tickwire::derived::EntityId> {
                #own_entity
            }

            fn own_position(&self, player: ::tickwire::derived::PlayerId) -> ::core::option::Option<::tickwire::glam::IVec2> {
                #own_position
            }

            fn save(&self, out: &mut ::std::vec::Vec<u8>) -> ::core::result::Result<(), ::tickwire::derived::SaveError> {
                #(#save)*
                ::core::result::Result::Ok(())
            }

            fn restore(&mut self, state: &mut &[u8]) -> ::core::result::Result<(), ::tickwire::derived::SaveError> {
                #(#restore)*
                ::core::result::Result::Ok(())
            }
        }
        #(#kinds)*
    })
}

/// Refuses two tables of one kind: an entity would not say in which of them it is.
fn refuse_same_kinds(tables: &[Table<'_>]) -> syn::Result<()> {
    for (at, table) in tables.iter().enumerate() {
        let tokens = |table: &Table<'_>| table.entity.to_token_stream().to_string();
        let is_same = |other: &Table<'_>| tokens(other) == tokens(table);
        if tables[..at].iter().any(is_same) {
            return Err(syn::Error::new(
                table.entity.span(),
                "a World has one table for each kind: keep these entities in one, or derive Entity for a struct of its own",
            ));
        }
    }
    Ok(())
}

/// The table that a field is, by the last word of its type.
fn table<'a>(field: &'a Ident, ty: &'a Type) -> syn::Result<Option<Table<'a>>> {
    let Some(segment) = last_segment(ty) else {
        return Ok(None);
    };
    let is_of_players = segment.ident == "Players";
    if !is_of_players && segment.ident != "Entities" {
        return Ok(None);
    }
    if let PathArguments::AngleBracketed(arguments) = &segment.arguments
        && let Some(GenericArgument::Type(entity)) = arguments.args.first()
    {
        return Ok(Some(Table {
            field,
            entity,
            is_of_players,
        }));
    }
    Err(syn::Error::new(
        ty.span(),
        "say which entity it holds: Entities<Pellet>, Players<Runner>",
    ))
}
