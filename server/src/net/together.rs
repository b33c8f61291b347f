//! One message for each of many connections, sent together: by one system call where the kernel permits it.
//!
//! A worker calls this for its rooms' snapshots. The outboxes of a group are locked together, from the question whether each may
//! begin a message to the note of what the kernel took, as for a single send; nobody waits longer than for the sends of one group.
//! Other threads never hold two outboxes, so the order does not matter.

use std::cell::RefCell;
use std::io;
use std::ops::Range;
use std::os::fd::AsFd as _;
use std::sync::MutexGuard;

use arrayvec::ArrayVec;
use tickwire_batch::{Batch, MOST, Send};

use super::connection::Connection;
use super::outbox::{Outbox, Stage};
use crate::room::ToSend;

thread_local! {
    static THREADS: RefCell<Option<Together>> = const { RefCell::new(None) };
}

/// What a thread needs for it.
struct Together {
    batch: Batch,
    /// The group's bytes for the wire, one message after the other.
    wire: Vec<u8>,
}

/// One connection's part in a group.
struct Part<'a> {
    /// Which message.
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
        wire: Vec::new(),
    });
    let is_able = together.is_some();
    THREADS.set(together);
    is_able
}

/// Sends each message if that can begin now; see [`Connection::try_send`].
pub(crate) fn try_send(messages: &mut [ToSend<'_, Connection>]) {
    THREADS.with_borrow_mut(|together| match together {
        Some(together) => messages
            .chunks_mut(MOST)
            .for_each(|group| together.send_group(group)),
        None => {
            for message in messages {
                message.outcome = message.link.try_send(&[message.message]);
            }
        }
    });
}

impl Together {
    fn send_group(&mut self, group: &mut [ToSend<'_, Connection>]) {
        let mut parts: ArrayVec<Part<'_>, MOST> = ArrayVec::new();
        self.wire.clear();
        for (index, message) in group.iter_mut().enumerate() {
            let connection = message.link;
            let mut outbox = connection.outbox();
            let (before, start) = (outbox.stage, self.wire.len());
            match outbox.begin(connection.socket(), &[message.message], &mut self.wire) {
                Ok(()) => parts.push(Part {
                    index,
                    connection,
                    outbox,
                    before,
                    wire: start..self.wire.len(),
                }),
                Err(outcome) => {
                    message.outcome = outcome;
                    connection.settle(outbox, before);
                }
            }
        }
        let sends = parts.iter().map(|part| Send {
            socket: part.connection.socket().as_fd(),
            bytes: &self.wire[part.wire.clone()],
        });
        let mut results: ArrayVec<io::Result<usize>, MOST> = ArrayVec::new();
        self.batch.send(sends, |_, result| results.push(result));
        for (mut part, result) in parts.into_iter().zip(results) {
            let socket = part.connection.socket();
            let outcome = part.outbox.took(socket, &self.wire[part.wire], result);
            group[part.index].outcome = outcome;
            part.connection.settle(part.outbox, part.before);
        }
    }
}
