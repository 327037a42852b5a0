//! The elements that hold nothing but elements of one name.

use serde::{Deserialize, Deserializer};

use super::{
    SavedChannel, SavedContext, SavedDomain, SavedEvent, SavedSession, SavedSnapshotOutput,
};

macro_rules! lists {
    ($($name:ident { $item:ident: $of:ty })*) => {$(
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name {
            #[serde(default)]
            $item: Vec<$of>,
        }

        impl From<$name> for Vec<$of> {
            fn from(list: $name) -> Self {
                list.$item
            }
        }
    )*};
}

lists! {
    Sessions { session: SavedSession }
    Domains { domain: SavedDomain }
    Channels { channel: SavedChannel }
    Events { event: SavedEvent }
    Contexts { context: SavedContext }
    Exclusions { exclusion: String }
    SnapshotOutputs { output: SavedSnapshotOutput }
}

/// Reads an element of a list as the list.
pub(super) fn unwrap<'de, D, L, T>(element: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    L: Deserialize<'de> + Into<Vec<T>>,
{
    Ok(L::deserialize(element)?.into())
}

/// Reads the root element.
pub(super) fn sessions(text: &str) -> Result<Vec<SavedSession>, quick_xml::DeError> {
    Ok(quick_xml::de::from_str::<Sessions>(text)?.into())
}
