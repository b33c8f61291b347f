//! The recorder: stands between the room and the game, and writes down what the room gave the game and what the game gave back.
//!
//! In: the room's calls. Out: the same calls to the game, and a [`Ledger`] that the invariants read. It changes nothing on the way.

use super::commons::Commons;
use super::payloads::{SentNote, Wish};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tickwire::RoomGame;
use tickwire_game::{Game, GameSettings, Identity, Refusal, Rules, SaveError, Step};
use tickwire_sync::frame::Publisher;
use tickwire_sync::input_buffer::TickInput;
use tickwire_sync::interest::InterestArea;
use tickwire_sync::{EntityId, PlayerId, Schema, Seq, Tick};

/// From one saved state to the next, in ticks.
const SAVE_INTERVAL_TICKS: u32 = 97;

/// An input that the game was given as the one for its tick.
#[derive(Clone, PartialEq, Debug)]
pub struct AppliedInput {
    /// The player.
    pub player: PlayerId,
    /// The tick.
    pub tick: Tick,
    /// The input's number.
    pub seq: Seq,
    /// The bytes.
    pub payload: Vec<u8>,
}

/// One thing that passed between the room and the game.
#[derive(Clone, Debug)]
pub enum Record {
    /// `Game::join` let a player in.
    Joined(PlayerId),
    /// `Game::away`.
    Away(PlayerId),
    /// `Game::resume`.
    Resumed(PlayerId),
    /// `Game::leave`.
    Left(PlayerId),
    /// `Game::command`.
    Command(PlayerId, Vec<u8>),
    /// `Game::chat`; everybody gets the line.
    Chat(PlayerId, String),
    /// An input came for this very tick.
    Input(AppliedInput),
    /// A player did something once, says the typed game: with the number of the input, 0 without one for this tick.
    Act(PlayerId, u32, Wish),
    /// The game sent a reliable message.
    Note(SentNote),
}

/// What the recorder has written down.
#[derive(Debug, Default)]
pub struct Ledger {
    /// In the order in which it happened, since the simulator took it last.
    pub records: Vec<Record>,
    /// The area of interest of each player who is in the game, as of the newest tick.
    pub areas: BTreeMap<PlayerId, InterestArea>,
    /// The private lanes of each player, by kind and slot, as of the newest tick.
    pub private_lanes: BTreeMap<PlayerId, Vec<(u8, u32, Vec<i32>)>>,
    /// All coins, as of the newest tick.
    pub coins: i64,
    /// The newest saved state.
    pub saved: Option<Vec<u8>>,
    /// Why the newest saved state could not be made.
    pub save_error: Option<SaveError>,
    /// The players whom the game knows: joined, and not left.
    players: Vec<PlayerId>,
}

impl Ledger {
    /// The game was restored with these players.
    pub fn know(&mut self, players: impl IntoIterator<Item = PlayerId>) {
        self.players = players.into_iter().collect();
    }
}

/// The ledger of a room's game, which the simulator shares.
pub type SharedLedger = Arc<Mutex<Ledger>>;

/// The game with its recorder.
pub struct RecordedGame {
    game: RoomGame<Commons>,
    ledger: SharedLedger,
    ticks: u32,
}

impl RecordedGame {
    /// The game of a new room; with a saved state it goes on from there, without the players of that time.
    /// `crowd_size` walkers come at once; 0: none.
    ///
    /// # Errors
    /// If the saved state cannot be read.
    pub fn new(
        settings: &GameSettings,
        crowd_size: u32,
        saved: Option<&[u8]>,
    ) -> Result<(Self, SharedLedger), SaveError> {
        let mut game = RoomGame::<Commons>::new(settings);
        if let Some(saved) = saved {
            game.restore(saved)?;
            // Their sessions are gone with the room.
            for player in game.game().players() {
                Game::leave(&mut game, player);
            }
        }
        game.game_mut().crowd_size = crowd_size;
        let ledger = SharedLedger::default();
        let recorded = Self {
            game,
            ledger: Arc::clone(&ledger),
            ticks: 0,
        };
        Ok((recorded, ledger))
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, record: Record) {
        self.ledger().records.push(record);
    }
}

impl Game for RecordedGame {
    fn name(&self) -> &'static str {
        self.game.name()
    }

    fn schema(&self) -> Arc<Schema> {
        self.game.schema()
    }

    fn map(&self) -> Vec<u8> {
        self.game.map()
    }

    fn rules_hash(&self) -> u64 {
        self.game.rules_hash()
    }

    fn rules(&self) -> Option<Box<dyn Rules>> {
        self.game.rules()
    }

    fn join(&mut self, player: PlayerId, identity: &Identity) -> Result<Option<EntityId>, Refusal> {
        let entity = self.game.join(player, identity)?;
        let mut ledger = self.ledger();
        ledger.records.push(Record::Joined(player));
        ledger.players.push(player);
        drop(ledger);
        Ok(entity)
    }

    fn away(&mut self, player: PlayerId) {
        self.record(Record::Away(player));
        self.game.away(player);
    }

    fn resume(&mut self, player: PlayerId) {
        self.record(Record::Resumed(player));
        self.game.resume(player);
    }

    fn command(&mut self, player: PlayerId, payload: &[u8]) {
        self.record(Record::Command(player, payload.to_vec()));
        self.game.command(player, payload);
    }

    fn chat(&mut self, player: PlayerId, line: &str) -> bool {
        self.record(Record::Chat(player, line.to_owned()));
        self.game.chat(player, line)
    }

    fn leave(&mut self, player: PlayerId) {
        let mut ledger = self.ledger();
        ledger.records.push(Record::Left(player));
        ledger.players.retain(|other| *other != player);
        drop(ledger);
        self.game.leave(player);
    }

    fn step(&mut self, step: &mut Step<'_>) {
        let players = self.ledger().players.clone();
        for player in players {
            if let Some(input) = step.inputs.of(player)
                && let TickInput::Fresh(fresh) = input.input
            {
                self.record(Record::Input(AppliedInput {
                    player,
                    tick: step.tick,
                    seq: fresh.seq,
                    payload: fresh.payload.to_vec(),
                }));
            }
        }
        self.game.step(step);
        self.ticks = self.ticks.wrapping_add(1);
        let game = self.game.game_mut();
        let (acts, notes) = (
            std::mem::take(&mut game.acts),
            std::mem::take(&mut game.sent_notes),
        );
        let mut ledger = self.ledger();
        let acts = acts
            .into_iter()
            .map(|(player, seq, wish)| Record::Act(player, seq, wish));
        ledger.records.extend(acts);
        ledger.records.extend(notes.into_iter().map(Record::Note));
    }

    fn publish(&self, out: &mut Publisher<'_>) {
        self.game.publish(out);
        let game = self.game.game();
        let mut ledger = self.ledger();
        ledger.coins = game.coins();
        let players = std::mem::take(&mut ledger.players);
        ledger.areas.clear();
        ledger.private_lanes.clear();
        for player in &players {
            ledger
                .areas
                .insert(*player, self.game.interest_area(*player));
            ledger
                .private_lanes
                .insert(*player, game.private_lanes(*player));
        }
        ledger.players = players;
        if self.ticks.is_multiple_of(SAVE_INTERVAL_TICKS) {
            let mut saved = Vec::new();
            match self.game.save(&mut saved) {
                Ok(()) => ledger.saved = Some(saved),
                Err(error) => ledger.save_error = Some(error),
            }
        }
    }

    fn interest_area(&self, player: PlayerId) -> InterestArea {
        self.game.interest_area(player)
    }

    fn save(&self, out: &mut Vec<u8>) -> Result<(), SaveError> {
        self.game.save(out)
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), SaveError> {
        self.game.restore(state)
    }

    fn skip_ids(&mut self) {
        self.game.skip_ids();
    }
}
