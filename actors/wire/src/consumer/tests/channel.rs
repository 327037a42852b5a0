//! The channel messages against the offsets of `struct lttcomm_consumer_msg`.

use lttngd_model::{ChannelKey, ChannelOutput, ChunkId, Credentials, NetIndex, SessionId};

use super::*;
use crate::DecodeError;

pub(super) fn ask_channel() -> AskChannel {
    AskChannel {
        buffer_layout: lttngd_model::BufferLayout::default(),
        bitness: lttngd_model::Bitness::Bits64,
        subbuf_size_bytes: 0x1001,
        num_subbuf: 0x1002,
        class: ChannelClass::Data { overwrite: true },
        switch_timer_interval_us: 0x1003,
        read_timer_interval_us: 0x1004,
        live_timer_interval_us: 0x1005,
        is_live: true,
        monitor_timer_interval_us: 0x1006,
        output: ChannelOutput::Mmap,
        session_id: SessionId(0x1007),
        pathname: "uid/1000/64-bit".to_owned(),
        name: "ch".to_owned(),
        buffer_owner: Credentials { uid: 0x1008, gid: 0x1009 },
        relayd_id: Some(NetIndex(0x100A)),
        key: ChannelKey(0x100B),
        chunk_id: Some(ChunkId(0x100C)),
        uuid: *b"0123456789abcdef",
        chan_id: 0x100D,
        tracefile_size_bytes: 0x100E,
        tracefile_count: 0x100F,
        session_id_per_pid: 0x1010,
        monitor: true,
        ust_app_uid: 0x1011,
        blocking_timeout_us: -1,
        root_shm_path: "/shm".to_owned(),
        shm_path: "/shm/ch_".to_owned(),
    }
}

pub(super) fn add_channel() -> AddChannel {
    AddChannel {
        key: ChannelKey(0x1001),
        session_id: SessionId(0x1002),
        chunk_id: Some(ChunkId(0x1003)),
        pathname: "base/kernel".to_owned(),
        relayd_id: Some(NetIndex(0x1004)),
        nb_init_streams: 0x1005,
        name: "channel0".to_owned(),
        output: ChannelOutput::Mmap,
        metadata: false,
        tracefile_size_bytes: 0x1006,
        tracefile_count: 0x1007,
        monitor: true,
        live_timer_interval_us: 0x1008,
        is_live: true,
        monitor_timer_interval_us: 0x1009,
    }
}

#[test]
fn ask_channel_members_stand_where_the_consumer_reads_them() {
    let bytes = Message::AskChannelCreation(Box::new(ask_channel())).encode();
    assert_eq!(bytes.len(), 12690);
    assert_eq!(u32_at(&bytes, 0), 7);
    assert_eq!((u64_at(&bytes, 4), u64_at(&bytes, 12)), (0x1001, 0x1002));
    assert_eq!(u32_at(&bytes, 20), 1, "overwrite");
    assert_eq!([24, 28, 32].map(|at| u32_at(&bytes, at)), [0x1003, 0x1004, 0x1005]);
    assert_eq!((bytes[36], u32_at(&bytes, 37)), (1, 0x1006));
    assert_eq!((u32_at(&bytes, 41), u32_at(&bytes, 45)), (1, 0), "output and type");
    assert_eq!(u64_at(&bytes, 49), 0x1007);
    assert_eq!((text_at(&bytes, 57), text_at(&bytes, 4153)), ("uid/1000/64-bit", "ch"));
    assert_eq!((u32_at(&bytes, 4409), u32_at(&bytes, 4413)), (0x1008, 0x1009));
    assert_eq!((u64_at(&bytes, 4417), u64_at(&bytes, 4425)), (0x100A, 0x100B));
    assert_eq!((bytes[4433], u64_at(&bytes, 4434)), (1, 0x100C));
    assert_eq!(text_at(&bytes, 4442).get(..16), Some("0123456789abcdef"));
    assert_eq!((u32_at(&bytes, 4458), u64_at(&bytes, 4462)), (0x100D, 0x100E));
    assert_eq!((u32_at(&bytes, 4470), u64_at(&bytes, 4474)), (0x100F, 0x1010));
    assert_eq!((u32_at(&bytes, 4482), u32_at(&bytes, 4486)), (1, 0x1011));
    assert_eq!(u64_at(&bytes, 4490), u64::MAX, "blocking timeout");
    assert_eq!((text_at(&bytes, 4498), text_at(&bytes, 8594)), ("/shm", "/shm/ch_"));
}

#[test]
fn metadata_is_asked_for_without_overwriting() {
    let ask = AskChannel {
        class: ChannelClass::Metadata,
        relayd_id: None,
        chunk_id: None,
        ..ask_channel()
    };
    let message = Message::AskChannelCreation(Box::new(ask));
    let bytes = message.encode();
    assert_eq!((u32_at(&bytes, 20), u32_at(&bytes, 45)), (u32::MAX, 1));
    assert_eq!(u64_at(&bytes, 4417), u64::MAX, "no relay");
    assert_eq!((bytes[4433], u64_at(&bytes, 4434)), (0, 0), "no chunk");
    assert_eq!(Message::decode(&bytes), Ok(message));
}

#[test]
fn add_channel_members_stand_where_the_consumer_reads_them() {
    let bytes = Message::AddChannel(Box::new(add_channel())).encode();
    assert_eq!(u32_at(&bytes, 0), 0);
    assert_eq!((u64_at(&bytes, 4), u64_at(&bytes, 12)), (0x1001, 0x1002));
    assert_eq!((bytes[20], u64_at(&bytes, 21)), (1, 0x1003));
    assert_eq!((text_at(&bytes, 29), text_at(&bytes, 4137)), ("base/kernel", "channel0"));
    assert_eq!((u64_at(&bytes, 4125), u32_at(&bytes, 4133)), (0x1004, 0x1005));
    assert_eq!((u32_at(&bytes, 4393), u32_at(&bytes, 4397)), (1, 1), "mmap, data");
    assert_eq!((u64_at(&bytes, 4401), u32_at(&bytes, 4409)), (0x1006, 0x1007));
    assert_eq!((u32_at(&bytes, 4413), u32_at(&bytes, 4417)), (1, 0x1008));
    assert_eq!((bytes[4421], u32_at(&bytes, 4422)), (1, 0x1009));
    let metadata = AddChannel { metadata: true, output: ChannelOutput::Splice, ..add_channel() };
    let message = Message::AddChannel(Box::new(metadata));
    let bytes = message.encode();
    assert_eq!((u32_at(&bytes, 4393), u32_at(&bytes, 4397)), (0, 0));
    assert_eq!(Message::decode(&bytes), Ok(message));
}

#[test]
fn channel_members_without_meaning_are_refused() {
    let bytes = Message::AskChannelCreation(Box::new(ask_channel())).encode();
    for (offset, what) in [
        (20, "overwrite"),
        (36, "is_live"),
        (41, "output"),
        (45, "channel type"),
        (4482, "monitor"),
    ] {
        let mut bytes = bytes.clone();
        bytes[offset] = 7;
        match Message::decode(&bytes) {
            Err(DecodeError::BadValue { what: member, .. }) => assert_eq!(member, what),
            other => panic!("{what}: {other:?}"),
        }
    }
}

#[test]
fn long_text_is_cut_to_its_member() {
    let ask = AskChannel {
        pathname: "p".repeat(5000),
        name: "n".repeat(500),
        shm_path: "s".repeat(5000),
        ..ask_channel()
    };
    let bytes = Message::AskChannelCreation(Box::new(ask)).encode();
    assert_eq!(bytes.len(), MESSAGE_LEN);
    let Message::AskChannelCreation(read) = Message::decode(&bytes).unwrap() else { panic!() };
    // The last byte of the first tells whose buffers they are.
    assert_eq!((read.pathname.len(), read.name.len(), read.shm_path.len()), (4094, 255, 4095));
    assert_eq!(read.buffer_layout, ask_channel().buffer_layout);
    assert_eq!(read.bitness, ask_channel().bitness);
    assert_eq!(read.uuid, ask_channel().uuid);
}
