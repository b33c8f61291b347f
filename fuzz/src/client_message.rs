//! `ClientMessage`: the quick decoder of inputs agrees with prost, and takes every input that a client writes.
//!
//! Input: the bytes of a message.

use prost::Message as _;
use tickwire_proto::v1::{self, client_message::Body};
use tickwire_server::internals::ReceivedInput;
use tickwire_sync::Micros;

const ARRIVED: Micros = Micros(7);

/// One run of the target.
///
/// # Panics
/// If the decoders disagree.
pub fn run(input: &[u8]) {
    let quick = ReceivedInput::decode(input, ARRIVED);
    let decoded = v1::ClientMessage::decode(input);
    let whole = match &decoded {
        Ok(v1::ClientMessage {
            body: Some(Body::Inputs(inputs)),
        }) => ReceivedInput::new(inputs, ARRIVED),
        _ => None,
    };
    if quick.is_some() {
        assert_eq!(quick, whole, "the quick decoder says what prost says");
    }
    let Ok(message) = decoded else { return };
    // As clients write it: the same message, and for inputs the quick decoder's way.
    let written = message.encode_to_vec();
    assert_eq!(v1::ClientMessage::decode(&written[..]), Ok(message));
    if whole.is_some() {
        assert_eq!(
            ReceivedInput::decode(&written, ARRIVED),
            whole,
            "the quick decoder takes every input that a client writes"
        );
    }
}
