//! Actions (`struct lttng_action_comm` and what follows it).

use lttngd_model::{
    NAME_MAX,
    trigger::{ACTION_DEPTH_MAX, ACTIONS_MAX, Action, RatePolicy, SnapshotAction, SnapshotTarget},
};

use super::super::{
    SnapshotOutput,
    mirror::{bad, limited, string, string_len, wire_len},
    snapshot,
};
use crate::{DecodeError, Reader, Writer};

/// `enum lttng_action_type`.
const NOTIFY: i8 = 0;
const START: i8 = 1;
const STOP: i8 = 2;
const ROTATE: i8 = 3;
const SNAPSHOT: i8 = 4;
const LIST: i8 = 5;

/// `enum lttng_rate_policy_type`.
const EVERY_N: i8 = 0;
const ONCE_AFTER_N: i8 = 1;
/// Size of a rate policy in bytes.
const RATE_LEN: u32 = 9;

pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Action, DecodeError> {
    decode_at(reader, 0)
}

fn decode_at(reader: &mut Reader<'_>, depth: usize) -> Result<Action, DecodeError> {
    let named = |reader: &mut Reader<'_>| {
        let len = reader.u32("action session_name_len")?;
        let session = string(reader, len, NAME_MAX + 1, "action session_name")?;
        Ok((session, decode_rate(reader)?))
    };
    Ok(match reader.i8("action type")? {
        NOTIFY => Action::Notify(decode_rate(reader)?),
        START => named(reader).map(|(session, rate)| Action::Start { session, rate })?,
        STOP => named(reader).map(|(session, rate)| Action::Stop { session, rate })?,
        ROTATE => named(reader).map(|(session, rate)| Action::Rotate { session, rate })?,
        SNAPSHOT => Action::Snapshot(decode_snapshot(reader)?),
        LIST if depth < ACTION_DEPTH_MAX => {
            let count = limited(reader.u32("action count")?, ACTIONS_MAX, "action count")?;
            let actions: Result<_, _> = (0..count).map(|_| decode_at(reader, depth + 1)).collect();
            Action::List(actions?)
        }
        other => return Err(bad("action type", other)),
    })
}

fn decode_rate(reader: &mut Reader<'_>) -> Result<RatePolicy, DecodeError> {
    let kind = reader.i8("rate policy type")?;
    let n = reader.u64("rate policy value")?;
    match kind {
        EVERY_N => Ok(RatePolicy::EveryN(n)),
        ONCE_AFTER_N => Ok(RatePolicy::OnceAfterN(n)),
        other => Err(bad("rate policy type", other)),
    }
}

/// `struct lttng_action_snapshot_session_comm`.
fn decode_snapshot(reader: &mut Reader<'_>) -> Result<SnapshotAction, DecodeError> {
    let session_len = reader.u32("action session_name_len")?;
    let output_len = reader.u32("action snapshot_output_len")?;
    let rate_len = reader.u32("action rate_policy_len")?;
    let session = string(reader, session_len, NAME_MAX + 1, "action session_name")?;
    let output = match output_len {
        0 => None,
        _ => {
            let before = reader.left();
            let SnapshotOutput { id, max_size_bytes, name, control_url, data_url } =
                snapshot::decode(reader)?;
            if wire_len(before - reader.left()) != output_len {
                return Err(bad("action snapshot_output_len", output_len));
            }
            Some(SnapshotTarget { id, max_size_bytes, name, control_url, data_url })
        }
    };
    if rate_len != RATE_LEN {
        return Err(bad("action rate_policy_len", rate_len));
    }
    Ok(SnapshotAction { session, output, rate: decode_rate(reader)? })
}

pub(super) fn encode(action: &Action, writer: &mut Writer) {
    let mut named = |kind, session: &str, rate| {
        writer.i8(kind).u32(string_len(session)).string(session);
        encode_rate(rate, writer);
    };
    match action {
        Action::Notify(rate) => {
            writer.i8(NOTIFY);
            encode_rate(*rate, writer);
        }
        Action::Start { session, rate } => named(START, session, *rate),
        Action::Stop { session, rate } => named(STOP, session, *rate),
        Action::Rotate { session, rate } => named(ROTATE, session, *rate),
        Action::Snapshot(action) => encode_snapshot(action, writer),
        Action::List(actions) => {
            writer.i8(LIST).u32(wire_len(actions.len()));
            actions.iter().for_each(|action| encode(action, writer));
        }
    }
}

fn encode_rate(rate: RatePolicy, writer: &mut Writer) {
    let (kind, n) = match rate {
        RatePolicy::EveryN(n) => (EVERY_N, n),
        RatePolicy::OnceAfterN(n) => (ONCE_AFTER_N, n),
    };
    writer.i8(kind).u64(n);
}

fn encode_snapshot(action: &SnapshotAction, writer: &mut Writer) {
    let mut output = Writer::default();
    if let Some(target) = &action.output {
        let SnapshotTarget { id, max_size_bytes, name, control_url, data_url } = target.clone();
        let mirrored = SnapshotOutput { id, max_size_bytes, name, control_url, data_url };
        snapshot::encode(&mirrored, &mut output);
    }
    writer.i8(SNAPSHOT).u32(string_len(&action.session)).u32(wire_len(output.len()));
    writer.u32(RATE_LEN).string(&action.session).bytes(&output.into_bytes());
    encode_rate(action.rate, writer);
}
