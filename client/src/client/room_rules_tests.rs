//! Unit tests of `room_rules`: rules that come late, wrong, never, or fail in use.

use super::link_set::LinkId;
use super::{Action, Client, ModuleError, Options, Phase, SessionEvent, WantedRules};
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tickwire_game::{RuleContext, RuleInput, Rules};
use tickwire_proto::v1::{self, server_message};
use tickwire_sync::{Grid, Kind, KindId, Lane, Micros, Schema};

const MODULE: [u8; 32] = [7; 32];
const OTHER_MODULE: [u8; 32] = [8; 32];
/// Lane units per tick of an entity whose button is down.
const SPEED: i32 = 100;
const TICK_US: f64 = 1e6 / 60.0;

/// Moves along x while a button is down.
#[derive(Default)]
struct Runs {
    is_broken: Arc<AtomicBool>,
}

impl Rules for Runs {
    fn advance(&self, _: KindId, lanes: &mut [i32], _: &mut [i32], context: &RuleContext<'_>) {
        if let RuleInput::Fresh([1]) | RuleInput::Repeated([1]) = context.input {
            lanes[0] += SPEED;
        }
    }

    fn failure(&self) -> Option<String> {
        let is_broken = self.is_broken.load(Ordering::Relaxed);
        is_broken.then(|| "out of fuel".to_owned())
    }
}

/// What the first `Welcome` calls for.
fn wanted() -> WantedRules {
    WantedRules {
        module: MODULE,
        rules_hash: 5,
        kinds: vec!["runner".to_owned()],
        map: b"map".to_vec(),
    }
}

fn schema() -> Schema {
    Schema {
        kinds: vec![Kind {
            name: "runner".to_owned(),
            lanes: vec![Lane::continuous("x", ""), Lane::continuous("y", "")],
            placed: true,
            predicted: true,
            ..Kind::default()
        }],
        grid: Grid {
            cell_size: 1 << 20,
            columns: 1,
            rows: 1,
            layers: 1,
            ..Grid::default()
        },
        ..Schema::default()
    }
}

/// A session with a game that the client has no native rules for.
struct Session {
    client: Client,
    link: LinkId,
    tick: u32,
    x: i32,
}

impl Session {
    fn joined(module: &[u8]) -> Self {
        let options = Options {
            seed: 1,
            ..Options::default()
        };
        let mut session = Self {
            client: Client::new(options, Micros(0)),
            link: LinkId(0),
            tick: 100,
            x: 1_000,
        };
        session.client.poll(Micros(0));
        session.join(module, b"map");
        session
    }

    fn now(&self) -> Micros {
        Micros((f64::from(self.tick - 100) * TICK_US) as u64)
    }

    /// Joins over the next link that the client opens.
    fn join(&mut self, module: &[u8], map: &[u8]) {
        let now = self.now();
        while let Some(action) = self.client.next_action() {
            if let Action::Open(link) = action {
                self.link = link;
            }
        }
        self.client.opened(self.link, now);
        self.receive(server_message::Body::Welcome(v1::Welcome {
            session: 1,
            resume_token: vec![1; 20],
            tick_rate: 60,
            clock_us: (f64::from(self.tick) * TICK_US) as u64,
            schema: Some(schema().to_proto()),
            game: "runners".to_owned(),
            map: map.to_vec(),
            rules_hash: 5,
            rules_module: module.to_vec(),
            ..v1::Welcome::default()
        }));
        self.snapshot(true);
    }

    fn rejoin(&mut self, module: &[u8], map: &[u8]) {
        self.client.closed(self.link, None, "lost", self.now());
        self.tick += 120;
        self.client.poll(self.now());
        self.join(module, map);
    }

    fn receive(&mut self, body: server_message::Body) {
        let message = v1::ServerMessage { body: Some(body) }.encode_to_vec();
        self.client.received(self.link, &message, self.now());
    }

    fn snapshot(&mut self, is_full: bool) {
        let row = v1::Row {
            kind: 0,
            slot: 1,
            generation: 1,
            lanes: vec![self.x, 0],
            texts: Vec::new(),
        };
        self.receive(server_message::Body::Snapshot(v1::Snapshot {
            tick: self.tick,
            full_snapshot: is_full,
            added_cells: if is_full { vec![1] } else { Vec::new() },
            blocks: vec![v1::Block {
                cell: 1,
                baseline_ago: u32::from(!is_full),
                entered: if is_full { vec![row] } else { Vec::new() },
                changed: if is_full {
                    Vec::new()
                } else {
                    vec![v1::Change {
                        kind: 0,
                        slot: 1,
                        lane_mask: 1,
                        deltas: vec![SPEED],
                        ..v1::Change::default()
                    }]
                },
                ..v1::Block::default()
            }],
            owned: vec![v1::OwnedRow {
                kind: 0,
                slot: 1,
                generation: 1,
                lanes: Vec::new(),
            }],
            ..v1::Snapshot::default()
        }));
    }

    /// One tick with the button down, here and at the server, which is as fast as the client.
    fn tick(&mut self) {
        self.tick += 1;
        self.x += SPEED;
        self.client.poll(self.now());
        while self.client.next_due_tick(self.now()).is_some() {
            self.client.input(&[1]);
        }
        while self.client.next_action().is_some() {}
        self.snapshot(false);
        self.client.sample(self.now());
    }

    fn screen_x(&self) -> i32 {
        let (_, lanes) = self.client.own_on_screen(self.now()).unwrap();
        lanes[0]
    }

    fn notes(&mut self) -> Vec<Option<String>> {
        let events = std::iter::from_fn(|| self.client.next_event());
        events
            .filter_map(|event| match event {
                SessionEvent::Prediction { note } => Some(note),
                _ => None,
            })
            .collect()
    }
}

#[test]
fn a_module_is_wanted_once_with_what_it_needs() {
    let mut session = Session::joined(&MODULE);
    assert_eq!(
        session.client.prediction_note(),
        Some("the rules are loading")
    );
    assert_eq!(session.client.wanted_rules(), Some(wanted()));
    assert_eq!(session.client.wanted_rules(), None);
    session.rejoin(&MODULE, b"map");
    assert_eq!(session.client.wanted_rules(), None);
}

#[test]
fn without_a_module_the_client_plays_on_and_says_so() {
    for module in [&[][..], &[1, 2, 3]] {
        let mut session = Session::joined(module);
        assert_eq!(session.client.wanted_rules(), None);
        assert!(session.client.prediction_note().is_some());
        session.tick();
        assert_eq!(session.client.phase(), &Phase::Playing);
    }
}

#[test]
fn prediction_begins_and_ends_without_a_jump() {
    let mut session = Session::joined(&MODULE);
    for _ in 0..60 {
        session.tick();
    }
    let before = session.screen_x();
    let rules = Runs::default();
    let is_broken = Arc::clone(&rules.is_broken);
    (session.client).give_rules(&wanted(), Box::new(rules), session.now());
    assert!(session.client.is_predicting());
    assert_eq!(session.client.prediction_note(), None);
    assert_eq!(session.notes(), [None]);
    assert!((session.screen_x() - before).abs() <= 1);
    for _ in 0..60 {
        let before = session.screen_x();
        session.tick();
        let step = session.screen_x() - before;
        assert!((0..=3 * SPEED).contains(&step), "{step}");
    }
    let stats = session.client.prediction_stats();
    assert!(stats.inputs >= 59 && stats.corrections == 0, "{stats:?}");

    is_broken.store(true, Ordering::Relaxed);
    let before = session.screen_x();
    session.tick();
    assert!(!session.client.is_predicting());
    let note = session.client.prediction_note().unwrap().to_owned();
    assert!(note.contains("out of fuel"), "{note}");
    assert_eq!(session.notes(), [Some(note)]);
    assert!((session.screen_x() - before).abs() <= 2 * SPEED);
    for _ in 0..60 {
        let before = session.screen_x();
        session.tick();
        let step = session.screen_x() - before;
        assert!((-SPEED..=2 * SPEED).contains(&step), "{step}");
    }
    assert_eq!(session.client.phase(), &Phase::Playing);
}

#[test]
fn given_rules_stay_over_a_reconnect() {
    let mut session = Session::joined(&MODULE);
    let rules = Box::new(Runs::default());
    session.client.give_rules(&wanted(), rules, session.now());
    session.rejoin(&MODULE, b"map");
    assert!(session.client.is_predicting());
    assert_eq!(session.client.wanted_rules(), None);
    session.tick();
    assert!(session.client.prediction_stats().inputs > 0);
}

#[test]
fn another_module_or_map_needs_new_rules() {
    for (module, map) in [(OTHER_MODULE, b"map"), (MODULE, b"pam")] {
        let mut session = Session::joined(&MODULE);
        let rules = Box::new(Runs::default());
        session.client.give_rules(&wanted(), rules, session.now());
        session.rejoin(&module, map);
        assert!(!session.client.is_predicting());
        assert_eq!(session.client.wanted_rules().unwrap().module, module);
        // What comes late for rules that are not wanted any more is ignored.
        let rules = Box::new(Runs::default());
        session.client.give_rules(&wanted(), rules, session.now());
        session.client.refuse_rules(&wanted(), "late");
        assert!(!session.client.is_predicting());
        assert_eq!(
            session.client.prediction_note(),
            Some("the rules are loading")
        );
    }
}

#[test]
fn a_refused_module_is_not_asked_for_again() {
    let mut session = Session::joined(&MODULE);
    assert!(session.client.wanted_rules().is_some());
    session.client.refuse_rules(&wanted(), "it has imports");
    let note = session.client.prediction_note().unwrap().to_owned();
    assert!(note.contains("it has imports"));
    assert_eq!(session.notes(), [Some(note)]);
    session.rejoin(&MODULE, b"map");
    assert_eq!(session.client.wanted_rules(), None);
    assert!(!session.client.is_predicting());
}

#[test]
fn other_bytes_than_announced_are_refused() {
    let mut rules = wanted();
    assert_eq!(rules.path(), format!("rules/{}.wasm", "07".repeat(32)));
    assert_eq!(rules.check(b"no module"), Err(ModuleError::Hash));
    rules.module = Sha256::digest(b"no module").into();
    assert!(matches!(
        rules.check(b"no module"),
        Err(ModuleError::Shape(_))
    ));
}
