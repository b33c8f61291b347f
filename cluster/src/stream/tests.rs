//! Two sides and a carrier that loses, repeats and reorders.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

const START: Micros = Micros(1_000_000);

struct Side {
    stream: PeerStream,
    /// What was pushed and what was delivered, by generation.
    pushed: BTreeMap<u64, Vec<u32>>,
    delivered: BTreeMap<u64, Vec<u32>>,
    resets: u32,
}

impl Side {
    fn new(generation: u64) -> Self {
        Self {
            stream: PeerStream::new(START, generation),
            pushed: BTreeMap::new(),
            delivered: BTreeMap::new(),
            resets: 0,
        }
    }

    fn push(&mut self, now: Micros, number: u32, len: usize) {
        let mut frames = number.to_le_bytes().to_vec();
        frames.resize(len.max(4), 7);
        self.stream.push(now, frames);
        self.pushed
            .entry(self.stream.generation())
            .or_default()
            .push(number);
    }

    fn send(&mut self, now: Micros) -> Option<Vec<u8>> {
        if self.stream.is_overdue(now) {
            self.stream.reset(now);
            self.resets += 1;
        }
        let mut envelope = Vec::new();
        self.stream
            .next_envelope(now, &mut envelope)
            .then_some(envelope)
    }

    fn receive(&mut self, now: Micros, envelope: &[u8]) {
        let received = self
            .stream
            .receive(now, envelope)
            .expect("envelopes of this stream");
        self.resets += u32::from(received.is_reset);
        if let Some(frames) = received.frames {
            let number = u32::from_le_bytes(frames[..4].try_into().expect("four bytes"));
            assert!(
                frames[4..].iter().all(|&byte| byte == 7),
                "frames are delivered as they were pushed"
            );
            self.delivered
                .entry(self.stream.generation())
                .or_default()
                .push(number);
        }
    }

    fn has_prefixes_of(&self, other: &Self) {
        for (generation, delivered) in &self.delivered {
            let pushed = other
                .pushed
                .get(generation)
                .map_or(&[][..], |pushed| pushed);
            assert!(
                pushed.starts_with(delivered),
                "{delivered:?} of {pushed:?} in {generation}"
            );
        }
    }
}

struct Pair {
    now: Micros,
    sides: [Side; 2],
    /// Envelopes on their way to each side.
    carrier: [Vec<Vec<u8>>; 2],
    numbers: u32,
}

#[derive(Clone, Debug)]
enum Act {
    Push(usize, usize),
    Send(usize),
    Deliver(usize, usize),
    Repeat(usize, usize),
    Lose(usize, usize),
    Wait(u64),
    Reset(usize),
    CarrierLost(usize),
    CarrierRefused(usize),
}

fn act() -> impl Strategy<Value = Act> {
    let side = 0..2_usize;
    let at = 0..64_usize;
    prop_oneof![
        6 => (side.clone(), prop_oneof![Just(5_usize), Just(40_000), Just(3 << 20)]).prop_map(|(side, len)| Act::Push(side, len)),
        12 => side.clone().prop_map(Act::Send),
        8 => side.clone().prop_map(|side| Act::Deliver(side, 0)),
        4 => (side.clone(), at.clone()).prop_map(|(side, at)| Act::Deliver(side, at)),
        2 => (side.clone(), at.clone()).prop_map(|(side, at)| Act::Repeat(side, at)),
        3 => (side.clone(), at).prop_map(|(side, at)| Act::Lose(side, at)),
        4 => prop_oneof![Just(3_000_u64), Just(25_000), Just(220_000), Just(4_000_000)].prop_map(Act::Wait),
        1 => side.clone().prop_map(Act::Reset),
        1 => side.clone().prop_map(Act::CarrierLost),
        1 => side.prop_map(Act::CarrierRefused),
    ]
}

impl Pair {
    fn new(generations: [u64; 2]) -> Self {
        Self {
            now: START,
            sides: generations.map(Side::new),
            carrier: [Vec::new(), Vec::new()],
            numbers: 0,
        }
    }

    fn push(&mut self, side: usize, len: usize) {
        self.numbers += 1;
        self.sides[side].push(self.now, self.numbers, len);
    }

    fn act(&mut self, act: Act) {
        let pick =
            |carrier: &Vec<Vec<u8>>, at: usize| (!carrier.is_empty()).then(|| at % carrier.len());
        match act {
            Act::Push(side, len) => self.push(side, len),
            Act::Send(side) => {
                if let Some(envelope) = self.sides[side].send(self.now) {
                    self.carrier[1 - side].push(envelope);
                }
            }
            Act::Deliver(side, at) => {
                if let Some(at) = pick(&self.carrier[side], at) {
                    let envelope = self.carrier[side].remove(at);
                    self.sides[side].receive(self.now, &envelope);
                }
            }
            Act::Repeat(side, at) => {
                if let Some(at) = pick(&self.carrier[side], at) {
                    let envelope = self.carrier[side][at].clone();
                    self.sides[side].receive(self.now, &envelope);
                }
            }
            Act::Lose(side, at) => {
                if let Some(at) = pick(&self.carrier[side], at) {
                    self.carrier[side].remove(at);
                }
            }
            Act::Wait(micros) => self.now.0 += micros,
            Act::Reset(side) => {
                self.sides[side].stream.reset(self.now);
                self.sides[side].resets += 1;
            }
            Act::CarrierLost(side) => self.sides[side].stream.carrier_lost(self.now),
            Act::CarrierRefused(side) => self.sides[side].stream.carrier_refused(self.now),
        }
        for side in 0..2 {
            self.sides[side].has_prefixes_of(&self.sides[1 - side]);
        }
    }

    /// The carrier is whole from now on, in `one_way`: until nobody has anything to send.
    fn settle(&mut self, one_way: Micros) {
        for _ in 0..100_000 {
            let mut has_sent = false;
            for side in 0..2 {
                while let Some(envelope) = self.sides[side].send(self.now) {
                    self.carrier[1 - side].push(envelope);
                    has_sent = true;
                }
            }
            let on_their_way = std::mem::take(&mut self.carrier);
            if on_their_way.iter().all(Vec::is_empty) && !has_sent {
                let next = self
                    .sides
                    .iter()
                    .filter_map(|side| side.stream.next_timeout())
                    .min();
                match next {
                    Some(next) => self.now = next.max(self.now),
                    None => return,
                }
                continue;
            }
            self.now = self.now.plus(one_way);
            for (side, envelopes) in on_their_way.into_iter().enumerate() {
                for envelope in envelopes {
                    self.sides[side].receive(self.now, &envelope);
                }
            }
        }
        panic!("the streams never come to rest");
    }

    fn is_whole(&self) {
        let generation = self.sides[0].stream.generation();
        assert_eq!(
            generation,
            self.sides[1].stream.generation(),
            "both sides agree"
        );
        for side in 0..2 {
            let delivered = self.sides[side].delivered.get(&generation);
            assert_eq!(
                delivered,
                self.sides[1 - side].pushed.get(&generation),
                "all of it came"
            );
            assert_eq!(self.sides[side].stream.unacked_bytes(), 0);
        }
    }
}

proptest! {
    #[test]
    fn frames_come_in_order_each_once_whatever_is_lost(
        generations in [1..4_u64, 1..4_u64],
        acts in proptest::collection::vec(act(), 0..300),
    ) {
        let mut pair = Pair::new(generations);
        for act in acts {
            pair.act(act);
        }
        pair.settle(Micros(2_000));
        for side in 0..2 {
            pair.sides[side].has_prefixes_of(&pair.sides[1 - side]);
        }
        pair.is_whole();
        // Whole carriers lose nothing any more: nobody resets.
        let resets = [pair.sides[0].resets, pair.sides[1].resets];
        pair.push(0, 9);
        pair.push(1, 9);
        pair.settle(Micros(2_000));
        pair.is_whole();
        prop_assert_eq!(resets, [pair.sides[0].resets, pair.sides[1].resets]);
    }

    #[test]
    fn any_bytes_are_received_without_a_panic(envelopes in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..24), 0..32)) {
        let mut stream = PeerStream::new(START, 3);
        stream.push(START, vec![1]);
        for envelope in envelopes {
            let _ = stream.receive(START, &envelope);
            let _ = stream.next_envelope(START, &mut Vec::new());
        }
    }
}

#[test]
fn two_new_streams_meet_without_a_reset() {
    let mut pair = Pair::new([1, 1]);
    pair.push(0, 100);
    pair.push(1, 100);
    pair.settle(Micros(500));
    pair.is_whole();
    assert_eq!([pair.sides[0].resets, pair.sides[1].resets], [0, 0]);
    assert_eq!(
        pair.sides[0].stream.hop(),
        Some(Micros(1_000)),
        "there and back, without the time of the ack"
    );
}

#[test]
fn a_lone_envelope_is_acked_within_10_ms() {
    let mut pair = Pair::new([1, 1]);
    pair.settle(Micros(0));
    pair.push(0, 100);
    let envelope = pair.sides[0].send(pair.now).expect("frames go out at once");
    pair.sides[1].receive(pair.now, &envelope);
    assert_eq!(
        pair.sides[1].send(pair.now),
        None,
        "it waits for frames to travel with"
    );
    let ack_at = pair.sides[1].stream.next_timeout().expect("an ack is due");
    assert_eq!(ack_at, pair.now.plus(Micros::from_millis(10)));
    let ack = pair.sides[1].send(ack_at).expect("an ack");
    pair.sides[0].receive(ack_at, &ack);
    assert_eq!(pair.sides[0].stream.unacked_bytes(), 0);
}

#[test]
fn a_gap_is_closed_in_a_round_trip() {
    let mut pair = Pair::new([1, 1]);
    pair.settle(Micros(0));
    for _ in 0..3 {
        pair.push(0, 100);
    }
    let _lost = pair.sides[0].send(pair.now);
    pair.settle(Micros(1_000));
    pair.is_whole();
    assert!(
        pair.now.since(START) < Micros::from_millis(50),
        "not after the retransmission time"
    );
}

#[test]
fn a_lost_last_envelope_goes_out_again_after_200_ms() {
    let mut pair = Pair::new([1, 1]);
    pair.settle(Micros(0));
    let sent_at = pair.now;
    pair.push(0, 100);
    let _lost = pair.sides[0].send(pair.now);
    assert_eq!(
        pair.sides[0].stream.next_timeout(),
        Some(sent_at.plus(Micros::from_millis(200)))
    );
    pair.settle(Micros(1_000));
    pair.is_whole();
}

#[test]
fn silence_is_not_flooded() {
    let mut stream = PeerStream::new(START, 1);
    for _ in 0..100 {
        stream.push(START, vec![0; 32 * 1024]);
    }
    let count = |stream: &mut PeerStream, now| {
        let mut count = 0;
        while stream.next_envelope(now, &mut Vec::new()) {
            count += 1;
        }
        count
    };
    assert_eq!(count(&mut stream, START), 100);
    assert_eq!(count(&mut stream, START.plus(Micros::from_millis(199))), 0);
    assert_eq!(
        count(&mut stream, START.plus(Micros::from_millis(200))),
        2,
        "64 KiB"
    );
    assert_eq!(count(&mut stream, START.plus(Micros::from_millis(400))), 2);
}

#[test]
fn too_much_unacked_is_a_reset_of_both_sides() {
    let mut pair = Pair::new([1, 1]);
    pair.settle(Micros(0));
    for _ in 0..9 {
        pair.push(0, 1024 * 1024);
    }
    assert!(pair.sides[0].stream.is_congested(pair.now));
    pair.push(1, 100);
    pair.settle(Micros(1_000));
    assert_eq!([pair.sides[0].resets, pair.sides[1].resets], [1, 1]);
    assert_eq!(pair.sides[0].stream.generation(), 2);
    pair.push(0, 100);
    pair.settle(Micros(1_000));
    pair.is_whole();
}

#[test]
fn what_stays_unacked_for_10_s_is_a_reset() {
    let mut pair = Pair::new([1, 1]);
    pair.settle(Micros(0));
    pair.push(0, 100);
    let _lost = pair.sides[0].send(pair.now);
    pair.now = pair.now.plus(Micros::from_millis(149));
    assert!(!pair.sides[0].stream.is_congested(pair.now));
    pair.now = pair.now.plus(Micros::from_millis(2));
    assert!(pair.sides[0].stream.is_congested(pair.now));
    pair.now = pair.now.plus(MAX_UNACKED_AGE);
    let _ = pair.sides[0].send(pair.now);
    assert_eq!(pair.sides[0].resets, 1);
}

#[test]
fn a_side_that_begins_anew_takes_the_other_along() {
    let mut pair = Pair::new([1, 1]);
    pair.push(0, 100);
    pair.push(1, 100);
    pair.settle(Micros(1_000));
    // Side 0 lost the other from sight, and meets it again.
    let mut again = Side::new(2);
    again.stream = PeerStream::new(pair.now, 2);
    pair.sides[0] = again;
    pair.push(1, 100);
    pair.settle(Micros(1_000));
    assert_eq!([pair.sides[0].resets, pair.sides[1].resets], [0, 1]);
    pair.push(0, 100);
    pair.push(1, 100);
    pair.settle(Micros(1_000));
    pair.is_whole();
}

#[test]
fn buffers_of_acked_frames_are_used_again() {
    let mut pair = Pair::new([1, 1]);
    pair.push(0, 100);
    assert_eq!(pair.sides[0].stream.spare_buffer().capacity(), 0);
    pair.settle(Micros(1_000));
    let spare = pair.sides[0].stream.spare_buffer();
    assert!(spare.is_empty() && spare.capacity() >= 100);
}
