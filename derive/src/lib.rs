//! The derives of typed Tickwire games. The crate `tickwire` re-exports them; depend on that one.
//!
//! In: the tokens of a struct or an enum. Out: implementations of the traits of `tickwire-rules` and `tickwire`. Every mistake is a
//! compile error at the field that has it. `attributes` reads attributes, `game` completes an `impl Game`, the other modules have one
//! derive each.

mod attributes;
mod choice;
mod entity;
mod flags;
mod game;
mod input;
mod names;
mod payload;
mod world;

use proc_macro::TokenStream;
use syn::{DeriveInput, ItemImpl, parse_macro_input};

type Derive = fn(&DeriveInput) -> syn::Result<proc_macro2::TokenStream>;

fn expand(item: TokenStream, derive: Derive) -> TokenStream {
    let item = parse_macro_input!(item as DeriveInput);
    derive(&item)
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}

/// Makes a struct a kind of entity.
///
/// On the struct, `#[entity(...)]` takes:
/// - `placed`: the first field of type `Pos` is the position on the interest grid; only players near by are sent the entity.
/// - `predicted`: the owner's client predicts it; needs `impl Predict`.
/// - `name = "..."`: the kind's name; by default the struct's in snake case.
/// - `every = 15`: changes are published every so many ticks, spread over the ticks by slot.
/// - `priority = 20`: how soon changes are sent over a line that does not carry them all, in percent of the usual priority, 1 to 1000.
///
/// On a field, `#[entity(...)]` takes:
/// - `private`: only the owner is sent it.
/// - `unit = "..."`: what 1 stands for, for people and tools.
/// - `wrap = 360`: the value runs from 0 to below this, and wraps.
/// - `continuous`, `discrete`: whether a screen interpolates between two values; by default positions, fixed-point numbers and angles
///   are interpolated, and everything else jumps.
/// - `name = "..."`: the lane's name; by default the field's.
///
/// Field types: integers up to 32 bits, `bool`, `Pos<N>`, `Fixed<N>`, `Angle<N>`, `PlayerId`, `Id<T>`, `Option` of these two,
/// `Teleport`, `Text`, arrays, and what derives `Choice` or `Flags`.
#[proc_macro_derive(Entity, attributes(entity))]
pub fn derive_entity(item: TokenStream) -> TokenStream {
    expand(item, entity::derive)
}

/// Makes a struct the input of a game: what a player wants in one tick.
///
/// On a field, `#[input(...)]` takes:
/// - `once`: the field counts for one tick, and is neutral where the input is repeated because no newer one came: for a jump, a shot.
/// - `range = -1..=1`: the values that are possible; it includes 0, and saves bits. Values out of range are clamped.
/// - `name = "..."`: the field's name for clients; by default the field's own.
///
/// Field types: integers up to 32 bits but `u32`, `bool`, `Angle<N>`, `Fixed<N>`, `Pos<N>`, `PlayerId` and its `Option`, and what
/// derives `Choice` or `Flags`. All fields together have at most 512 bits.
#[proc_macro_derive(Input, attributes(input))]
pub fn derive_input(item: TokenStream) -> TokenStream {
    expand(item, input::derive)
}

/// Makes an enum or a struct the events of a game. Each variant is a kind of event; its fields are of the types that entities have,
/// or `String`, `Text` and `Vec<u8>`.
///
/// On a field, `#[event(unit = "...")]` says what 1 stands for, and `#[event(name = "...")]` gives it another name. On the enum,
/// `#[event(fixed)]` gives each number four bytes, little-endian: for numbers that are nearly always large, and for protocols that
/// others read already. By default small numbers take fewer.
#[proc_macro_derive(Event, attributes(event))]
pub fn derive_event(item: TokenStream) -> TokenStream {
    expand(item, |item| payload::derive(item, "event", "Event"))
}

/// Makes an enum or a struct the commands of a game, like [`macro@Event`]. `#[command(unit = "...")]` on a field says what 1 stands for.
#[proc_macro_derive(Command, attributes(command))]
pub fn derive_command(item: TokenStream) -> TokenStream {
    expand(item, |item| payload::derive(item, "command", "Command"))
}

/// Makes an enum or a struct the reliable messages of a game, like [`macro@Event`]. `#[message(unit = "...")]` on a field says what 1
/// stands for.
#[proc_macro_derive(Message, attributes(message))]
pub fn derive_message(item: TokenStream) -> TokenStream {
    expand(item, |item| payload::derive(item, "message", "Message"))
}

/// Makes an enum without data a field type: one of several choices. The first choice is the neutral one. A number that no choice has
/// is read as the nearest choice.
#[proc_macro_derive(Choice)]
pub fn derive_choice(item: TokenStream) -> TokenStream {
    expand(item, choice::derive)
}

/// Makes a struct of up to 31 `bool` fields a field type of one lane: any of several flags.
#[proc_macro_derive(Flags)]
pub fn derive_flags(item: TokenStream) -> TokenStream {
    expand(item, flags::derive)
}

/// Makes a struct the world of a game. Its fields of type `Entities<T>` and `Players<T>` are replicated, one kind each, in their order.
/// The first `Players<T>` holds the players' own entities. All other fields are the server's own.
///
/// The world is saved and restored field by field, so every other field implements serde's `Serialize` and `Deserialize`;
/// `#[world(skip)]` leaves a field as `Game::new` makes it.
#[proc_macro_derive(World, attributes(world))]
pub fn derive_world(item: TokenStream) -> TokenStream {
    expand(item, world::derive)
}

/// Completes an `impl Game`. What is left out has its default: `Event`, `Command`, `Message` and `RoomMessage` are `Nothing`, `Rules` is `NoRules`, and
/// `new` is the world's `Default`.
#[proc_macro_attribute]
pub fn game(arguments: TokenStream, item: TokenStream) -> TokenStream {
    parse_macro_input!(arguments as syn::parse::Nothing);
    game::complete(parse_macro_input!(item as ItemImpl))
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}
