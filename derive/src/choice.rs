//! `#[derive(Choice)]`: an enum without data as a field type.

use crate::attributes::refuse_generics;
use crate::names::snake_case;
use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned as _;
use syn::{Data, DeriveInput, Fields};

pub fn derive(item: &DeriveInput) -> syn::Result<TokenStream> {
    refuse_generics(item, "Choice")?;
    let Data::Enum(data) = &item.data else {
        return Err(syn::Error::new(
            item.ident.span(),
            "Choice needs an enum; for several flags at once, derive Flags for a struct of bools",
        ));
    };
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            return Err(syn::Error::new(
                variant.fields.span(),
                "a choice carries no data: a lane holds only which one it is",
            ));
        }
        if let Some((_, value)) = &variant.discriminant {
            return Err(syn::Error::new(
                value.span(),
                "choices are numbered by their order: remove this number",
            ));
        }
    }
    let Some(last) = data.variants.len().checked_sub(1) else {
        return Err(syn::Error::new(
            item.ident.span(),
            "a Choice needs at least one variant",
        ));
    };
    let ident = &item.ident;
    let variants: Vec<_> = data.variants.iter().map(|variant| &variant.ident).collect();
    let names: Vec<_> = variants.iter().map(|variant| snake_case(variant)).collect();
    let numbers: Vec<_> = (0..=last as i32).collect();
    let last = last as i32;
    Ok(quote! {
        #[automatically_derived]
        impl #ident {
            #[allow(dead_code)]
            const fn number(&self) -> i32 {
                match self { #(Self::#variants => #numbers,)* }
            }

            #[allow(dead_code)]
            fn nearest(number: i32) -> Self {
                match number.clamp(0, #last) { #(#numbers => Self::#variants,)* _ => ::core::unreachable!() }
            }
        }

        #[automatically_derived]
        impl ::tickwire::derived::LaneValue for #ident {
            const LANES: usize = 1;

            fn declare(name: &str, lanes: &mut ::std::vec::Vec<::tickwire::derived::Lane>) {
                lanes.push(::tickwire::derived::Lane {
                    value: ::tickwire::derived::ValueType::Choice(::std::vec![#(#names.into()),*]),
                    ..::tickwire::derived::Lane::discrete(name, "")
                });
            }

            #[inline]
            fn write(&self, lanes: &mut [i32]) {
                lanes[0] = self.number();
            }

            #[inline]
            fn read(lanes: &[i32]) -> Self {
                Self::nearest(lanes[0])
            }
        }

        #[automatically_derived]
        impl ::tickwire::derived::InputValue for #ident {
            const PARTS: usize = 1;
            const RANGE: ::tickwire::derived::InputRange = ::tickwire::derived::InputRange { min: 0, max: #last };

            fn to_parts(&self) -> [i32; 2] {
                [self.number(), 0]
            }

            fn from_parts([number, _]: [i32; 2]) -> Self {
                Self::nearest(number)
            }

            fn describe(name: &str) -> ::std::vec::Vec<(::std::string::String, ::std::string::String, ::tickwire::derived::ValueType)> {
                ::tickwire::derived::describe_lane::<Self>(name)
            }
        }
    })
}
