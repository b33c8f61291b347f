//! The client core and its native and browser shells.
