//! Saving sessions to files.

use std::mem::offset_of;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::mirror::{chars, read, text};
use crate::{DecodeError, Reader, Writer};

/// `struct lttng_save_session_attr` (packed, `include/lttng/save-internal.h`).
#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C, packed)]
struct SaveSessionAttr {
    session_name: [u8; 255],
    configuration_url: [u8; 4096],
    overwrite: u8,
    omit_name: u8,
    omit_output: u8,
}

const _: () = assert!(size_of::<SaveSessionAttr>() == 4354);
const _: () = assert!(offset_of!(SaveSessionAttr, overwrite) == 4351);

/// What to save and where to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SaveSession {
    /// Session, empty for every session that the client may access.
    pub session_name: String,
    /// Absolute path of a directory, empty for the client's default one.
    pub configuration_url: String,
    /// Whether an existing file is replaced.
    pub overwrite: bool,
    /// Whether the file is to have no session name; without effect in LTTng 2.13.
    pub omit_name: bool,
    /// Whether the file is to have no output; without effect in LTTng 2.13.
    pub omit_output: bool,
}

pub(super) fn decode(reader: &mut Reader<'_>) -> Result<SaveSession, DecodeError> {
    let attr: &SaveSessionAttr = read(reader, "save_session.attr")?;
    Ok(SaveSession {
        session_name: text(&attr.session_name, "save_session.attr.session_name")?,
        configuration_url: text(&attr.configuration_url, "save_session.attr.configuration_url")?,
        overwrite: attr.overwrite != 0,
        omit_name: attr.omit_name != 0,
        omit_output: attr.omit_output != 0,
    })
}

pub(super) fn encode(attributes: &SaveSession, union: &mut Writer) {
    let attr = SaveSessionAttr {
        session_name: chars(attributes.session_name.as_bytes()),
        configuration_url: chars(attributes.configuration_url.as_bytes()),
        overwrite: attributes.overwrite.into(),
        omit_name: attributes.omit_name.into(),
        omit_output: attributes.omit_output.into(),
    };
    union.bytes(attr.as_bytes());
}
