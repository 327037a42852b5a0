//! Every command, and who may give it.

use lttngd_model::{BufferScheme, ErrorCode};
use lttngd_peer::{FakeClient, channel_listing, event_description};
use lttngd_wire::client::{
    Command, CommandKind, Dialect, Reply, decode_channels, decode_domains, decode_events,
    decode_sessions,
};

use super::world::{World, bytes};

/// Beyond the last command of the protocol.
const NUMBERS: u32 = 60;
/// The last command of the protocol.
const LAST: u32 = 52;

/// A bare command of this number.
fn bare(number: u32, session: &str, domain: u32) -> Vec<u8> {
    FakeClient::bytes(&Command::Undefined(number), |request| {
        let mut request = request.in_session(session);
        request.domain = domain;
        request.buffer_type = BufferScheme::PerUid as u32;
        request
    })
}

#[test]
fn every_number_in_every_domain_is_answered() {
    let world = World::new();
    world.session("s");
    for number in 0..=NUMBERS {
        for domain in 0..=7 {
            let reply = FakeClient::call(&world.socket(), &bare(number, "s", domain)).unwrap();
            let reply = reply.unwrap_or_else(|| panic!("command {number} has no reply"));
            assert_eq!(reply.command, number);
            let failure = reply.failure();
            if CommandKind::from_raw(number, Dialect::V2_13).is_none() {
                let expected = match domain {
                    _ if number > LAST => ErrorCode::Und,
                    1 => ErrorCode::KernNa,
                    3..=5 => ErrorCode::AgentTracingDisabled,
                    _ => ErrorCode::Und,
                };
                assert_eq!(failure, Some(expected), "{number} in {domain}");
            }
            if Some(number) == CommandKind::DestroySession.to_raw(Dialect::V2_13) {
                assert_eq!(failure, None);
                world.session("s");
            }
        }
    }
    world.check();
}

#[test]
fn without_its_session_a_command_says_so_before_all_else() {
    let world = World::new();
    for number in 0..=NUMBERS {
        let reply = FakeClient::call(&world.socket(), &bare(number, "none", 2)).unwrap().unwrap();
        let needs = CommandKind::from_raw(number, Dialect::V2_13)
            .map_or(number <= LAST, CommandKind::needs_session);
        // The library of clients says that a session is gone for these codes alone.
        let word = match CommandKind::from_raw(number, Dialect::V2_13) {
            Some(CommandKind::TrackerSetPolicy | CommandKind::TrackerGetInclusionSet) => {
                ErrorCode::SessionNotExist
            }
            _ => ErrorCode::SessNotFound,
        };
        assert_eq!(reply.failure() == Some(word), needs, "{number}: {:?}", reply.failure());
    }
}

#[test]
fn a_life_of_a_session() {
    let world = World::new();
    world.session("s");
    let ok = |command: &Command| {
        let reply = world.call("s", command);
        assert_eq!(reply.failure(), None, "{command:?}");
        reply
    };
    ok(&Command::EnableChannel(channel_listing("c")));
    ok(&Command::EnableEvent { channel: "c".to_owned(), event: event_description("p:e") });
    let reply = ok(&Command::ListChannels);
    let count = reply.count().unwrap();
    assert_eq!(count, 1);
    assert_eq!(decode_channels(count, &reply.data, Dialect::V2_13).unwrap()[0].name, "c");
    let reply = ok(&Command::ListEvents { channel: "c".to_owned() });
    assert_eq!(decode_events(reply.count().unwrap(), &reply.data).unwrap()[0].name, "p:e");
    assert_eq!(decode_domains(&ok(&Command::ListDomains).data).unwrap().len(), 1);
    ok(&Command::StartTrace);
    let failed = world.call("s", &Command::StartTrace);
    assert_eq!(failed.failure(), Some(ErrorCode::TraceAlreadyStarted));
    ok(&Command::StopTrace);
    ok(&Command::DataPending);
    let sessions = |reply: &Reply| decode_sessions(&reply.data, Dialect::V2_13).unwrap();
    assert_eq!(sessions(&ok(&Command::ListSessions)).len(), 1);
    ok(&Command::DestroySession);
    assert_eq!(sessions(&world.call("", &Command::ListSessions)), []);
}

#[test]
fn a_client_of_another_user_sees_and_does_nothing() {
    if !rustix::process::geteuid().is_root() {
        // Only root can become somebody else; the registry's own tests have the rule.
        return;
    }
    let world = World::new();
    world.session("s");
    let path = world.socket();
    std::thread::spawn(move || {
        let stranger = rustix::process::Uid::from_raw(4002);
        rustix::thread::set_thread_res_uid(stranger, stranger, stranger).unwrap();
        let call =
            |command: &Command| FakeClient::call(&path, &bytes("s", command)).unwrap().unwrap();
        assert_eq!(
            decode_sessions(&call(&Command::ListSessions).data, Dialect::V2_13).unwrap(),
            []
        );
        for number in 0..=LAST {
            let reply = FakeClient::call(&path, &bare(number, "s", 2)).unwrap().unwrap();
            let needs = CommandKind::from_raw(number, Dialect::V2_13)
                .is_none_or(CommandKind::needs_session);
            let denied = reply.failure() == Some(ErrorCode::Eperm);
            assert_eq!(denied, needs, "{number}: {:?}", reply.failure());
        }
    })
    .join()
    .unwrap();
    assert_eq!(world.call("s", &Command::DestroySession).failure(), None);
}
