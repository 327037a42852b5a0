//! The snapshot outputs of a session, and how much fits. No input or output.

use lttngd_buffers::ChannelSize;
use lttngd_model::{ErrorCode, NAME_MAX, Timestamp};

use crate::{RecordSnapshot, SnapshotOutput, SnapshotPlace};

/// Size that means the output's own when a snapshot is recorded, and no limit in an output.
const KEEP_SIZE: u64 = u64::MAX;

/// The snapshot outputs of a session.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Snapshots {
    outputs: Vec<SnapshotOutput>,
    last_id: u32,
    /// Count of snapshots recorded.
    count: u64,
}

impl Snapshots {
    /// Those of a new session, whose first output is checked already.
    pub(crate) fn with_output(place: Option<SnapshotPlace>) -> Self {
        let mut snapshots = Self::default();
        if let Some(place) = place {
            snapshots.last_id = 1;
            let name = format!("snapshot-{}", snapshots.last_id);
            let output = SnapshotOutput { id: 1, name, max_size_bytes: 0, place };
            snapshots.outputs.push(output);
        }
        snapshots
    }

    pub(crate) fn outputs(&self) -> &[SnapshotOutput] {
        &self.outputs
    }

    /// Whether there may be one more.
    ///
    /// # Errors
    /// `SnapshotOutputExist`.
    pub(crate) fn admit_add(&self) -> Result<(), ErrorCode> {
        if self.outputs.is_empty() { Ok(()) } else { Err(ErrorCode::SnapshotOutputExist) }
    }

    /// Adds an output and returns its id.
    ///
    /// # Errors
    /// In this order: `SnapshotOutputExist`, `Invalid`.
    pub(crate) fn add(
        &mut self,
        name: String,
        max_size_bytes: u64,
        place: SnapshotPlace,
    ) -> Result<u32, ErrorCode> {
        self.admit_add()?;
        let id = self.last_id + 1;
        self.outputs.push(output(id, name, max_size_bytes, place)?);
        self.last_id = id;
        Ok(id)
    }

    /// Deletes the output of an id, or of a name when the id is 0.
    ///
    /// # Errors
    /// `Invalid` when there is none.
    pub(crate) fn delete(&mut self, id: u32, name: &str) -> Result<(), ErrorCode> {
        let meant = |output: &SnapshotOutput| {
            if id == 0 { output.name == name } else { output.id == id }
        };
        let at = self.outputs.iter().position(meant).ok_or(ErrorCode::Invalid)?;
        self.outputs.remove(at);
        Ok(())
    }

    /// The output to which a snapshot goes, with what the request says instead. `temporary` is the place that
    /// it names, if it does.
    ///
    /// # Errors
    /// `SnapshotFail` without any output, `Invalid` for a name that cannot be.
    pub(crate) fn resolve(
        &self,
        request: &RecordSnapshot,
        temporary: Option<SnapshotPlace>,
    ) -> Result<SnapshotOutput, ErrorCode> {
        if let Some(place) = temporary {
            let size = request.max_size_bytes;
            return output(0, request.name.clone(), size, place);
        }
        // There is never a second one.
        let mut output = self.outputs.first().cloned().ok_or(ErrorCode::SnapshotFail)?;
        check_name(&request.name)?;
        if !request.name.is_empty() {
            output.name.clone_from(&request.name);
        }
        if request.max_size_bytes != KEEP_SIZE {
            output.max_size_bytes = request.max_size_bytes;
        }
        Ok(output)
    }

    /// Name of the directory of the next snapshot.
    ///
    /// # Errors
    /// `Invalid` for one that is too long.
    pub(crate) fn directory_name(&self, output: &str, at: Timestamp) -> Result<String, ErrorCode> {
        let name = format!("{output}-{}-{}", at.datetime(), self.count);
        if name.len() < NAME_MAX { Ok(name) } else { Err(ErrorCode::Invalid) }
    }

    /// A snapshot was recorded.
    pub(crate) fn taken(&mut self) {
        self.count += 1;
    }
}

fn output(
    id: u32,
    name: String,
    max_size_bytes: u64,
    place: SnapshotPlace,
) -> Result<SnapshotOutput, ErrorCode> {
    check_name(&name)?;
    Ok(SnapshotOutput {
        id,
        name: if name.is_empty() { format!("snapshot-{id}") } else { name },
        max_size_bytes: if max_size_bytes == KEEP_SIZE { 0 } else { max_size_bytes },
        place,
    })
}

/// A name becomes a part of a directory's name, which must stay in the output's directory.
fn check_name(name: &str) -> Result<(), ErrorCode> {
    if name.len() >= NAME_MAX || name.contains('/') || name == "." || name == ".." {
        return Err(ErrorCode::Invalid);
    }
    Ok(())
}

/// How many packets of each stream fit into `limit_bytes`, when each stream that has one more gives
/// one more in turn.
///
/// # Errors
/// `MaxSizeInvalid` when not even one of each fits.
pub(crate) fn packets_within(channels: &[ChannelSize], limit_bytes: u64) -> Result<u64, ErrorCode> {
    let mut left = limit_bytes;
    let mut packets = 0;
    loop {
        let one_more: u64 = channels
            .iter()
            .filter(|channel| channel.num_subbuf > packets)
            .map(|channel| channel.subbuf_size_bytes.saturating_mul(channel.streams))
            .fold(0, u64::saturating_add);
        if one_more == 0 || one_more > left {
            break;
        }
        left -= one_more;
        packets += 1;
    }
    if packets == 0 && !channels.is_empty() { Err(ErrorCode::MaxSizeInvalid) } else { Ok(packets) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::NetworkOutput;

    fn record(name: &str, max_size_bytes: u64) -> RecordSnapshot {
        RecordSnapshot {
            name: name.to_owned(),
            control_url: String::new(),
            data_url: String::new(),
            max_size_bytes,
        }
    }

    fn directory(path: &str) -> SnapshotPlace {
        SnapshotPlace::Directory(path.into())
    }

    #[test]
    fn outputs_come_one_at_a_time_and_ids_never_again() {
        let mut snapshots = Snapshots::default();
        let nowhere = snapshots.resolve(&record("", KEEP_SIZE), None);
        assert_eq!(nowhere, Err(ErrorCode::SnapshotFail));
        assert_eq!(snapshots.add(String::new(), KEEP_SIZE, directory("/a")), Ok(1));
        let second = snapshots.add(String::new(), 0, directory("/b"));
        assert_eq!(second, Err(ErrorCode::SnapshotOutputExist));
        assert_eq!(snapshots.outputs()[0].name, "snapshot-1");
        assert_eq!(snapshots.outputs()[0].max_size_bytes, 0);
        assert_eq!(snapshots.delete(2, ""), Err(ErrorCode::Invalid));
        assert_eq!(snapshots.delete(0, "other"), Err(ErrorCode::Invalid));
        assert_eq!(snapshots.delete(0, "snapshot-1"), Ok(()));
        assert_eq!(snapshots.add("n".to_owned(), 9, directory("/b")), Ok(2));
        assert_eq!(snapshots.outputs()[0].place, directory("/b"));
        assert_eq!(snapshots.delete(2, ""), Ok(()));
    }

    #[test]
    fn names_that_are_refused() {
        let mut snapshots = Snapshots::default();
        let long = "n".repeat(NAME_MAX);
        for name in ["a/b", "..", long.as_str()] {
            let added = snapshots.add(name.to_owned(), 0, directory("/a"));
            assert_eq!(added, Err(ErrorCode::Invalid), "{name}");
            let temporary = snapshots.resolve(&record(name, 0), Some(directory("/a")));
            assert_eq!(temporary, Err(ErrorCode::Invalid), "{name}");
        }
        let at = Timestamp { epoch_s: 0 };
        assert_eq!(snapshots.directory_name(&long[10..], at), Err(ErrorCode::Invalid));
    }

    #[test]
    fn a_request_says_what_it_wants_otherwise() {
        let mut snapshots = Snapshots::default();
        snapshots.add(String::new(), 77, directory("/a")).unwrap();
        let kept = snapshots.resolve(&record("", KEEP_SIZE), None).unwrap();
        assert_eq!([kept], snapshots.outputs());
        let other = snapshots.resolve(&record("mine", 5), None).unwrap();
        assert_eq!((other.name.as_str(), other.max_size_bytes), ("mine", 5));
        let relayd = SnapshotPlace::Relayd(Box::new(NetworkOutput::on_this_machine()));
        let temporary = snapshots.resolve(&record("", KEEP_SIZE), Some(relayd.clone())).unwrap();
        let SnapshotOutput { id, name, max_size_bytes, place } = temporary;
        assert_eq!((id, name.as_str(), max_size_bytes), (0, "snapshot-0", 0));
        assert_eq!(place, relayd);
        let at = Timestamp { epoch_s: 0 };
        let name = format!("x-{}-0", at.datetime());
        assert_eq!(snapshots.directory_name("x", at), Ok(name));
        snapshots.taken();
        assert!(snapshots.directory_name("x", at).unwrap().ends_with("-1"));
    }

    #[test]
    fn how_places_look() {
        assert_eq!(directory("/a").urls(), ("/a".to_owned(), String::new()));
        let relayd = SnapshotPlace::Relayd(Box::new(NetworkOutput::on_this_machine()));
        let urls = ("tcp4://127.0.0.1:5342/".to_owned(), "tcp4://127.0.0.1:5343/".to_owned());
        assert_eq!(relayd.urls(), urls);
    }

    #[test]
    fn packets_are_taken_in_turns() {
        let channel = |subbuf_size_bytes, num_subbuf, streams| ChannelSize {
            subbuf_size_bytes,
            num_subbuf,
            streams,
        };
        assert_eq!(packets_within(&[channel(4096, 4, 2)], 16384), Ok(2));
        assert_eq!(packets_within(&[channel(4096, 4, 2)], u64::MAX - 1), Ok(4));
        assert_eq!(packets_within(&[channel(4096, 4, 2)], 8191), Err(ErrorCode::MaxSizeInvalid));
        let two = [channel(4096, 2, 1), channel(4096, 8, 1)];
        assert_eq!(packets_within(&two, 5 * 4096), Ok(3));
        assert_eq!(packets_within(&[], 1), Ok(0));
    }
}
