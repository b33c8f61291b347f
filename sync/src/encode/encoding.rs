//! The encodings that a connection can have, and which one a client gets.

use tickwire_proto::v1;

/// How blocks are encoded for one connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Encoding {
    /// Protobuf throughout, for any protobuf library.
    #[default]
    Plain,
    /// A bit stream with prediction and measured Huffman codes; the default of Tickwire's own clients.
    Packed,
}

impl Encoding {
    /// The encoding that a client gets for what its `Hello` asked.
    #[must_use]
    pub fn negotiate(asked: v1::Encoding) -> Self {
        match asked {
            v1::Encoding::Packed => Self::Packed,
            v1::Encoding::Plain | v1::Encoding::Unspecified => Self::Plain,
        }
    }

    /// The encoding as `Welcome` names it.
    #[must_use]
    pub fn to_proto(self) -> v1::Encoding {
        match self {
            Self::Plain => v1::Encoding::Plain,
            Self::Packed => v1::Encoding::Packed,
        }
    }
}
