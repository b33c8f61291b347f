//! `#[game]`: what an `impl Game` leaves out.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{ImplItem, ItemImpl};

/// The types that most games have no use for, and what stands for them.
const TYPES: [(&str, &str); 5] = [
    ("Event", "Nothing"),
    ("Command", "Nothing"),
    ("Message", "Nothing"),
    ("RoomMessage", "Nothing"),
    ("Rules", "NoRules"),
];

pub fn complete(mut item: ItemImpl) -> syn::Result<TokenStream> {
    let of = item.trait_.as_ref().map(|(path, _)| path);
    if of
        .and_then(|path| path.segments.last())
        .is_none_or(|last| last.ident != "Game")
    {
        return Err(syn::Error::new(
            item.self_ty.span(),
            "#[game] belongs to an `impl Game for` a world",
        ));
    }
    for (name, nothing) in TYPES {
        let is_there = |item: &ImplItem| matches!(item, ImplItem::Type(it) if it.ident == name);
        if !item.items.iter().any(is_there) {
            let (name, nothing) = (ident(name), ident(nothing));
            item.items
                .push(syn::parse_quote!(type #name = ::tickwire::#nothing;));
        }
    }
    let is_new = |item: &ImplItem| matches!(item, ImplItem::Fn(it) if it.sig.ident == "new");
    if !item.items.iter().any(is_new) {
        let world = &item.self_ty;
        // With the world's span, so that a world without `Default` is what the error points at.
        let default =
            quote_spanned!(world.span()=> <#world as ::core::default::Default>::default());
        item.items
            .push(syn::parse_quote!(fn new(_: &::tickwire::Setup) -> Self { #default }));
    }
    Ok(quote!(#item))
}

fn ident(name: &str) -> syn::Ident {
    syn::Ident::new(name, proc_macro2::Span::call_site())
}
