//! Reads and sends for many connections with one system call, where the kernel permits io_uring.
//!
//! A worker reads all connections of a room this way, and sends their snapshots. Without io_uring, connections are served one
//! by one. The outboxes of a group are locked together, from the check whether each may begin a message to the record of what
//! the kernel took, exactly as for a single send; a thread that wants one of them waits for the sends of one group at most.
//! Other threads never hold two outboxes, so the order of locking does not matter.

use std::cell::RefCell;
use std::io;
use std::ops::Range;
use std::sync::MutexGuard;
use std::time::Instant;

use arrayvec::ArrayVec;
use tickwire_batch::{Batch, MAX_ENTRIES, Send};
use tickwire_prefetch as prefetch;

use super::connection::Connection;
use super::outbox::{Outbox, SendState};
use super::send::SendRequest;
use crate::net::io::polled_connection::{
    self, PollOutcome, PolledConnection, Readiness, SocketRead,
};
use crate::net::io::receive_stamps::ReceiveStamps;

thread_local! {
    static BATCH_IO: RefCell<Option<BatchIo>> = const { RefCell::new(None) };
}

/// A thread's ring and buffers.
struct BatchIo {
    batch: Batch,
    stamps: ReceiveStamps,
    /// The group's bytes for the wire, one connection's after the other's.
    wire: Vec<u8>,
}

/// One connection of a group that is being sent to.
struct Member<'a> {
    /// Its index in the group.
    index: usize,
    connection: &'a Connection,
    outbox: MutexGuard<'a, Outbox>,
    state_before: SendState,
    /// Its bytes in [`BatchIo::wire`].
    wire: Range<usize>,
}

/// Makes this thread use io_uring from now on. Returns `false` if the kernel does not permit it: connections are then served one
/// by one.
pub(crate) fn enable_on_this_thread() -> bool {
    let batch_io = Batch::new().map(|batch| BatchIo {
        batch,
        stamps: ReceiveStamps::new(),
        wire: Vec::new(),
    });
    let is_enabled = batch_io.is_some();
    BATCH_IO.set(batch_io);
    is_enabled
}

/// Whether the kernel permits io_uring to this process.
pub(crate) fn is_permitted() -> bool {
    Batch::new().is_some()
}

/// A link to a client that may be a connection of this process.
pub(crate) trait MaybeConnection {
    /// The connection; `None`: the client is connected to another node.
    fn connection(&self) -> Option<&Connection>;
}

/// Sends each request whose link is a connection, if that can begin it now; see [`Connection::try_send`]. Leaves the others alone.
pub(crate) fn try_send<L: MaybeConnection>(requests: &mut [SendRequest<'_, L>]) {
    BATCH_IO.with_borrow_mut(|batch_io| match batch_io {
        Some(batch_io) => requests
            .chunks_mut(MAX_ENTRIES)
            .for_each(|group| batch_io.send_group(group)),
        None => {
            for request in requests {
                if let Some(connection) = request.link.connection() {
                    request.outcome = connection.try_send(&request.messages);
                }
            }
        }
    });
}

/// Polls each connection with the bytes that have arrived on it. Calls `polled` with each index and outcome.
pub(crate) fn poll_all(
    connections: &mut [Box<dyn PolledConnection>],
    now: Instant,
    mut polled: impl FnMut(usize, PollOutcome),
) {
    BATCH_IO.with_borrow_mut(|batch_io| match batch_io {
        Some(batch_io) => {
            for (number, group) in connections.chunks_mut(MAX_ENTRIES).enumerate() {
                batch_io.poll_group(group, now, |index, outcome| {
                    polled(number * MAX_ENTRIES + index, outcome);
                });
            }
        }
        None => {
            for index in 0..connections.len() {
                prefetch_ahead(connections, index);
                let (connection, readiness) =
                    (&mut connections[index], Readiness::POLLED_EVERY_TICK);
                polled(index, polled_connection::poll(connection, now, readiness));
            }
        }
    });
}

/// Prefetches the connections that are polled next.
fn prefetch_ahead(connections: &[Box<dyn PolledConnection>], index: usize) {
    prefetch::ahead(
        connections,
        index,
        |connection| prefetch::value(&**connection),
        |connection| connection.prefetch(),
    );
}

impl BatchIo {
    fn poll_group(
        &mut self,
        group: &mut [Box<dyn PolledConnection>],
        now: Instant,
        mut polled: impl FnMut(usize, PollOutcome),
    ) {
        let mut read_indices: ArrayVec<usize, MAX_ENTRIES> = ArrayVec::new();
        let sockets = (0..group.len()).filter_map(|index| {
            prefetch_ahead(group, index);
            let socket = group[index].socket()?;
            read_indices.push(index);
            Some(socket)
        });
        self.batch.receive(sockets);
        let mut reads = read_indices.iter().enumerate().peekable();
        for index in 0..group.len() {
            // Once more: the kernel has used the cache in between.
            prefetch_ahead(group, index);
            let connection = &mut group[index];
            let outcome = match reads.next_if(|(_, read_index)| **read_index == index) {
                None => polled_connection::poll(connection, now, Readiness::POLLED_EVERY_TICK),
                Some((entry, _)) => {
                    let received = self.batch.received(entry);
                    let read = SocketRead {
                        bytes: received.bytes,
                        may_have_more: received.is_full,
                        arrived: self.stamps.arrival_time(received.stamp),
                    };
                    polled_connection::poll_with(connection, now, read)
                }
            };
            polled(index, outcome);
        }
    }

    fn send_group<L: MaybeConnection>(&mut self, group: &mut [SendRequest<'_, L>]) {
        let mut members: ArrayVec<Member<'_>, MAX_ENTRIES> = ArrayVec::new();
        self.wire.clear();
        for (index, request) in group.iter_mut().enumerate() {
            let Some(connection) = request.link.connection() else {
                continue;
            };
            let mut outbox = connection.outbox();
            let (state_before, start) = (outbox.state, self.wire.len());
            match outbox.begin_send(connection.socket(), &request.messages, &mut self.wire) {
                Ok(()) => members.push(Member {
                    index,
                    connection,
                    outbox,
                    state_before,
                    wire: start..self.wire.len(),
                }),
                Err(outcome) => {
                    request.outcome = outcome;
                    connection.publish(outbox, state_before);
                }
            }
        }
        let sends = members.iter().map(|member| Send {
            socket: member.connection.os_socket(),
            bytes: &self.wire[member.wire.clone()],
        });
        let mut results: ArrayVec<io::Result<usize>, MAX_ENTRIES> = ArrayVec::new();
        self.batch.send(sends, |_, result| results.push(result));
        let connections: ArrayVec<&Connection, MAX_ENTRIES> =
            members.iter().map(|member| member.connection).collect();
        let completed = members.drain(..).zip(results.drain(..));
        for (number, (mut member, result)) in completed.enumerate() {
            // The kernel has used the cache in between, as in reading.
            prefetch::ahead(&connections, number, |one| prefetch::value(*one), |_| ());
            let (socket, wire) = (member.connection.socket(), &self.wire[member.wire]);
            let outcome = member.outbox.complete_send(socket, wire, result);
            group[member.index].outcome = outcome;
            member
                .connection
                .publish(member.outbox, member.state_before);
        }
    }
}
