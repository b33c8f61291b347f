//! The wire: .proto files and their generated types.
