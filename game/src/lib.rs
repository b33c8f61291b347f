//! The Game trait and the games that ship.
