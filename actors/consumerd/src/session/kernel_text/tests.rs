//! A kernel whose metadata is two statements, before a data thread that is played.
#![allow(clippy::unwrap_used)]

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, Mutex, mpsc::Receiver},
};

use lttngd_kernelbuffer::{Calls, Mapped, MetadataStream};
use lttngd_model::ChannelKey;
use lttngd_wire::kernel::ReaderCall;
use rustix::io::Errno;

use super::TextReader;
use crate::{
    session::tests::{run, worker},
    worker::Order,
};

const KEY: ChannelKey = ChannelKey(7);
/// Bytes of a packet before its text.
const HEADER_LEN: usize = 37;

/// Text, a statement a packet, of which so many were read.
#[derive(Debug)]
struct FakeMetadata {
    statements: Vec<&'static str>,
    read: Mutex<usize>,
    wakeup: OwnedFd,
}

const PACKET_LEN: usize = 64;

impl FakeMetadata {
    fn bytes(&self) -> Vec<u8> {
        let packet = |statement: &&str| {
            let mut packet = vec![0; PACKET_LEN];
            let len = HEADER_LEN + statement.len();
            packet[24..28].copy_from_slice(&u32::try_from(len * 8).unwrap().to_ne_bytes());
            packet[HEADER_LEN..len].copy_from_slice(statement.as_bytes());
            packet
        };
        self.statements.iter().flat_map(packet).collect()
    }
}

impl Calls for FakeMetadata {
    fn call(&self, call: ReaderCall, told: &mut u64) -> Result<(), Errno> {
        let mut read = self.read.lock().unwrap();
        *told = match call {
            ReaderCall::MmapLen => self.bytes().len() as u64,
            ReaderCall::GetNextMetadata if *read == self.statements.len() => {
                return Err(Errno::AGAIN);
            }
            ReaderCall::GetNextMetadata => 1,
            ReaderCall::MetadataVersion => 0,
            ReaderCall::MmapReadOffset => (*read * PACKET_LEN) as u64,
            ReaderCall::SubbufSize => PACKET_LEN as u64,
            ReaderCall::PutNext => {
                *read += 1;
                0
            }
            other => panic!("{other:?}"),
        };
        Ok(())
    }

    fn map(&self, _: usize) -> Result<Mapped, Errno> {
        Ok(Mapped::own(self.bytes().into()))
    }

    fn splice(&self, _: u64, _: BorrowedFd<'_>, _: usize) -> Result<usize, Errno> {
        unreachable!("metadata is mapped")
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        self.wakeup.as_fd()
    }
}

/// Takes the text that comes until `reader` has no more of it.
async fn refresh(reader: &TextReader, orders: &Receiver<Order>) -> String {
    let mut text = String::new();
    let mut refreshed = std::pin::pin!(reader.refresh());
    loop {
        tokio::select! {
            biased;
            () = &mut refreshed => return text,
            () = tokio::task::yield_now() => {}
        }
        for order in orders.try_iter() {
            let Order::PushMetadata(pushed, answer) = order else { panic!("{order:?}") };
            assert_eq!((pushed.key, pushed.offset), (KEY, text.len() as u64));
            text.push_str(std::str::from_utf8(&pushed.text).unwrap());
            answer.answer(Ok(()));
        }
    }
}

#[test]
fn text_that_nothing_woke_for_is_read_when_somebody_needs_all_of_it() {
    run(async || {
        let wakeup = std::fs::File::open("/dev/null").unwrap().into();
        let statements = vec!["trace {};", "event {};"];
        let calls = Arc::new(FakeMetadata { statements, read: Mutex::new(0), wakeup });
        let stream = MetadataStream::new(calls).unwrap();
        let (worker, orders) = worker();
        let reader = TextReader::start(KEY, stream, worker, None);
        assert_eq!(refresh(&reader, &orders).await, "trace {};event {};");
        assert_eq!(refresh(&reader, &orders).await, "", "it is there already");
    });
}
