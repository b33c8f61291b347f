//! Field types in saved state, outside of entities: each as its lanes, a text as its string.

use super::{Angle, Fixed, Pos, Teleport, Text};
use glam::IVec2;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! saved_as {
    ($([$($generics:tt)*] $type:ty as $saved:ty, |$value:ident| $write:expr, |$read_value:ident| $read:expr;)*) => {$(
        impl<$($generics)*> Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let $value = self;
                $write.serialize(serializer)
            }
        }

        impl<'de, $($generics)*> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let $read_value = <$saved>::deserialize(deserializer)?;
                Ok($read)
            }
        }
    )*};
}

saved_as! {
    [const N: i32] Pos<N> as [i32; 2], |pos| pos.steps().to_array(), |steps| Self::from_steps(IVec2::from_array(steps));
    [const N: i32] Fixed<N> as i32, |fixed| fixed.steps(), |steps| Self::from_steps(steps);
    [const N: i32] Angle<N> as i32, |angle| angle.steps(), |steps| Self::from_steps(steps);
    [] Text as String, |text| **text, |text| Self::from(text);
}

impl Serialize for Teleport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.count().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Teleport {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u8::deserialize(deserializer).map(Self::from_count)
    }
}
