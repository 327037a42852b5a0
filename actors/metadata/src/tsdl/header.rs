//! What comes before the streams and events: types, trace, environment, clock and headers.

use uuid::Uuid;

use super::text::{Quoted, line};
use lttngd_wire::ust::registration::Alignments;

use super::{Clock, Scheme, TraceDescription};

const BYTE_ORDER: &str = if cfg!(target_endian = "big") { "be" } else { "le" };
/// What a trace of a session is called whose name the daemon made up, since that name has a date.
const AUTO_TRACE_NAME: &str = "auto";

/// Whether the text is written for the first time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Preamble {
    /// It is.
    First,
    /// It was before, and must not say again which application a per-PID trace is of.
    Again,
}

/// The text up to the first stream or event.
pub(crate) fn preamble(trace: &TraceDescription, which: Preamble) -> String {
    let mut out = String::from("/* CTF 1.8 */\n\n");
    let out = &mut out;
    types(out, trace);
    trace_block(out, trace);
    environment(out, trace, which);
    clock(out, &trace.clock);
    clock_types(out, &trace.clock, &trace.alignments);
    headers(out, &trace.alignments);
    std::mem::take(out)
}

fn types(out: &mut String, trace: &TraceDescription) {
    let alignments = &trace.alignments;
    for (size, align, name) in [
        (8, alignments.uint8_bits, "uint8_t"),
        (16, alignments.uint16_bits, "uint16_t"),
        (32, alignments.uint32_bits, "uint32_t"),
        (64, alignments.uint64_bits, "uint64_t"),
        (trace.bitness.bits_per_long(), alignments.long_bits, "unsigned long"),
        (5, 1, "uint5_t"),
        (27, 1, "uint27_t"),
    ] {
        line!(
            out,
            0,
            "typealias integer {{ size = {size}; align = {align}; signed = false; }} := {name};"
        );
    }
    out.push('\n');
}

fn trace_block(out: &mut String, trace: &TraceDescription) {
    line!(out, 0, "trace {{");
    line!(out, 1, "major = 1;");
    line!(out, 1, "minor = 8;");
    line!(out, 1, "uuid = \"{}\";", Uuid::from_bytes(trace.uuid));
    line!(out, 1, "byte_order = {BYTE_ORDER};");
    line!(out, 1, "packet.header := struct {{");
    for member in
        ["uint32_t magic", "uint8_t  uuid[16]", "uint32_t stream_id", "uint64_t stream_instance_id"]
    {
        line!(out, 2, "{member};");
    }
    line!(out, 1, "}};");
    line!(out, 0, "}};\n");
}

fn environment(out: &mut String, trace: &TraceDescription, which: Preamble) {
    let (major, minor, patchlevel) = trace.tracer_version;
    let (scheme, id) = match &trace.scheme {
        Scheme::Uid(uid) => ("uid", uid),
        Scheme::Pid { pid, .. } => ("pid", pid),
    };
    let name = if trace.auto_named { AUTO_TRACE_NAME } else { &trace.session_name };
    line!(out, 0, "env {{");
    line!(out, 1, "domain = \"ust\";");
    line!(out, 1, "tracer_name = \"lttng-ust\";");
    line!(out, 1, "tracer_major = {major};");
    line!(out, 1, "tracer_minor = {minor};");
    line!(out, 1, "tracer_buffering_scheme = \"{scheme}\";");
    line!(out, 1, "tracer_buffering_id = {id};");
    line!(out, 1, "architecture_bit_width = {};", trace.bitness.bits_per_long());
    line!(out, 1, "trace_name = {};", Quoted(name));
    let created_at = trace.session_created_at.iso8601_basic();
    line!(out, 1, "trace_creation_datetime = \"{created_at}\";");
    line!(out, 1, "hostname = {};", Quoted(&trace.hostname));
    if let (Scheme::Pid { pid, procname, registered_at }, Preamble::First) = (&trace.scheme, which)
    {
        line!(out, 1, "tracer_patchlevel = {patchlevel};");
        line!(out, 1, "vpid = {pid};");
        line!(out, 1, "procname = {};", Quoted(procname));
        line!(out, 1, "vpid_datetime = \"{}\";", registered_at.iso8601_basic());
    }
    line!(out, 0, "}};\n");
}

fn clock(out: &mut String, clock: &Clock) {
    line!(out, 0, "clock {{");
    line!(out, 1, "name = {};", Quoted(&clock.name));
    if let Some(uuid) = &clock.uuid {
        line!(out, 1, "uuid = {};", Quoted(uuid));
    }
    line!(out, 1, "description = {};", Quoted(&clock.description));
    line!(out, 1, "freq = {}; /* Frequency, in Hz */", clock.freq_hz);
    line!(out, 1, "/* clock value offset from Epoch is: offset * (1/freq) */");
    line!(out, 1, "offset = {};", clock.offset);
    line!(out, 0, "}};\n");
}

fn clock_types(out: &mut String, clock: &Clock, alignments: &Alignments) {
    for (size, align) in [(27, 1), (32, alignments.uint32_bits), (64, alignments.uint64_bits)] {
        line!(out, 0, "typealias integer {{");
        line!(out, 1, "size = {size}; align = {align}; signed = false;");
        line!(out, 1, "map = clock.{}.value;", clock.name);
        line!(out, 0, "}} := uint{size}_clock_monotonic_t;\n");
    }
}

fn headers(out: &mut String, alignments: &Alignments) {
    line!(out, 0, "struct packet_context {{");
    for member in [
        "uint64_clock_monotonic_t timestamp_begin",
        "uint64_clock_monotonic_t timestamp_end",
        "uint64_t content_size",
        "uint64_t packet_size",
        "uint64_t packet_seq_num",
        "unsigned long events_discarded",
        "uint32_t cpu_id",
    ] {
        line!(out, 1, "{member};");
    }
    line!(out, 0, "}};\n");
    event_header(out, "compact", 5, 27, alignments.uint32_bits);
    event_header(out, "large", 16, 32, alignments.uint16_bits);
}

/// The header of an event: a short id and a short timestamp, or an escape to full ones.
fn event_header(out: &mut String, name: &str, id_bits: u32, time_bits: u32, align: u32) {
    let id = if id_bits == 5 { "uint5_t" } else { "uint16_t" };
    let escape = (1u32 << id_bits) - 1;
    line!(out, 0, "struct event_header_{name} {{");
    line!(out, 1, "enum : {id} {{ compact = 0 ... {}, extended = {escape} }} id;", escape - 1);
    line!(out, 1, "variant <id> {{");
    line!(out, 2, "struct {{");
    line!(out, 3, "uint{time_bits}_clock_monotonic_t timestamp;");
    line!(out, 2, "}} compact;");
    line!(out, 2, "struct {{");
    line!(out, 3, "uint32_t id;");
    line!(out, 3, "uint64_clock_monotonic_t timestamp;");
    line!(out, 2, "}} extended;");
    line!(out, 1, "}} v;");
    line!(out, 0, "}} align({align});\n");
}
