//! Helpers for the tests of games: rooms without sockets, and checks that hold any game to its promises.
