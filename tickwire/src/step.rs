//! One tick as a typed game sees it: the players' inputs, their screens, and where events and messages go.

use crate::game::{Game, MapOf};
use crate::rewound::Rewound;
use crate::world::{Entities, HasKind, Players};
use std::collections::BTreeMap;
use tickwire_game::glam::IVec2;
use tickwire_game::{Recipient, ShotOutcome, Step as RawStep};
use tickwire_rules::{
    Input, KindId, Nearby, NearbyCollector, NearbyRows, Payload, Predict, RuleInput, TypedRules,
    reach_in_steps,
};
use tickwire_sync::lagcomp::{ResolvedView, RewoundWorld};
use tickwire_sync::{CellId, EntityId, Layer, LayerSet, PlayerId, Tick, ViewTick};

/// The number of the first computer player. Sessions count from 1 and never get there.
pub(crate) const FIRST_COMPUTER: u32 = 1 << 31;

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
    pub payload: Vec<u8>,
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
        let mut cells = Vec::new();
        let (from, to) = (from.into(), to.into());
        let grid = self.raw.grid();
        grid.for_each_cell_on_line(from, to, Layer(0), |cell| cells.push(cell));
        self.emit_in(event, cells);
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
    if player.0 >= FIRST_COMPUTER
        && let Some(input) = computers.get(&player)
    {
        return input.clone();
    }
    match raw.inputs.of(player) {
        Some(input) => G::Input::of(input.rule_input()),
        None => G::Input::of(RuleInput::Neutral),
    }
}
