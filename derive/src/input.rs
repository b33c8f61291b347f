//! `#[derive(Input)]`: from a struct's fields to bits.

use crate::attributes::{named_fields, range, read_words, refuse_same_names, string};
use crate::names::{last_segment, plain};
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{DeriveInput, Type};

pub fn derive(item: &DeriveInput) -> syn::Result<TokenStream> {
    let fields = named_fields(item, "Input")?;
    let ident = &item.ident;
    let (mut describe, mut encode, mut decode, mut clear, mut bits) = (
        TokenStream::new(),
        TokenStream::new(),
        TokenStream::new(),
        TokenStream::new(),
        quote!(0),
    );
    let (mut names, mut checks) = (Vec::new(), TokenStream::new());
    for field in &fields.named {
        let (Some(name), ty) = (&field.ident, &field.ty) else {
            continue;
        };
        refuse_type(ty)?;
        let (mut once, mut limits, mut shown) = (false, None, plain(name));
        let known = "once, range = A..=B and name = \"...\"";
        read_words(&field.attrs, "input", known, |word, meta| {
            match word {
                "once" => once = true,
                "range" => limits = Some(range(meta)?),
                "name" => shown = string(meta)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        names.push((name, shown.clone()));
        let range = match limits {
            Some((min, max)) => {
                checks.extend(quote_spanned! {ty.span()=>
                    const _: () = {
                        let range = <#ty as ::tickwire::derived::InputValue>::RANGE;
                        assert!(range.min <= #min && #max <= range.max, "the range goes beyond what the field's type can hold");
                    };
                });
                quote!(::tickwire::derived::InputRange { min: #min, max: #max })
            }
            None => quote_spanned!(ty.span()=> <#ty as ::tickwire::derived::InputValue>::RANGE),
        };
        describe.extend(quote_spanned! {ty.span()=>
            ::tickwire::derived::describe_input::<#ty>(#shown, #range, #once, &mut fields);
        });
        encode.extend(quote_spanned! {ty.span()=> bits.put(&self.#name, #range, out); });
        decode.extend(quote_spanned! {ty.span()=> #name: bits.get(#range), });
        if once {
            clear.extend(quote! {
                self.#name = <#ty as ::tickwire::derived::InputValue>::from_parts([0, 0]);
            });
        }
        bits = quote_spanned! {ty.span()=>
            #bits + #range.bits() as usize * <#ty as ::tickwire::derived::InputValue>::PARTS
        };
    }
    refuse_same_names(names.iter().map(|(ident, name)| (*ident, &**name)))?;
    let limit = quote_spanned! {ident.span()=>
        const _: () = assert!(#bits <= 512, "an input has at most 512 bits: narrow its fields with range");
    };
    Ok(quote! {
        #[automatically_derived]
        impl ::tickwire::derived::Input for #ident {
            fn fields() -> ::std::vec::Vec<::tickwire::derived::InputField> {
                #[allow(unused_mut)]
                let mut fields = ::std::vec::Vec::new();
                #describe
                fields
            }

            fn encode(&self, out: &mut ::std::vec::Vec<u8>) {
                let start = out.len();
                #[allow(unused_mut)]
                let mut bits = ::tickwire::derived::BitWriter::default();
                #encode
                bits.finish(start, out);
            }

            fn decode(payload: &[u8]) -> Self {
                #[allow(unused_mut, unused_variables)]
                let mut bits = ::tickwire::derived::BitReader::new(payload);
                Self { #decode }
            }

            #[allow(unused_mut)]
            fn repeated(mut self) -> Self {
                #clear
                self
            }
        }
        #checks
        #limit
    })
}

/// Says what to use instead of a type that no input can hold.
fn refuse_type(ty: &Type) -> syn::Result<()> {
    let Some(segment) = last_segment(ty) else {
        return Ok(());
    };
    let instead = match segment.ident.to_string().as_str() {
        "f32" | "f64" => "a float is not the same on every machine: use Fixed<N> or Angle<N>",
        "u32" | "i64" | "u64" | "i128" | "u128" | "usize" | "isize" => {
            "an input's number has at most 31 bits and a sign: use i32 or a smaller integer"
        }
        "String" | "Text" | "Vec" => {
            "an input is a few bits, sent every tick: send texts and lists as a command or as chat"
        }
        _ => return Ok(()),
    };
    Err(syn::Error::new(ty.span(), instead))
}
