//! Requests as each ABI has them, with all that follows them.

use lttngd_model::{LogLevelRule, SYMBOL_NAME_LEN};

use super::{Command, UstContext, request};
use crate::{Writer, ust::Abi};

/// Size in bytes of the structure that begins the payload of CHANNEL and STREAM.
const CHANNEL_LEN: usize = 64;
/// The same of EVENT, and size of an event notifier.
pub(super) const EVENT_LEN: usize = 320;
/// The same of CONTEXT.
const CONTEXT_LEN: usize = 304;
/// The same of FILTER and CAPTURE.
const BYTECODE_LEN: usize = 64;
/// The same of EXCLUSION.
const EXCLUSION_LEN: usize = 32;
/// Offset of a context's parameters, behind its number and a union's padding.
const CONTEXT_PARAMETERS: usize = 16;
/// Size in bytes of a counter of one CPU, from ABI 10 on (`struct lttng_ust_abi_counter_cpu`).
const COUNTER_CPU_LEN: u32 = 16;
/// Offset of the parameters in a request up to ABI 10.
const PARAMETERS: usize = 40;
/// Size in bytes of a descriptor, of which heads tell the sum.
const DESCRIPTOR_LEN: u32 = size_of::<i32>() as u32;

impl Command {
    /// Appends the request to others in the form of an ABI, with the `payload` that follows it and `descriptors`
    /// beside: the position among all bytes of the one with which the descriptors go, if there are any.
    ///
    /// Names that are too long for their members are cut.
    #[must_use]
    pub fn put(
        &self,
        abi: Abi,
        handle: u32,
        (payload, descriptors): (&[u8], u32),
        requests: &mut Vec<u8>,
    ) -> Option<usize> {
        if abi == Abi::V11 {
            return self.put_framed(handle, (payload, descriptors), requests);
        }
        let begin = requests.len();
        self.append(handle, requests);
        requests[begin + 4..begin + 8].copy_from_slice(&self.number_in(abi).to_ne_bytes());
        let own = if abi == Abi::V10 { self.counter_payload() } else { None };
        let payload = own.as_deref().unwrap_or(payload);
        if abi == Abi::V10 && matches!(self, Self::Counter | Self::CounterCpu { .. }) {
            // The length of what follows is a number of 32 bits in all that is new in ABI 10.
            let parameters = &mut requests[begin + PARAMETERS..begin + super::REQUEST_LEN];
            parameters.fill(0);
            parameters[..4].copy_from_slice(&(payload.len() as u32).to_ne_bytes());
        }
        requests.extend_from_slice(payload);
        (descriptors > 0).then(|| {
            requests.push(0);
            requests.len() - 1
        })
    }

    fn put_framed(
        &self,
        handle: u32,
        (payload, descriptors): (&[u8], u32),
        requests: &mut Vec<u8>,
    ) -> Option<usize> {
        let own = self.own_payload();
        let len = own.len() + payload.len();
        let mut writer = Writer::behind(std::mem::take(requests));
        writer.u32(handle).u32(self.number_in(Abi::V11)).u32(len as u32);
        writer.u32(DESCRIPTOR_LEN * descriptors);
        let begin = writer.len();
        writer.bytes(&own).bytes(payload);
        *requests = writer.into_bytes();
        (descriptors > 0).then_some(begin)
    }

    /// What the counters of ABI 10 and newer ones are told of a CPU.
    fn counter_payload(&self) -> Option<Vec<u8>> {
        let Self::CounterCpu { len, cpu_nr } = self else { return None };
        let mut writer = Writer::with_capacity(COUNTER_CPU_LEN as usize);
        writer.u32(COUNTER_CPU_LEN).u64(*len).u32(*cpu_nr);
        Some(writer.into_bytes())
    }

    /// The structure with which the payload begins in ABI 11.
    fn own_payload(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        let len = match self {
            Self::Channel { len, owner_id } => {
                writer.u64(*len).i32(request::CHANNEL_PER_CPU).u32(*owner_id);
                CHANNEL_LEN
            }
            Self::Stream { len, stream_nr } => {
                writer.u64(*len).u32(*stream_nr);
                CHANNEL_LEN
            }
            Self::Event { name, loglevel, token } => {
                put_event_head(&mut writer, *loglevel, *token);
                writer.padded_string(name, SYMBOL_NAME_LEN);
                EVENT_LEN
            }
            Self::Context(context) => {
                writer.i32(context.number()).zeros(CONTEXT_PARAMETERS - size_of::<i32>());
                match context {
                    UstContext::Plain { .. } => {}
                    UstContext::Perf(perf) => {
                        writer.u32(perf.perf_type).u64(perf.config);
                        writer.padded_string(&perf.name, SYMBOL_NAME_LEN);
                    }
                    UstContext::App { provider_name_len, ctx_name_len } => {
                        // Without their NULs.
                        writer.u32(provider_name_len.saturating_sub(1));
                        writer.u32(ctx_name_len.saturating_sub(1));
                    }
                }
                CONTEXT_LEN
            }
            Self::Filter(head) | Self::Capture(head) => {
                writer.u32(head.data_size).u32(head.reloc_offset).u64(head.seqnum);
                BYTECODE_LEN
            }
            Self::Exclusion { count } => {
                writer.u32(*count);
                EXCLUSION_LEN
            }
            // Its descriptor needs a byte to go with.
            Self::EventNotifierGroupCreate => 1,
            _ => return self.counter_payload().unwrap_or_default(),
        };
        let mut bytes = writer.into_bytes();
        bytes.resize(len, 0);
        bytes
    }
}

/// What an event, and an event notifier, begin with in ABI 11.
pub(super) fn put_event_head(writer: &mut Writer, loglevel: LogLevelRule, token: u64) {
    let (kind, level) = loglevel.to_raw();
    writer.i32(request::TRACEPOINT).i32(kind.into()).i32(level).u64(token);
}
