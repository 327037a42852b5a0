//! Context fields (`struct lttng_event_context_comm` and what follows it, packed,
//! `include/lttng/event-internal.h`).

use lttngd_model::{AppContext, Context, ContextKind, PerfContext, SYMBOL_NAME_LEN};

use super::mirror::{string, string_len};
use crate::{DecodeError, Reader, Writer};

/// The context of ADD_CONTEXT. A type that LTTng does not have is not malformed: each domain
/// answers its own error for it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ContextRequest {
    /// Raw type.
    pub raw_type: u32,
    /// The context, `None` when no type has that number.
    pub context: Option<Context>,
}

impl From<Context> for ContextRequest {
    fn from(context: Context) -> Self {
        Self { raw_type: context.kind() as u32, context: Some(context) }
    }
}

fn is_perf(kind: ContextKind) -> bool {
    use ContextKind as K;
    matches!(kind, K::PerfCounter | K::PerfCpuCounter | K::PerfThreadCounter)
}

pub(super) fn decode(payload: &[u8]) -> Result<ContextRequest, DecodeError> {
    let mut reader = Reader::new(payload);
    let raw_type = reader.u32("context type")?;
    let context = match ContextKind::from_raw(raw_type) {
        None => None,
        Some(ContextKind::AppContext) => {
            let provider_len = reader.u32("provider_name_len")?;
            let name_len = reader.u32("ctx_name_len")?;
            Some(Context::App(AppContext {
                provider: string(&mut reader, provider_len, SYMBOL_NAME_LEN, "provider_name")?,
                name: string(&mut reader, name_len, SYMBOL_NAME_LEN, "ctx_name")?,
            }))
        }
        Some(kind) if is_perf(kind) => {
            let perf_type = reader.u32("perf type")?;
            let config = reader.u64("perf config")?;
            let len = reader.u32("perf name_len")?;
            let name = string(&mut reader, len, SYMBOL_NAME_LEN, "perf name")?;
            Some(Context::Perf(kind, PerfContext { perf_type, config, name }))
        }
        Some(kind) => Some(Context::Plain(kind)),
    };
    reader.finish("context")?;
    Ok(ContextRequest { raw_type, context })
}

pub(super) fn encode(request: &ContextRequest, writer: &mut Writer) {
    writer.u32(request.raw_type);
    match &request.context {
        None | Some(Context::Plain(_)) => {}
        Some(Context::Perf(_, perf)) => {
            writer.u32(perf.perf_type).u64(perf.config);
            writer.u32(string_len(&perf.name)).string(&perf.name);
        }
        Some(Context::App(app)) => {
            writer.u32(string_len(&app.provider)).u32(string_len(&app.name));
            writer.string(&app.provider).string(&app.name);
        }
    }
}
