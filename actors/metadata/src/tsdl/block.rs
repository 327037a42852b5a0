//! The blocks that describe streams and events.

use lttngd_model::Field;

use super::HeaderType;
use super::field::{Entries, FieldError, FieldWriter};
use super::text::{Quoted, line};
use crate::ustregistry::EventRegistration;

/// The block of a stream: `id` is its channel's, `context` the fields of each of its events.
pub(crate) fn stream_block<'a>(
    id: u32,
    header: HeaderType,
    context: &[Field],
    entries: &dyn Fn(&str, u64) -> Entries<'a>,
) -> Result<String, FieldError> {
    let header = match header {
        HeaderType::Compact => "event_header_compact",
        HeaderType::Large => "event_header_large",
    };
    let mut out = String::new();
    line!(&mut out, 0, "stream {{");
    line!(&mut out, 1, "id = {id};");
    line!(&mut out, 1, "event.header := struct {header};");
    line!(&mut out, 1, "packet.context := struct packet_context;");
    if !context.is_empty() {
        line!(&mut out, 1, "event.context := struct {{");
        FieldWriter { out: &mut out, entries }.write(context)?;
        line!(&mut out, 1, "}};");
    }
    line!(&mut out, 0, "}};\n");
    Ok(out)
}

/// The block of an event.
pub(crate) fn event_block<'a>(
    id: u32,
    stream_id: u32,
    event: &EventRegistration,
    entries: &dyn Fn(&str, u64) -> Entries<'a>,
) -> Result<String, FieldError> {
    if event.loglevel < 0 {
        return Err(FieldError::LogLevel(event.loglevel));
    }
    let mut out = String::new();
    line!(&mut out, 0, "event {{");
    line!(&mut out, 1, "name = {};", Quoted(&event.name));
    line!(&mut out, 1, "id = {id};");
    line!(&mut out, 1, "stream_id = {stream_id};");
    line!(&mut out, 1, "loglevel = {};", event.loglevel);
    if let Some(uri) = &event.model_emf_uri {
        line!(&mut out, 1, "model.emf.uri = {};", Quoted(uri));
    }
    line!(&mut out, 1, "fields := struct {{");
    FieldWriter { out: &mut out, entries }.write(&event.fields)?;
    line!(&mut out, 1, "}};");
    line!(&mut out, 0, "}};\n");
    Ok(out)
}
