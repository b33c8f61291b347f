//! `#[derive(Entity)]`: from a struct's fields to lanes and texts.

use crate::attributes::{named_fields, number, read_words, refuse_same_names, string};
use crate::names::{is_named, last_segment, plain, snake_case};
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{DeriveInput, Field, Ident, Type};

/// What `#[entity(...)]` on the struct says.
#[derive(Default)]
struct KindOptions {
    name: Option<String>,
    placed: Option<Span>,
    predicted: Option<Span>,
    every: Option<i64>,
    priority: Option<i64>,
}

/// One field, with what `#[entity(...)]` on it says.
struct EntityField<'a> {
    ident: &'a Ident,
    ty: &'a Type,
    name: String,
    private: Option<Span>,
    unit: Option<String>,
    wrap: Option<i64>,
    /// Whether a screen interpolates; `None` for the type's own answer.
    continuous: Option<bool>,
    is_text: bool,
}

pub fn derive(item: &DeriveInput) -> syn::Result<TokenStream> {
    let fields = named_fields(item, "Entity")?;
    let options = kind_options(item)?;
    let mut fields = fields
        .named
        .iter()
        .map(read_field)
        .collect::<syn::Result<Vec<_>>>()?;
    refuse_same_names(fields.iter().map(|field| (field.ident, &*field.name)))?;
    if let Some(span) = options.placed {
        move_position_first(&mut fields, span)?;
    }
    let ident = &item.ident;
    let name = options.name.unwrap_or_else(|| snake_case(ident));
    let (texts, lanes): (Vec<_>, Vec<_>) = fields.iter().partition(|field| field.is_text);
    let (private, public): (Vec<_>, Vec<_>) = lanes
        .iter()
        .copied()
        .partition(|field| field.private.is_some());

    let count = |fields: &[&EntityField<'_>]| {
        let types = fields.iter().map(|field| field.ty);
        quote! { 0 #(+ <#types as ::tickwire::derived::LaneValue>::LANES)* }
    };
    let (public_count, private_count, text_count) = (count(&public), count(&private), texts.len());
    let declare = |fields: &[&EntityField<'_>], into: TokenStream| -> TokenStream {
        fields.iter().map(|field| declare(field, &into)).collect()
    };
    let declare_public = declare(&public, quote!(lanes));
    let declare_private = declare(&private, quote!(private_lanes));
    let text_names = texts.iter().map(|field| &field.name);
    let (is_placed, is_predicted) = (options.placed.is_some(), options.predicted.is_some());
    let every = options.every.unwrap_or(1) as u32;
    let priority = options.priority.unwrap_or(100) as u16;
    let name_position =
        is_placed.then(|| quote! { ::tickwire::derived::name_position(&mut lanes); });
    let position_type = public.first().filter(|_| is_placed).map(|field| field.ty);
    let steps = match position_type {
        Some(ty) => quote!(<#ty as ::tickwire::derived::Position>::STEPS),
        None => quote!(1),
    };
    let position = match public.first().filter(|_| is_placed) {
        Some(field) => {
            let field = field.ident;
            quote!(::tickwire::derived::Position::steps(&self.#field))
        }
        None => quote!(::tickwire::glam::IVec2::ZERO),
    };
    let (write_public, read_public) = accessors(&public, &quote!(lanes));
    let (write_private, read_private) = accessors(&private, &quote!(private_lanes));
    let text_idents: Vec<_> = texts.iter().map(|field| field.ident).collect();
    let text_slice = match text_idents.as_slice() {
        [] => quote!(&[]),
        [one] => quote!(::core::slice::from_ref(self.#one.as_arc())),
        many => quote!(&[#(::std::sync::Arc::clone(self.#many.as_arc())),*]),
    };
    let text_positions = 0..text_count;
    let wraps = lanes.iter().filter_map(|field| {
        let (ident, wrap) = (field.ident, field.wrap? as i32);
        Some(quote! { ::tickwire::derived::wrap(&mut self.#ident, #wrap); })
    });
    let is_predicted_check = options.predicted.map(|span| {
        quote_spanned! {span=>
            const _: () = {
                const fn predicted_needs_impl_predict<T: ::tickwire::derived::Predict>() {}
                predicted_needs_impl_predict::<#ident>();
            };
        }
    });
    let limits = quote_spanned! {ident.span()=>
        #[allow(clippy::absurd_extreme_comparisons)]
        const _: () = {
            assert!(<#ident as ::tickwire::derived::Entity>::LANES <= 64, "an entity has at most 64 public lanes");
            assert!(<#ident as ::tickwire::derived::Entity>::PRIVATE_LANES <= 64, "an entity has at most 64 private lanes");
            assert!(<#ident as ::tickwire::derived::Entity>::TEXTS <= 64, "an entity has at most 64 texts");
        };
    };

    Ok(quote! {
        #[automatically_derived]
        impl ::tickwire::derived::Entity for #ident {
            const NAME: &'static str = #name;
            const LANES: usize = #public_count;
            const PRIVATE_LANES: usize = #private_count;
            const TEXTS: usize = #text_count;
            const PLACED: bool = #is_placed;
            const STEPS: i32 = #steps;
            const EVERY: u32 = #every;

            fn kind() -> ::tickwire::derived::Kind {
                #[allow(unused_mut)]
                let (mut lanes, mut private_lanes) = (::std::vec::Vec::new(), ::std::vec::Vec::new());
                #declare_public
                #declare_private
                #name_position
                ::tickwire::derived::Kind {
                    name: #name.into(),
                    teleport_lane: ::tickwire::derived::teleport_lane(&lanes),
                    lanes,
                    private_lanes,
                    texts: ::std::vec![#(#text_names.into()),*],
                    placed: #is_placed,
                    predicted: #is_predicted,
                    priority: ::tickwire::derived::Priority(#priority),
                }
            }

            #[inline]
            fn with_row<Answer>(
                &self,
                read: impl FnOnce(&[i32], &[i32], &[::std::sync::Arc<str>]) -> Answer,
            ) -> Answer {
                #[allow(unused_mut)]
                let mut lanes = [0_i32; <Self as ::tickwire::derived::Entity>::LANES];
                #[allow(unused_mut)]
                let mut private_lanes = [0_i32; <Self as ::tickwire::derived::Entity>::PRIVATE_LANES];
                #write_public
                #write_private
                read(&lanes, &private_lanes, #text_slice)
            }

            #[inline]
            #[allow(unused_variables)]
            fn from_row(lanes: &[i32], private_lanes: &[i32], texts: &[::std::sync::Arc<str>]) -> Self {
                Self {
                    #read_public
                    #read_private
                    #(#text_idents: ::tickwire::derived::text_at(texts, #text_positions),)*
                }
            }

            #[inline]
            fn normalise(&mut self) {
                #(#wraps)*
            }

            #[inline]
            fn position(&self) -> ::tickwire::glam::IVec2 {
                #position
            }
        }
        #is_predicted_check
        #limits
    })
}

fn kind_options(item: &DeriveInput) -> syn::Result<KindOptions> {
    let mut options = KindOptions::default();
    let known = "placed, predicted, name = \"...\", every = N and priority = N";
    read_words(&item.attrs, "entity", known, |word, meta| {
        match word {
            "placed" => options.placed = Some(meta.path.span()),
            "predicted" => options.predicted = Some(meta.path.span()),
            "name" => options.name = Some(string(meta)?),
            "every" => options.every = Some(number(meta, 1, 3600)?),
            "priority" => options.priority = Some(number(meta, 1, 1000)?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    if let (Some(span), Some(2..)) = (options.predicted, options.every) {
        return Err(syn::Error::new(
            span,
            "a predicted entity is published every tick: put what may come later into a kind of its own",
        ));
    }
    Ok(options)
}

fn read_field(field: &Field) -> syn::Result<EntityField<'_>> {
    let Some(ident) = &field.ident else {
        return Err(syn::Error::new(field.span(), "Entity needs named fields"));
    };
    refuse_type(&field.ty)?;
    let mut read = EntityField {
        ident,
        ty: &field.ty,
        name: plain(ident),
        private: None,
        unit: None,
        wrap: None,
        continuous: None,
        is_text: is_named(&field.ty, "Text"),
    };
    let mut lane_word = None;
    let known = "private, unit = \"...\", wrap = N, continuous, discrete and name = \"...\"";
    read_words(&field.attrs, "entity", known, |word, meta| {
        match word {
            "private" => read.private = Some(meta.path.span()),
            "unit" => read.unit = Some(string(meta)?),
            "wrap" => read.wrap = Some(number(meta, 2, i32::MAX.into())?),
            "continuous" | "discrete" if read.continuous.is_some() => {
                return Err(meta.error("a field is either continuous or discrete"));
            }
            "continuous" => read.continuous = Some(true),
            "discrete" => read.continuous = Some(false),
            "name" => read.name = string(meta)?,
            _ => return Ok(false),
        }
        if word != "name" {
            lane_word = Some(meta.path.span());
        }
        Ok(true)
    })?;
    if let Some(span) = lane_word.filter(|_| read.is_text) {
        return Err(syn::Error::new(
            span,
            "a text is sent whole to everyone who sees the entity: it is never private, and has no unit",
        ));
    }
    if let Some(span) = lane_word.filter(|_| read.wrap.is_some())
        && ([
            "Pos", "Fixed", "Angle", "bool", "Id", "Option", "PlayerId", "Teleport",
        ]
        .iter()
        .any(|name| is_named(read.ty, name))
            || matches!(read.ty, Type::Array(_) | Type::Tuple(_)))
    {
        return Err(syn::Error::new(
            span,
            "only an integer can wrap; for an angle use Angle<N>",
        ));
    }
    Ok(read)
}

/// Says what to use instead of a type that no lane can hold.
fn refuse_type(ty: &Type) -> syn::Result<()> {
    let Some(segment) = last_segment(ty) else {
        return Ok(());
    };
    let instead = match segment.ident.to_string().as_str() {
        "f32" | "f64" => {
            "a float is not the same on every machine: use Fixed<N>, Pos<N> or Angle<N>"
        }
        "i64" | "u64" | "i128" | "u128" | "usize" | "isize" => {
            "a lane has 32 bits: use i32, u32 or a smaller integer"
        }
        "String" => "use Text: it is shared, not copied, by the frames that hold it",
        "Vec" | "HashMap" | "BTreeMap" | "Box" => {
            "an entity has a fixed number of lanes: use an array, or an entity of its own for each element"
        }
        _ => return Ok(()),
    };
    Err(syn::Error::new(ty.span(), instead))
}

fn move_position_first(fields: &mut Vec<EntityField<'_>>, placed: Span) -> syn::Result<()> {
    let found = fields.iter().position(|field| is_named(field.ty, "Pos"));
    let Some(at) = found else {
        return Err(syn::Error::new(
            placed,
            "a placed entity needs a field of type Pos<N>: its position on the interest grid",
        ));
    };
    if let Some(span) = fields[at].private {
        return Err(syn::Error::new(
            span,
            "the position of a placed entity decides who is sent it, so it cannot be private",
        ));
    }
    let position = fields.remove(at);
    fields.insert(0, position);
    Ok(())
}

/// Adds a field's lanes to a list.
fn declare(field: &EntityField<'_>, into: &TokenStream) -> TokenStream {
    let (ty, name) = (field.ty, &field.name);
    let option = |value: Option<TokenStream>| match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    };
    let unit = option(field.unit.as_ref().map(|unit| quote!(#unit)));
    let wrap = option(field.wrap.map(|wrap| {
        let wrap = wrap as u32;
        quote!(#wrap)
    }));
    let continuous = option(field.continuous.map(|continuous| quote!(#continuous)));
    quote_spanned! {ty.span()=>
        ::tickwire::derived::declare_lanes::<#ty>(
            #name,
            ::tickwire::derived::LaneOptions { unit: #unit, wrap: #wrap, continuous: #continuous },
            &mut #into,
        );
    }
}

/// Code that writes fields into a slice of lanes, and initialisers that read them.
fn accessors(fields: &[&EntityField<'_>], lanes: &TokenStream) -> (TokenStream, TokenStream) {
    let mut offset = quote!(0);
    let (mut write, mut read) = (TokenStream::new(), TokenStream::new());
    for field in fields {
        let (ident, ty) = (field.ident, field.ty);
        let next = quote!(#offset + <#ty as ::tickwire::derived::LaneValue>::LANES);
        write.extend(quote_spanned! {ty.span()=>
            ::tickwire::derived::LaneValue::write(&self.#ident, &mut #lanes[#offset..#next]);
        });
        read.extend(quote_spanned! {ty.span()=>
            #ident: ::tickwire::derived::LaneValue::read(&#lanes[#offset..#next]),
        });
        offset = next;
    }
    (write, read)
}
