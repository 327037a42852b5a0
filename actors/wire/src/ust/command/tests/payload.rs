//! What follows requests.

use crate::ust::Abi;
use lttngd_model::LogLevelRule;
use proptest::prelude::*;

use super::super::*;
use crate::DecodeError;
use crate::ust::layout::{text_at, u32_at, u64_at};

#[test]
fn excluded_names() {
    let names = ["demo:xyz".to_owned(), "demo:abc*".to_owned()];
    let bytes = exclusions(&names);
    assert_eq!(bytes.len(), 2 * EXCLUSION_NAME_LEN);
    assert_eq!((text_at(&bytes, 0), text_at(&bytes, 256)), ("demo:xyz", "demo:abc*"));
    assert_eq!(decode_exclusions(&bytes).unwrap(), names);
    assert!(decode_exclusions(&bytes[..300]).is_err());
    let cut = decode_exclusions(&exclusions(&["x".repeat(400)])).unwrap();
    assert_eq!(cut, ["x".repeat(255)]);
}

#[test]
fn event_notifier_offsets() {
    let notifier = EventNotifier {
        name: "demo:*".to_owned(),
        loglevel: LogLevelRule::Single(4),
        token: 0x0102_0304_0506_0708,
        error_counter_index: 17,
    };
    let bytes = notifier.encode(Abi::V9);
    assert_eq!(bytes.len(), EVENT_NOTIFIER_LEN);
    assert_eq!((u32_at(&bytes, 0), text_at(&bytes, 4)), (0, "demo:*"));
    assert_eq!((u32_at(&bytes, 260), u32_at(&bytes, 264)), (2, 4));
    assert_eq!((u64_at(&bytes, 268), u64_at(&bytes, 572)), (notifier.token, 17));
    assert_eq!(EventNotifier::decode(&bytes), Ok(notifier));
    let mut bad = bytes.clone();
    bad[260] = 3;
    let what = "loglevel_type";
    assert_eq!(EventNotifier::decode(&bad), Err(DecodeError::BadValue { what, value: 3 }));
    assert!(EventNotifier::decode(&bytes[..611]).is_err());
}

#[test]
fn error_counters() {
    let bytes = CounterConfiguration::error_counters(4096).encode(Abi::V9);
    assert_eq!(bytes.len(), COUNTER_CONFIGURATION_LEN);
    let mut expected = [0; COUNTER_CONFIGURATION_LEN];
    expected[8..12].copy_from_slice(&1_i32.to_ne_bytes());
    expected[20..28].copy_from_slice(&4096_u64.to_ne_bytes());
    assert_eq!(bytes, expected);
}

#[test]
fn counter_configuration_offsets() {
    let dimension =
        |size| CounterDimension { size, underflow_index: Some(size + 1), overflow_index: None };
    let configuration = CounterConfiguration {
        arithmetic: Arithmetic::Saturation,
        bits: CounterBits::Bits64,
        global_sum_step: -5,
        dimensions: vec![dimension(100), dimension(200)],
        coalesce_hits: true,
    };
    let bytes = configuration.encode(Abi::V9);
    assert_eq!([0, 4, 8].map(|at| u32_at(&bytes, at)), [1, 1, 2]);
    assert_eq!(u64_at(&bytes, 12), (-5_i64) as u64);
    assert_eq!([20, 28, 36].map(|at| u64_at(&bytes, at)), [100, 101, 0]);
    assert_eq!((bytes[44], bytes[45]), (1, 0));
    assert_eq!((u64_at(&bytes, 46), u64_at(&bytes, 54), bytes[124]), (200, 201, 1));
    assert_eq!(CounterConfiguration::decode(&bytes), Ok(configuration));
    for (offset, what) in
        [(0, "counter arithmetic"), (4, "counter bitness"), (8, "number_dimensions")]
    {
        let mut bytes = bytes.clone();
        bytes[offset] = 5;
        assert_eq!(
            CounterConfiguration::decode(&bytes),
            Err(DecodeError::BadValue { what, value: 5 })
        );
    }
}

#[test]
fn surplus_dimensions_are_left_out() {
    let mut configuration = CounterConfiguration::error_counters(1);
    configuration.dimensions = vec![configuration.dimensions[0]; 6];
    let bytes = configuration.encode(Abi::V9);
    assert_eq!(bytes.len(), COUNTER_CONFIGURATION_LEN);
    assert_eq!(CounterConfiguration::decode(&bytes).unwrap().dimensions.len(), 4);
}

proptest! {
    #[test]
    fn no_bytes_break_a_decoder(bytes in prop::collection::vec(any::<u8>(), 0..700)) {
        if EventNotifier::decode(&bytes).is_ok() {
            prop_assert_eq!(bytes.len(), EVENT_NOTIFIER_LEN);
        }
        if CounterConfiguration::decode(&bytes).is_ok() {
            prop_assert_eq!(bytes.len(), COUNTER_CONFIGURATION_LEN);
        }
        prop_assert_eq!(decode_exclusions(&bytes).is_ok(), bytes.len() % EXCLUSION_NAME_LEN == 0);
    }
}
