//! Domains of a session.

use std::mem::offset_of;

use lttngd_model::{BufferScheme, Domain};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::mirror::{array, read};
use crate::{DecodeError, Reader};

/// `struct lttng_domain` (`include/lttng/domain.h`); it has no padding of the compiler's.
#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C, packed)]
struct LttngDomain {
    kind: u32,
    buf_type: u32,
    padding: [u8; 12],
    attr: [u8; 288],
}

const _: () = assert!(size_of::<LttngDomain>() == 308);
const _: () = assert!(offset_of!(LttngDomain, attr) == 20);

/// A domain in a listing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DomainListing {
    /// The domain.
    pub domain: Domain,
    /// How its buffers are shared.
    pub scheme: BufferScheme,
}

/// Data of a reply to LIST_DOMAINS.
#[must_use]
pub fn encode_domains(domains: &[DomainListing]) -> Vec<u8> {
    array(domains, |listing| LttngDomain {
        kind: listing.domain as u32,
        buf_type: listing.scheme as u32,
        padding: [0; 12],
        attr: [0; 288],
    })
}

/// Reads data of a reply to LIST_DOMAINS.
///
/// # Errors
/// When the bytes are not whole domains, or a domain or its scheme is unknown.
pub fn decode_domains(data: &[u8]) -> Result<Vec<DomainListing>, DecodeError> {
    let mut reader = Reader::new(data);
    let mut domains = Vec::with_capacity(data.len() / size_of::<LttngDomain>());
    while reader.left() > 0 {
        let raw: &LttngDomain = read(&mut reader, "lttng_domain")?;
        domains.push(DomainListing {
            domain: Domain::from_raw(raw.kind)
                .ok_or(DecodeError::BadValue { what: "domain type", value: raw.kind.into() })?,
            scheme: BufferScheme::from_raw(raw.buf_type).ok_or(DecodeError::BadValue {
                what: "domain buf_type",
                value: raw.buf_type.into(),
            })?,
        });
    }
    Ok(domains)
}
