//! Output places (`struct lttng_uri`, packed, `src/common/uri.h`).

use std::ffi::OsStr;
use std::mem::offset_of;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use lttngd_model::{AddressFamily, NetworkUri, StreamKind, Uri};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::mirror::{array, c_string, chars, read, text};
use crate::{DecodeError, Reader};

/// Size of one place in bytes.
pub(super) const URI_LEN: usize = 8210;

/// `struct lttng_uri`.
#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C, packed)]
struct LttngUri {
    dtype: u32,
    utype: u32,
    stype: u32,
    proto: u32,
    port: u16,
    subdir: [u8; 4096],
    dst: [u8; 4096],
}

const _: () = assert!(size_of::<LttngUri>() == URI_LEN);
const _: () = assert!(offset_of!(LttngUri, subdir) == 18);
const _: () = assert!(offset_of!(LttngUri, dst) == 4114);

const DST_IPV4: u32 = 1;
const DST_IPV6: u32 = 2;
const DST_PATH: u32 = 3;
const STREAM_CONTROL: u32 = 0;
const STREAM_DATA: u32 = 1;
const PROTO_TCP: u32 = 1;

/// Reads one place. The members that do not belong to its kind are not looked at.
pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Uri, DecodeError> {
    let uri: &LttngUri = read(reader, "lttng_uri")?;
    let family = match uri.dtype {
        DST_PATH => {
            let path = c_string(&uri.dst, "lttng_uri dst.path")?;
            return Ok(Uri::Path(PathBuf::from(OsStr::from_bytes(path))));
        }
        DST_IPV4 => AddressFamily::V4,
        DST_IPV6 => AddressFamily::V6,
        other => {
            return Err(DecodeError::BadValue { what: "lttng_uri dtype", value: other.into() });
        }
    };
    let stream = match uri.stype {
        STREAM_CONTROL => StreamKind::Control,
        STREAM_DATA => StreamKind::Data,
        other => {
            return Err(DecodeError::BadValue { what: "lttng_uri stype", value: other.into() });
        }
    };
    if uri.proto != PROTO_TCP {
        let value = uri.proto.into();
        return Err(DecodeError::BadValue { what: "lttng_uri proto", value });
    }
    Ok(Uri::Network(NetworkUri {
        family,
        address: text(&uri.dst, "lttng_uri dst address")?,
        port: uri.port,
        stream,
        subdir: text(&uri.subdir, "lttng_uri subdir")?,
    }))
}

fn mirror(uri: &Uri) -> LttngUri {
    match uri {
        Uri::Path(path) => LttngUri {
            dtype: DST_PATH,
            utype: 0,
            stype: STREAM_CONTROL,
            proto: 0,
            port: 0,
            subdir: [0; 4096],
            dst: chars(path.as_os_str().as_bytes()),
        },
        Uri::Network(uri) => LttngUri {
            dtype: match uri.family {
                AddressFamily::V4 => DST_IPV4,
                AddressFamily::V6 => DST_IPV6,
            },
            utype: 0,
            stype: match uri.stream {
                StreamKind::Control => STREAM_CONTROL,
                StreamKind::Data => STREAM_DATA,
            },
            proto: PROTO_TCP,
            port: uri.port,
            subdir: chars(uri.subdir.as_bytes()),
            dst: chars(uri.address.as_bytes()),
        },
    }
}

/// Reads places to the end; there must be one at least.
pub(super) fn decode_list(bytes: &[u8]) -> Result<Vec<Uri>, DecodeError> {
    let mut reader = Reader::new(bytes);
    let mut uris = vec![decode(&mut reader)?];
    while reader.left() > 0 {
        uris.push(decode(&mut reader)?);
    }
    Ok(uris)
}

/// The bytes of places.
pub(super) fn encode_list(uris: &[Uri]) -> Vec<u8> {
    array(uris, mirror)
}
