//! The session that JavaScript holds: [`Client`], with numbers and strings for its types.
//!
//! In: calls of the page, with the time in milliseconds. Out: actions for its sockets; `exports` has what is read. Knows no rule of
//! any game.

use super::event_queue::{EventQueue, PageEvent};
use super::inputs::PageInputs;
use super::shown_rows::ShownRows;
use super::texts::Texts;
use crate::client::{Action, Client, Options, SessionEvent};
use crate::{LinkId, WantedRules};
use tickwire_proto::v1::Encoding;
use tickwire_sync::Micros;
use wasm_bindgen::prelude::wasm_bindgen;

/// What the page has to do with its sockets.
#[wasm_bindgen]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ActionKind {
    /// Nothing.
    None = 0,
    /// Open a WebSocket for the link of the action.
    Open = 1,
    /// Send the message of the action on its link.
    Send = 2,
    /// Close the link with code 1000 and forget it.
    Close = 3,
}

/// What happens to a page, beside [`WasmClient::go_away`].
#[wasm_bindgen]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PageChange {
    /// It is hidden: no inputs are made.
    Hidden = 0,
    /// It is visible again.
    Visible = 1,
    /// The network may have changed: checks the connection at once.
    Online = 2,
    /// It is back after [`WasmClient::go_away`]: connects again at once.
    Back = 3,
}

/// One session. Times are milliseconds of a clock that never goes back, and that counts the time for which the device slept.
#[wasm_bindgen]
pub struct WasmClient {
    pub(super) client: Client,
    pub(super) inputs: PageInputs,
    /// When the latest frame was sampled.
    pub(super) sampled_at: Micros,
    pub(super) texts: Texts,
    pub(super) shown: ShownRows,
    /// The rules module that the page is loading.
    pub(super) wanted_rules: Option<WantedRules>,
    pub(super) events: EventQueue,
    /// The event that the page reads now.
    pub(super) event: PageEvent,
    pub(super) action_link: u32,
    pub(super) action_message: Vec<u8>,
}

#[wasm_bindgen]
impl WasmClient {
    /// Creates a session that connects with the first [`Self::poll`]. `seed`: of the reconnection jitter.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(
        room: String,
        name: String,
        ticket: String,
        spectate: bool,
        seed: u32,
        now_ms: f64,
    ) -> Self {
        let options = Options {
            room,
            name,
            ticket,
            reservation: Vec::new(),
            encoding: Encoding::Packed,
            is_spectator: spectate,
            seed: u64::from(seed),
        };
        Self {
            client: Client::new(options, micros(now_ms)),
            inputs: PageInputs::default(),
            sampled_at: Micros(0),
            texts: Texts::default(),
            shown: ShownRows::default(),
            wanted_rules: None,
            events: EventQueue::default(),
            event: PageEvent::NONE,
            action_link: 0,
            action_message: Vec::new(),
        }
    }

    /// Runs what is due: connects, gives up dead links, makes the inputs of the ticks that have come. Carry out the actions afterwards.
    pub fn poll(&mut self, now_ms: f64) {
        let now = micros(now_ms);
        self.client.poll(now);
        while self.client.next_due_tick(now).is_some() {
            if self.client.is_spectator() {
                self.inputs.take_once();
                self.client.input(&[]);
            } else if let Some(payload) = self.take_due_once() {
                self.client.input(&payload);
            } else {
                self.client.input(self.inputs.held());
            }
        }
        self.take_events();
    }

    /// The input of one tick for the tick that is due. Of several ticks that are due at once the newest carry such inputs, as they are
    /// the least likely to arrive too late.
    fn take_due_once(&mut self) -> Option<Vec<u8>> {
        let is_due = self.inputs.waiting() >= self.client.due_ticks() as usize;
        is_due.then(|| self.inputs.take_once()).flatten()
    }

    /// Gives the input of exactly one tick, the next one. `replaces`: instead of the one that still waits, if one does; else after it.
    /// Returns `false` if the payload is too long or 64 inputs wait already.
    pub fn press(&mut self, payload: &[u8], replaces: bool) -> bool {
        if replaces {
            self.inputs.clear_once();
        }
        self.inputs.push_once(payload)
    }

    /// The next thing to do; the numbers of its link and its message belong to it until the next call.
    pub fn next_action(&mut self) -> ActionKind {
        let (kind, LinkId(link)) = match self.client.next_action() {
            None => return ActionKind::None,
            Some(Action::Open(link)) => (ActionKind::Open, link),
            Some(Action::Close(link)) => (ActionKind::Close, link),
            Some(Action::Send(link, message)) => {
                self.action_message = message;
                (ActionKind::Send, link)
            }
        };
        self.action_link = link;
        kind
    }

    /// Reports that a socket is open.
    pub fn opened(&mut self, link: u32, now_ms: f64) {
        self.client.opened(LinkId(link), micros(now_ms));
    }

    /// Passes on a message that arrived on a socket.
    pub fn received(&mut self, link: u32, message: &[u8], now_ms: f64) {
        self.client.received(LinkId(link), message, micros(now_ms));
        self.take_events();
    }

    /// Takes the session's events for the page.
    pub(super) fn take_events(&mut self) {
        while let Some(event) = self.client.next_event() {
            if let SessionEvent::Joined { .. } = event {
                self.inputs.clear_once();
            }
            self.events.push(event.into());
        }
    }

    /// Reports that a socket is closed or could not be opened. `code`: 0 if there was no closing handshake.
    pub fn closed(&mut self, link: u32, code: u16, reason: &str, now_ms: f64) {
        let code = (code > 0).then_some(code);
        self.client
            .closed(LinkId(link), code, reason, micros(now_ms));
    }

    /// Leaves the room and ends the session.
    pub fn leave(&mut self) {
        self.client.leave();
    }

    /// Closes all links: the page goes away. The server keeps the session for `grace_ms`.
    pub fn go_away(&mut self, grace_ms: u32) {
        self.client.go_away(grace_ms);
    }

    /// Resumes the session of an earlier page. Call it before the first [`Self::poll`].
    pub fn resume_from(&mut self, token: &[u8], newest_message: u32) {
        self.client.resume_from(token, newest_message);
    }

    /// Reports what happened to the page.
    pub fn page_changed(&mut self, change: PageChange, now_ms: f64) {
        let now = micros(now_ms);
        match change {
            PageChange::Hidden => self.client.hide(),
            PageChange::Visible => self.client.show(now),
            PageChange::Online => self.client.probe_now(now),
            PageChange::Back => self.client.come_back(now),
        }
    }
}

/// Converts a time of the page. Any number gives a time, as `as` saturates.
pub(super) fn micros(ms: f64) -> Micros {
    Micros((ms * 1e3) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_game::{STRIKE, WALK, schema};
    use crate::wasm::exports::values::{CoreNumber, TakenBytes};
    use crate::wasm::inputs::MAX_WAITING_INPUTS;
    use prost::Message as _;
    use tickwire_proto::v1::{self, client_message, server_message};
    use tickwire_sync::input_buffer::MAX_INPUT_BYTES;

    const TICK_MS: f64 = 1000.0 / 60.0;

    fn welcome() -> Vec<u8> {
        let welcome = v1::Welcome {
            session: 7,
            tick_rate: 60,
            schema: Some(schema().to_proto()),
            ..v1::Welcome::default()
        };
        let body = Some(server_message::Body::Welcome(welcome));
        v1::ServerMessage { body }.encode_to_vec()
    }

    /// A page that plays, and its clock.
    struct Page {
        client: WasmClient,
        now_ms: f64,
    }

    impl Page {
        fn in_the_room() -> Self {
            let nothing = String::new;
            let client = WasmClient::new(nothing(), nothing(), nothing(), false, 1, 0.0);
            let mut page = Self {
                client,
                now_ms: 0.0,
            };
            page.client.poll(0.0);
            page.join();
            page.ticks(1);
            page
        }

        /// Joins over the next link that the core opens.
        fn join(&mut self) {
            while self.client.next_action() != ActionKind::Open {}
            let link = self.client.action_link;
            self.client.opened(link, self.now_ms);
            self.client.received(link, &welcome(), self.now_ms);
        }

        /// The inputs of the next `count` ticks.
        fn ticks(&mut self, count: usize) -> Vec<Vec<u8>> {
            let mut inputs = Vec::new();
            while inputs.len() < count {
                self.now_ms += TICK_MS;
                self.client.poll(self.now_ms);
                inputs.extend(self.sent().into_iter().filter_map(|body| match body {
                    client_message::Body::Inputs(inputs) => Some(inputs.payload),
                    _ => None,
                }));
            }
            inputs
        }

        fn sent(&mut self) -> Vec<client_message::Body> {
            let mut sent = Vec::new();
            loop {
                match self.client.next_action() {
                    ActionKind::None => return sent,
                    ActionKind::Send => {
                        let message = self.client.action_message.clone();
                        sent.extend(v1::ClientMessage::decode(&message[..]).unwrap().body);
                    }
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn one_tick_inputs_precede_the_held_one_a_tick_each() {
        let mut page = Page::in_the_room();
        page.client.take_bytes(TakenBytes::Input, &[WALK]);
        assert!(page.client.press(&[STRIKE], false));
        assert!(page.client.press(&[WALK | STRIKE], false));
        let inputs = [[STRIKE], [WALK | STRIKE], [WALK], [WALK]];
        assert_eq!(page.ticks(4), inputs);
    }

    #[test]
    fn of_delayed_ticks_the_newest_carries_the_one_tick_input() {
        let mut page = Page::in_the_room();
        page.client.take_bytes(TakenBytes::Input, &[WALK]);
        page.client.press(&[STRIKE], false);
        page.now_ms += 3.0 * TICK_MS;
        let inputs = [[WALK], [WALK], [WALK], [STRIKE], [WALK]];
        assert_eq!(page.ticks(5), inputs);
        page.client.press(&[1], false);
        page.client.press(&[2], false);
        page.client.press(&[3], false);
        page.now_ms += 3.0 * TICK_MS;
        assert_eq!(page.ticks(5), [[WALK], [1], [2], [3], [WALK]]);
    }

    #[test]
    fn a_press_behind_a_busy_thread_goes_with_the_newest_tick() {
        for busy_ms in [50.0, 100.0, 200.0, 500.0] {
            let mut page = Page::in_the_room();
            page.client.take_bytes(TakenBytes::Input, &[WALK]);
            page.client.press(&[STRIKE], false);
            page.now_ms += busy_ms - TICK_MS;
            let due = page.ticks(1);
            let (newest, older) = due.split_last().unwrap();
            assert_eq!(*newest, [STRIKE], "after {busy_ms} ms");
            assert!(older.iter().all(|input| *input == [WALK]));
            assert_eq!(page.ticks(1), [[WALK]]);
        }
    }

    #[test]
    fn a_press_can_replace_the_one_that_still_waits() {
        let mut page = Page::in_the_room();
        page.client.press(&[1], true);
        page.client.press(&[2], true);
        assert_eq!(page.client.number(CoreNumber::IsPressWaiting), 1);
        assert_eq!(page.ticks(1), [[2]]);
        assert_eq!(page.client.number(CoreNumber::IsPressWaiting), 0);
    }

    #[test]
    fn leaving_reaches_a_server_that_has_not_answered_yet() {
        let nothing = String::new;
        let mut client = WasmClient::new(nothing(), nothing(), nothing(), false, 1, 0.0);
        client.poll(0.0);
        assert_eq!(client.next_action(), ActionKind::Open);
        let link = client.action_link;
        client.opened(link, 0.0);
        client.leave();
        let mut page = Page {
            client,
            now_ms: 0.0,
        };
        let sent = page.sent();
        assert!(matches!(
            sent[..],
            [
                client_message::Body::Hello(_),
                client_message::Body::Leave(_)
            ]
        ));
    }

    #[test]
    fn a_page_that_went_away_resumes_when_it_comes_back() {
        let mut page = Page::in_the_room();
        page.client.go_away(10_000);
        let leave = v1::Leave { grace_ms: 10_000 };
        assert_eq!(page.sent(), [client_message::Body::Leave(leave)]);
        page.now_ms += 60_000.0;
        page.client.poll(page.now_ms);
        assert_eq!(page.client.next_action(), ActionKind::None);
        page.client.page_changed(PageChange::Back, page.now_ms);
        page.client.poll(page.now_ms);
        assert_eq!(page.client.next_action(), ActionKind::Open);
    }

    #[test]
    fn a_reloaded_page_says_the_token_of_its_session() {
        let nothing = String::new;
        let mut client = WasmClient::new(nothing(), nothing(), nothing(), false, 1, 0.0);
        client.resume_from(&[7; 20], 3);
        client.poll(0.0);
        assert_eq!(client.next_action(), ActionKind::Open);
        let link = client.action_link;
        client.opened(link, 0.0);
        let mut page = Page {
            client,
            now_ms: 0.0,
        };
        let [client_message::Body::Hello(hello)] = &page.sent()[..] else {
            panic!("only a Hello");
        };
        assert_eq!(
            (&hello.resume_token[..], hello.last_message),
            (&[7; 20][..], 3)
        );
    }

    #[test]
    fn one_tick_inputs_without_a_connection_are_dropped() {
        let mut page = Page::in_the_room();
        page.client.take_bytes(TakenBytes::Input, &[WALK]);
        let link = page.client.action_link;
        page.client.closed(link, 0, "lost", page.now_ms);
        page.client.press(&[STRIKE], false);
        page.now_ms += 10_000.0;
        page.client.poll(page.now_ms);
        page.join();
        assert_eq!(page.ticks(2), [[WALK], [WALK]]);
    }

    #[test]
    fn a_one_tick_input_too_long_or_too_many_is_refused() {
        let mut page = Page::in_the_room();
        assert!(!page.client.press(&[0; MAX_INPUT_BYTES + 1], false));
        let accepted = (0..100).filter(|_| page.client.press(&[2], false));
        assert_eq!(accepted.count(), MAX_WAITING_INPUTS);
        page.client.take_bytes(TakenBytes::Input, &[1]);
        let inputs = page.ticks(MAX_WAITING_INPUTS + 1);
        assert_eq!(inputs[MAX_WAITING_INPUTS - 1..], [[2], [1]]);
    }

    #[test]
    fn the_page_knows_the_number_of_its_newest_input() {
        let mut page = Page::in_the_room();
        let before = page.client.number(CoreNumber::InputNumber);
        page.ticks(3);
        assert_eq!(page.client.number(CoreNumber::InputNumber), before + 3);
    }
}
