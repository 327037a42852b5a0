//! Every command: its number, its offsets, its way there and back.

use crate::ust::Abi;
use lttngd_model::{AppContext, Bytecode, Context, ContextKind, LogLevelRule, PerfContext};
use proptest::prelude::*;

use super::super::*;
use crate::DecodeError;
use crate::ust::layout::{text_at, u32_at, u64_at};

fn every_command() -> Vec<Command> {
    let head = BytecodeHead { data_size: 22, reloc_offset: 14, seqnum: 3 };
    let perf = PerfContext { perf_type: 1, config: 2, name: "perf_thread_cycles".to_owned() };
    let mut commands = vec![
        Command::Release,
        Command::Session,
        Command::TracerVersion,
        Command::TracepointList,
        Command::WaitQuiescent,
        Command::RegisterDone,
        Command::TracepointFieldList,
        Command::EventNotifierGroupCreate,
        Command::Channel { len: 920, owner_id: 0 },
        Command::SessionStart,
        Command::SessionStop,
        Command::SessionStatedump,
        Command::Stream { len: 0x0102_0304_0506, stream_nr: 7 },
        Command::Context(UstContext::Plain { number: TIME_NS }),
        Command::Context(UstContext::Perf(perf)),
        Command::Context(UstContext::App { provider_name_len: 7, ctx_name_len: 6 }),
        Command::FlushBuffer,
        Command::Enable,
        Command::Disable,
        Command::TracepointListGet,
        Command::TracepointFieldListGet,
        Command::Filter(head),
        Command::Exclusion { count: 2 },
        Command::EventNotifierCreate,
        Command::Capture(head),
        Command::Counter,
        Command::CounterGlobal { len: 17408 },
        Command::CounterCpu { len: 17408, cpu_nr: 1 },
    ];
    for loglevel in [LogLevelRule::All, LogLevelRule::Range(6), LogLevelRule::Single(-4)] {
        commands.push(Command::Event { name: "demo:*".to_owned(), loglevel, token: 0 });
    }
    commands
}

#[test]
fn every_command_comes_back() {
    for command in every_command() {
        let bytes = command.encode(0xABCD);
        assert_eq!(bytes.len(), REQUEST_LEN);
        assert_eq!((u32_at(&bytes, 0), u32_at(&bytes, 4)), (0xABCD, command.number()));
        assert_eq!(bytes[8..40], [0; 32]);
        assert_eq!(Command::decode(&bytes), Ok((0xABCD, command)));
    }
}

#[test]
fn numbers_without_a_command_are_refused() {
    let known: Vec<u32> = every_command().iter().map(Command::number).collect();
    for number in (0..512).filter(|number| !known.contains(number)) {
        let mut bytes = Command::Release.encode(1);
        bytes[4..8].copy_from_slice(&u32::to_ne_bytes(number));
        let value = number.into();
        assert_eq!(Command::decode(&bytes), Err(DecodeError::BadValue { what: "cmd", value }));
    }
}

#[test]
fn a_request_has_one_size() {
    let bytes = Command::Session.encode(0);
    for len in [0, 4, 8, 40, REQUEST_LEN - 1] {
        assert!(matches!(Command::decode(&bytes[..len]), Err(DecodeError::Truncated { .. })));
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(matches!(Command::decode(&longer), Err(DecodeError::Trailing { left: 1, .. })));
}

#[test]
fn object_offsets() {
    let bytes = Command::Channel { len: 920, owner_id: 0 }.encode(3);
    assert_eq!((u64_at(&bytes, 40), u32_at(&bytes, 48)), (920, 0));
    let bytes = Command::Stream { len: 4096, stream_nr: 1 }.encode(4);
    assert_eq!((u64_at(&bytes, 40), u32_at(&bytes, 48)), (4096, 1));
    let bytes = Command::CounterCpu { len: 17408, cpu_nr: 1 }.encode(2);
    assert_eq!((u64_at(&bytes, 40), u32_at(&bytes, 48)), (17408, 1));
    assert_eq!(u64_at(&Command::Counter.encode(1), 40), 192);
    assert_eq!(u32_at(&Command::EventNotifierCreate.encode(1), 40), 612);
    assert_eq!(u32_at(&Command::Exclusion { count: 2 }.encode(5), 40), 2);
}

#[test]
fn event_offsets() {
    let name = "demo:*".to_owned();
    let bytes = Command::Event { name, loglevel: LogLevelRule::Range(6), token: 9 }.encode(4);
    assert_eq!((u32_at(&bytes, 40), text_at(&bytes, 44)), (0, "demo:*"));
    assert_eq!((u32_at(&bytes, 300), u32_at(&bytes, 304), u64_at(&bytes, 308)), (1, 6, 9));
    let name = "a".repeat(300);
    let bytes = Command::Event { name, loglevel: LogLevelRule::All, token: 0 }.encode(4);
    assert_eq!((text_at(&bytes, 44).len(), u32_at(&bytes, 304)), (255, u32::MAX));
}

#[test]
fn bytecode_offsets() {
    // The filter `i_dec > 2`.
    let data = b"\x3B\xFF\xFF\x41\x02\0\0\0\0\0\0\0\x0E\x01\0\0i_dec\0".to_vec();
    let filter = Bytecode { reloc_table_offset: 14, seqnum: 0, data };
    let bytes = Command::filter(&filter).encode(5);
    assert_eq!(u32_at(&bytes, 4), 0xA0);
    assert_eq!((u32_at(&bytes, 40), u32_at(&bytes, 44), u64_at(&bytes, 48)), (22, 14, 0));
    let capture = Bytecode { seqnum: 3, ..filter };
    let bytes = Command::capture(&capture).encode(5);
    assert_eq!((u32_at(&bytes, 4), u64_at(&bytes, 48)), (0xB6, 3));
}

#[test]
fn context_offsets() {
    let encode = |context| Command::Context(UstContext::from_model(&context).unwrap()).encode(4);
    let bytes = encode(Context::Plain(ContextKind::Procname));
    assert_eq!((u32_at(&bytes, 40), &bytes[44..612]), (3, &[0; 568][..]));
    let perf = PerfContext { perf_type: 8, config: 9, name: "perf_thread_x".to_owned() };
    let bytes = encode(Context::Perf(ContextKind::PerfThreadCounter, perf));
    assert_eq!((u32_at(&bytes, 40), u32_at(&bytes, 60), u64_at(&bytes, 64)), (5, 8, 9));
    assert_eq!(text_at(&bytes, 72), "perf_thread_x");
    let app = AppContext { provider: "myprov".to_owned(), name: "myctx".to_owned() };
    let bytes = encode(Context::App(app.clone()));
    assert_eq!((u32_at(&bytes, 40), u32_at(&bytes, 60), u32_at(&bytes, 64)), (7, 7, 6));
    assert_eq!(app_context(&app, Abi::V9), b"myprov\0myctx\0");
}

#[test]
fn contexts_that_applications_do_not_have() {
    let perf = PerfContext { perf_type: 0, config: 0, name: String::new() };
    for context in [
        Context::Plain(ContextKind::Pid),
        Context::Plain(ContextKind::AppContext),
        Context::Plain(ContextKind::PerfThreadCounter),
        Context::Perf(ContextKind::PerfCpuCounter, perf),
    ] {
        assert_eq!(UstContext::from_model(&context), None, "{context:?}");
    }
}

#[test]
fn commands_of_abi_9() {
    let newer: Vec<u32> = every_command()
        .iter()
        .filter(|command| command.min_abi() > Abi::V8)
        .map(Command::number)
        .collect();
    assert_eq!(newer, [0x46, 0x70, 0xB0, 0xB6, 0xC0, 0xD0, 0xD1]);
    assert_eq!(Command::Context(UstContext::Plain { number: 1 }).min_abi(), Abi::V8);
    assert!(Command::Counter.has_early_ack(Abi::V9) && !Command::Enable.has_early_ack(Abi::V9));
}

proptest! {
    #[test]
    fn no_bytes_break_the_decoder(
        command in prop::sample::select(every_command()),
        writes in prop::collection::vec((8..REQUEST_LEN, any::<u8>()), 0..24),
    ) {
        let mut bytes = command.encode(1);
        for (offset, byte) in writes {
            bytes[offset] = byte;
        }
        if let Ok((handle, read)) = Command::decode(&bytes) {
            prop_assert_eq!((handle, read.number()), (1, command.number()));
            prop_assert_eq!(read.encode(1).len(), REQUEST_LEN);
        }
    }

    #[test]
    fn no_size_breaks_the_decoder(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        prop_assert!(Command::decode(&bytes).is_err());
    }
}
