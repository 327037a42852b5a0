//! Every command, refused for every reason.
#![allow(clippy::unwrap_used)]

use super::*;

/// Numbers of commands by what their answers consist of.
const STATUS: [u32; 20] =
    [0, 1, 4, 5, 8, 9, 10, 11, 12, 13, 14, 16, 19, 20, 21, 22, 23, 25, 26, 27];
const CHANNEL_CREATION: u32 = 7;
const DATA_PENDING: u32 = 6;
const COUNTS: [u32; 2] = [17, 18];
const CLOSE_CHUNK: u32 = 24;

const REASONS: [Refusal; 8] = [
    Refusal::Because(Code::ROTATION_FAIL),
    Refusal::Malformed,
    Refusal::NoDescriptor,
    Refusal::UnknownChannel,
    Refusal::TooLarge,
    Refusal::NoRoom,
    Refusal::Failed,
    Refusal::Ending,
];

/// The status in an answer that has one.
fn status_in(number: u32, refusal: Refusal) -> Option<i32> {
    match refuse(number, refusal)? {
        Reply::Status(status) => Some(status),
        Reply::Channel(status) => Some(status.ret_code),
        Reply::ChunkClosed { code, .. } => Some(code),
        Reply::Pending(_) | Reply::Count(_) | Reply::Object(_) => None,
    }
}

/// Commands whose answers have a status for what went wrong.
fn with_status() -> impl Iterator<Item = u32> {
    STATUS.into_iter().chain([CHANNEL_CREATION, CLOSE_CHUNK])
}

#[test]
fn each_command_is_in_the_table_once() {
    let mut numbers: Vec<u32> = COMMANDS.iter().map(|(number, ..)| *number).collect();
    let mut expected: Vec<u32> = with_status().chain([DATA_PENDING]).chain(COUNTS).collect();
    numbers.sort_unstable();
    expected.sort_unstable();
    assert_eq!(numbers, expected);
}

#[test]
fn numbers_of_no_command_have_no_answer() {
    for number in [2, 3, 15, 28, u32::MAX] {
        for refusal in REASONS {
            assert!(refuse(number, refusal).is_none(), "{number} {refusal:?}");
        }
    }
}

#[test]
fn a_commands_own_reason_is_its_status() {
    for number in with_status() {
        let status = status_in(number, Refusal::Because(Code::ROTATION_FAIL));
        assert_eq!(status, Some(Code::ROTATION_FAIL.0), "{number}");
    }
}

#[test]
fn members_without_meaning_are_invalid_parameters() {
    for number in with_status() {
        let status = status_in(number, Refusal::Malformed);
        assert_eq!(status, Some(Code::INVALID_PARAMETERS.0), "{number}");
    }
}

#[test]
fn a_descriptor_that_did_not_come_has_its_code() {
    for number in with_status() {
        let status = status_in(number, Refusal::NoDescriptor);
        assert_eq!(status, Some(Code::ERROR_RECV_FD.0), "{number}");
    }
}

#[test]
fn too_much_text_is_a_metadata_error() {
    assert_eq!(status_in(10, Refusal::TooLarge), Some(Code::ERROR_METADATA.0));
}

#[test]
fn no_room_is_want_of_memory() {
    for number in with_status() {
        assert_eq!(status_in(number, Refusal::NoRoom), Some(Code::ENOMEM.0), "{number}");
    }
}

#[test]
fn a_failed_session_and_the_end_are_fatal() {
    for number in with_status() {
        for refusal in [Refusal::Failed, Refusal::Ending] {
            assert_eq!(status_in(number, refusal), Some(Code::FATAL.0), "{number}");
        }
    }
}

#[test]
fn an_unknown_channel_has_the_code_that_the_stock_consumer_has_for_the_command() {
    let of = |number| status_in(number, Refusal::UnknownChannel).unwrap();
    for number in [8, 14, 21, 26, 27] {
        assert_eq!(of(number), Code::CHAN_NOT_FOUND.0, "{number}");
    }
    for number in [11, 12, 13, 19] {
        assert_eq!(of(number), Code::UST_CHAN_NOT_FOUND.0, "{number}");
    }
    assert_eq!(of(10), Code::CHANNEL_FAIL.0, "PUSH_METADATA");
    assert_eq!(of(9), 0, "DESTROY_CHANNEL of nothing is done");
}

#[test]
fn a_channel_that_is_refused_has_neither_key_nor_streams() {
    for refusal in REASONS {
        let Some(Reply::Channel(status)) = refuse(CHANNEL_CREATION, refusal) else {
            panic!("{refusal:?}")
        };
        assert_eq!((status.key, status.stream_count), (ChannelKey(0), 0));
        assert_ne!(status.ret_code, 0, "{refusal:?}");
    }
}

#[test]
fn a_chunk_that_is_not_closed_has_no_path() {
    for refusal in REASONS {
        let Some(Reply::ChunkClosed { code, path }) = refuse(CLOSE_CHUNK, refusal) else {
            panic!("{refusal:?}")
        };
        assert_eq!(path, "");
        assert_ne!(code, 0, "{refusal:?}");
    }
}

#[test]
fn counts_of_what_cannot_be_asked_are_none() {
    for number in COUNTS {
        for refusal in REASONS {
            assert!(matches!(refuse(number, refusal), Some(Reply::Count(0))), "{refusal:?}");
        }
    }
}

#[test]
fn nothing_is_pending_when_it_cannot_be_asked_unless_the_session_failed() {
    for refusal in REASONS {
        let reply = refuse(DATA_PENDING, refusal);
        if refusal == Refusal::Failed {
            assert!(matches!(reply, Some(Reply::Status(status)) if status == Code::FATAL.0));
        } else {
            assert!(matches!(reply, Some(Reply::Pending(false))), "{refusal:?}");
        }
    }
}

#[test]
fn a_queue_that_is_full_is_no_room_and_one_that_ended_a_failure() {
    assert_eq!(Refusal::from(NotRun::Full), Refusal::NoRoom);
    assert_eq!(Refusal::from(NotRun::Ended), Refusal::Failed);
    assert_eq!(Refusal::from(WorkerGone), Refusal::Ending);
}

#[test]
fn what_was_done_is_answered_as_what_it_is() {
    assert!(matches!(answer(13, Ok(())), Some(Reply::Status(0))));
    assert!(matches!(answer(6, Ok(true)), Some(Reply::Pending(true))));
    assert!(matches!(answer(17, Ok(4_u64)), Some(Reply::Count(4))));
    let refused = answer(13, Err::<(), _>(Refusal::UnknownChannel));
    assert!(matches!(refused, Some(Reply::Status(59))));
}

#[test]
fn text_that_was_asked_for_is_refused_as_text_that_is_pushed() {
    assert_eq!(status_of_text(Ok(())), 0);
    for refusal in REASONS {
        assert_eq!(Some(status_of_text(Err(refusal))), status_in(10, refusal));
    }
}
