//! The metadata socket, before a session daemon that answers well, badly, late or not at all.
#![allow(clippy::unwrap_used)]

use std::{cell::RefCell, os::unix::net::UnixStream};

use actix::System;
use lttngd_model::{ChannelKey, SessionId};
use lttngd_runtime::fail_point::fail_at;
use lttngd_wire::consumer::{METADATA_REQUEST_LEN, STATUS_LEN, decode_status};

use super::*;

const KEY: ChannelKey = ChannelKey(7);

fn request(key: ChannelKey) -> MetadataRequest {
    MetadataRequest {
        session_id: SessionId(1),
        session_id_per_pid: 0,
        bits_per_long: 64,
        uid: 1000,
        key,
    }
}

fn push(key: ChannelKey, target_offset: u64, len: u64) -> Vec<u8> {
    Command::PushMetadata { key, target_offset, len, version: 3 }.encode()
}

/// The socket, and the session daemon's end of it.
fn socket() -> (Source, Peer) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    (Source::start(Peer::new(ours.into()).unwrap()), Peer::new(theirs.into()).unwrap())
}

async fn read_request(daemon: &Peer) -> MetadataRequest {
    let mut bytes = [0; METADATA_REQUEST_LEN];
    daemon.read_exact(&mut bytes).await.unwrap();
    MetadataRequest::decode(&bytes).unwrap()
}

async fn read_status(daemon: &Peer) -> i32 {
    let mut bytes = [0; STATUS_LEN];
    daemon.read_exact(&mut bytes).await.unwrap();
    decode_status(&bytes).unwrap()
}

/// Nobody's: what comes is an error.
async fn untaken(text: Text) -> Result<(), Refusal> {
    panic!("nothing was to be taken: {text:?}")
}

#[test]
fn an_answer_is_understood_by_its_key_and_length() {
    let of = |bytes: &[u8]| Answer::of(&request(KEY), bytes).ok();
    assert_eq!(of(&push(KEY, 5, 4)), Some(Answer::Text { target_offset: 5, len: 4, version: 3 }));
    assert_eq!(of(&push(KEY, 0, TEXT_MAX_LEN + 1)), Some(Answer::TooLarge));
    assert_eq!(of(&push(ChannelKey(8), 5, 4)), None, "another channel's text");
    let unknown = Command::SetupMetadata { key: KEY }.encode();
    assert_eq!(of(&unknown), Some(Answer::Unknown));
    assert_eq!(of(&Command::GetChannel { key: KEY }.encode()), None, "no text");
    assert_eq!(of(&[0; 5]), None, "no message");
}

#[test]
fn text_ends_where_the_text_of_a_trace_may() {
    assert!(text_fits(0, TEXT_MAX_LEN) && text_fits(TEXT_MAX_LEN, 0));
    assert!(!text_fits(1, TEXT_MAX_LEN) && !text_fits(u64::MAX, 1));
}

#[test]
fn the_session_daemon_is_told_what_became_of_its_text() {
    System::new().block_on(async {
        let (source, daemon) = socket();
        let outcomes = [
            (Ok(()), 0),
            (Err(Refusal::UnknownChannel), Code::CHANNEL_FAIL.0),
            (Err(Refusal::TooLarge), Code::ERROR_METADATA.0),
            (Err(Refusal::Because(Code::UNKNOWN_ERROR)), Code::UNKNOWN_ERROR.0),
        ];
        for (outcome, expected) in outcomes {
            let taken = RefCell::new(Vec::new());
            let take = async |text: Text| {
                assert_eq!((text.target_offset, text.version), (9, 3));
                taken.replace(text.bytes);
                outcome
            };
            let serve = async {
                assert_eq!(read_request(&daemon).await, request(KEY));
                daemon.write_all(&push(KEY, 9, 4)).await.unwrap();
                assert_eq!(read_status(&daemon).await, 0);
                daemon.write_all(b"text").await.unwrap();
                read_status(&daemon).await
            };
            let (fetched, status) = tokio::join!(source.fetch(request(KEY), take), serve);
            fetched.unwrap();
            assert_eq!(taken.take(), b"text");
            assert_eq!(status, expected);
        }
    });
}

#[test]
fn a_request_waits_until_the_text_of_the_one_before_was_taken() {
    System::new().block_on(async {
        let (source, daemon) = socket();
        let order = RefCell::new(Vec::new());
        let first = source.fetch(request(KEY), async |_| {
            tokio::task::yield_now().await;
            order.borrow_mut().push("taken");
            Ok(())
        });
        let second = source.fetch(request(ChannelKey(8)), untaken);
        let serve = async {
            assert_eq!(read_request(&daemon).await.key, KEY);
            daemon.write_all(&push(KEY, 0, 1)).await.unwrap();
            read_status(&daemon).await;
            daemon.write_all(b"x").await.unwrap();
            read_status(&daemon).await;
            assert_eq!(read_request(&daemon).await.key, ChannelKey(8));
            order.borrow_mut().push("asked again");
            daemon.write_all(&Command::SetupMetadata { key: KEY }.encode()).await.unwrap();
            read_status(&daemon).await
        };
        let (first, second, status) = tokio::join!(first, second, serve);
        first.unwrap();
        second.unwrap();
        assert_eq!((status, order.take()), (0, vec!["taken", "asked again"]));
    });
}

#[test]
fn text_that_nobody_waits_for_any_more_is_refused_and_the_next_is_asked_for() {
    System::new().block_on(async {
        let (source, daemon) = socket();
        let mut first = Box::pin(source.fetch(request(KEY), untaken));
        tokio::select! {
            _ = &mut first => panic!("it was not answered"),
            asked = read_request(&daemon) => assert_eq!(asked.key, KEY),
        }
        drop(first);
        daemon.write_all(&push(KEY, 0, 1)).await.unwrap();
        assert_eq!(read_status(&daemon).await, 0);
        daemon.write_all(b"x").await.unwrap();
        assert_eq!(read_status(&daemon).await, Code::FATAL.0);
        let serve = async {
            read_request(&daemon).await;
            daemon.write_all(&push(KEY, 1, 0)).await.unwrap();
            read_status(&daemon).await
        };
        let (second, status) = tokio::join!(source.fetch(request(KEY), untaken), serve);
        second.unwrap();
        assert_eq!(status, 0);
    });
}

#[test]
fn more_text_than_a_trace_may_have_ends_the_socket() {
    System::new().block_on(async {
        let (source, daemon) = socket();
        let serve = async {
            read_request(&daemon).await;
            daemon.write_all(&push(KEY, 0, TEXT_MAX_LEN + 1)).await.unwrap();
            read_status(&daemon).await
        };
        let (fetched, status) = tokio::join!(source.fetch(request(KEY), untaken), serve);
        assert!(matches!(fetched, Err(SourceError::Unexpected)));
        assert_eq!(status, Code::ERROR_METADATA.0);
        let again = source.fetch(request(KEY), untaken).await;
        assert!(matches!(again, Err(SourceError::Closed)));
    });
}

#[test]
fn a_session_daemon_that_does_not_answer_is_waited_for_once() {
    System::new().block_on(async {
        let (source, _daemon) = socket();
        tokio::time::pause();
        let fetched = source.fetch(request(KEY), untaken).await;
        assert!(matches!(fetched, Err(SourceError::TimedOut)));
        let began = tokio::time::Instant::now();
        let again = source.fetch(request(KEY), untaken).await;
        assert!(matches!(again, Err(SourceError::Closed)));
        assert!(began.elapsed() < ANSWER_DEADLINE);
    });
}

#[test]
fn an_exchange_that_panics_is_a_socket_that_is_closed() {
    System::new().block_on(async {
        let (source, daemon) = socket();
        let serve = async {
            read_request(&daemon).await;
            fail_at("MetadataSocket exchange");
            daemon.write_all(&push(KEY, 0, 0)).await
        };
        let (fetched, _) = tokio::join!(source.fetch(request(KEY), untaken), serve);
        assert!(matches!(fetched, Err(SourceError::Closed)));
        let again = source.fetch(request(KEY), untaken).await;
        assert!(matches!(again, Err(SourceError::Closed)));
    });
}
