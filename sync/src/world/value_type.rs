//! What an integer stands for: a hint for tools, and for clients of typed languages. The wire is the same for all types.

/// The meaning of a lane's or a field's integer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum ValueType {
    /// A plain number.
    #[default]
    Integer,
    /// 0 or 1.
    Boolean,
    /// A number in steps of 1 / `steps`, such as a position in 1/16 unit.
    Fixed {
        /// How many steps make 1.
        steps: u32,
    },
    /// An angle in steps of a turn; the lane's modulus says how many make a whole turn.
    Angle,
    /// One of several choices, by position.
    Choice(
        /// The names of the choices.
        Vec<String>,
    ),
    /// Any of several flags, one bit each, from the lowest.
    Flags(
        /// The names of the flags.
        Vec<String>,
    ),
    /// A player's number; 0: nobody.
    Player,
    /// The slot of an entity. The next lane or field is its generation, and 0 there means no entity.
    EntitySlot {
        /// The name of the entity's kind.
        kind: String,
    },
    /// The generation of the entity whose slot comes before it.
    EntityGeneration,
    /// A count of teleports: nothing is blended between two rows that differ in it.
    Teleports,
    /// A number from 0 to `u32::MAX`: the 32 bits without a sign.
    Unsigned,
}
