//! Reads what the recorder has written since the last time, and checks it against what is known of each session.

use super::World;
use crate::game::Record;
use crate::invariants::{
    acts_are_never_repeated, commands_come_once_in_order, inputs_apply_once_in_order,
    sessions_end_once,
};
use crate::model::{Letter, Life, Peer, SessionModel};
use tickwire_game::Recipient;
use tickwire_sync::PlayerId;

impl World {
    /// Reads what the recorder has written since the last time, and checks it.
    pub(super) fn read_ledger(&mut self) {
        let records = self
            .server
            .with_ledger(|ledger| std::mem::take(&mut ledger.records));
        for record in records {
            match record {
                Record::Joined(player) => {
                    let is_new = self.server.alive.insert(player);
                    let before = (!is_new).then_some(Life::Connected);
                    let verdict = sessions_end_once(before, Life::Connected, true);
                    self.check("sessions_end_once", Some(self.server.key(player)), verdict);
                }
                Record::Away(player) => self.moves(player, Life::Away),
                Record::Resumed(player) => self.moves(player, Life::Connected),
                Record::Left(player) => {
                    self.moves(player, Life::Left);
                    self.server.alive.remove(&player);
                    self.server.connections.remove(&player);
                }
                Record::Command(player, payload) => {
                    self.with_model(player, "commands_come_once_in_order", |model| {
                        commands_come_once_in_order(model, &payload)
                    });
                }
                Record::Input(input) => {
                    self.outcome.inputs += 1;
                    self.with_model(input.player, "inputs_apply_once_in_order", |model| {
                        inputs_apply_once_in_order(model, &input)
                    });
                }
                Record::Act(player, number, wish) => {
                    self.with_model(player, "acts_are_never_repeated", |model| {
                        acts_are_never_repeated(model, number, &wish)
                    });
                }
                Record::Chat(from, text) => {
                    self.post(&Recipient::Everyone, &Letter::Chat { from, text });
                }
                Record::Note(note) => self.post(&note.to, &Letter::Note(note.payload)),
            }
        }
    }

    /// The game was told that a player is away, back or gone.
    fn moves(&mut self, player: PlayerId, now: Life) {
        self.with_model(player, "sessions_end_once", |model| {
            let before = std::mem::replace(&mut model.life, now);
            sessions_end_once(Some(before), now, false)
        });
    }

    fn with_model(
        &mut self,
        player: PlayerId,
        invariant: &'static str,
        check: impl FnOnce(&mut SessionModel) -> Result<(), String>,
    ) {
        let key = self.server.key(player);
        let verdict = match self.models.get_mut(&key) {
            Some(model) => check(model),
            None => Err("the game was told of a player who has no session".to_owned()),
        };
        self.check(invariant, Some(key), verdict);
    }

    /// Notes a reliable message for each session that is to receive it.
    fn post(&mut self, to: &Recipient, letter: &Letter) {
        let tick = self.server.tick_now();
        for player in &self.server.alive {
            let is_recipient = match to {
                Recipient::Everyone => true,
                Recipient::Player(one) => one == player,
                Recipient::Layer(layer) => self.server.with_ledger(|ledger| {
                    let area = ledger.areas.get(player);
                    area.is_some_and(|area| area.layers.contains(*layer))
                }),
            };
            let key = self.server.key(*player);
            if is_recipient
                && let Some(model) = self.models.get_mut(&key)
                && matches!(model.owner, Peer::Honest(_))
            {
                model.letters.push((letter.clone(), tick));
            }
        }
    }
}
