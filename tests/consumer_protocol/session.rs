//! A session as a session daemon has one that is all right.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};

use lttngd_model::{ChannelKey, ChunkId, SessionId};
use lttngd_wire::consumer::{ChannelClass, CloseCommand, Message};

use crate::commands::{Step, channel};
use crate::consumerd::{Consumerd, bytes_below};

/// What the metadata says.
const TEXT: &[u8] = b"/* CTF 1.8 */";

/// Records a packet and metadata in a session of its own, and ends it.
pub fn is_served(consumerd: &mut Consumerd) {
    // Numbers that no other command has.
    static NEXT: AtomicU64 = AtomicU64::new(1 << 40);
    let number = NEXT.fetch_add(4, Ordering::Relaxed);
    let [data, metadata] = [1, 2].map(|key| ChannelKey(number + key));
    let (session_id, chunk_id) = (SessionId(number), ChunkId(0));
    let directory = consumerd.output.join(format!("good-{number}"));
    fs::create_dir_all(directory.join("uid/0/64-bit/index")).unwrap();

    let chunk = Message::CreateTraceChunk {
        relayd_id: None,
        override_name: String::new(),
        session_id,
        chunk_id,
        creation_timestamp_s: 1,
        owner: None,
    };
    let handle = File::open(&directory).unwrap();
    consumerd.takes(&chunk, handle.as_fd());
    drop(handle);
    for (key, class) in
        [(data, ChannelClass::Data { overwrite: false }), (metadata, ChannelClass::Metadata)]
    {
        let ask = Message::AskChannelCreation(Box::new(lttngd_wire::consumer::AskChannel {
            session_id,
            key,
            class,
            chunk_id: Some(chunk_id),
            ..channel()
        }));
        consumerd.perform(&Step { bytes: ask.encode(), ..Step::default() });
    }
    consumerd.fetch(&Message::GetChannel { key: data });
    consumerd.succeeds(&Message::SetupMetadata { key: metadata });
    let (target_offset, len) = (0, TEXT.len() as u64);
    consumerd.succeeds(&Message::PushMetadata { key: metadata, target_offset, len, version: 1 });
    consumerd.write(TEXT);
    assert_eq!(consumerd.status(), 0);
    consumerd.succeeds(&Message::FlushChannel { key: data });
    consumerd
        .perform(&Step { bytes: Message::DataPending { session_id }.encode(), ..Step::default() });
    for (key, metadata) in [(data, false), (metadata, true)] {
        consumerd.succeeds(&Message::RotateChannel { metadata, relayd_id: None, key });
    }
    let text = fs::read(directory.join("uid/0/64-bit/metadata")).unwrap();
    assert!(text.windows(TEXT.len()).any(|part| part == TEXT));
    // Packets of a page, with a header alone.
    assert!(bytes_below(&directory) > 4096 + TEXT.len() as u64);
    let close = Message::CloseTraceChunk {
        relayd_id: None,
        session_id,
        chunk_id,
        close_timestamp_s: 2,
        command: Some(CloseCommand::MoveToCompleted),
    };
    consumerd.perform(&Step { bytes: close.encode(), ..Step::default() });
    consumerd.succeeds(&Message::CloseMetadata { key: metadata });
    consumerd.drop_objects();
    fs::remove_dir_all(&directory).unwrap();
}
