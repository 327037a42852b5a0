//! What was written down under this version is read as it was meant, for as long as it is the version.
//! The files have each request, each reply and each event; a line of them is never changed.

use std::collections::BTreeSet;

use lttngd_model::{Credentials, ErrorCode};
use lttngd_registry::{Event, ListSessions, Subscribe};
use lttngd_session::{InSession, SessionEvent, Start};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{AnyEvent, AnyReply, AnyRequest, AnySubscription, Request, VERSION, Versioned};

const REQUESTS: &str = include_str!("recorded/requests.jsonl");
const REPLIES: &str = include_str!("recorded/replies.jsonl");
const EVENTS: &str = include_str!("recorded/events.jsonl");
const SUBSCRIPTIONS: &str = include_str!("recorded/subscriptions.jsonl");

/// Reads each line, and looks whether it is written as it was read.
fn read<T: Serialize + DeserializeOwned>(recorded: &str) -> Vec<T> {
    let read = |line: &str| {
        let value: Versioned<T> =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let again: Value = serde_json::to_value(&value).unwrap();
        assert_eq!(again, serde_json::from_str::<Value>(line).unwrap());
        value.content
    };
    recorded.lines().map(read).collect()
}

/// The names of the variants that the values in `recorded` have.
fn variants<'a>(contents: impl Iterator<Item = &'a Value>) -> BTreeSet<String> {
    let name = |content: &Value| match content {
        Value::Object(members) => members.keys().next().cloned(),
        Value::String(name) => Some(name.clone()),
        _ => None,
    };
    contents.filter_map(name).collect()
}

/// The names of all variants of an enum, which are told to whoever names another.
fn all_variants<T: DeserializeOwned>() -> BTreeSet<String> {
    let refusal = serde_json::from_value::<T>(json!({ "?": null })).err().unwrap().to_string();
    let (_, expected) = refusal.split_once("expected").unwrap();
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn contents(recorded: &str) -> Vec<Value> {
    let content = |line| serde_json::from_str::<Value>(line).unwrap()["content"].take();
    recorded.lines().map(content).collect()
}

#[test]
fn requests_of_this_version_are_read_and_written_the_same() {
    let read: Vec<AnyRequest> = read(REQUESTS);
    assert!(read.iter().all(|request| !request.command().is_empty()));
    let recorded = variants(contents(REQUESTS).iter());
    assert_eq!(recorded, all_variants::<AnyRequest>());
}

#[test]
fn replies_of_this_version_are_read_and_written_the_same() {
    let read: Vec<Result<AnyReply, ErrorCode>> = read(REPLIES);
    assert!(read.iter().any(|reply| matches!(reply, Err(ErrorCode::SessNotFound))));
    let contents = contents(REPLIES);
    let recorded = variants(contents.iter().filter_map(|reply| reply.get("Ok")));
    assert_eq!(recorded, all_variants::<AnyReply>());
    assert_eq!(recorded, all_variants::<AnyRequest>());
}

#[test]
fn events_of_this_version_are_read_and_written_the_same() {
    let read: Vec<Event> = read(EVENTS);
    assert!(read.contains(&Event::Missed { count: 7 }));
    let contents = contents(EVENTS);
    assert_eq!(variants(contents.iter()), all_variants::<Event>());
    let of_sessions = contents.iter().filter_map(|event| event.pointer("/Session/event"));
    assert_eq!(variants(of_sessions), all_variants::<SessionEvent>());
}

#[test]
fn subscriptions_of_this_version_are_read_and_written_the_same() {
    let read: Vec<AnySubscription> = read(SUBSCRIPTIONS);
    assert!(matches!(read[0], AnySubscription::Subscribe(Subscribe { capacity: 64, .. })));
    let recorded = variants(contents(SUBSCRIPTIONS).iter());
    assert_eq!(recorded, all_variants::<AnySubscription>());
    // What comes of each is written by its name.
    assert_eq!(recorded, all_variants::<AnyEvent>());
    for event in contents(EVENTS) {
        let event = json!({ "Subscribe": event });
        let read: AnyEvent = serde_json::from_value(event.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), event);
    }
}

#[test]
fn each_error_is_written_as_its_number() {
    for number in 0..1000 {
        match ErrorCode::from_raw(number) {
            Some(code) => {
                assert_eq!(serde_json::to_value(code).unwrap(), json!(number));
                assert_eq!(serde_json::from_value::<ErrorCode>(json!(number)).unwrap(), code);
            }
            None => {
                let error = serde_json::from_value::<ErrorCode>(json!(number)).unwrap_err();
                assert!(error.to_string().contains(&number.to_string()), "{error}");
            }
        }
    }
}

#[test]
fn another_version_is_refused_by_its_number() {
    let request = json!({ "version": VERSION + 1, "content": { "ListSessions": null } });
    let error = serde_json::from_value::<Versioned<AnyRequest>>(request).unwrap_err().to_string();
    assert!(error.contains(&format!("version {}", VERSION + 1)), "{error}");
    let missing = json!({ "content": { "ListSessions": null } });
    assert!(serde_json::from_value::<Versioned<AnyRequest>>(missing).is_err());
}

#[test]
fn what_a_newer_daemon_of_the_version_adds_is_passed_over() {
    let newer = json!({ "session": "s", "request": null, "new": 1 });
    let request: InSession<Start> = serde_json::from_value(newer).unwrap();
    assert_eq!(request.session, "s");
}

#[test]
fn a_request_is_the_same_by_itself_and_among_all() {
    let own = Credentials { uid: 1, gid: 2 };
    let destroy = lttngd_registry::DestroySession { requester: own, name: "s".to_owned() };
    let alone = serde_json::to_value(&destroy).unwrap();
    let among: AnyRequest = destroy.into();
    assert_eq!(serde_json::to_value(&among).unwrap(), json!({ "DestroySession": alone }));
    assert_eq!((among.command(), ListSessions.command()), ("DESTROY_SESSION", "LIST_SESSIONS"));
}
