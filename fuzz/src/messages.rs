//! Several messages in one input: each after its length in two bytes, little-endian. A length beyond the end means the rest.
//!
//! The messages are those of the wire, so that files of the corpus are made from real ones. libFuzzer alone would mostly damage
//! lengths; [`mutate`] changes one message, or the bytes of one field, and writes the lengths anew.

use fastrand::Rng;
use prost::Message as _;
use tickwire_proto::v1::{self, server_message::Body};

/// Splits an input into its messages.
pub fn split(mut input: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = input.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
        let message;
        (message, input) = rest.split_at(length);
        Some(message)
    })
}

/// Makes an input of messages.
#[must_use]
pub fn join<M: AsRef<[u8]>>(messages: &[M]) -> Vec<u8> {
    let mut input = Vec::new();
    for message in messages {
        let message = message.as_ref();
        let length = u16::try_from(message.len()).unwrap_or(u16::MAX);
        input.extend_from_slice(&length.to_le_bytes());
        input.extend_from_slice(&message[..usize::from(length)]);
    }
    input
}

/// libFuzzer's own mutation of the first bytes of a buffer: their number before, and the most after. Returns how many there are.
pub type BytesMutator = fn(&mut [u8], usize, usize) -> usize;

/// Changes an input of server messages: the first `size` bytes of `data`, which takes up to `max_size`. Returns the new size.
pub fn mutate(
    data: &mut [u8],
    size: usize,
    max_size: usize,
    seed: u32,
    bytes: BytesMutator,
) -> usize {
    let mut random = Rng::with_seed(seed.into());
    let mut messages: Vec<Vec<u8>> = split(&data[..size]).map(<[u8]>::to_vec).collect();
    if messages.is_empty() || random.u8(..) < 48 {
        return bytes(data, size, max_size);
    }
    let [at, other] = [0; 2].map(|_| random.usize(..messages.len()));
    match random.u8(..16) {
        0 => drop(messages.remove(at)),
        1 => messages.insert(at, messages[at].clone()),
        2 => messages.swap(at, other),
        3 => messages[at] = mutated(&messages[at], bytes),
        _ => messages[at] = mutated_field(&messages[at], &mut random, bytes),
    }
    let changed = join(&messages);
    if changed.len() > max_size {
        return bytes(data, size, max_size);
    }
    data[..changed.len()].copy_from_slice(&changed);
    changed.len()
}

/// Room for a mutation to add bytes.
const GROWTH: usize = 64;

fn mutated(before: &[u8], bytes: BytesMutator) -> Vec<u8> {
    let mut after = before.to_vec();
    after.resize(before.len() + GROWTH, 0);
    let max_size = after.len();
    let size = bytes(&mut after, before.len(), max_size);
    after.truncate(size);
    after
}

/// A message with other bytes in one of its fields; with other bytes anywhere if it cannot be decoded.
fn mutated_field(message: &[u8], random: &mut Rng, bytes: BytesMutator) -> Vec<u8> {
    let Ok(v1::ServerMessage { body: Some(body) }) = v1::ServerMessage::decode(message) else {
        return mutated(message, bytes);
    };
    let body = match body {
        Body::Snapshot(snapshot) => Body::Snapshot(mutated_snapshot(snapshot, random, bytes)),
        Body::Codebooks(mut codebooks) => {
            match random.u8(..4) {
                0 => change_number(random, &mut codebooks.changed, bytes),
                1 if !codebooks.usual_lanes.is_empty() => {
                    let at = random.usize(..codebooks.usual_lanes.len());
                    codebooks.usual_lanes[at] = random.u64(..);
                }
                2 if codebooks.code_lengths.len() > 1 => {
                    // Often still a code: the lengths of two symbols change places.
                    let [a, b] = [0; 2].map(|_| random.usize(..codebooks.code_lengths.len()));
                    codebooks.code_lengths.swap(a, b);
                }
                _ => codebooks.code_lengths = mutated(&codebooks.code_lengths, bytes),
            }
            Body::Codebooks(codebooks)
        }
        _ => return mutated(message, bytes),
    };
    v1::ServerMessage { body: Some(body) }.encode_to_vec()
}

fn mutated_snapshot(
    mut snapshot: v1::Snapshot,
    random: &mut Rng,
    bytes: BytesMutator,
) -> v1::Snapshot {
    match random.u8(..12) {
        0 => snapshot.tick = snapshot.tick.wrapping_add(random.u32(..4)).wrapping_sub(1),
        1 => snapshot.full_snapshot ^= true,
        2 => change_number(random, &mut snapshot.added_cells, bytes),
        3 => change_number(random, &mut snapshot.dropped_cells, bytes),
        4 => change_number(random, &mut snapshot.deferred_cells, bytes),
        5 => change_number(random, &mut snapshot.cell_parts, bytes),
        6 => snapshot.deferred_bits = mutated(&snapshot.deferred_bits, bytes),
        _ if snapshot.blocks.is_empty() => {
            snapshot.packed = mutated(&snapshot.packed, bytes).into();
        }
        _ => {
            let at = random.usize(..snapshot.blocks.len());
            let block = mutated(&snapshot.blocks[at].encode_to_vec(), bytes);
            if let Ok(block) = v1::Block::decode(&block[..]) {
                snapshot.blocks[at] = block;
            }
        }
    }
    snapshot
}

/// Adds, removes or changes one number of a list.
fn change_number(random: &mut Rng, numbers: &mut Vec<u32>, bytes: BytesMutator) {
    let at = random.usize(..=numbers.len());
    match random.u8(..3) {
        0 => numbers.insert(at, random.u32(..40)),
        1 if at < numbers.len() => drop(numbers.remove(at)),
        _ if at < numbers.len() => {
            let mut word = numbers[at].to_le_bytes();
            bytes(&mut word, 4, 4);
            numbers[at] = u32::from_le_bytes(word);
        }
        _ => {}
    }
}
