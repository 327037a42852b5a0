#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::ust::Abi;

fn registration() -> Registration {
    Registration {
        major: 9,
        minor: 1,
        pid: 2,
        ppid: 3,
        uid: 4,
        gid: 5,
        bits_per_long: 64,
        alignments: Alignments {
            uint8_bits: 8,
            uint16_bits: 16,
            uint32_bits: 32,
            uint64_bits: 40,
            long_bits: 48,
        },
        socket: SocketKind::Notify,
        name: "demo".to_owned(),
    }
}

#[test]
fn members_stand_where_applications_write_them() {
    let bytes = registration().encode();
    assert_eq!(bytes.len(), REGISTRATION_LEN);
    let mut numbers = bytes.chunks(4).map(|b| u32::from_ne_bytes(b.try_into().unwrap()));
    let head: Vec<u32> = numbers.by_ref().take(14).collect();
    assert_eq!(head, [0xC57C_57C5, 9, 1, 2, 3, 4, 5, 64, 8, 16, 32, 40, 48, 1]);
    assert_eq!(&bytes[56..61], b"demo\0");
    assert_eq!(Registration::decode(&bytes), Ok(registration()));
}

#[test]
fn what_is_no_registration() {
    let bytes = registration().encode();
    let with = |offset: usize, value: u32| {
        let mut bytes = bytes.clone();
        bytes[offset..offset + 4].copy_from_slice(&value.to_ne_bytes());
        Registration::decode(&bytes)
    };
    assert_eq!(with(0, 0xC557_7CC5), Err(RegistrationError::OtherByteOrder));
    assert_eq!(with(0, 1), Err(RegistrationError::BadMagic(1)));
    let socket = DecodeError::BadValue { what: "socket type", value: 2 };
    assert_eq!(with(52, 2), Err(socket.into()));
    assert_eq!(with(4, 7).unwrap().major, 7);
    for len in 0..REGISTRATION_LEN {
        assert!(matches!(
            Registration::decode(&bytes[..len]),
            Err(RegistrationError::Malformed(DecodeError::Truncated { .. }))
        ));
    }
    assert!(Registration::decode(&[&bytes[..], &[0]].concat()).is_err());
}

#[test]
fn abi_versions() {
    let known = |major: &u32| Abi::from_major(*major).is_some_and(|abi| abi.major() == *major);
    assert_eq!((0..20).filter(known).collect::<Vec<_>>(), [8, 9, 10, 11]);
    let notify: Vec<_> = Abi::ALL.into_iter().filter(|abi| abi.has_event_notifiers()).collect();
    assert_eq!(notify, [Abi::V9, Abi::V10, Abi::V11]);
}

#[test]
fn a_name_without_its_nul_loses_its_last_byte() {
    let mut bytes = registration().encode();
    bytes[56..72].fill(b'n');
    assert_eq!(Registration::decode(&bytes).unwrap().name, "n".repeat(15));
}

proptest! {
    #[test]
    fn no_bytes_break_the_decoder(rest in prop::collection::vec(any::<u8>(), REGISTRATION_LEN)) {
        let mut bytes = registration().encode();
        bytes[4..52].copy_from_slice(&rest[4..52]);
        bytes[56..72].copy_from_slice(&rest[56..72]);
        prop_assert!(Registration::decode(&bytes).is_ok());
        let _ = Registration::decode(&rest);
    }
}
