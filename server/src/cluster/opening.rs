//! What a relay tells the owner of a room about a client that has come.

use prost::Message as _;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use tickwire_proto::v1::{self, client_message::Body};

/// A client at its relay. The relay has checked nothing of it but its flood limits: the owner does, as with its own clients.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Opening {
    /// Where the client comes from.
    pub peer: SocketAddr,
    /// The room in the URL.
    pub url_room: Option<String>,
    /// When the connection was opened, in microseconds on the clock that the nodes share. An age would not do: the way to the owner may take seconds, and of two
    /// connections of a client the one opened later has the session.
    pub opened_at_us: u64,
    /// The client's first message, which is a `Hello`.
    pub hello: Vec<u8>,
    /// The client is in the room already, and does not know that the room changed its node: it gets no `Welcome`.
    pub goes_on: bool,
}

impl Opening {
    /// The opening for a client that goes on with the session of `token`.
    pub fn going_on(&self, token: &[u8]) -> Self {
        let mut opening = self.clone();
        let hello = v1::ClientMessage::decode(&*self.hello);
        if let Ok(v1::ClientMessage {
            body: Some(Body::Hello(mut hello)),
        }) = hello
        {
            hello.resume_token = token.to_vec();
            // Nobody here knows which messages the client has. It ignores those that it has.
            hello.last_message = 0;
            hello.reservation.clear();
            let body = Some(Body::Hello(hello));
            opening.hello = v1::ClientMessage { body }.encode_to_vec();
            opening.goes_on = true;
        }
        opening
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_goes_on_with_its_session_and_as_itself() {
        let hello = v1::Hello {
            name: "Ada".to_owned(),
            ticket: "ticket".to_owned(),
            last_message: 7,
            reservation: vec![1],
            cell_parts: true,
            ..v1::Hello::default()
        };
        let body = Some(Body::Hello(hello.clone()));
        let opening = Opening {
            peer: ([192, 0, 2, 1], 5).into(),
            url_room: Some("main".to_owned()),
            opened_at_us: 9,
            hello: v1::ClientMessage { body }.encode_to_vec(),
            goes_on: false,
        };
        let going_on = opening.going_on(&[4; 20]);
        let body = v1::ClientMessage::decode(&*going_on.hello).unwrap().body;
        let expected = v1::Hello {
            resume_token: vec![4; 20],
            last_message: 0,
            reservation: Vec::new(),
            ..hello
        };
        assert_eq!(body, Some(Body::Hello(expected)));
        assert!(going_on.goes_on);
        assert_eq!((going_on.peer, going_on.opened_at_us), (opening.peer, 9));
    }
}
