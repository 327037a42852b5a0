//! The elements that hold nothing but elements of one name.

use quick_xml::{DeError, Reader, events::Event};
use serde::{Deserialize, Deserializer};

use super::{
    SavedChannel, SavedContext, SavedDomain, SavedEvent, SavedRotationSchedules, SavedSession,
    SavedSnapshotOutput,
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

/// The rotation schedules of a session: one or more of any kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RotationSchedules {
    #[serde(rename = "$value")]
    schedules: Vec<RotationSchedule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum RotationSchedule {
    Periodic(Period),
    SizeThreshold(SizeThreshold),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Period {
    time_us: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SizeThreshold {
    bytes: u64,
}

impl From<RotationSchedules> for SavedRotationSchedules {
    fn from(list: RotationSchedules) -> Self {
        let mut saved = Self::default();
        for schedule in list.schedules {
            match schedule {
                RotationSchedule::Periodic(period) => saved.period_us = period.time_us,
                RotationSchedule::SizeThreshold(size) => saved.size_threshold_bytes = size.bytes,
            }
        }
        saved
    }
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
pub(super) fn sessions(text: &str) -> Result<Vec<SavedSession>, DeError> {
    if has_late_document_type(text)? {
        return Err(DeError::Custom("a document type stands within an element".to_owned()));
    }
    Ok(quick_xml::de::from_str::<Sessions>(text)?.into())
}

/// Whether a document type comes when elements have begun: that is not well-formed, and whoever reads the elements does not
/// expect it.
fn has_late_document_type(text: &str) -> Result<bool, quick_xml::Error> {
    let mut reader = Reader::from_str(text);
    let mut has_begun = false;
    loop {
        match reader.read_event()? {
            Event::Eof => return Ok(false),
            Event::Start(_) | Event::Empty(_) => has_begun = true,
            Event::DocType(_) if has_begun => return Ok(true),
            _ => {}
        }
    }
}
