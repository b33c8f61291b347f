//! What is done for many connections together: by one system call where the kernel permits it.
//!
//! A worker reads all connections of a room so, and sends them its snapshots. The outboxes of a group are locked together, from the question whether each may
//! begin a message to the note of what the kernel took, as for a single send; nobody waits longer than for the sends of one group.
//! Other threads never hold two outboxes, so the order does not matter.

use std::cell::RefCell;
use std::io;
use std::ops::Range;
use std::sync::MutexGuard;
use std::time::Instant;

use arrayvec::ArrayVec;
use tickwire_batch::{Batch, MOST, Send};
use tickwire_prefetch as prefetch;

use super::arrival::Stamps;
use super::connection::Connection;
use super::outbox::{Outbox, Stage};
use super::served::{self, Next, Read, Ready, Served};
use crate::room::ToSend;

thread_local! {
    static THREADS: RefCell<Option<Together>> = const { RefCell::new(None) };
}

/// What a thread needs for it.
struct Together {
    batch: Batch,
    stamps: Stamps,
    /// The group's bytes for the wire, one connection's after the other's.
    wire: Vec<u8>,
}

/// One connection's part in a group.
struct Part<'a> {
    /// Which of the group.
    index: usize,
    connection: &'a Connection,
    outbox: MutexGuard<'a, Outbox>,
    before: Stage,
    wire: Range<usize>,
}

/// From now on this thread sends together. `false`: the kernel does not permit it, and messages are sent one by one as before.
pub(crate) fn begin() -> bool {
    let together = Batch::new().map(|batch| Together {
        batch,
        stamps: Stamps::new(),
        wire: Vec::new(),
    });
    let is_able = together.is_some();
    THREADS.set(together);
    is_able
}

/// Sends what is for each connection if that can begin now; see [`Connection::try_send`].
pub(crate) fn try_send(to_send: &mut [ToSend<'_, Connection>]) {
    THREADS.with_borrow_mut(|together| match together {
        Some(together) => to_send
            .chunks_mut(MOST)
            .for_each(|group| together.send_group(group)),
        None => {
            for one in to_send {
                one.outcome = one.link.try_send(&one.messages);
            }
        }
    });
}

/// Has each connection read what has come, and tells of each, by its index, what comes next for it.
pub(crate) fn read(
    readers: &mut [Box<dyn Served>],
    now: Instant,
    mut next: impl FnMut(usize, Next),
) {
    THREADS.with_borrow_mut(|together| match together {
        Some(together) => {
            for (number, group) in readers.chunks_mut(MOST).enumerate() {
                together.read_group(group, now, |index, after| {
                    next(number * MOST + index, after);
                });
            }
        }
        None => {
            for index in 0..readers.len() {
                ask_ahead(readers, index);
                next(
                    index,
                    served::call(&mut readers[index], now, Ready::TO_LOOK),
                );
            }
        }
    });
}

/// Asks for the memory of the readers after this one.
fn ask_ahead(readers: &[Box<dyn Served>], index: usize) {
    prefetch::ahead(
        readers,
        index,
        |reader| prefetch::near(&**reader),
        |reader| reader.prefetch(),
    );
}

impl Together {
    fn read_group(
        &mut self,
        group: &mut [Box<dyn Served>],
        now: Instant,
        mut next: impl FnMut(usize, Next),
    ) {
        let mut asked: ArrayVec<usize, MOST> = ArrayVec::new();
        let sockets = (0..group.len()).filter_map(|index| {
            ask_ahead(group, index);
            let socket = group[index].socket()?;
            asked.push(index);
            Some(socket)
        });
        self.batch.receive(sockets);
        let mut places = asked.iter().enumerate().peekable();
        for index in 0..group.len() {
            // Again: the kernel has had its own memory of all of them in between.
            ask_ahead(group, index);
            let reader = &mut group[index];
            let after = match places.next_if(|(_, asked)| **asked == index) {
                None => served::call(reader, now, Ready::TO_LOOK),
                Some((place, _)) => {
                    let received = self.batch.received(place);
                    let read = Read {
                        bytes: received.bytes,
                        more: received.is_full,
                        arrived: self.stamps.time_of(received.stamp),
                    };
                    served::call_with(reader, now, read)
                }
            };
            next(index, after);
        }
    }

    fn send_group(&mut self, group: &mut [ToSend<'_, Connection>]) {
        let mut parts: ArrayVec<Part<'_>, MOST> = ArrayVec::new();
        self.wire.clear();
        for (index, one) in group.iter_mut().enumerate() {
            let connection = one.link;
            let mut outbox = connection.outbox();
            let (before, start) = (outbox.stage, self.wire.len());
            match outbox.begin(connection.socket(), &one.messages, &mut self.wire) {
                Ok(()) => parts.push(Part {
                    index,
                    connection,
                    outbox,
                    before,
                    wire: start..self.wire.len(),
                }),
                Err(outcome) => {
                    one.outcome = outcome;
                    connection.settle(outbox, before);
                }
            }
        }
        let sends = parts.iter().map(|part| Send {
            socket: part.connection.handle(),
            bytes: &self.wire[part.wire.clone()],
        });
        let mut results: ArrayVec<io::Result<usize>, MOST> = ArrayVec::new();
        self.batch.send(sends, |_, result| results.push(result));
        let connections: ArrayVec<&Connection, MOST> =
            parts.iter().map(|part| part.connection).collect();
        for (number, (mut part, result)) in parts.drain(..).zip(results.drain(..)).enumerate() {
            // As in reading, the kernel comes between.
            prefetch::ahead(&connections, number, |one| prefetch::near(*one), |_| ());
            let socket = part.connection.socket();
            let outcome = part.outbox.took(socket, &self.wire[part.wire], result);
            group[part.index].outcome = outcome;
            part.connection.settle(part.outbox, part.before);
        }
    }
}
