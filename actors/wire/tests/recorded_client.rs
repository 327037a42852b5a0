//! Requests of the stock `lttng` command line 2.13 and the replies of its daemon, as they stood on
//! the socket: everything decodes, and encodes to the same bytes.
//!
//! Each file is one command: the line that caused it, then `request LEN` and `reply LEN`, each
//! followed by rows of an offset and the bytes from there in hexadecimal. What no row covers is
//! zero. Descriptors and the byte that carries them are left out.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use lttngd_model::{
    BufferMode, BufferScheme, Context, Domain, ErrorCode, EventFieldKind, LogLevelRule,
    ProcessAttribute, SessionKind, TrackerValue, TrackingPolicy, Uri,
};
use lttngd_wire::client::{self, Asked, Command, CommandKind, Dialect, Reply, Request};

/// A request with its payload, and the reply if there was one.
struct Exchange {
    dialect: Dialect,
    request: Vec<u8>,
    reply: Option<Vec<u8>>,
}

impl Exchange {
    fn head(&self) -> Request {
        Request::decode(&self.request[..client::REQUEST_LEN], self.dialect).unwrap()
    }

    fn command(&self) -> Command {
        self.head().command(&self.request[client::REQUEST_LEN..]).unwrap()
    }

    fn reply(&self) -> Reply {
        Reply::decode(self.reply.as_ref().unwrap(), self.dialect).unwrap()
    }
}

fn parse(text: &str, dialect: Dialect) -> Exchange {
    let mut parts: Vec<(&str, Vec<u8>)> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (word, value) = line.split_once(' ').unwrap();
        match word.parse::<usize>() {
            Err(_) => parts.push((word, vec![0; value.parse().unwrap()])),
            Ok(offset) => {
                let bytes = &mut parts.last_mut().unwrap().1;
                for (at, digits) in (offset..).zip(value.as_bytes().chunks(2)) {
                    let digits = std::str::from_utf8(digits).unwrap();
                    bytes[at] = u8::from_str_radix(digits, 16).unwrap();
                }
            }
        }
    }
    let mut parts = parts.into_iter();
    let (word, request) = parts.next().unwrap();
    assert_eq!(word, "request");
    let reply = parts.next().map(|(word, reply)| {
        assert_eq!(word, "reply");
        reply
    });
    Exchange { dialect, request, reply }
}

fn recorded() -> BTreeMap<String, Exchange> {
    recorded_of(Dialect::V2_13, "tests/recorded/client")
}

/// What was recorded of one version.
fn recorded_of(dialect: Dialect, directory: &str) -> BTreeMap<String, Exchange> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    fs::read_dir(directory)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, parse(&fs::read_to_string(path).unwrap(), dialect))
        })
        .collect()
}

fn exchange(name: &str) -> Exchange {
    recorded().remove(name).unwrap_or_else(|| panic!("no recording of {name}"))
}

#[test]
fn requests_encode_to_the_same_bytes() {
    let recorded = recorded();
    assert!(recorded.len() >= 68);
    for (name, exchange) in &recorded {
        let head = exchange.head();
        assert_eq!(
            head.payload_len().unwrap(),
            exchange.request.len() - client::REQUEST_LEN,
            "{name}"
        );
        let (mut request, payload) = Request::new(&exchange.command());
        request.session_name.clone_from(&head.session_name);
        request.domain = head.domain;
        request.buffer_type = head.buffer_type;
        request.pid = head.pid;
        request.fd_count = head.fd_count;
        assert!(request.encode(&payload) == exchange.request, "{name}: {:?}", exchange.command());
    }
}

#[test]
fn every_command_of_the_command_line_is_recorded() {
    let recorded = recorded();
    for kind in CommandKind::ALL {
        // `lttng` has no use for a foreign consumer daemon.
        let is_used = *kind != CommandKind::RegisterConsumer;
        let expected = is_used && kind.to_raw(Dialect::V2_13).is_some();
        let found = recorded.values().any(|exchange| exchange.head().kind() == Some(*kind));
        assert_eq!(found, expected, "{kind:?}");
    }
}

/// Decodes the data of a reply and encodes it again: command header and data.
fn again(kind: CommandKind, reply: &Reply) -> (Vec<u8>, Vec<u8>) {
    use CommandKind as K;
    let (data, dialect) = (&reply.data, reply.dialect);
    let listing = |encoded: Vec<u8>| (reply.count().unwrap().to_ne_bytes().to_vec(), encoded);
    let plain = |encoded: Vec<u8>| (Vec::new(), encoded);
    let sessions = || client::decode_sessions(data, dialect).unwrap();
    match kind {
        K::ListSessions => plain(client::encode_sessions(&sessions(), dialect).to_vec()),
        K::ListDomains => plain(client::encode_domains(&client::decode_domains(data).unwrap())),
        K::ListChannels => {
            let channels = client::decode_channels(reply.count().unwrap(), data, dialect).unwrap();
            listing(client::encode_channels(&channels, dialect))
        }
        K::ListEvents | K::ListTracepoints => {
            let events = client::decode_events(reply.count().unwrap(), data).unwrap();
            listing(client::encode_events(&events).unwrap())
        }
        K::ListTracepointFields => {
            let fields = client::decode_event_fields(reply.count().unwrap(), data).unwrap();
            listing(client::encode_event_fields(&fields).unwrap())
        }
        K::CreateSession => plain(client::encode_descriptor(
            &client::decode_descriptor(data, dialect).unwrap(),
            dialect,
        )),
        K::DataPending => {
            plain(client::encode_data_pending(client::decode_data_pending(data).unwrap()))
        }
        K::DestroySession => {
            let (state, location) = client::decode_destroyed(reply).unwrap();
            (
                client::encode_destroyed_header(state),
                client::encode_destroyed_data(location.as_ref()),
            )
        }
        K::SnapshotAddOutput => plain(client::encode_snapshot_output_id(
            client::decode_snapshot_output_id(data).unwrap(),
        )),
        K::SnapshotListOutput => {
            plain(client::encode_snapshot_outputs(&client::decode_snapshot_outputs(data).unwrap()))
        }
        K::TrackerGetPolicy => {
            plain(client::encode_tracking_policy(client::decode_tracking_policy(data).unwrap()))
        }
        K::TrackerGetInclusionSet => {
            plain(client::encode_tracker_values(&client::decode_tracker_values(data).unwrap()))
        }
        K::RotateSession => {
            plain(client::encode_rotation_id(client::decode_rotation_id(data).unwrap()))
        }
        K::RotationGetInfo => {
            plain(client::encode_rotation_info(&client::decode_rotation_info(data).unwrap()))
        }
        K::SessionListRotationSchedules => plain(client::encode_rotation_schedules(
            &client::decode_rotation_schedules(data).unwrap(),
        )),
        K::RegisterTrigger => {
            plain(client::encode_trigger(&client::decode_trigger(data, dialect).unwrap(), dialect))
        }
        K::ListTriggers => plain(client::encode_triggers(
            &client::decode_triggers(data, dialect).unwrap(),
            dialect,
        )),
        K::ExecuteErrorQuery => {
            plain(client::encode_error_counters(&client::decode_error_counters(data).unwrap()))
        }
        _ => plain(Vec::new()),
    }
}

#[test]
fn replies_encode_to_the_same_bytes() {
    let mut count = 0;
    for (name, exchange) in recorded() {
        let Some(mut bytes) = exchange.reply.clone() else { continue };
        let reply = exchange.reply();
        let kind = exchange.head().kind().unwrap();
        if kind == CommandKind::DestroySession && reply.data.len() > 14 {
            // The stock daemon leaves the unused part of the location uninitialised.
            bytes[exchange.dialect.reply_header_len() + 4 + 5..][..9].fill(0);
        }
        let (header, data) = match reply.failure() {
            Some(_) => (Vec::new(), Vec::new()),
            None => again(kind, &reply),
        };
        let encoded = reply.with_header(header).with_data(data).encode();
        assert!(encoded == bytes, "{name}");
        count += 1;
    }
    assert!(count >= 67);
}

#[test]
fn enable_channel_has_every_option() {
    let recorded = exchange("enable-channel");
    let head = recorded.head();
    assert_eq!(head.session_name, "demo");
    assert_eq!(Domain::from_raw(head.domain), Some(Domain::Ust));
    assert_eq!(BufferScheme::from_raw(head.buffer_type), Some(BufferScheme::PerUid));
    let Command::EnableChannel(channel) = recorded.command() else { panic!() };
    assert_eq!(channel.name, "chan");
    let attributes = channel.attributes;
    assert_eq!(attributes.mode, BufferMode::Discard);
    assert_eq!((attributes.subbuf_size_bytes, attributes.num_subbuf), (65536, 8));
    assert_eq!(attributes.switch_timer_interval_us, 1_000_000);
    assert_eq!(attributes.read_timer_interval_us, 200_000);
    assert_eq!(attributes.monitor_timer_interval_us, 500_000);
    assert_eq!(attributes.blocking_timeout_us, 50_000);
    assert_eq!((attributes.tracefile_size_bytes, attributes.tracefile_count), (1 << 20, 3));
}

#[test]
fn enable_event_has_filter_exclusions_and_log_level() {
    let Command::EnableEvent { channel, event } = exchange("enable-event").command() else {
        panic!()
    };
    assert_eq!((channel.as_str(), event.name.as_str()), ("chan", "shop:*"));
    assert_eq!(event.exclusions, ["shop:quiet", "shop:other*"]);
    let rule = LogLevelRule::from_raw(event.loglevel_type, event.loglevel);
    assert_eq!(rule, Some(LogLevelRule::Range(6)));
    let filter = event.filter.unwrap();
    assert_eq!(filter.expression, r#"amount > 3 && $ctx.procname != "bash""#);
    assert!(filter.bytecode.data.ends_with(b"$ctx.procname\0"));
}

#[test]
fn kernel_events_have_their_attributes() {
    let event = |name| match exchange(name).command() {
        Command::EnableEvent { event, .. } => event,
        other => panic!("{other:?}"),
    };
    assert_eq!(event("enable-event-kprobe").probe.unwrap().symbol, "do_sys_open");
    assert_eq!(event("enable-event-function").probe.unwrap().symbol, "do_exit");
    let location = event("enable-event-userspace-probe").userspace_probe.unwrap();
    assert!(location.bytes().windows(6).any(|bytes| bytes == b"/shop\0"));
    let place = location.location().unwrap();
    assert!(place.binary_path().ends_with("/shop"), "{place:?}");
    assert_eq!(exchange("enable-event-userspace-probe").head().fd_count, 1);
}

#[test]
fn contexts_have_their_parameters() {
    let context = |name| match exchange(name).command() {
        Command::AddContext { context, .. } => context.context.unwrap(),
        other => panic!("{other:?}"),
    };
    let Context::Perf(_, perf) = context("add-context-perf") else { panic!() };
    assert_eq!(perf.name, "perf_thread_instructions");
    let Context::App(app) = context("add-context-app") else { panic!() };
    assert_eq!((app.provider.as_str(), app.name.as_str()), ("prov", "ctx"));
}

#[test]
fn sessions_are_described_and_listed() {
    let Command::CreateSession { home, descriptor } = exchange("create-session-auto").command()
    else {
        panic!()
    };
    assert_eq!((home.as_deref(), descriptor.name), (Some("/home/user"), None));
    let Command::CreateSession { descriptor, .. } = exchange("create-session-live").command()
    else {
        panic!()
    };
    assert_eq!(descriptor.kind, SessionKind::Live { timer_interval_us: 500_000 });
    let sessions =
        client::decode_sessions(&exchange("list-sessions").reply().data, Dialect::V2_13).unwrap();
    assert_eq!(sessions[0].path, "tcp4://127.0.0.1:6001/sub [data: 6002]");
    assert!(sessions[0].creation_time_s > 1_700_000_000);
    let active = exchange("list-sessions-active").reply();
    assert!(client::decode_sessions(&active.data, Dialect::V2_13).unwrap()[0].active);
}

#[test]
fn trackers_answer_policy_values_and_errors() {
    let Command::TrackerAddValue { attribute, value } = exchange("tracker-add-user-name").command()
    else {
        panic!()
    };
    assert_eq!(attribute, ProcessAttribute::VirtualUserId);
    assert_eq!(value, TrackerValue::UserName("nobody".to_owned()));
    let Command::TrackerSetPolicy { policy, .. } = exchange("tracker-set-policy").command() else {
        panic!()
    };
    assert_eq!(policy, TrackingPolicy::IncludeSet);
    let refused = exchange("tracker-get-inclusion-set-refused").reply();
    let expected = ErrorCode::ProcessAttrTrackerInvalidTrackingPolicy;
    assert_eq!(refused.failure(), Some(expected));
}

#[test]
fn fields_have_their_types() {
    let reply = exchange("list-tracepoint-fields").reply();
    let fields = client::decode_event_fields(reply.count().unwrap(), &reply.data).unwrap();
    let field = |name| fields.iter().find(|field| field.name == name).unwrap();
    assert_eq!(field("amount").kind, EventFieldKind::Integer);
    assert_eq!(field("door").kind, EventFieldKind::Enum);
    assert_eq!(field("price").kind, EventFieldKind::Float);
    assert!(field("secret").nowrite);
    assert_eq!(field("item").event.name, "shop:sale");
}

#[test]
fn rotations_tell_where_the_chunk_is() {
    let (state, location) =
        client::decode_destroyed(&exchange("destroy-session-archived").reply()).unwrap();
    assert_eq!(state, client::RotationState::Completed);
    let Some(client::ArchiveLocation::Local { path }) = location else { panic!() };
    assert!(path.contains("/archives/"));
    let reply = exchange("rotation-get-info-completed").reply();
    let info = client::decode_rotation_info(&reply.data).unwrap();
    assert_eq!(info.state, client::RotationState::Completed);
    assert!(info.location.is_some());
}

#[test]
fn network_output_of_a_loaded_session() {
    let Command::SetConsumerUri(uris) = exchange("set-consumer-uri").command() else { panic!() };
    let ports: Vec<u16> = uris
        .iter()
        .map(|uri| match uri {
            Uri::Network(uri) => uri.port,
            Uri::Path(path) => panic!("{path:?}"),
        })
        .collect();
    assert_eq!(ports, [6001, 6002]);
}

/// What was recorded of the command line 2.16 and its daemon.
fn newer() -> BTreeMap<String, Exchange> {
    recorded_of(Dialect::V2_16, "tests/recorded/client-2.16")
}

#[test]
fn what_a_newer_command_line_asks_is_understood() {
    let newer = newer();
    assert!(newer.len() >= 50);
    for (name, exchange) in &newer {
        let head = exchange.head();
        let payload_len = exchange.request.len() - client::REQUEST_LEN;
        assert_eq!(head.payload_len().unwrap(), payload_len, "{name}");
        let asked = Asked::decode(&exchange.request[..client::REQUEST_LEN]).unwrap();
        assert!(asked.dialects().has(Dialect::V2_16), "{name}: {}", asked.dialects());
        assert!(!asked.contradicts(Dialect::V2_16), "{name}");
        let command = exchange.command();
        assert_eq!(Some(command.to_raw(Dialect::V2_16)), Some(head.command), "{name}");
        let (mut request, payload) = Request::new_in(Dialect::V2_16, &command);
        request.session_name.clone_from(&head.session_name);
        request.domain = head.domain;
        request.buffer_type = head.buffer_type;
        let again = request.encode(&payload);
        use CommandKind as K;
        match head.kind().unwrap() {
            // What is said of maps, and of a channel's watchdog, is not kept.
            K::ListMapChannels | K::EnableChannel => {}
            // The default trace format becomes the one that there is.
            K::CreateSession => assert_eq!(again.len(), exchange.request.len(), "{name}"),
            // The rule that says the same again is not kept; its length is in the request.
            K::EnableEvent | K::DisableEvent => {
                let behind = exchange.request.get(client::REQUEST_LEN..again.len());
                assert!(behind == again.get(client::REQUEST_LEN..), "{name}: {command:?}");
            }
            _ => assert!(again == exchange.request, "{name}: {command:?}"),
        }
    }
}

#[test]
fn every_command_of_a_newer_command_line_is_recorded() {
    let newer = newer();
    let found = |kind| newer.values().any(|exchange| exchange.head().kind() == Some(kind));
    let asked = CommandKind::ALL.iter().filter(|kind| kind.to_raw(Dialect::V2_16).is_some());
    let missing: Vec<_> = asked.filter(|kind| !found(**kind)).collect();
    use CommandKind as K;
    // Of networks loaded from files, of the kernel, and of maps.
    let expected = [
        &K::ListSyscalls,
        &K::SetConsumerUri,
        &K::KernelTracerStatus,
        &K::AddMapChannel,
        &K::GetMapChannelByName,
        &K::ListMapGroups,
        &K::SampleMapGroup,
        &K::ListMapKeys,
    ];
    assert_eq!(missing, expected);
}

#[test]
fn what_a_newer_daemon_answers_is_read() {
    let newer = newer();
    for (name, exchange) in &newer {
        let kind = exchange.head().kind().unwrap();
        if kind == CommandKind::ReclaimChannelMemory {
            // A byte follows when the memory is given back.
            continue;
        }
        let reply = exchange.reply();
        let is_refused = name.ends_with("refused");
        assert_eq!(reply.failure().is_some(), is_refused, "{name}: {:?}", reply.failure());
        use CommandKind as K;
        match kind {
            _ if is_refused => {}
            // The trace format of theirs is another one, and so is the memory that channels have.
            K::ListSessions | K::CreateSession | K::ListChannels | K::GetStreamInfoSets => {}
            // A part of it is not initialised.
            K::DestroySession => drop(client::decode_destroyed(&reply).unwrap()),
            K::ListMapChannels => assert_eq!(reply.data, client::encode_no_maps(), "{name}"),
            _ => {
                let (header, data) = again(kind, &reply);
                assert!((header, data) == (reply.header.clone(), reply.data.clone()), "{name}");
            }
        }
    }
    let sessions = &newer["list-sessions"].reply().data;
    let sessions = client::decode_sessions(sessions, Dialect::V2_16).unwrap();
    let shared = sessions.iter().find(|session| session.name == "shm").unwrap();
    assert!(shared.shm_path.starts_with("/dev/shm/x/shm-"), "{}", shared.shm_path);
    let live = sessions.iter().find(|session| session.name == "l").unwrap();
    assert!(live.live_timer_interval_us > 0 && live.shm_path.is_empty());
    let command = newer["enable-channel"].command();
    let Command::EnableChannel(asked) = command else { panic!("{command:?}") };
    assert_eq!((asked.name.as_str(), asked.attributes.subbuf_size_bytes), ("ch", 65536));
    assert_eq!(asked.attributes.blocking_timeout_us, 100);
    assert_eq!(asked.attributes.num_subbuf, 8);
    let Command::CreateSession { descriptor, .. } = newer["create-session-3"].command() else {
        panic!("another command")
    };
    assert!(matches!(descriptor.kind, SessionKind::Live { .. }), "{descriptor:?}");
    let Command::EnableEvent { event, .. } = newer["enable-event"].command() else {
        panic!("another command")
    };
    assert_eq!(event.filter.unwrap().expression, "x > 1");
    assert_eq!(event.exclusions, ["a:b"]);
    assert_eq!((event.loglevel_type, event.loglevel), (1, 6));
}

#[test]
fn a_reply_in_another_form_is_not_what_it_says() {
    let newer = newer();
    let sessions = newer["list-sessions"].reply();
    let as_of = |dialect| Reply { dialect, ..sessions.clone() }.encode();
    // Headers differ by the number that only the older ones repeat.
    assert_eq!(as_of(Dialect::V2_14).len(), as_of(Dialect::V2_16).len() + 4);
    // Of one that is too long a newer client reads that there is nothing.
    assert_eq!(as_of(Dialect::V2_14)[12..16], [0; 4]);
    // Those without data all read alike.
    for dialect in Dialect::ALL {
        let (request, _) = Request::new_in(dialect, &Command::StartTrace);
        for reply in [Reply::ok(&request), Reply::error(&request, ErrorCode::Und)] {
            let bytes = reply.encode();
            assert_eq!(bytes.len(), 24);
            for other in Dialect::ALL {
                let len = other.reply_header_len();
                let header = client::ReplyHeader::decode(&bytes[..len], other).unwrap();
                assert_eq!((header.code, header.data_len, header.header_len), (reply.code, 0, 0));
            }
        }
    }
}
