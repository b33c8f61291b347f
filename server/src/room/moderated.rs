//! What operators do with the sessions of a room: end them, or mute them.
//!
//! In: whose sessions are meant, and what is done. Out: which they were. A session that ends cannot be resumed; whether its player may
//! join anew is not decided here.

use super::Room;
use super::link::Link;
use super::session::Session;
use crate::moderation::{ActedOn, SessionAction, SessionIdentity, Whom};

impl<L: Link> Room<L> {
    /// Does something with the sessions that are meant, those included that wait for their player.
    pub fn act_on_sessions(&mut self, whom: &Whom, action: &SessionAction) -> ActedOn {
        let mut acted_on = ActedOn::default();
        let name = &self.name;
        let is_meant = |session: &Session<L>| match whom {
            Whom::Session { room, number } => room == name && session.player.0 == *number,
            Whom::Target(target) => target.is(session.subject.as_deref(), session.peer),
        };
        let live = (self.sessions.iter_mut()).filter(|session| !session.is_over());
        for session in live.filter(|session| is_meant(session)) {
            acted_on.add(ActedOn {
                sessions: 1,
                first: Some(SessionIdentity {
                    subject: session.subject.clone(),
                    address: session.peer,
                }),
            });
            match action {
                SessionAction::Find => {}
                SessionAction::Mute(id) => session.mute = Some(*id),
                SessionAction::End(close) => {
                    session.end();
                    session.send_waiting_now();
                    if let Some(link) = session.link() {
                        link.close(close);
                    }
                }
            }
        }
        self.end_sessions();
        acted_on
    }
}
