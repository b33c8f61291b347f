//! The trait that a game author implements, one object a room in the game's own types, and the step that it is given for one tick:
//! the players' inputs, their screens, and where events and messages go.

use crate::rewound::Rewound;
use crate::space::{Sight, Space};
use crate::traced_ray::TracedRay;
use crate::world::{Entities, HasKind, Players, World};
use std::collections::BTreeMap;
use tickwire_game::glam::IVec2;
use tickwire_game::{
    GameSettings as Setup, Identity, Recipient, Refusal, RoomRecipient, ShotOutcome,
    Step as RawStep, Tags,
};
use tickwire_rules::{
    Command, Entity, Event, Input, KindId, Map, Message, Nearby, NearbyCollector, NearbyRows,
    Payload, Predict, RuleInput, TypedRules, reach_in_steps,
};
use tickwire_sync::lagcomp::{ResolvedView, RewoundWorld};
use tickwire_sync::{CellId, EntityId, Layer, LayerSet, PlayerId, Tick, ViewTick};

/// What the rules of a game know of a room.
pub type MapOf<G> = <<G as Game>::Rules as TypedRules>::Map;

/// A game: the world of one room, and what happens in it.
///
/// The world is a struct that derives [`World`](macro@crate::World); most methods have a default. A game is deterministic: the same
/// calls in the same order give the same world, on every machine. So no clock, no iteration over hash maps, and randomness only from
/// [`Random`](crate::Random).
pub trait Game: World + Send + Sized + 'static {
    /// The game's name, for clients and operators.
    const NAME: &'static str;

    /// What a player wants in one tick.
    type Input: Input;
    /// What happens at one tick and leaves no state behind; [`Nothing`](crate::Nothing) if there is no such thing.
    type Event: Event;
    /// What clients ask for beside their inputs; [`Nothing`](crate::Nothing) if they ask nothing.
    type Command: Command;
    /// Reliable messages to players; [`Nothing`](crate::Nothing) if there are none.
    type Message: Message;
    /// Messages to other rooms of this game; [`Nothing`](crate::Nothing) if there are none.
    type RoomMessage: Message;
    /// What clients predict, as [`rules!`](crate::rules) declares it; [`NoRules`](crate::NoRules) if they predict nothing.
    type Rules: TypedRules;

    /// The size of the world, and what a screen shows of it.
    const SPACE: Space;

    /// Whether computer players take part, `--npcs` of them. Then write [`Self::think`].
    const COMPUTERS: bool = false;

    /// The world of a new room.
    fn new(setup: &Setup) -> Self;

    /// What the rules know of this room. Needed only if the rules have a map.
    ///
    /// # Panics
    /// Unless it is written for rules with a map other than `()`.
    #[must_use]
    fn map(&self) -> MapOf<Self> {
        match MapOf::<Self>::from_bytes(&[]) {
            Some(map) => map,
            None => panic!("the rules of {} have a map: write Game::map", Self::NAME),
        }
    }

    /// A player joins. Give the player an entity by `players.insert(player, ...)`, unless they are a spectator, who only watches.
    ///
    /// # Errors
    /// If the game refuses the player; the client gets the reason.
    fn join(&mut self, player: PlayerId, identity: &Identity) -> Result<(), Refusal>;

    /// A player has left for good, or was kicked. The framework removes the player's entities afterwards.
    fn leave(&mut self, player: PlayerId) {
        let _ = player;
    }

    /// A player's name has changed since they joined, because it belongs to a player whose login service says so. A game that shows
    /// names shows this one from now on.
    fn rename(&mut self, player: PlayerId, name: &str) {
        let _ = (player, name);
    }

    /// A player's connection is lost. The session waits for the resume window; the player's input is neutral meanwhile.
    fn away(&mut self, player: PlayerId) {
        let _ = player;
    }

    /// A player whose connection was lost is back.
    fn resume(&mut self, player: PlayerId) {
        let _ = player;
    }

    /// A player's client sends a command. Each comes once and in order. What cannot be read never comes here, but every value is
    /// possible: check it.
    fn command(&mut self, player: PlayerId, command: Self::Command) {
        let _ = (player, command);
    }

    /// A player writes a line of chat, which is cleaned and not empty. Returns whether everybody gets it.
    fn chat(&mut self, player: PlayerId, line: &str) -> bool {
        let _ = (player, line);
        true
    }

    /// A message of another room ([`Step::tell_room`]). Each comes once, between two ticks, at whatever nodes the two rooms are; those of one
    /// room come in order. What cannot be read, because the other room runs another version of the game, never comes here.
    fn room_message(&mut self, from: &str, message: Self::RoomMessage) {
        let _ = (from, message);
    }

    /// What a computer player wants in this tick. With [`Self::COMPUTERS`] they join as others do, before the first tick, and
    /// [`Step::input`] gives their inputs too.
    fn think(&mut self, player: PlayerId, tick: Tick) -> Self::Input {
        let _ = (player, tick);
        Self::Input::decode(&[])
    }

    /// Simulates one tick.
    fn step(&mut self, step: &mut Step<'_, Self>);

    /// What the list of rooms shows of this one beside its tags, such as the map or the score: everybody may read it. Asked at most
    /// once a second, and only where rooms are listed (`--room-list`). Up to 16 names of 32 bytes with values of 256 bytes are shown.
    #[must_use]
    fn metadata(&self) -> Tags {
        Tags::new()
    }

    /// What a player sees of the world; by default what a screen shows around the player's own entity, or around the middle of the
    /// world without one.
    #[must_use]
    fn sight(&self, player: PlayerId) -> Sight {
        let own = self.own_position(player);
        Sight::around(own.unwrap_or_else(|| Self::SPACE.middle()), Self::SPACE)
    }
}

/// The number of the first computer player. Sessions count from 1 and never get there.
pub(crate) const FIRST_COMPUTER: u32 = 1 << 31;

/// Whether a player is one of the computer players that take part with [`Game::COMPUTERS`].
#[must_use]
pub fn is_computer(player: PlayerId) -> bool {
    player.0 >= FIRST_COMPUTER
}

/// One tick of a room.
pub struct Step<'a, G: Game> {
    raw: RawStep<'a>,
    shared: &'a mut StepState<G>,
}

/// What the steps of a room share.
pub(crate) struct StepState<G: Game> {
    /// The rules of the room, with its map.
    pub rules: G::Rules,
    /// By the schema's number of a kind the rules' own.
    pub rule_kinds: Vec<Option<KindId>>,
    /// The inputs of the computer players in this tick.
    pub computers: BTreeMap<PlayerId, G::Input>,
    pub nearby: NearbyCollector,
    /// Memory for an event's payload, and for the cells that it touches.
    pub payload: Vec<u8>,
    pub cells: Vec<CellId>,
}

impl<'a, G: Game> Step<'a, G> {
    pub(crate) fn new(raw: RawStep<'a>, shared: &'a mut StepState<G>) -> Self {
        Self { raw, shared }
    }

    /// The tick that is simulated. Ticks follow time, so a server that is late skips some: count time by this number, or by a
    /// [`Timer`](crate::Timer).
    #[must_use]
    pub fn tick(&self) -> Tick {
        self.raw.tick
    }

    /// Ticks per second.
    #[must_use]
    pub fn tick_rate(&self) -> u32 {
        self.raw.tick_rate
    }

    /// What a player wants in this tick. Neutral for a player who is away, or does not exist. `once` fields are set only in an input that
    /// was made for this very tick.
    #[must_use]
    pub fn input(&self, player: PlayerId) -> G::Input {
        input_of::<G>(&self.raw, &self.shared.computers, player)
    }

    /// The number that the player's client gave the input of this tick, which counts from 1: by it the client knows an event that this
    /// input caused, such as a shot that it has drawn already. 0 for computer players, and where no input was made for this tick.
    #[must_use]
    pub fn input_number(&self, player: PlayerId) -> u32 {
        let input = self.raw.inputs.of(player);
        input
            .and_then(|input| input.fresh_seq())
            .map_or(0, |seq| seq.0)
    }

    /// Moves every player's entity by one tick, by the rules that clients predict with.
    pub fn advance<T>(&mut self, players: &mut Players<T>)
    where
        T: Predict<Input = G::Input, Map = MapOf<G>>,
        G: HasKind<T>,
    {
        self.advance_owned(players.entities_mut());
    }

    /// Moves every entity that belongs to a player by one tick, by the rules that clients predict with.
    pub fn advance_owned<T>(&mut self, entities: &mut Entities<T>)
    where
        T: Predict<Input = G::Input, Map = MapOf<G>>,
        G: HasKind<T>,
    {
        let reach = reach_in_steps::<T>();
        let StepState {
            rules,
            rule_kinds,
            computers,
            nearby,
            ..
        } = &mut *self.shared;
        // Rules that look at no other entity all get the same world, made once.
        let alone = Nearby::new(
            rules.map(),
            self.raw.tick,
            NearbyRows::NONE,
            G::Rules::KINDS,
        );
        for (id, owner, entity) in entities.iter_owned_mut() {
            let Some(owner) = owner else { continue };
            let input = input_of::<G>(&self.raw, computers, owner);
            if reach == 0 {
                entity.advance(&input, &alone);
            } else {
                let id = EntityId {
                    kind: G::KIND,
                    slot: id.slot(),
                    generation: id.generation(),
                };
                let near = (owner, id, entity.position());
                let rows = collect_nearby(&self.raw, rule_kinds, nearby, near, reach);
                let world = Nearby::new(rules.map(), self.raw.tick, rows, G::Rules::KINDS);
                entity.advance(&input, &world);
            }
            entity.normalise();
        }
    }

    /// What the rules know of the room.
    #[must_use]
    pub fn map(&self) -> &MapOf<G> {
        self.shared.rules.map()
    }

    /// The world as a player's screen showed it when the player made this tick's input: judge by it whom the player hits. For a computer
    /// player it is the newest frame.
    #[must_use]
    pub fn rewound_for(&self, player: PlayerId) -> Rewound<'_, G> {
        let input = self.raw.inputs.of(player);
        let world = match &input {
            Some(input) => self.raw.rewound_for(input),
            None => {
                let newest = self.raw.tick.minus(1).unwrap_or(self.raw.tick);
                let view = ResolvedView {
                    at: ViewTick::new(newest, 0),
                    ..ResolvedView::default()
                };
                RewoundWorld::new(self.raw.history, None, view)
            }
        };
        Rewound::new(world)
    }

    /// Counts a shot for the operator's metrics: what became of it, and how far it was rewound. Shots of computer players are not
    /// counted.
    pub fn count_shot(&mut self, player: PlayerId, outcome: ShotOutcome) {
        if let Some(input) = self.raw.inputs.of(player) {
            self.raw.shots.count(outcome, self.raw.tick, &input);
        }
    }

    /// Shows a test against [`Self::rewound_for`] in recordings, so that a person sees why it hit or missed: the shooter's screen and
    /// from which ticks it was drawn, what the ray passed by how much, and what became of it. It has no effect on the game, and
    /// costs one branch where the room is not recorded. Tests of computer players are not shown.
    pub fn trace<T: Entity>(&mut self, player: PlayerId, test: &TracedRay<T>)
    where
        G: HasKind<T>,
    {
        let inputs = self.raw.inputs;
        if let Some(input) = inputs.of(player) {
            self.raw.trace(&input, &test.raw(G::KIND));
        }
    }

    /// Tells everyone who sees a position of an event. `at` is a [`Pos`](crate::Pos).
    pub fn emit(&mut self, event: &G::Event, at: impl Into<IVec2>) {
        self.emit_on(event, at, Layer(0));
    }

    /// Tells everyone who sees a position and has the layer in sight of an event.
    ///
    /// # Panics
    /// If the world has no such layer.
    #[track_caller]
    pub fn emit_on(&mut self, event: &G::Event, at: impl Into<IVec2>, layer: Layer) {
        let cell = self.raw.grid().cell_at(at.into(), layer);
        self.emit_in(event, [cell]);
    }

    /// Tells everyone who sees any part of a straight line of an event, such as a beam.
    pub fn emit_along(&mut self, event: &G::Event, from: impl Into<IVec2>, to: impl Into<IVec2>) {
        let mut cells = std::mem::take(&mut self.shared.cells);
        cells.clear();
        let grid = self.raw.grid();
        grid.for_each_cell_on_line(from.into(), to.into(), Layer(0), |cell| cells.push(cell));
        self.emit_in(event, cells.iter().copied());
        self.shared.cells = cells;
    }

    /// Tells everyone of an event.
    pub fn emit_to_all(&mut self, event: &G::Event) {
        self.emit_in(event, [CellId::GLOBAL]);
    }

    fn emit_in(&mut self, event: &G::Event, cells: impl IntoIterator<Item = CellId>) {
        let payload = &mut self.shared.payload;
        payload.clear();
        event.encode_fields(payload);
        self.raw.events.emit(event.kind(), payload, cells);
    }

    /// Sends a reliable message. It arrives exactly once and in order, also over a resume.
    pub fn send(&mut self, to: Recipient, message: &G::Message) {
        let mut payload = Vec::new();
        message.encode(&mut payload);
        self.raw.messages.send(to, payload);
    }

    /// Tells another room, at whatever node it is, for instance the result of a match to the room of its tournament. A room that is not open
    /// gets nothing, and is not opened. A room may send about a hundred messages a second, of up to 4096 bytes.
    pub fn tell_room(&mut self, room: impl Into<String>, message: &G::RoomMessage) {
        self.tell(RoomRecipient::Room(room.into()), message);
    }

    /// Tells all other open rooms of this game, at all nodes.
    pub fn tell_other_rooms(&mut self, message: &G::RoomMessage) {
        self.tell(RoomRecipient::OtherRooms, message);
    }

    fn tell(&mut self, to: RoomRecipient, message: &G::RoomMessage) {
        let mut payload = Vec::new();
        message.encode(&mut payload);
        self.raw.room_messages.send(to, payload);
    }

    /// Kicks a player out of the room once the step is over. The player reads the reason. Only [`Game::join`] can keep them from joining
    /// again.
    pub fn kick(&mut self, player: PlayerId, reason: impl Into<String>) {
        self.raw.kick(player, reason);
    }
}

/// The rows near an entity, as its owner's client has them: those of the frame before this tick, in cells that the client has.
fn collect_nearby<'b>(
    raw: &RawStep<'_>,
    rule_kinds: &[Option<KindId>],
    nearby: &'b mut NearbyCollector,
    (owner, own, position): (PlayerId, EntityId, IVec2),
    reach: u32,
) -> NearbyRows<'b> {
    let Some(frame) = raw.history.newest() else {
        return NearbyRows::NONE;
    };
    let schema = raw.history.schema();
    nearby.begin(position, reach);
    let mut offer = |cell: CellId| {
        for key in frame.members(cell) {
            let number = rule_kinds.get(key.kind().index()).copied().flatten();
            let is_placed = schema.kind(key.kind()).is_some_and(|kind| kind.placed);
            if let (Some(number), Some(id), true) = (number, frame.id(*key), is_placed)
                && id != own
            {
                nearby.offer(EntityId { kind: number, ..id }, frame.lanes(*key));
            }
        }
    };
    match raw.inputs.of(owner) {
        Some(input) => input
            .client_view
            .cells_near(&schema.grid, position, reach)
            .for_each(&mut offer),
        None => schema
            .grid
            .cells_near(position, reach, LayerSet::default())
            .for_each(&mut offer),
    }
    nearby.finish()
}

/// What a player, or a computer player, wants in this tick.
fn input_of<G: Game>(
    raw: &RawStep<'_>,
    computers: &BTreeMap<PlayerId, G::Input>,
    player: PlayerId,
) -> G::Input {
    if is_computer(player)
        && let Some(input) = computers.get(&player)
    {
        return input.clone();
    }
    match raw.inputs.of(player) {
        Some(input) => G::Input::of(input.rule_input()),
        None => G::Input::of(RuleInput::Neutral),
    }
}
