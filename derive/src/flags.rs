//! `#[derive(Flags)]`: a struct of bools as a field type of one lane.

use crate::attributes::named_fields;
use crate::names::{is_named, plain};
use proc_macro2::TokenStream;
use quote::quote;
use syn::DeriveInput;
use syn::spanned::Spanned as _;

/// One lane has 32 bits, and an input's number at most 31.
const MAX_FLAGS: usize = 31;

pub fn derive(item: &DeriveInput) -> syn::Result<TokenStream> {
    let fields = named_fields(item, "Flags")?;
    for field in &fields.named {
        if !is_named(&field.ty, "bool") {
            return Err(syn::Error::new(field.ty.span(), "a flag is a bool"));
        }
    }
    let idents: Vec<_> = fields
        .named
        .iter()
        .filter_map(|field| field.ident.as_ref())
        .collect();
    if idents.is_empty() || idents.len() > MAX_FLAGS {
        return Err(syn::Error::new(
            item.ident.span(),
            format!("Flags needs 1 to {MAX_FLAGS} fields"),
        ));
    }
    let ident = &item.ident;
    let names: Vec<_> = idents.iter().map(|ident| plain(ident)).collect();
    let bits: Vec<_> = (0..idents.len() as u32).collect();
    let max = ((1_i64 << idents.len()) - 1) as i32;
    Ok(quote! {
        #[automatically_derived]
        impl #ident {
            #[allow(dead_code)]
            const fn bits(&self) -> i32 {
                0 #(| (self.#idents as i32) << #bits)*
            }

            #[allow(dead_code)]
            const fn from_bits(bits: i32) -> Self {
                Self { #(#idents: bits >> #bits & 1 == 1),* }
            }
        }

        #[automatically_derived]
        impl ::tickwire::derived::LaneValue for #ident {
            const LANES: usize = 1;

            fn declare(name: &str, lanes: &mut ::std::vec::Vec<::tickwire::derived::Lane>) {
                lanes.push(::tickwire::derived::Lane {
                    value: ::tickwire::derived::ValueType::Flags(::std::vec![#(#names.into()),*]),
                    ..::tickwire::derived::Lane::discrete(name, "")
                });
            }

            #[inline]
            fn write(&self, lanes: &mut [i32]) {
                lanes[0] = self.bits();
            }

            #[inline]
            fn read(lanes: &[i32]) -> Self {
                Self::from_bits(lanes[0])
            }
        }

        #[automatically_derived]
        impl ::tickwire::derived::InputValue for #ident {
            const PARTS: usize = 1;
            const RANGE: ::tickwire::derived::InputRange = ::tickwire::derived::InputRange { min: 0, max: #max };

            fn to_parts(&self) -> [i32; 2] {
                [self.bits(), 0]
            }

            fn from_parts([bits, _]: [i32; 2]) -> Self {
                Self::from_bits(bits)
            }

            fn describe(name: &str) -> ::std::vec::Vec<(::std::string::String, ::std::string::String, ::tickwire::derived::ValueType)> {
                ::tickwire::derived::describe_lane::<Self>(name)
            }
        }
    })
}
