//! The forms of requests from ABI 10 on.

use lttngd_model::{AppContext, LogLevelRule};

use crate::ust::{
    Abi,
    command::{
        BytecodeHead, Command, CounterConfiguration, EventNotifier, REQUEST_LEN, UstContext,
        app_context,
    },
    layout::{text_at, u32_at, u64_at},
};

/// A request with what goes with it, and where its descriptors are.
fn put(abi: Abi, command: &Command, payload: &[u8], descriptors: u32) -> (Vec<u8>, Option<usize>) {
    let mut requests = vec![0xEE; 3];
    let at = command.put(abi, 7, (payload, descriptors), &mut requests);
    assert_eq!(requests[..3], [0xEE; 3], "it goes behind others");
    (requests.split_off(3), at.map(|at| at - 3))
}

/// The same in ABI 11, whose head is checked: number and payload.
fn framed(command: &Command, payload: &[u8], descriptors: u32) -> (u32, Vec<u8>) {
    let (mut bytes, at) = put(Abi::V11, command, payload, descriptors);
    assert_eq!((u32_at(&bytes, 0), u32_at(&bytes, 12)), (7, 4 * descriptors));
    assert_eq!(u32_at(&bytes, 8) as usize, bytes.len() - 16);
    assert_eq!(at, (descriptors > 0).then_some(16));
    (u32_at(&bytes, 4), bytes.split_off(16))
}

#[test]
fn up_to_abi_10_what_follows_is_behind_a_request() {
    for abi in [Abi::V8, Abi::V9, Abi::V10] {
        let channel = Command::Channel { len: 4, owner_id: 9 };
        let (bytes, at) = put(abi, &channel, b"abcd", 1);
        assert_eq!(bytes[..REQUEST_LEN], channel.encode(7));
        assert_eq!((&bytes[REQUEST_LEN..], at), (&b"abcd\0"[..], Some(REQUEST_LEN + 4)));
    }
}

#[test]
fn the_counters_of_abi_10() {
    let configuration = CounterConfiguration::error_counters(4096).encode(Abi::V10);
    assert_eq!(configuration.len(), 64);
    for (offset, value) in [(0, 32), (4, 0), (8, 0), (12, 0), (24, 1), (28, 32), (32, 0), (36, 0)] {
        assert_eq!(u32_at(&configuration, offset), value, "{offset}");
    }
    assert_eq!(u64_at(&configuration, 40), 4096);
    let (bytes, at) = put(Abi::V10, &Command::Counter, &configuration, 0);
    assert_eq!((u32_at(&bytes, 4), u32_at(&bytes, 40), at), (0xC1, 64, None));
    assert_eq!(bytes[REQUEST_LEN..], configuration);

    let cpu = Command::CounterCpu { len: 17408, cpu_nr: 1 };
    let (bytes, at) = put(Abi::V10, &cpu, &[], 1);
    assert_eq!((u32_at(&bytes, 4), u32_at(&bytes, 40), u32_at(&bytes, 44)), (0xD3, 16, 0));
    let payload = &bytes[REQUEST_LEN..];
    assert_eq!((u32_at(payload, 0), u64_at(payload, 4), u32_at(payload, 12)), (16, 17408, 1));
    assert_eq!((payload.len(), at), (17, Some(REQUEST_LEN + 16)));
    assert_eq!(framed(&cpu, &[], 1), (0xD3, payload[..16].to_vec()));
    assert_eq!(framed(&Command::Counter, &configuration, 0), (0xC1, configuration));
    assert!(cpu.has_early_ack(Abi::V10) && !cpu.has_early_ack(Abi::V11));
}

#[test]
fn the_requests_of_abi_11() {
    assert_eq!(framed(&Command::RegisterDone, &[], 0), (0x44, Vec::new()));
    assert_eq!(framed(&Command::EventNotifierGroupCreate, &[], 1), (0x46, vec![0]));

    let (number, channel) = framed(&Command::Channel { len: 3, owner_id: 5 }, b"abc", 1);
    assert_eq!((number, channel.len(), &channel[64..]), (0x51, 67, &b"abc"[..]));
    assert_eq!((u64_at(&channel, 0), u32_at(&channel, 8), u32_at(&channel, 12)), (3, 0, 5));

    let (number, stream) = framed(&Command::Stream { len: 46032, stream_nr: 1 }, &[], 2);
    assert_eq!((number, stream.len()), (0x60, 64));
    assert_eq!((u64_at(&stream, 0), u32_at(&stream, 8)), (46032, 1));

    let name = "a:b".to_owned();
    let loglevel = LogLevelRule::Single(4);
    let (number, event) = framed(&Command::Event { name, loglevel, token: 6 }, &[], 0);
    assert_eq!((number, event.len(), text_at(&event, 20)), (0x61, 320, "a:b"));
    let numbers = [u32_at(&event, 0), u32_at(&event, 4), u32_at(&event, 8)];
    assert_eq!((numbers, u64_at(&event, 12)), ([0, 2, 4], 6));

    let head = BytecodeHead { data_size: 2, reloc_offset: 1, seqnum: 9 };
    for (command, number) in [(Command::Filter(head), 0xA0), (Command::Capture(head), 0xB6)] {
        let (is, code) = framed(&command, b"xy", 0);
        assert_eq!((is, code.len(), &code[64..]), (number, 66, &b"xy"[..]));
        assert_eq!((u32_at(&code, 0), u32_at(&code, 4), u64_at(&code, 8)), (2, 1, 9));
    }
    let (number, exclusion) = framed(&Command::Exclusion { count: 1 }, &[1; 256], 0);
    assert_eq!((number, exclusion.len(), u32_at(&exclusion, 0)), (0xA1, 32 + 256, 1));
}

#[test]
fn contexts_and_notifiers_of_abi_11() {
    let names = AppContext { provider: "prov".to_owned(), name: "ctx".to_owned() };
    let context = UstContext::App { provider_name_len: 5, ctx_name_len: 4 };
    let text = app_context(&names, Abi::V11);
    assert_eq!(text, b"provctx", "without NULs");
    let (number, bytes) = framed(&Command::Context(context), &text, 0);
    assert_eq!((number, bytes.len()), (0x70, 304 + 7));
    assert_eq!((u32_at(&bytes, 0), u32_at(&bytes, 16), u32_at(&bytes, 20)), (7, 4, 3));

    let notifier = EventNotifier {
        name: "c:d".to_owned(),
        loglevel: LogLevelRule::All,
        token: 11,
        error_counter_index: 12,
    };
    let (number, bytes) = framed(&Command::EventNotifierCreate, &notifier.encode(Abi::V11), 0);
    assert_eq!((number, bytes.len(), text_at(&bytes, 28)), (0xB0, 320, "c:d"));
    assert_eq!((u64_at(&bytes, 12), u64_at(&bytes, 20)), (11, 12));
}
