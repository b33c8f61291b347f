//! The world as players meet it.

use super::*;
use tickwire::testing::{self, TestRoom};

fn room(seed: u64, npcs: u32) -> TestRoom<Arena> {
    TestRoom::with(Setup {
        seed,
        npcs,
        tick_rate: 60,
        ..Setup::default()
    })
}

#[test]
fn a_newcomer_spawns_in_sight_of_somebody() {
    for seed in 0..50 {
        let mut room = room(seed, 8);
        room.step(2);
        let ann = room.join("Ann");
        room.step(1);
        let game = room.game();
        let own = game.pilots[&ann].ship.unwrap();
        let here = game.ships[own].pos;
        let others = game.ships.iter().filter(|(id, _)| *id != own);
        let nearest = others
            .map(|(_, ship)| ship.pos.distance(here))
            .fold(f32::INFINITY, f32::min);
        assert!(nearest < 640.0, "seed {seed}: {nearest}");
    }
}

#[test]
fn spectators_change_only_to_a_clear_leader() {
    let mut room = room(1, 3);
    room.step(1);
    let game = room.game_mut();
    let players: Vec<PlayerId> = game.players.ids().collect();
    let mut watched = |scores: [i32; 3]| {
        for (player, score) in players.iter().zip(scores) {
            game.players[*player].score = score;
        }
        game.spectator_focus();
        players
            .iter()
            .position(|player| Some(*player) == game.watched)
    };
    assert_eq!(watched([0, 0, 0]), Some(0));
    assert_eq!(watched([0, CLEAR_LEAD, 0]), Some(1));
    assert_eq!(watched([2 * CLEAR_LEAD - 1, CLEAR_LEAD, 0]), Some(1));
    assert_eq!(watched([2 * CLEAR_LEAD, CLEAR_LEAD, 0]), Some(0));
}

#[test]
fn a_ship_that_is_shot_down_comes_back() {
    let mut room = room(1, 0);
    let (ann, ben) = (room.join("Ann"), room.join("Ben"));
    room.step(1);
    let (own, other) = {
        let game = room.game_mut();
        let ids = [ann, ben].map(|player| game.pilots[&player].ship.unwrap());
        // Side by side in a corner without rocks, Ann pointing at Ben, who has little health.
        game.rocks = Rocks::default();
        game.ships[ids[0]].pos = Pos::new(1000.0, 1000.0);
        game.ships[ids[1]].pos = Pos::new(1200.0, 1000.0);
        game.ships[ids[1]].health = BEAM_HEALTH;
        (ids[0], ids[1])
    };
    room.step(1);
    let fire = ArenaInput {
        fire: true,
        ..ArenaInput::default()
    };
    room.press(ann, &fire.pointing(Heading::from_steps(0)));
    room.step(1);
    let events = room.take_events();
    assert!(
        matches!(events[..], [ArenaEvent::Beam { shooter, hit, .. }, ArenaEvent::Kill { killer: 0, victim: 1 }] if shooter == own && hit == Some(other)),
        "{events:?}"
    );
    assert_eq!(room.game().players[ann].kills, 1);
    assert_eq!(room.game().pilots[&ben].ship, None);
    room.step(121);
    assert!(room.game().pilots[&ben].ship.is_some_and(|id| id != other));
}

/// Ann points at Ben, 200 units away, in a corner without rocks.
fn duel(health: i16) -> (TestRoom<Arena>, [PlayerId; 2], Id<Ship>) {
    let mut room = room(1, 0);
    let players = [room.join("Ann"), room.join("Ben")];
    room.step(1);
    let game = room.game_mut();
    let ids = players.map(|player| game.pilots[&player].ship.unwrap());
    game.rocks = Rocks::default();
    game.ships[ids[0]].pos = Pos::new(1000.0, 1000.0);
    game.ships[ids[1]].pos = Pos::new(1200.0, 1000.0);
    game.ships[ids[1]].health = health;
    room.step(1);
    (room, players, ids[1])
}

fn fire_at_once(room: &mut TestRoom<Arena>, player: PlayerId) {
    let fire = ArenaInput {
        fire: true,
        ..ArenaInput::default()
    };
    room.press(player, &fire.pointing(Heading::from_steps(0)));
    room.step(1);
}

#[test]
fn nobody_escapes_death_by_leaving() {
    let (mut room, [ann, ben], ship) = duel(BEAM_HEALTH);
    room.leave(ben);
    room.step(2);
    assert_eq!(room.game().ships[ship].player, NOBODY);
    fire_at_once(&mut room, ann);
    assert!(room.game().ships.get(ship).is_none());
    assert_eq!(room.game().players[ann].score, 10);
    let events = room.take_events();
    assert!(
        matches!(
            events[..],
            [
                _,
                ArenaEvent::Kill {
                    killer: 0,
                    victim: NOBODY
                }
            ]
        ),
        "{events:?}"
    );
}

#[test]
fn a_ship_without_a_player_is_gone_after_three_seconds() {
    let (mut room, [_, ben], ship) = duel(BEAM_HEALTH);
    room.leave(ben);
    room.step(170);
    assert!(room.game().ships.get(ship).is_some());
    room.step(20);
    assert!(room.game().ships.get(ship).is_none() && room.game().derelicts.is_empty());
    // One without a scratch had nothing to escape.
    let (mut room, [_, ben], ship) = duel(FULL_HEALTH);
    room.leave(ben);
    assert!(room.game().ships.get(ship).is_none());
}

#[test]
fn a_player_who_is_away_is_worth_no_points() {
    for (away_for, score) in [(4 * 60, 10), (6 * 60, 0)] {
        let (mut room, [ann, ben], _) = duel(BEAM_HEALTH);
        room.away(ben);
        room.step(away_for);
        fire_at_once(&mut room, ann);
        let row = &room.game().players[ann];
        assert_eq!((row.kills, row.score), (1, score));
    }
    // Back, and worth points again.
    let (mut room, [ann, ben], _) = duel(BEAM_HEALTH);
    room.away(ben);
    room.step(6 * 60);
    room.resume(ben);
    fire_at_once(&mut room, ann);
    assert_eq!(room.game().players[ann].score, 10);
}

/// What one beam takes.
const BEAM_HEALTH: i16 = 25;

#[test]
fn the_schema_is_valid_and_a_restored_arena_plays_on() {
    testing::assert_schema_is_valid::<Arena>();
    testing::assert_plays_on_after_restore::<Arena>(7);
}

#[test]
fn every_client_flies_by_the_same_rules() {
    testing::assert_module_is_equal::<Arena>();
}
