//! The session's links: opening, losing, and giving up those that are dead.
//!
//! In: what the shell reports of its sockets, and the time. Out: which link counts, and when to try again. A silent link is kept
//! until another one is welcome: whichever speaks first wins.

use super::{Action, Client, PING_INTERVAL, Phase};
use crate::link::{Link, LinkId, LinkState};
use prost::Message as _;
use tickwire_proto::v1::{self, client_message};
use tickwire_sync::{Micros, Tick};

/// A link that says nothing for this long is dead: a page cannot see WebSocket pings, so the server beats once a second.
const SILENCE: Micros = Micros::from_millis(3_000);
/// How long a connection attempt may take before another one is made.
const ATTEMPT: Micros = Micros::from_millis(8_000);
/// The same for the way back over a network that answers nothing: the system asks again after 1, 3 and 7 s, so whoever waits
/// for it may miss the network's return by seconds. At least this, and so many round trips; so many times, then in peace.
const QUICK_ATTEMPT: Micros = Micros::from_millis(1_000);
const QUICK_ROUND_TRIPS: u64 = 8;
const QUICK_ATTEMPTS: u32 = 10;
/// Nothing is heard of a message until all of it is there, and over a thin line a welcome with a large map, or the first view, takes its time: so
/// each link in a row that shows nothing is waited for twice as long as the one before, so many times.
const MAX_DOUBLINGS: u32 = 3;
/// What a person is told where nothing answers. A browser cannot tell a server that is not there from one that refuses the upgrade.
const NO_ANSWER: &str = "the server cannot be reached, or has no place free";
const SLOW_ANSWER: &str = "the server, or the way to it, is slow to answer";
/// Close code: the session goes on over a newer connection.
const RESUMED_ELSEWHERE: u16 = 4005;
/// Close code: a message was too big.
const TOO_BIG: u16 = 1009;

impl Client {
    pub(super) fn open(&mut self, now: Micros) {
        self.retry_at = None;
        self.next_link += 1;
        let id = LinkId(self.next_link);
        self.links.push(Link {
            id,
            state: LinkState::Opening,
            heard: now,
            slow_before: self.slow_starts,
        });
        self.actions.push_back(Action::Open(id));
    }

    /// A socket is open.
    pub fn opened(&mut self, id: LinkId, now: Micros) {
        let Some(link) = self.links.iter_mut().find(|link| link.id == id) else {
            return;
        };
        self.unanswered = 0;
        link.state = LinkState::Greeting { since: now };
        link.heard = now;
        let hello = v1::Hello {
            version: tickwire_proto::VERSION,
            room: self.options.room.clone(),
            name: self.options.name.clone(),
            resume_token: self
                .place
                .as_ref()
                .map(|place| place.resume_token.clone())
                .unwrap_or_default(),
            ticket: self.options.ticket.clone(),
            encoding: self.options.encoding.into(),
            spectate: self.options.is_spectator,
            last_message: self.newest_message,
        };
        self.send_on(id, client_message::Body::Hello(hello));
    }

    /// A socket is closed, or could not be opened. `code` is the close code, if there was a closing handshake.
    pub fn closed(&mut self, id: LinkId, code: Option<u16>, reason: &str, now: Micros) {
        let Some(position) = self.links.iter().position(|link| link.id == id) else {
            return;
        };
        let link = self.links.remove(position);
        if matches!(self.phase, Phase::Closed { .. }) {
            return;
        }
        // What does not fit into a message is too large the next time as well.
        if code == Some(TOO_BIG) && is_greeting(&link) {
            self.finish(TOO_BIG, reason);
            return;
        }
        // The server tells the old link of the resume, and the new one gets its Welcome: in any order, as they are two sockets.
        if code == Some(RESUMED_ELSEWHERE) && self.links.iter().any(is_greeting) {
            self.lost(link, now);
            return;
        }
        if let Some(code @ (1000 | 1002 | 1003 | 1008 | 4000 | 4001 | 4002 | RESUMED_ELSEWHERE)) =
            code
        {
            self.finish(code, reason);
            return;
        }
        if !reason.is_empty() {
            reason.clone_into(&mut self.trouble);
        } else if link.state == LinkState::Opening {
            NO_ANSWER.clone_into(&mut self.trouble);
        }
        self.lost(link, now);
    }

    fn lost(&mut self, link: Link, now: Micros) {
        if link.state == LinkState::Joined {
            self.phase = Phase::Reconnecting;
        }
        if self.links.is_empty() && self.retry_at.is_none() {
            self.retry_at = Some(now.plus(self.backoff.pause()));
        }
    }

    /// The device says that it is online (again), or there is another reason to try at once.
    ///
    /// A link that is in use may have died with the network before: it is asked, and has to answer.
    pub fn hurry(&mut self, now: Micros) {
        if self.retry_at.is_some() {
            self.retry_at = Some(now);
        }
        self.doubted_at = Some(now);
        self.next_ping = now.plus(PING_INTERVAL);
        self.send(client_message::Body::Ping(v1::Ping { stamp: now.0 }));
    }

    pub(super) fn give_up_dead_links(&mut self, now: Micros) {
        let patience = self.patience();
        let doubted_at = self.doubted_at;
        let is_unanswered = |link: &Link| {
            doubted_at.is_some_and(|asked| link.heard <= asked && now.since(asked) > patience)
        };
        let has_shown = self.newest_snapshot.0 != Tick(0);
        let silence = |link: &Link| match has_shown {
            true => SILENCE,
            false => doubled(SILENCE, link),
        };
        let is_silent = |link: &Link| now.since(link.heard) > silence(link) || is_unanswered(link);
        let silent = self
            .links
            .iter()
            .find(|link| link.state == LinkState::Joined && is_silent(link));
        if let Some(silent) = silent
            && self.links.len() == 1
            && self.retry_at.is_none()
        {
            // Another link is opened beside the silent one, which is kept in case it speaks first. Where the server may be what
            // is silent, all its players wait for it: not all of them at once then.
            let pause = if is_unanswered(silent) {
                Micros(0)
            } else {
                self.backoff.pause()
            };
            self.phase = Phase::Reconnecting;
            self.retry_at = Some(now.plus(pause));
            self.slow_starts += u32::from(!has_shown);
        }
        // A silent link that speaks again makes the other one needless; but not once that has said Hello, as the server then
        // moves the session to it, whatever becomes of it here.
        let is_moving = self.links.iter().any(is_greeting);
        let alive = self
            .links
            .iter()
            .find(|link| link.state == LinkState::Joined && !is_silent(link))
            .map(|link| link.id);
        if let Some(alive) = alive.filter(|_| self.phase == Phase::Reconnecting && !is_moving) {
            self.phase = Phase::Playing;
            self.trouble.clear();
            self.retry_at = None;
            for link in self.links.extract_if(.., |link| link.id != alive) {
                self.actions.push_back(Action::Close(link.id));
            }
        }
        let is_hopeless = |link: &mut Link| match link.state {
            LinkState::Joined => false,
            LinkState::Opening => now.since(link.heard) > patience,
            LinkState::Greeting { .. } => {
                let is_doubted = doubted_at
                    .is_some_and(|asked| link.heard <= asked && now.since(asked) > ATTEMPT);
                is_doubted || now.since(link.heard) > doubled(ATTEMPT, link)
            }
        };
        let hopeless: Vec<Link> = self.links.extract_if(.., is_hopeless).collect();
        for link in hopeless {
            self.actions.push_back(Action::Close(link.id));
            let is_slow = is_greeting(&link);
            let trouble = if is_slow { SLOW_ANSWER } else { NO_ANSWER };
            trouble.clone_into(&mut self.trouble);
            self.slow_starts += u32::from(is_slow);
            if self.retry_at.is_none() {
                // A server that cannot be reached is not spared by waiting.
                let pause = if patience < ATTEMPT {
                    Micros(0)
                } else {
                    self.backoff.pause()
                };
                self.retry_at = Some(now.plus(pause));
            }
            self.unanswered += 1;
        }
    }

    /// How long an attempt, or a link that is asked, may go unanswered.
    fn patience(&self) -> Micros {
        if self.place.is_none() || self.unanswered >= QUICK_ATTEMPTS {
            return ATTEMPT;
        }
        let round_trip = self.server_clock.least_round_trip().unwrap_or_default();
        Micros(round_trip.0 * QUICK_ROUND_TRIPS).clamp(QUICK_ATTEMPT, ATTEMPT)
    }

    pub(super) fn finish(&mut self, code: u16, reason: &str) {
        for link in self.links.drain(..) {
            self.actions.push_back(Action::Close(link.id));
        }
        self.retry_at = None;
        self.phase = Phase::Closed {
            code,
            reason: reason.to_owned(),
        };
    }

    pub(super) fn send(&mut self, body: client_message::Body) {
        if let Some(link) = self.joined_link() {
            self.send_on(link, body);
        }
    }

    pub(super) fn send_on(&mut self, link: LinkId, body: client_message::Body) {
        let message = v1::ClientMessage { body: Some(body) }.encode_to_vec();
        self.counters.bytes_out += message.len() as u64;
        self.actions.push_back(Action::Send(link, message));
    }

    pub(super) fn joined_link(&self) -> Option<LinkId> {
        self.links
            .iter()
            .find(|link| link.state == LinkState::Joined)
            .map(|link| link.id)
    }
}

/// For how long an open link that has shown nothing yet may go on like that, where the first one may for `once`.
fn doubled(once: Micros, link: &Link) -> Micros {
    Micros(once.0 << link.slow_before.min(MAX_DOUBLINGS))
}

fn is_greeting(link: &Link) -> bool {
    matches!(link.state, LinkState::Greeting { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Options;
    use tickwire_proto::v1::server_message;

    fn welcome() -> Vec<u8> {
        let schema = tickwire_game::arena::schema().to_proto();
        let welcome = v1::Welcome {
            session: 1,
            resume_token: vec![1; 20],
            tick_rate: 60,
            schema: Some(schema),
            ..v1::Welcome::default()
        };
        let body = Some(server_message::Body::Welcome(welcome));
        v1::ServerMessage { body }.encode_to_vec()
    }

    fn beat() -> Vec<u8> {
        let body = Some(server_message::Body::Beat(v1::Beat::default()));
        v1::ServerMessage { body }.encode_to_vec()
    }

    fn seeded() -> Client {
        let options = Options {
            seed: 1,
            ..Options::default()
        };
        Client::new(options, Micros(0))
    }

    fn opened_link(client: &mut Client) -> LinkId {
        while let Some(action) = client.next_action() {
            if let Action::Open(link) = action {
                return link;
            }
        }
        panic!("the client opens no link");
    }

    /// A client that plays since time 0.
    fn joined() -> (Client, LinkId) {
        let mut client = seeded();
        client.poll(Micros(0));
        let link = opened_link(&mut client);
        client.opened(link, Micros(0));
        client.received(link, &welcome(), Micros(0));
        assert_eq!(client.phase(), &Phase::Playing);
        (client, link)
    }

    /// A client whose link went silent, and another link that is greeting.
    fn replacing() -> (Client, LinkId, LinkId, Micros) {
        let (mut client, old) = joined();
        let mut now = Micros(0);
        while client.links.len() < 2 {
            now = now.plus(Micros::from_millis(100));
            client.poll(now);
        }
        let new = opened_link(&mut client);
        client.opened(new, now);
        (client, old, new, now)
    }

    #[test]
    fn on_the_way_back_an_unanswered_attempt_is_soon_made_anew() {
        let (mut client, _) = joined();
        // Nothing comes any more, and nothing answers.
        let mut opened = Vec::new();
        for step in 1..=1_200_u64 {
            let now = Micros::from_millis(step * 50);
            client.poll(now);
            while let Some(action) = client.next_action() {
                if let Action::Open(_) = action {
                    opened.push(now.as_millis());
                }
            }
        }
        let pauses: Vec<f64> = opened.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(opened[0] <= 4_050.0, "{opened:?}");
        assert!(
            pauses[..9].iter().all(|pause| *pause <= 1_100.0),
            "{pauses:?}"
        );
        assert!(
            pauses[10..].iter().all(|pause| *pause >= 8_000.0),
            "{pauses:?}"
        );
    }

    /// When the first link is opened after a time, in milliseconds, while nothing comes but what `speaks` says of each moment.
    fn next_open(
        client: &mut Client,
        from: u64,
        link: LinkId,
        speaks: impl Fn(u64) -> bool,
    ) -> u64 {
        for now in (from..).step_by(50) {
            let at = Micros::from_millis(now);
            if speaks(now) {
                client.received(link, &beat(), at);
            }
            client.poll(at);
            while let Some(action) = client.next_action() {
                if matches!(action, Action::Open(_)) {
                    return now;
                }
            }
        }
        unreachable!("a silent link is replaced some time");
    }

    #[test]
    fn a_link_that_does_not_answer_after_the_network_changed_is_replaced_at_once() {
        let (mut client, link) = joined();
        client.hurry(Micros::from_millis(500));
        let asked = std::iter::from_fn(|| client.next_action());
        assert!(
            asked
                .into_iter()
                .any(|action| matches!(action, Action::Send(..)))
        );
        assert_eq!(next_open(&mut client, 500, link, |_| false), 1_550);
    }

    #[test]
    fn a_link_that_answers_after_the_network_changed_is_kept() {
        let (mut client, link) = joined();
        client.hurry(Micros::from_millis(500));
        let opened = next_open(&mut client, 500, link, |now| now == 600);
        assert!(opened > 3_600, "{opened}");
    }

    #[test]
    fn why_there_is_no_way_in_is_known_until_there_is_one() {
        let mut client = seeded();
        client.poll(Micros(0));
        let link = opened_link(&mut client);
        assert_eq!(client.trouble(), "");
        client.opened(link, Micros(0));
        client.closed(link, Some(1013), "this room is full", Micros(0));
        assert_eq!(client.trouble(), "this room is full");

        client.poll(Micros::from_millis(1_000));
        let link = opened_link(&mut client);
        client.closed(link, None, "", Micros::from_millis(1_000));
        assert_eq!(client.trouble(), NO_ANSWER);

        client.poll(Micros::from_millis(3_000));
        let link = opened_link(&mut client);
        client.opened(link, Micros::from_millis(3_000));
        client.received(link, &welcome(), Micros::from_millis(3_000));
        assert_eq!(client.trouble(), "");
    }

    /// After how many milliseconds each of the first links is followed by another, where all are opened at once and `answer` says more of them.
    fn patience_with_each(answer: impl Fn(&mut Client, LinkId, Micros)) -> Vec<u64> {
        let mut client = seeded();
        let mut opened_at = Vec::new();
        for now in (0..100_000).step_by(50) {
            let at = Micros::from_millis(now);
            client.poll(at);
            while let Some(action) = client.next_action() {
                if let Action::Open(link) = action {
                    opened_at.push(now);
                    client.opened(link, at);
                    answer(&mut client, link, at);
                }
            }
        }
        opened_at.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    #[test]
    fn what_is_slow_to_come_is_waited_for_longer_each_time() {
        // Beyond the first four each pause between two attempts may take 5 s.
        let no_welcome = patience_with_each(|_, _, _| {});
        assert!(no_welcome[0] < 10_000, "{no_welcome:?}");
        assert!(
            no_welcome[1] >= 16_000 && no_welcome[2] >= 32_000,
            "{no_welcome:?}"
        );
        let no_view = patience_with_each(|client, link, at| client.received(link, &welcome(), at));
        assert!(no_view[0] < 5_000, "{no_view:?}");
        assert!(
            no_view[1] >= 6_000 && no_view[2] >= 12_000 && no_view[3] >= 24_000,
            "{no_view:?}"
        );
    }

    #[test]
    fn a_silent_link_that_speaks_again_ends_all_trouble() {
        let (mut client, old) = joined();
        let mut now = Micros(0);
        while client.trouble().is_empty() {
            now = now.plus(Micros::from_millis(100));
            client.poll(now);
        }
        assert_eq!(client.phase(), &Phase::Reconnecting);
        client.received(old, &beat(), now);
        client.poll(now);
        assert_eq!((client.phase(), client.trouble()), (&Phase::Playing, ""));
    }

    #[test]
    fn an_own_new_link_is_not_elsewhere() {
        let (mut client, old, new, now) = replacing();
        client.closed(old, Some(RESUMED_ELSEWHERE), "", now);
        assert_eq!(client.phase(), &Phase::Reconnecting);
        client.received(new, &welcome(), now);
        assert_eq!(client.phase(), &Phase::Playing);
        assert_eq!(client.counters().reconnects, 1);
    }

    #[test]
    fn an_old_link_that_speaks_again_does_not_end_one_that_said_hello() {
        let (mut client, old, new, now) = replacing();
        client.received(old, &beat(), now);
        client.poll(now);
        assert_eq!(client.links.len(), 2);
        client.closed(old, Some(RESUMED_ELSEWHERE), "", now);
        client.received(new, &welcome(), now);
        assert_eq!(client.phase(), &Phase::Playing);
    }

    #[test]
    fn a_hello_that_is_too_big_is_not_said_again() {
        let mut client = seeded();
        client.poll(Micros(0));
        let link = opened_link(&mut client);
        client.opened(link, Micros(0));
        client.closed(link, Some(TOO_BIG), "at most 4096 bytes", Micros(0));
        assert!(matches!(
            client.phase(),
            Phase::Closed { code: TOO_BIG, .. }
        ));
        let (mut client, link) = joined();
        client.closed(link, Some(TOO_BIG), "at most 4096 bytes", Micros(0));
        assert_eq!(client.phase(), &Phase::Reconnecting);
    }

    #[test]
    fn a_session_that_was_resumed_elsewhere_is_over_here() {
        let (mut client, _, new, now) = replacing();
        client.received(new, &welcome(), now);
        client.closed(new, Some(RESUMED_ELSEWHERE), "", now);
        assert!(matches!(
            client.phase(),
            Phase::Closed {
                code: RESUMED_ELSEWHERE,
                ..
            }
        ));
    }
}
