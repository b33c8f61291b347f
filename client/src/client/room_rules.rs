//! Where the rules of a room come from: native code with the server's hash, or the module that the server offers.
//!
//! In: each `Welcome`, and what the shell says of a module that it loaded. Out: the rules to predict by, or a sentence that says why
//! there are none. Never loads a module itself, and never holds up play: without rules the client plays unpredicted.

use super::{Client, SessionEvent};
use crate::prediction::Surroundings;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use tickwire_game::Rules;
use tickwire_proto::v1;
use tickwire_rules_wasm::{ShapeError, check_shape};
use tickwire_sync::{Micros, Schema};

/// A rules module that the shell should load: fetch it from the server ([`Self::path`]), check it ([`Self::check`]), make [`Rules`] of
/// it, and answer with [`Client::give_rules`] or [`Client::refuse_rules`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WantedRules {
    /// The SHA-256 of the module's bytes.
    pub module: [u8; 32],
    /// The hash that the module must give for its rules.
    pub rules_hash: u64,
    /// The names of the schema's kinds, by number: a module numbers its kinds in its own way.
    pub kinds: Vec<String>,
    /// The room's map, which the module is started with.
    pub map: Vec<u8>,
}

/// Why bytes are not the wanted module.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ModuleError {
    /// The bytes have another SHA-256.
    #[error("the rules module is not the one that the server announced: its hash differs")]
    Hash,
    /// The bytes are no rules module.
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

impl WantedRules {
    /// The module's path on the server, relative to the folder that the WebSocket's path is in: `rules/HASH.wasm`.
    #[must_use]
    pub fn path(&self) -> String {
        let mut path = "rules/".to_owned();
        let digit = |number: u8| char::from(b"0123456789abcdef"[usize::from(number)]);
        path.extend((self.module.iter()).flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
        path + ".wasm"
    }

    /// Checks that bytes are the wanted module, before an engine compiles them.
    ///
    /// # Errors
    /// If they have another hash, or ask for what no rules module may have.
    pub fn check(&self, bytes: &[u8]) -> Result<(), ModuleError> {
        if Sha256::digest(bytes)[..] != self.module {
            return Err(ModuleError::Hash);
        }
        Ok(check_shape(bytes)?)
    }
}

/// What the client knows of the room's rules.
#[derive(Debug)]
pub(super) enum RoomRules {
    /// Nobody predicts here: no `Welcome` yet, a spectator, or a game without predicted kinds.
    Unneeded,
    /// Native rules with the server's hash.
    Native,
    /// Neither native rules nor a module.
    Missing,
    /// The shell is asked to load a module, or loads it.
    Wanted { rules: WantedRules, is_asked: bool },
    /// The shell loaded this module.
    Loaded(WantedRules),
    /// The rules cannot be used. Those of a module are not asked for again.
    Unusable {
        rules: Option<WantedRules>,
        reason: String,
    },
}

impl RoomRules {
    /// The module that was wanted, if it was one, whatever became of it.
    fn wanted(&self) -> Option<&WantedRules> {
        match self {
            Self::Wanted { rules, .. } | Self::Loaded(rules) => Some(rules),
            Self::Unusable { rules, .. } => rules.as_ref(),
            Self::Unneeded | Self::Native | Self::Missing => None,
        }
    }

    fn note(&self) -> Option<&str> {
        match self {
            Self::Unneeded | Self::Native | Self::Loaded(_) => None,
            Self::Missing => Some(
                "this client lacks the server's rules, and the server offers no module of them",
            ),
            Self::Wanted { .. } => Some("the rules are loading"),
            Self::Unusable { reason, .. } => Some(reason),
        }
    }
}

impl Client {
    /// Chooses the rules that a `Welcome` calls for. A module that was given for the same room's rules and map stays.
    pub(super) fn choose_rules(&mut self, welcome: &v1::Welcome, schema: &Schema) {
        let rate = welcome.tick_rate;
        if let Some(native) = (self.rules_for)(&welcome.game, &welcome.map, welcome.rules_hash) {
            self.prediction.set_rules(Some(native), rate);
            self.room_rules = RoomRules::Native;
            return;
        }
        let is_needed = !welcome.spectator && schema.kinds.iter().any(|kind| kind.predicted);
        let module = <[u8; 32]>::try_from(&welcome.rules_module[..]).ok();
        let Some(module) = module.filter(|_| is_needed) else {
            self.prediction.set_rules(None, rate);
            self.room_rules = if is_needed {
                RoomRules::Missing
            } else {
                RoomRules::Unneeded
            };
            return;
        };
        let rules = WantedRules {
            module,
            rules_hash: welcome.rules_hash,
            kinds: schema.kinds.iter().map(|kind| kind.name.clone()).collect(),
            map: welcome.map.clone(),
        };
        if self.room_rules.wanted() != Some(&rules) {
            self.prediction.set_rules(None, rate);
            self.room_rules = RoomRules::Wanted {
                rules,
                is_asked: false,
            };
        } else {
            self.prediction.keep_rules(rate);
        }
    }

    /// The rules module that the shell should load now. Each one is returned once, and stays wanted over reconnects; ask after every
    /// call of [`Self::received`].
    pub fn wanted_rules(&mut self) -> Option<WantedRules> {
        match &mut self.room_rules {
            RoomRules::Wanted { rules, is_asked } => {
                let was_asked = std::mem::replace(is_asked, true);
                (!was_asked).then(|| rules.clone())
            }
            _ => None,
        }
    }

    /// Answers [`Self::wanted_rules`]: from now on the client predicts by these rules. Ignored if they are not wanted any more.
    ///
    /// The player's own entity on the screen moves smoothly to where it is predicted.
    pub fn give_rules(&mut self, wanted: &WantedRules, rules: Box<dyn Rules>, now: Micros) {
        if !self.wants(wanted) {
            return;
        }
        let now = self.session_time(now);
        self.room_rules = RoomRules::Loaded(wanted.clone());
        self.change_prediction(now, |client| {
            if let Some(session) = &client.session {
                let around = Surroundings {
                    replica: &session.replica,
                    interpolation: &client.snapshots.interpolation,
                };
                client.prediction.begin(rules, around);
            }
        });
        self.drop_failed_rules(now);
        if self.is_predicting() {
            self.tell_prediction();
        }
    }

    /// Answers [`Self::wanted_rules`]: the module cannot be used. `reason` is a sentence for people, which [`Self::prediction_note`]
    /// gives. The client plays on without prediction. Ignored if they are not wanted any more.
    pub fn refuse_rules(&mut self, wanted: &WantedRules, reason: &str) {
        if self.wants(wanted) {
            self.room_rules = RoomRules::Unusable {
                rules: Some(wanted.clone()),
                reason: reason.to_owned(),
            };
            self.tell_prediction();
        }
    }

    /// Why the player's own entity is not predicted, for people; `None` while it is, and where nothing is to predict.
    #[must_use]
    pub fn prediction_note(&self) -> Option<&str> {
        self.room_rules.note()
    }

    fn wants(&self, wanted: &WantedRules) -> bool {
        matches!(&self.room_rules, RoomRules::Wanted { rules, .. } if rules == wanted)
    }

    /// Drops rules that have failed, and says why. The screen moves smoothly to where the entity is without prediction.
    pub(super) fn drop_failed_rules(&mut self, now: Micros) {
        let Some(failure) = self.prediction.take_failure() else {
            return;
        };
        self.room_rules = RoomRules::Unusable {
            rules: self.room_rules.wanted().cloned(),
            reason: "the rules have failed: ".to_owned() + &failure,
        };
        self.change_prediction(now, |client| client.prediction.end());
        self.tell_prediction();
    }

    /// Starts or ends prediction so that the player's own entity does not jump on the screen.
    fn change_prediction(&mut self, now: Micros, change: impl FnOnce(&mut Self)) {
        let before = self.own_at(now);
        change(self);
        let after = self.own_at(now);
        let kind = |client: &Self, kind| client.replica()?.schema().kind(kind).cloned();
        if let (Some(before), Some(after)) = (before, after)
            && before.id == after.id
            && let Some(kind) = kind(self, before.id.kind)
        {
            (self.prediction).keep_on_screen(&kind, &before.lanes, &after.lanes, now);
        }
    }

    fn tell_prediction(&mut self) {
        let note = self.prediction_note().map(str::to_owned);
        self.events.push_back(SessionEvent::Prediction { note });
    }
}
