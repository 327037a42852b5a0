//! Which versions' clients a request may come from, by its form alone.
//!
//! The numbers of commands overlap, and what a request names tells most of them apart: a session, a domain, members.
//! Where that is not enough all that are left are answered, never the likely one: what is a list for one is the end of
//! a session for another.

use super::{CommandKind, Dialect, Dialects, Request, request::UNION_LEN};

/// Where the members of a command are that tell versions apart, as offsets in the union.
mod at {
    use std::ops::Range;

    use super::UNION_LEN;

    pub(super) const ALL: Range<usize> = 0..UNION_LEN;
    /// The id of a snapshot output; a count of URIs and an attribute of processes are as long.
    pub(super) const ID: Range<usize> = 0..4;
    /// Whatever follows that.
    pub(super) const BEHIND_ID: Range<usize> = 4..UNION_LEN;
    /// The URL of a snapshot output, and all behind it.
    pub(super) const URL: Range<usize> = 267..UNION_LEN;
    pub(super) const TRACKING_POLICY: Range<usize> = 4..8;
    pub(super) const IS_ANONYMOUS: Range<usize> = 4..5;
    /// The bytes of a rotation's id but for the two lowest.
    pub(super) const BEHIND_KINDS: Range<usize> = 2..8;
    pub(super) const BEHIND_ROTATION_ID: Range<usize> = 8..UNION_LEN;
    /// The age of memory, behind a channel's name; what maps have there is longer.
    pub(super) const BEHIND_NAME: Range<usize> = 256..UNION_LEN;
}

/// The domains of agents.
const AGENTS: std::ops::RangeInclusive<u32> = 3..=6;

const V13: Dialects = Dialects::just(Dialect::V2_13);
/// No request but one for memory tells 2.14 and 2.15 apart.
const V14: Dialects = Dialects::just(Dialect::V2_14).or(V15);
const V15: Dialects = Dialects::just(Dialect::V2_15);
const V16: Dialects = Dialects::just(Dialect::V2_16);
const NOT_13: Dialects = V14.or(V16);
const NOT_16: Dialects = V13.or(V14);
const V13_OR_16: Dialects = V13.or(V16);
const V15_OR_16: Dialects = V15.or(V16);

/// See [`super::Asked::dialects`].
pub(super) fn dialects(request: &Request) -> Dialects {
    match request.command {
        0..=18 => of_sessions(request),
        19..=30 => of_snapshots_and_trackers(request),
        _ => of_the_rest(request),
    }
}

/// What a request names: a session, a domain.
fn names(request: &Request) -> (bool, bool) {
    (!request.session_name.is_empty(), request.domain != 0)
}

fn of_sessions(request: &Request) -> Dialects {
    let (session, _) = names(request);
    let set = |members| request.has_set(members);
    match request.command {
        0 | 17 => V13,
        1 | 7 | 8 => NOT_13,
        // One and the same command in all.
        2..=6 => Dialects::ALL,
        // The end of a session, or a list of domains.
        9 => Dialects::ALL,
        10 if set(at::ALL) => NOT_13,
        10 if AGENTS.contains(&request.domain) => Dialects::ALL,
        10 => V13,
        11 | 12 if session => V13,
        11 | 12 => NOT_13,
        13 if !session => V13,
        13 if set(at::ALL) => V14,
        13 => V16,
        14 if !session => V13,
        // A start, or a stop.
        14 => NOT_13,
        15 if !session => V16,
        15 if set(at::ALL) => V13,
        15 => V14,
        16 if session => V13,
        16 => V14,
        18 if session => V16,
        18 => V13,
        _ => Dialects::NONE,
    }
}

fn of_snapshots_and_trackers(request: &Request) -> Dialects {
    let (session, domain) = names(request);
    let set = |members| request.has_set(members);
    match request.command {
        19 if set(at::ALL) => V14,
        19 => V16,
        20 if set(at::ALL) => V16,
        20 => V14,
        // A count of URIs; the id of a snapshot output; its URL.
        21 if !set(at::BEHIND_ID) => V13,
        21 if !set(at::ID) && set(at::URL) => V14,
        21 => V16,
        22 if set(at::ALL) => V14,
        22 => V16,
        23 if set(at::ALL) => V16,
        // A snapshot to the session's own output names nothing, as a list of outputs does.
        23 => NOT_13,
        24 if !session => V16,
        24 if set(at::ALL) => V14,
        24 => NOT_16,
        25 if !session => V14,
        25 if domain => V16,
        25 => V13,
        26..=28 if !domain => V13,
        27 if set(at::BEHIND_ID) => V14,
        28 if set(at::TRACKING_POLICY) => V16,
        29 if set(at::TRACKING_POLICY) => V14,
        // What is zero may be a value.
        26..=29 => NOT_13,
        30 if domain => V14,
        30 => V16,
        _ => Dialects::NONE,
    }
}

fn of_the_rest(request: &Request) -> Dialects {
    let (session, domain) = names(request);
    let set = |members| request.has_set(members);
    match request.command {
        31 if !session => V13,
        31 if set(at::ALL) => V14,
        // An empty path is one, too.
        31 => NOT_13,
        32 if domain => V13,
        32 => NOT_13,
        33 if !session => V16,
        33 if domain => V13,
        33 => V14,
        34 if session => V13,
        34 if domain || set(at::IS_ANONYMOUS) => V14,
        34 => NOT_13,
        35 if !session => V14,
        35 if domain => V13,
        35 => V16,
        36 if domain => V13,
        36 if set(at::ALL) => V16,
        36 => NOT_13,
        // A rotation's id, or a kind of schedule, whether it is set, and its value.
        37 if set(at::BEHIND_ROTATION_ID) || set(at::BEHIND_KINDS) => V16,
        37 => NOT_13,
        38 if set(at::ALL) => V14,
        38 => NOT_13,
        39 if session => V14,
        39 => V16,
        40 if !session => V14,
        40 if set(at::ALL) => V13,
        // The default path for shared memory, or an order to remove all that was recorded.
        40 => V13_OR_16,
        // New metadata, or the same order.
        41 if session => NOT_16,
        41 => V16,
        42 if session => V13,
        42 if set(at::ALL) => V16,
        42 => V14,
        43 if domain || set(at::IS_ANONYMOUS) => V13,
        43 if !set(at::ALL) => V16,
        43 => NOT_16,
        44 if session => V16,
        44 if domain || set(at::ALL) => V13,
        44 => V14,
        45 if !domain => V13,
        45 if set(at::BEHIND_NAME) => V15,
        45 => V15_OR_16,
        46 if !domain => V13,
        46 if set(at::BEHIND_NAME) => V16,
        46 => V15,
        47..=50 if domain => V16,
        51 if session => V16,
        47..=52 => V13,
        _ => Dialects::NONE,
    }
}

/// Whether a client of this version cannot have meant the request: it is the form of another's. A session or a domain
/// that is missing is no sign of that, for programs leave them out and are answered an error; but what asks for a list
/// of sessions in another version, as nearly every program does first, is.
pub(super) fn contradicts(request: &Request, dialect: Dialect) -> bool {
    let possible = dialects(request);
    if possible.has(dialect) || possible.is_empty() {
        return false;
    }
    let Some(kind) = CommandKind::from_raw(request.command, dialect) else { return false };
    let lists_sessions = |other: Dialect| {
        possible.has(other)
            && CommandKind::from_raw(request.command, other) == Some(CommandKind::ListSessions)
    };
    let lacks_session = kind.needs_session() && request.session_name.is_empty();
    let lacks_domain = kind.needs_domain() && request.domain == 0;
    Dialect::ALL.into_iter().any(lists_sessions) || !(lacks_session || lacks_domain)
}

/// Whether it is one command in all of these, which is asked and answered alike.
pub(super) fn is_one_command(request: &Request, dialects: Dialects) -> bool {
    let mut kinds = dialects.iter().map(|it| CommandKind::from_raw(request.command, it));
    let Some(Some(first)) = kinds.next() else { return false };
    first.is_the_same_in_all() && kinds.all(|kind| kind == Some(first))
}
