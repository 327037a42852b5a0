//! What follows requests: exclusions, names of application contexts, event notifiers, counters.
//! Filters and captures are followed by their bytecode as it is.

use lttngd_model::{AppContext, LogLevelRule, SYMBOL_NAME_LEN};

use super::{framed, request};
use crate::{
    DecodeError, Reader, Writer,
    ust::{self, Abi},
};

/// Size in bytes of each name that follows EXCLUSION.
pub const EXCLUSION_NAME_LEN: usize = SYMBOL_NAME_LEN;
/// Size in bytes of an [`EventNotifier`].
pub const EVENT_NOTIFIER_LEN: usize = 612;
/// Size in bytes of a [`CounterConfiguration`].
pub const COUNTER_CONFIGURATION_LEN: usize = 192;
/// Size in bytes of a counter's configuration without its dimensions, and of each of these, from ABI 10 on.
const PART_LEN: usize = 32;
/// How a dimension's values are named from ABI 10 on: by their numbers (`LTTNG_UST_ABI_KEY_TYPE_TOKENS`).
const KEY_TYPE_TOKENS: u32 = 0;
/// Largest count of dimensions of a counter (`LTTNG_UST_ABI_COUNTER_DIMENSION_MAX`).
const COUNTER_DIMENSION_MAX: usize = 4;
/// Unused bytes of `struct lttng_ust_abi_event` after its token: a padding of 8 and a union of 288.
const EVENT_REST: usize = 8 + 288;
/// Unused bytes at the end of an event notifier.
const EVENT_NOTIFIER_PADDING: usize = 32;
/// Unused bytes at the end of a counter's configuration.
const COUNTER_PADDING: usize = 67;
/// Size in bytes of a counter's dimension.
const COUNTER_DIMENSION_SIZE: usize = 26;

/// The names that follow EXCLUSION, each cut to [`EXCLUSION_NAME_LEN`] bytes with its NUL.
#[must_use]
pub fn exclusions(names: &[String]) -> Vec<u8> {
    let mut writer = Writer::with_capacity(names.len() * EXCLUSION_NAME_LEN);
    for name in names {
        writer.padded_string(name, EXCLUSION_NAME_LEN);
    }
    writer.into_bytes()
}

/// Reads the names that follow EXCLUSION.
///
/// # Errors
/// A size that is not a multiple of [`EXCLUSION_NAME_LEN`].
pub fn decode_exclusions(bytes: &[u8]) -> Result<Vec<String>, DecodeError> {
    let mut reader = Reader::new(bytes);
    let mut names = Vec::with_capacity(bytes.len() / EXCLUSION_NAME_LEN);
    while reader.left() > 0 {
        names.push(ust::name(&mut reader, EXCLUSION_NAME_LEN, "exclusion")?);
    }
    Ok(names)
}

/// The names that follow CONTEXT for an application context, each with its NUL up to ABI 10.
#[must_use]
pub fn app_context(context: &AppContext, abi: Abi) -> Vec<u8> {
    let mut writer = Writer::default();
    if abi == Abi::V11 {
        writer.bytes(context.provider.as_bytes()).bytes(context.name.as_bytes());
    } else {
        writer.string(&context.provider).string(&context.name);
    }
    writer.into_bytes()
}

/// What follows EVENT_NOTIFIER_CREATE (`struct lttng_ust_abi_event_notifier`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EventNotifier {
    /// Tracepoint name or pattern.
    pub name: String,
    /// Log levels.
    pub loglevel: LogLevelRule,
    /// Comes back in each notification.
    pub token: u64,
    /// Index of the counter of notifications that could not be sent.
    pub error_counter_index: u64,
}

impl EventNotifier {
    /// The structure's bytes in an ABI.
    #[must_use]
    pub fn encode(&self, abi: Abi) -> Vec<u8> {
        let mut writer = Writer::with_capacity(EVENT_NOTIFIER_LEN);
        if abi == Abi::V11 {
            framed::put_event_head(&mut writer, self.loglevel, self.token);
            writer.u64(self.error_counter_index).padded_string(&self.name, SYMBOL_NAME_LEN);
            let mut bytes = writer.into_bytes();
            bytes.resize(framed::EVENT_LEN, 0);
            return bytes;
        }
        request::put_event(&mut writer, &self.name, self.loglevel, self.token);
        writer.zeros(EVENT_REST).u64(self.error_counter_index).zeros(EVENT_NOTIFIER_PADDING);
        writer.into_bytes()
    }

    /// Reads the structure of ABI 9 and 10.
    ///
    /// # Errors
    /// Wrong size, or a log level type without meaning.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let (name, loglevel, token) = request::event(&mut reader)?;
        reader.bytes(EVENT_REST, "event padding")?;
        let error_counter_index = reader.u64("error_counter_index")?;
        reader.bytes(EVENT_NOTIFIER_PADDING, "event notifier padding")?;
        reader.finish("event notifier")?;
        Ok(Self { name, loglevel, token, error_counter_index })
    }
}

/// What a counter does at its largest value (`enum lttng_ust_abi_counter_arithmetic`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(i32)]
pub enum Arithmetic {
    /// It wraps.
    Modular = 0,
    /// It stays.
    Saturation = 1,
}

/// Size of a counter's values (`enum lttng_ust_abi_counter_bitness`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(i32)]
pub enum CounterBits {
    /// 32 bits.
    Bits32 = 0,
    /// 64 bits.
    Bits64 = 1,
}

/// A dimension of a counter (`struct lttng_ust_abi_counter_dimension`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CounterDimension {
    /// Count of values.
    pub size: u64,
    /// Index that stands for what is too small.
    pub underflow_index: Option<u64>,
    /// Index that stands for what is too large.
    pub overflow_index: Option<u64>,
}

/// What follows COUNTER (`struct lttng_ust_abi_counter_conf`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CounterConfiguration {
    /// What happens at the largest value.
    pub arithmetic: Arithmetic,
    /// Size of the values.
    pub bits: CounterBits,
    /// When per-CPU values are added to the global one, 0 for never.
    pub global_sum_step: i64,
    /// Dimensions, at most 4; more are left out.
    pub dimensions: Vec<CounterDimension>,
    /// Whether several hits of one event count once.
    pub coalesce_hits: bool,
}

impl CounterConfiguration {
    /// The configuration of the counters of event notifiers' errors: `size` values of 32 bits.
    #[must_use]
    pub fn error_counters(size: u64) -> Self {
        let dimension = CounterDimension { size, underflow_index: None, overflow_index: None };
        Self {
            arithmetic: Arithmetic::Modular,
            bits: CounterBits::Bits32,
            global_sum_step: 0,
            dimensions: vec![dimension],
            coalesce_hits: false,
        }
    }

    /// The bytes of it in an ABI: up to 9 those of one structure, since then each dimension is one of its own.
    #[must_use]
    pub fn encode(&self, abi: Abi) -> Vec<u8> {
        if abi >= Abi::V10 { self.encode_in_parts() } else { self.encode_whole() }
    }

    fn encode_in_parts(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(PART_LEN * (1 + self.dimensions.len()));
        writer.u32(PART_LEN as u32).u32(self.coalesce_hits.into());
        writer.i32(self.arithmetic as i32).i32(self.bits as i32).i64(self.global_sum_step);
        writer.u32(self.dimensions.len() as u32).u32(PART_LEN as u32);
        for dimension in &self.dimensions {
            let flag = |index: Option<u64>, flag| if index.is_some() { flag } else { 0 };
            writer.u32(KEY_TYPE_TOKENS);
            writer.u32(flag(dimension.underflow_index, 1) | flag(dimension.overflow_index, 2));
            writer.u64(dimension.size);
            writer.u64(dimension.underflow_index.unwrap_or(0));
            writer.u64(dimension.overflow_index.unwrap_or(0));
        }
        writer.into_bytes()
    }

    fn encode_whole(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(COUNTER_CONFIGURATION_LEN);
        let count = self.dimensions.len().min(COUNTER_DIMENSION_MAX);
        writer.i32(self.arithmetic as i32).i32(self.bits as i32).i32(count as i32);
        writer.i64(self.global_sum_step);
        for dimension in self.dimensions.iter().take(count) {
            writer.u64(dimension.size);
            writer.u64(dimension.underflow_index.unwrap_or(0));
            writer.u64(dimension.overflow_index.unwrap_or(0));
            writer.u8(dimension.underflow_index.is_some().into());
            writer.u8(dimension.overflow_index.is_some().into());
        }
        writer.zeros((COUNTER_DIMENSION_MAX - count) * COUNTER_DIMENSION_SIZE);
        writer.u8(self.coalesce_hits.into()).zeros(COUNTER_PADDING);
        writer.into_bytes()
    }

    /// Reads the structure of ABI 9.
    ///
    /// # Errors
    /// Wrong size, or a member without meaning.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let arithmetic = match reader.i32("counter arithmetic")? {
            0 => Arithmetic::Modular,
            1 => Arithmetic::Saturation,
            value => {
                let what = "counter arithmetic";
                return Err(DecodeError::BadValue { what, value: value.into() });
            }
        };
        let bits = match reader.i32("counter bitness")? {
            0 => CounterBits::Bits32,
            1 => CounterBits::Bits64,
            value => {
                return Err(DecodeError::BadValue { what: "counter bitness", value: value.into() });
            }
        };
        let claimed = reader.i32("number_dimensions")?;
        let count =
            usize::try_from(claimed).ok().filter(|count| *count <= COUNTER_DIMENSION_MAX).ok_or(
                DecodeError::BadValue { what: "number_dimensions", value: claimed.into() },
            )?;
        let global_sum_step = reader.i64("global_sum_step")?;
        let mut dimensions = Vec::with_capacity(count);
        for _ in 0..count {
            dimensions.push(CounterDimension::decode(&mut reader)?);
        }
        let rest = (COUNTER_DIMENSION_MAX - count) * COUNTER_DIMENSION_SIZE;
        reader.bytes(rest, "counter dimensions")?;
        let coalesce_hits = reader.u8("coalesce_hits")? != 0;
        reader.bytes(COUNTER_PADDING, "counter padding")?;
        reader.finish("counter configuration")?;
        Ok(Self { arithmetic, bits, global_sum_step, dimensions, coalesce_hits })
    }
}

impl CounterDimension {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let size = reader.u64("dimension size")?;
        let underflow_index = reader.u64("underflow_index")?;
        let overflow_index = reader.u64("overflow_index")?;
        let has_underflow = reader.u8("has_underflow")? != 0;
        let has_overflow = reader.u8("has_overflow")? != 0;
        Ok(Self {
            size,
            underflow_index: has_underflow.then_some(underflow_index),
            overflow_index: has_overflow.then_some(overflow_index),
        })
    }
}
