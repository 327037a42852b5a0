//! Numbers and structures as a live tracer of 2.13.9 had them, and back.
#![allow(clippy::unwrap_used)]

use lttngd_model::{
    Bytecode, ChannelOutput, Context, ContextKind, PerfContext, ProbeAttributes, ProcessAttribute,
    TracerToken, trigger::EmissionSite,
};

use super::{
    Argument, Call, ChannelSettings, EventNotifier, Instrumentation, KernelEvent,
    decode_error_count,
};
use crate::{
    DecodeError,
    ust::layout::{text_at, u32_at, u64_at},
};

fn settings() -> ChannelSettings {
    ChannelSettings {
        subbuf_size_bytes: 1 << 20,
        num_subbuf: 4,
        switch_timer_interval_us: 7,
        read_timer_interval_us: 200_000,
        output: ChannelOutput::Mmap,
        overwrite: true,
    }
}

fn event(instrumentation: Instrumentation) -> Call {
    Call::CreateEvent(Box::new(KernelEvent { name: "name*".to_owned(), instrumentation }))
}

fn notifier() -> Call {
    let instrumentation = Instrumentation::Syscall(EmissionSite::Exit);
    let event = KernelEvent { name: "open*".to_owned(), instrumentation };
    let (token, error_counter_index) = (TracerToken(1 << 40), 12);
    Call::CreateNotifier(Box::new(EventNotifier { token, error_counter_index, event }))
}

fn probe() -> ProbeAttributes {
    ProbeAttributes { address: 0x11, offset: 0x22, symbol: "do_sys".to_owned() }
}

fn perf() -> Context {
    let name = "perf_cpu_page_fault".to_owned();
    Context::Perf(ContextKind::PerfCpuCounter, PerfContext { perf_type: 1, config: 2, name })
}

fn bytecode() -> Bytecode {
    Bytecode { reloc_table_offset: 2, seqnum: 9, data: vec![1, 2, 3, 4] }
}

/// Every call with its number.
fn all() -> Vec<(Call, u32)> {
    vec![
        (Call::CreateSession, 0xF645),
        (Call::TracerVersion, 0x800C_F646),
        (Call::ListTracepoints, 0xF647),
        (Call::WaitQuiescent, 0xF648),
        (Call::ListSyscalls, 0xF64A),
        (Call::AbiVersion, 0x8008_F64B),
        (Call::CreateMetadata(settings()), 0x4140_F654),
        (Call::CreateChannel(settings()), 0x4140_F655),
        (Call::Start, 0xF656),
        (Call::Stop, 0xF657),
        (Call::TrackPid(-1), 0x4004_F658),
        (Call::UntrackPid(77), 0x4004_F659),
        (Call::Track(ProcessAttribute::VirtualGroupId, 5), 0x4008_F6A1),
        (Call::Untrack(ProcessAttribute::UserId, -1), 0x4008_F6A2),
        (Call::RegenerateMetadata, 0xF659),
        (Call::Statedump, 0xF65C),
        (Call::SetName("s".to_owned()), 0x4100_F65D),
        (Call::SetCreationTime("20261129T121459+0000".to_owned()), 0x401A_F65E),
        (Call::OpenStream, 0xF662),
        (event(Instrumentation::Tracepoint), 0x4234_F663),
        (event(Instrumentation::Kprobe(probe())), 0x4234_F663),
        (event(Instrumentation::Function), 0x4234_F663),
        (event(Instrumentation::Kretprobe(probe())), 0x4234_F663),
        (event(Instrumentation::Syscall(EmissionSite::EntryExit)), 0x4234_F663),
        (event(Instrumentation::Syscall(EmissionSite::Exit)), 0x4234_F663),
        (event(Instrumentation::Uprobe(12)), 0x4234_F663),
        (Call::AddContext(Context::Plain(ContextKind::Tid)), 0x4134_F671),
        (Call::AddContext(perf()), 0x4134_F671),
        (Call::Enable, 0xF682),
        (Call::Disable, 0xF683),
        (Call::Filter(bytecode()), 0xF690),
        (Call::AddCallsite(0x1234), 0xF691),
        (Call::Flush, 0xF60C),
        (Call::CreateNotifierGroup, 0xF64C),
        (Call::CreateErrorCounters(4096), 0x40C0_F684),
        (notifier(), 0x425C_F6B0),
        (Call::OpenNotifications, 0xF6B1),
        (Call::Capture(bytecode()), 0xF6B8),
        (Call::SumErrors(7), 0xC04E_F6C1),
        (Call::ClearErrors(8), 0x4044_F6C2),
    ]
}

#[test]
fn each_call_has_the_number_that_the_tracer_takes_and_is_read_back() {
    for (call, number) in all() {
        assert_eq!(call.number(), number, "{call:?}");
        let argument = call.argument().unwrap();
        let len = match argument.bytes().len() {
            0 if matches!(argument, Argument::Value(_)) => size_of::<i32>(),
            len => len,
        };
        // The number says how long the structure is, but for bytecode and callsites.
        let said = number as usize >> 16 & 0x3fff;
        let is_open = matches!(call, Call::Filter(_) | Call::Capture(_) | Call::AddCallsite(_));
        assert!(said == len || is_open, "{call:?}");
        assert_eq!(Call::decode(number, &argument).unwrap(), call);
    }
}

#[test]
fn members_stand_where_the_tracer_reads_them() {
    let bytes = |call: Call| call.argument().unwrap().bytes().to_vec();
    let channel = bytes(Call::CreateChannel(settings()));
    assert_eq!((u64_at(&channel, 0), u64_at(&channel, 8)), (1 << 20, 4));
    let rest = [16, 20, 24, 28].map(|at| u32_at(&channel, at));
    assert_eq!(rest, [7, 200_000, 1, 1]);
    let kprobe = bytes(event(Instrumentation::Kprobe(probe())));
    assert_eq!((text_at(&kprobe, 0), u32_at(&kprobe, 256)), ("name*", 1));
    assert_eq!((u64_at(&kprobe, 276), u64_at(&kprobe, 284)), (0x11, 0x22));
    assert_eq!(text_at(&kprobe, 292), "do_sys");
    let kretprobe = bytes(event(Instrumentation::Kretprobe(probe())));
    assert_eq!((u32_at(&kretprobe, 256), text_at(&kretprobe, 292)), (3, "do_sys"));
    assert_eq!(kretprobe[548..], [0; 16], "both its beginning and its end");
    let syscall = bytes(event(Instrumentation::Syscall(EmissionSite::Entry)));
    assert_eq!((u32_at(&syscall, 256), &syscall[276..280]), (5, &[1, 0, 0, 0][..]));
    let uprobe = bytes(event(Instrumentation::Uprobe(12)));
    assert_eq!((u32_at(&uprobe, 256), u32_at(&uprobe, 276)), (6, 12));
    let context = bytes(Call::AddContext(perf()));
    assert_eq!([0, 20].map(|at| u32_at(&context, at)), [1, 1]);
    assert_eq!((u64_at(&context, 24), text_at(&context, 32)), (2, "perf_cpu_page_fault"));
    let tracker = bytes(Call::Track(ProcessAttribute::VirtualGroupId, -1));
    assert_eq!([0, 4].map(|at| u32_at(&tracker, at)), [5, u32::MAX]);
    let filter = bytes(Call::Filter(bytecode()));
    assert_eq!([0, 4].map(|at| u32_at(&filter, at)), [4, 2]);
    assert_eq!((u64_at(&filter, 8), &filter[16..]), (9, &[1, 2, 3, 4][..]));
}

#[test]
fn a_notifier_is_a_rule_with_a_token_and_its_counter_one_of_many() {
    let bytes = |call: Call| call.argument().unwrap().bytes().to_vec();
    let notifier = bytes(notifier());
    assert_eq!((text_at(&notifier, 0), u32_at(&notifier, 256), notifier[276]), ("open*", 5, 2));
    assert_eq!((u64_at(&notifier, 260), u64_at(&notifier, 564)), (1 << 40, 12));
    let counters = bytes(Call::CreateErrorCounters(4096));
    assert_eq!([0, 8].map(|at| u32_at(&counters, at)), [0, 1], "modular, of one dimension");
    assert_eq!((u64_at(&counters, 12), u64_at(&counters, 20)), (0, 4096));
    assert!(counters[28..].iter().all(|byte| *byte == 0));
    let mut sum = bytes(Call::SumErrors(7));
    assert_eq!((u32_at(&sum, 0), u64_at(&sum, 4)), (1, 7));
    sum[36..44].copy_from_slice(&19_i64.to_ne_bytes());
    assert_eq!(decode_error_count(&sum), Ok(19));
    assert!(decode_error_count(&sum[..77]).is_err());
    sum[36..44].copy_from_slice(&(-1_i64).to_ne_bytes());
    assert!(decode_error_count(&sum).is_err());
    assert_eq!(u64_at(&bytes(Call::ClearErrors(8)), 4), 8);
}

#[test]
fn names_that_are_too_long_are_cut_and_end() {
    let long = "n".repeat(400);
    let argument = Call::SetName(long).argument().unwrap();
    assert_eq!((argument.bytes().len(), argument.bytes()[255]), (256, 0));
}

#[test]
fn contexts_of_applications_have_no_number() {
    for kind in [ContextKind::Ip, ContextKind::PthreadId, ContextKind::PerfThreadCounter] {
        assert_eq!(Call::AddContext(Context::Plain(kind)).argument(), None);
    }
}

#[test]
fn what_is_no_call_is_refused() {
    let wrong = [
        (0xF645, Argument::Value(1)),
        (0xF6FF, Argument::None),
        (0x4140_F655, Argument::Structure(vec![0; 319])),
        (0x4234_F663, Argument::Structure(vec![b'x'; 564])),
        (0xF690, Argument::Structure(vec![0; 15])),
        (0x4008_F6A1, Argument::Structure(vec![6, 0, 0, 0, 0, 0, 0, 0])),
    ];
    for (number, argument) in wrong {
        assert!(Call::decode(number, &argument).is_err(), "{number:#x}");
    }
    let mut more = Call::Filter(bytecode()).argument().unwrap();
    if let Argument::Structure(bytes) = &mut more {
        bytes.push(0);
    }
    let expected = DecodeError::BadValue { what: "bytecode len", value: 4 };
    assert_eq!(Call::decode(0xF690, &more), Err(expected));
}
