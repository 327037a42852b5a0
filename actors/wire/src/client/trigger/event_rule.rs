//! Event rules (`struct lttng_event_rule_comm` and what follows it) and the places that they name.

use lttngd_model::{
    FILTER_MAX_LEN, LogLevelRule, SYMBOL_NAME_LEN,
    trigger::{EmissionSite, EventRule, KernelProbe, LogRule, RULE_EXCLUSIONS_MAX, TracepointRule},
};

use super::super::{
    Dialect,
    mirror::{bad, limited, string, string_len, wire_len},
};
use crate::{DecodeError, Reader, Writer};

/// `enum lttng_event_rule_type`.
const SYSCALL: i8 = 0;
const KPROBE: i8 = 1;
const KERNEL_TRACEPOINT: i8 = 2;
const UPROBE: i8 = 3;
const USER_TRACEPOINT: i8 = 4;
const JUL: i8 = 5;
const LOG4J: i8 = 6;
const PYTHON: i8 = 7;

/// `enum lttng_log_level_rule_type`.
const EXACTLY: i8 = 0;
const AT_LEAST: i8 = 1;
/// `struct lttng_log_level_rule_comm`, which is not packed.
const LOG_LEVEL_LEN: u32 = 8;
const LOG_LEVEL_PADDING: usize = 3;

/// `enum lttng_kernel_probe_location_type`.
const BEHIND_SYMBOL: i8 = 0;
const AT_ADDRESS: i8 = 1;
/// A probe at the location itself; there are others at the entry to a function and its exit, as kernel rules of events
/// have them, which no trigger of this daemon has.
const SITE_LOCATION: u32 = 0;

fn filter(reader: &mut Reader<'_>, len: u32) -> Result<Option<String>, DecodeError> {
    match len {
        0 => Ok(None),
        len => string(reader, len, FILTER_MAX_LEN, "event rule filter").map(Some),
    }
}

pub(super) fn decode(reader: &mut Reader<'_>, dialect: Dialect) -> Result<EventRule, DecodeError> {
    let pattern =
        |reader: &mut Reader<'_>, len| string(reader, len, FILTER_MAX_LEN, "event rule pattern");
    let rule = match reader.i8("event rule type")? {
        SYSCALL => {
            let site = reader.u32("emission_site")?;
            let emission_site =
                EmissionSite::from_raw(site).ok_or_else(|| bad("emission_site", site))?;
            let (pattern_len, filter_len) =
                (reader.u32("pattern_len")?, reader.u32("filter_expression_len")?);
            let pattern = pattern(reader, pattern_len)?;
            EventRule::Syscall { emission_site, pattern, filter: filter(reader, filter_len)? }
        }
        KERNEL_TRACEPOINT => {
            let (pattern_len, filter_len) =
                (reader.u32("pattern_len")?, reader.u32("filter_expression_len")?);
            let pattern = pattern(reader, pattern_len)?;
            EventRule::KernelTracepoint { pattern, filter: filter(reader, filter_len)? }
        }
        KPROBE => {
            let (name, location) = decode_named(reader, dialect.has_maps(), decode_kernel_probe)?;
            EventRule::Kprobe { name, location }
        }
        UPROBE => {
            // Whether it tells a place is looked at with all else of the trigger.
            let (name, location) = decode_named(reader, false, |location| {
                let len = location.left();
                location.bytes(len, "probe location").map(<[u8]>::to_vec)
            })?;
            EventRule::Uprobe { name, location: location.into() }
        }
        USER_TRACEPOINT => EventRule::UserTracepoint(decode_user_tracepoint(reader)?),
        JUL => EventRule::Jul(decode_log_rule(reader)?),
        LOG4J => EventRule::Log4j(decode_log_rule(reader)?),
        PYTHON => EventRule::Python(decode_log_rule(reader)?),
        other => return Err(bad("event rule type", other)),
    };
    Ok(rule.normalized())
}

fn decode_user_tracepoint(reader: &mut Reader<'_>) -> Result<TracepointRule, DecodeError> {
    let pattern_len = reader.u32("pattern_len")?;
    let filter_len = reader.u32("filter_expression_len")?;
    let level_len = reader.u32("log_level_rule_len")?;
    let count = limited(reader.u32("exclusions_count")?, RULE_EXCLUSIONS_MAX, "exclusions_count")?;
    let exclusions_len = reader.u32("exclusions_len")?;
    let pattern = string(reader, pattern_len, SYMBOL_NAME_LEN, "event rule pattern")?;
    let filter = filter(reader, filter_len)?;
    let log_level = decode_log_level(reader, level_len)?;
    let before = reader.left();
    let mut exclusions = Vec::new();
    for _ in 0..count {
        let len = reader.u32("exclusion")?;
        exclusions.push(string(reader, len, SYMBOL_NAME_LEN, "exclusion")?);
    }
    if wire_len(before - reader.left()) != exclusions_len {
        return Err(bad("exclusions_len", exclusions_len));
    }
    Ok(TracepointRule { pattern, filter, log_level, exclusions })
}

fn decode_log_rule(reader: &mut Reader<'_>) -> Result<LogRule, DecodeError> {
    let pattern_len = reader.u32("pattern_len")?;
    let filter_len = reader.u32("filter_expression_len")?;
    let level_len = reader.u32("log_level_rule_len")?;
    Ok(LogRule {
        pattern: string(reader, pattern_len, FILTER_MAX_LEN, "event rule pattern")?,
        filter: filter(reader, filter_len)?,
        log_level: decode_log_level(reader, level_len)?,
    })
}

fn decode_log_level(
    reader: &mut Reader<'_>,
    len: u32,
) -> Result<Option<LogLevelRule>, DecodeError> {
    match len {
        0 => return Ok(None),
        LOG_LEVEL_LEN => {}
        other => return Err(bad("log_level_rule_len", other)),
    }
    let kind = reader.i8("log level rule type")?;
    reader.bytes(LOG_LEVEL_PADDING, "log level rule")?;
    let level = reader.i32("log level rule level")?;
    match kind {
        EXACTLY => Ok(Some(LogLevelRule::Single(level))),
        AT_LEAST => Ok(Some(LogLevelRule::Range(level))),
        other => Err(bad("log level rule type", other)),
    }
}

/// A name and a place, each of its length, with an instrumentation site behind these or not.
fn decode_named<T>(
    reader: &mut Reader<'_>,
    has_site: bool,
    decode: impl Fn(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<(String, T), DecodeError> {
    let (name_len, location_len) = (reader.u32("name_len")?, reader.u32("location_len")?);
    if has_site {
        match reader.u32("instrumentation_site")? {
            SITE_LOCATION => {}
            other => return Err(bad("instrumentation_site", other)),
        }
    }
    let name = string(reader, name_len, SYMBOL_NAME_LEN, "event rule name")?;
    let len = limited(location_len, super::super::PAYLOAD_MAX_LEN, "location_len")?;
    let mut location = Reader::new(reader.bytes(len, "probe location")?);
    let decoded = decode(&mut location)?;
    location.finish("probe location")?;
    Ok((name, decoded))
}

fn decode_kernel_probe(reader: &mut Reader<'_>) -> Result<KernelProbe, DecodeError> {
    match reader.i8("kernel probe location type")? {
        BEHIND_SYMBOL => {
            let len = reader.u32("symbol_len")?;
            let offset = reader.u64("probe offset")?;
            let symbol = string(reader, len, SYMBOL_NAME_LEN, "probe symbol")?;
            Ok(KernelProbe::Symbol { symbol, offset })
        }
        AT_ADDRESS => Ok(KernelProbe::Address(reader.u64("probe address")?)),
        other => Err(bad("kernel probe location type", other)),
    }
}

/// The length of a text that may be absent.
fn optional_len(text: Option<&str>) -> u32 {
    text.map_or(0, string_len)
}

fn put_optional(text: Option<&str>, writer: &mut Writer) {
    if let Some(text) = text {
        writer.string(text);
    }
}

pub(super) fn encode(rule: &EventRule, dialect: Dialect, writer: &mut Writer) {
    match rule {
        EventRule::Syscall { emission_site, pattern, filter } => {
            let filter = filter.as_deref();
            writer.i8(SYSCALL).u32(*emission_site as u32);
            writer.u32(string_len(pattern)).u32(optional_len(filter)).string(pattern);
            put_optional(filter, writer);
        }
        EventRule::KernelTracepoint { pattern, filter } => {
            let filter = filter.as_deref();
            writer.i8(KERNEL_TRACEPOINT);
            writer.u32(string_len(pattern)).u32(optional_len(filter)).string(pattern);
            put_optional(filter, writer);
        }
        EventRule::Kprobe { name, location } => {
            let site = dialect.has_maps().then_some(SITE_LOCATION);
            encode_named((KPROBE, site), name, &encode_kernel_probe(location), writer);
        }
        EventRule::Uprobe { name, location } => {
            encode_named((UPROBE, None), name, location.bytes(), writer);
        }
        EventRule::UserTracepoint(rule) => encode_user_tracepoint(rule, writer),
        EventRule::Jul(rule) => encode_log_rule(JUL, rule, writer),
        EventRule::Log4j(rule) => encode_log_rule(LOG4J, rule, writer),
        EventRule::Python(rule) => encode_log_rule(PYTHON, rule, writer),
    }
}

fn encode_named((kind, site): (i8, Option<u32>), name: &str, location: &[u8], writer: &mut Writer) {
    writer.i8(kind).u32(string_len(name)).u32(wire_len(location.len()));
    if let Some(site) = site {
        writer.u32(site);
    }
    writer.string(name).bytes(location);
}

fn encode_user_tracepoint(rule: &TracepointRule, writer: &mut Writer) {
    let TracepointRule { pattern, filter, log_level, exclusions } = rule;
    let mut excluded = Writer::default();
    for exclusion in exclusions {
        excluded.u32(string_len(exclusion)).string(exclusion);
    }
    writer.i8(USER_TRACEPOINT).u32(string_len(pattern)).u32(optional_len(filter.as_deref()));
    writer.u32(log_level_len(*log_level)).u32(wire_len(exclusions.len()));
    writer.u32(wire_len(excluded.len())).string(pattern);
    put_optional(filter.as_deref(), writer);
    put_log_level(*log_level, writer);
    writer.bytes(&excluded.into_bytes());
}

fn encode_log_rule(kind: i8, rule: &LogRule, writer: &mut Writer) {
    let LogRule { pattern, filter, log_level } = rule;
    writer.i8(kind).u32(string_len(pattern)).u32(optional_len(filter.as_deref()));
    writer.u32(log_level_len(*log_level)).string(pattern);
    put_optional(filter.as_deref(), writer);
    put_log_level(*log_level, writer);
}

/// Kind and level of a rule that is not for every level.
fn one_level(rule: Option<LogLevelRule>) -> Option<(i8, i32)> {
    match rule? {
        LogLevelRule::Single(level) => Some((EXACTLY, level)),
        LogLevelRule::Range(level) => Some((AT_LEAST, level)),
        LogLevelRule::All => None,
    }
}

fn log_level_len(rule: Option<LogLevelRule>) -> u32 {
    one_level(rule).map_or(0, |_| LOG_LEVEL_LEN)
}

fn put_log_level(rule: Option<LogLevelRule>, writer: &mut Writer) {
    if let Some((kind, level)) = one_level(rule) {
        writer.i8(kind).zeros(LOG_LEVEL_PADDING).i32(level);
    }
}

fn encode_kernel_probe(location: &KernelProbe) -> Vec<u8> {
    let mut writer = Writer::default();
    match location {
        KernelProbe::Symbol { symbol, offset } => {
            writer.i8(BEHIND_SYMBOL).u32(string_len(symbol)).u64(*offset).string(symbol);
        }
        KernelProbe::Address(address) => {
            writer.i8(AT_ADDRESS).u64(*address);
        }
    }
    writer.into_bytes()
}
