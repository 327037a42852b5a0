//! Requests: `struct ustcomm_ust_msg`.

use lttngd_model::{LogLevelRule, PerfContext, SYMBOL_NAME_LEN};

use super::{
    APP_CONTEXT, BytecodeHead, Command, EVENT_NOTIFIER_LEN, PERF_THREAD_COUNTER, REQUEST_LEN,
    UstContext,
};
use crate::{DecodeError, Reader, Writer, ust};

/// Unused bytes between a request's number and its parameters.
const PADDING: usize = 32;
/// Unused bytes between a context's number and its parameters (`LTTNG_UST_ABI_CONTEXT_PADDING1`).
const CONTEXT_PADDING: usize = 16;
/// `LTTNG_UST_ABI_CHAN_PER_CPU`, the only type of channel that all applications take.
pub(super) const CHANNEL_PER_CPU: i32 = 0;
/// `LTTNG_UST_ABI_TRACEPOINT`, the only instrumentation in use.
pub(super) const TRACEPOINT: i32 = 0;
/// Size in bytes of the configuration that follows COUNTER.
const COUNTER_LEN: u64 = super::COUNTER_CONFIGURATION_LEN as u64;

/// Appends the head of `struct lttng_ust_abi_event`, up to its token.
pub(super) fn put_event(writer: &mut Writer, name: &str, loglevel: LogLevelRule, token: u64) {
    let (kind, level) = loglevel.to_raw();
    writer.i32(TRACEPOINT).padded_string(name, SYMBOL_NAME_LEN);
    writer.i32(kind.into()).i32(level).u64(token);
}

/// Reads the head of `struct lttng_ust_abi_event`, up to its token.
pub(super) fn event(reader: &mut Reader<'_>) -> Result<(String, LogLevelRule, u64), DecodeError> {
    expect(reader.i32("instrumentation")?.into(), TRACEPOINT.into(), "instrumentation")?;
    let name = ust::name(reader, SYMBOL_NAME_LEN, "event name")?;
    let kind = reader.i32("loglevel_type")?;
    let level = reader.i32("loglevel")?;
    let loglevel = i8::try_from(kind)
        .ok()
        .and_then(|kind| LogLevelRule::from_raw(kind, level))
        .ok_or(DecodeError::BadValue { what: "loglevel_type", value: kind.into() })?;
    Ok((name, loglevel, reader.u64("token")?))
}

fn expect(value: i64, expected: i64, what: &'static str) -> Result<(), DecodeError> {
    if value == expected { Ok(()) } else { Err(DecodeError::BadValue { what, value }) }
}

impl BytecodeHead {
    fn encode(self, writer: &mut Writer) {
        writer.u32(self.data_size).u32(self.reloc_offset).u64(self.seqnum);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            data_size: reader.u32("bytecode size")?,
            reloc_offset: reader.u32("relocation table offset")?,
            seqnum: reader.u64("bytecode seqnum")?,
        })
    }
}

impl UstContext {
    fn encode(&self, writer: &mut Writer) {
        writer.i32(self.number()).zeros(CONTEXT_PADDING);
        match self {
            Self::Plain { .. } => {}
            Self::Perf(perf) => {
                writer.u32(perf.perf_type).u64(perf.config);
                writer.padded_string(&perf.name, SYMBOL_NAME_LEN);
            }
            Self::App { provider_name_len, ctx_name_len } => {
                writer.u32(*provider_name_len).u32(*ctx_name_len);
            }
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let number = reader.i32("context type")?;
        reader.bytes(CONTEXT_PADDING, "context padding")?;
        Ok(match number {
            PERF_THREAD_COUNTER => Self::Perf(PerfContext {
                perf_type: reader.u32("perf type")?,
                config: reader.u64("perf config")?,
                name: ust::name(reader, SYMBOL_NAME_LEN, "perf name")?,
            }),
            APP_CONTEXT => Self::App {
                provider_name_len: reader.u32("provider_name_len")?,
                ctx_name_len: reader.u32("ctx_name_len")?,
            },
            number => Self::Plain { number },
        })
    }
}

impl Command {
    /// The request up to ABI 9: [`REQUEST_LEN`] bytes, zero where the command has nothing to say. Names that are
    /// too long for their members are cut.
    #[must_use]
    pub fn encode(&self, handle: u32) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(REQUEST_LEN);
        self.append(handle, &mut bytes);
        bytes
    }

    /// Appends the request to others, as [`Command::encode`] gives it.
    pub fn append(&self, handle: u32, requests: &mut Vec<u8>) {
        let end = requests.len() + REQUEST_LEN;
        requests.reserve(REQUEST_LEN);
        let mut writer = Writer::behind(std::mem::take(requests));
        writer.u32(handle).u32(self.number()).zeros(PADDING);
        match self {
            Self::Channel { len, .. } => {
                writer.u64(*len).i32(CHANNEL_PER_CPU);
            }
            Self::Stream { len, stream_nr: number } | Self::CounterCpu { len, cpu_nr: number } => {
                writer.u64(*len).u32(*number);
            }
            Self::Event { name, loglevel, token } => {
                put_event(&mut writer, name, *loglevel, *token);
            }
            Self::Context(context) => context.encode(&mut writer),
            Self::Filter(head) | Self::Capture(head) => head.encode(&mut writer),
            Self::Exclusion { count } => {
                writer.u32(*count);
            }
            Self::EventNotifierCreate => {
                writer.u32(EVENT_NOTIFIER_LEN as u32);
            }
            Self::Counter => {
                writer.u64(COUNTER_LEN);
            }
            Self::CounterGlobal { len } => {
                writer.u64(*len);
            }
            Self::Release
            | Self::Session
            | Self::TracerVersion
            | Self::TracepointList
            | Self::WaitQuiescent
            | Self::RegisterDone
            | Self::TracepointFieldList
            | Self::EventNotifierGroupCreate
            | Self::SessionStart
            | Self::SessionStop
            | Self::SessionStatedump
            | Self::FlushBuffer
            | Self::Enable
            | Self::Disable
            | Self::TracepointListGet
            | Self::TracepointFieldListGet => {}
        }
        *requests = writer.into_bytes();
        requests.resize(end, 0);
    }

    /// Reads a request of ABI 8 or 9: its handle and its command.
    ///
    /// # Errors
    /// A size that is not [`REQUEST_LEN`], a number that is no command, or a member without meaning.
    pub fn decode(bytes: &[u8]) -> Result<(u32, Self), DecodeError> {
        let mut request = Reader::new(bytes);
        let mut reader = Reader::new(request.bytes(REQUEST_LEN, "application request")?);
        request.finish("application request")?;
        let handle = reader.u32("handle")?;
        let number = reader.u32("cmd")?;
        reader.bytes(PADDING, "request padding")?;
        Ok((handle, Self::decode_body(number, &mut reader)?))
    }

    fn decode_body(number: u32, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match number {
            0x01 => Self::Release,
            0x40 => Self::Session,
            0x41 => Self::TracerVersion,
            0x42 => Self::TracepointList,
            0x43 => Self::WaitQuiescent,
            0x44 => Self::RegisterDone,
            0x45 => Self::TracepointFieldList,
            0x46 => Self::EventNotifierGroupCreate,
            0x51 => {
                let len = reader.u64("channel len")?;
                expect(reader.i32("channel type")?.into(), CHANNEL_PER_CPU.into(), "channel type")?;
                Self::Channel { len, owner_id: 0 }
            }
            0x52 => Self::SessionStart,
            0x53 => Self::SessionStop,
            0x54 => Self::SessionStatedump,
            0x60 => {
                Self::Stream { len: reader.u64("stream len")?, stream_nr: reader.u32("stream_nr")? }
            }
            0x61 => {
                let (name, loglevel, token) = event(reader)?;
                Self::Event { name, loglevel, token }
            }
            0x70 => Self::Context(UstContext::decode(reader)?),
            0x71 => Self::FlushBuffer,
            0x80 => Self::Enable,
            0x81 => Self::Disable,
            0x90 => Self::TracepointListGet,
            0x91 => Self::TracepointFieldListGet,
            0xA0 => Self::Filter(BytecodeHead::decode(reader)?),
            0xA1 => Self::Exclusion { count: reader.u32("exclusion count")? },
            0xB0 => {
                let len = reader.u32("event notifier len")?;
                expect(len.into(), EVENT_NOTIFIER_LEN as i64, "event notifier len")?;
                Self::EventNotifierCreate
            }
            0xB6 => Self::Capture(BytecodeHead::decode(reader)?),
            0xC0 => match reader.u64("counter len")? {
                COUNTER_LEN => Self::Counter,
                value => {
                    let value = i64::try_from(value).unwrap_or(i64::MAX);
                    return Err(DecodeError::BadValue { what: "counter len", value });
                }
            },
            0xD0 => Self::CounterGlobal { len: reader.u64("counter len")? },
            0xD1 => {
                Self::CounterCpu { len: reader.u64("counter len")?, cpu_nr: reader.u32("cpu_nr")? }
            }
            number => return Err(DecodeError::BadValue { what: "cmd", value: number.into() }),
        })
    }
}
