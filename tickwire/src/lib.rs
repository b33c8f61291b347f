//! Write a multiplayer game as plain types. This is the one crate that authors of Tickwire games depend on.
//!
//! In: structs with derives, and two traits. Out: a server program with prediction, lag compensation and interest management. The
//! library of a game has its entities and rules, which server and clients share ([`Predict`], [`rules!`]); its program has the
//! world that only the server knows ([`Game`], [`main`]). Compiled for WebAssembly, this crate has the rules' half alone.
//!
//! `use tickwire::prelude::*;` brings everything that a game needs into scope. docs/GAME_GUIDE.md builds a game step by step.

// The derives name this crate, also in its own tests.
#[allow(unused_extern_crates)]
extern crate self as tickwire;

#[cfg(not(target_arch = "wasm32"))]
mod game;
#[cfg(not(target_arch = "wasm32"))]
mod program;
#[cfg(not(target_arch = "wasm32"))]
mod random;
#[cfg(not(target_arch = "wasm32"))]
mod rewound;
#[cfg(not(target_arch = "wasm32"))]
mod room_game;
#[cfg(not(target_arch = "wasm32"))]
mod space;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
#[cfg(not(target_arch = "wasm32"))]
mod timer;
#[cfg(not(target_arch = "wasm32"))]
mod traced_ray;
#[cfg(not(target_arch = "wasm32"))]
mod world;

pub use tickwire_derive::{Choice, Command, Entity, Event, Flags, Input, Message, World, game};
pub use tickwire_rules::{
    Angle, ByKindName, Command, Entity, Event, Fixed, Id, Input, KindId, LaneValue, Map, Message,
    ModuleRules, Nearby, NoRules, Nothing, Payload, PlayerId, Pos, Predict, Rules, Teleport, Text,
    Tick, TypedRules, glam, rules,
};

#[cfg(not(target_arch = "wasm32"))]
pub use {
    game::{Game, MapOf, Step, is_computer},
    program::{Program, main},
    random::Random,
    rewound::Rewound,
    room_game::RoomGame,
    serde,
    space::{Sight, Space},
    tickwire_game::{
        GameSettings as Setup, Identity, Recipient, Refusal, RoomRecipient, SaveError, ShotOutcome,
        Tags,
    },
    tickwire_server::{PageFile, page},
    tickwire_sync::{Layer, LayerSet},
    timer::Timer,
    traced_ray::TracedRay,
    world::{Entities, HasKind, Players, Table, World},
};

/// Everything that a game needs.
pub mod prelude {
    pub use crate::{
        Angle, Choice, Command, Entity, Event, Fixed, Flags, Id, Input, Map, Message, Nearby,
        NoRules, Nothing, PlayerId, Pos, Predict, Teleport, Text, Tick, rules,
    };
    #[cfg(not(target_arch = "wasm32"))]
    pub use crate::{
        Entities, Game, Identity, Layer, LayerSet, Players, Program, Random, Recipient, Refusal,
        Rewound, Setup, ShotOutcome, Sight, Space, Step, Tags, Timer, TracedRay, World, game,
        is_computer, page,
    };
    pub use glam::Vec2;
}

/// What the derives refer to. It changes without notice.
#[doc(hidden)]
pub mod derived {
    pub use tickwire_rules::*;

    #[cfg(not(target_arch = "wasm32"))]
    pub use {
        crate::world::{HasKind, Table, World, restore_field, save_field},
        tickwire_game::SaveError,
        tickwire_sync::EntityId,
    };
}
