//! The labels of metrics as enums.
//!
//! Every value of a label is known when the server starts, so every series exists from the first scrape on, and counting is an
//! index into an array, never a look-up by name.

/// The values of one label. Implemented by the macro `labels!`.
pub trait Label: Copy + 'static {
    /// Every value, in the order of [`Label::index`].
    const ALL: &'static [Self];
    /// The value as Prometheus shows it.
    fn as_str(self) -> &'static str;
    /// The value's index in [`Label::ALL`].
    fn index(self) -> usize;
}

/// Declares an enum whose variants are a label's values.
macro_rules! labels {
    ($(#[$meta:meta])* pub enum $name:ident {
        $($(#[$doc:meta])* $variant:ident = $text:literal,)+
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// The label's value as Prometheus shows it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl $crate::labels::Label for $name {
            const ALL: &'static [Self] = &[$(Self::$variant,)+];
            fn as_str(self) -> &'static str { Self::as_str(self) }
            fn index(self) -> usize { self as usize }
        }
    };
}
pub(crate) use labels;
