//! What a member of the group that commands the daemon can do with sessions of his.

use std::time::Instant;

use lttngd_peer::hostile::Attack;
use rustix::process::Signal;

use super::super::Run;
use super::buffers::busy_loop;
use super::{Beside, LIMIT_S, OFTEN, PER_USER, TIMES_ALONE};
use crate::clients::{client_if_served, member_if_served};
use crate::measure::{MEGABYTE, MILLISECOND_US, median_us, p99_us};
use crate::table::{Row, Target, Value};
use lttngd_world::{Connection, Gate, Program, Relay, Still};

/// Sessions into a file system of his: more than there are data threads that all share.
const STILL_SESSIONS: u32 = 4;
/// Seconds for the end of the daemon.
const END_S: f64 = 10.0;
/// How long an end is waited for.
const END_LIMIT_S: u32 = 30;

/// Sessions with the shortest timers.
pub fn timers(run: &Run) -> Vec<Row> {
    const SESSIONS: u32 = 16;

    let name = format!("{SESSIONS} sessions with timers of a microsecond");
    let beside = Beside::new(run.contender.stage(), PER_USER, &name);
    for number in 0..SESSIONS {
        let timers = "--switch-timer=1 --monitor-timer=1 --subbuf-size=4k --num-subbuf=4";
        record(&beside, &format!("s{number}"), "", timers);
    }
    let _program = Program::ready(&beside.stage.arena);
    let share = busy_loop(&beside);
    beside.rows().into_iter().chain([share]).collect()
}

/// Sessions that do nothing. Of a bystander who is root the list is as long as there are sessions: it is what was asked for,
/// and stands with its size beside what he does without it, and what another member does, who has the list of his own.
pub fn sessions(run: &Run) -> Vec<Row> {
    /// Bytes of a session in the list of sessions.
    const LISTED_LEN: f64 = 4385.0;
    const LISTING_S: u32 = 2;

    let beside = Beside::new(run.contender.stage(), PER_USER, "16,000 empty sessions of a member");
    let stage = &beside.stage;
    let roots = || client_if_served(&stage.arena, LIMIT_S, &format!("brief {OFTEN}"));
    let members = || member_if_served(stage, LIMIT_S, &format!("short {OFTEN}"));
    let p99 = |times: Option<Vec<f64>>| times.map(|times| p99_us(&times));
    let alone = (p99(roots()), p99(members()));
    let attackers = beside.begin(Attack::Sessions, 1);
    let times_alone = |now: Option<f64>, alone: Option<f64>| {
        let times = now.zip(alone).map(|(now, alone)| now / alone);
        times.map_or(Value::NoAnswer(LIMIT_S), |times| Value::Less(times, "x"))
    };
    let (brief, short) = (p99(roots()), p99(members()));
    let list = client_if_served(&stage.arena, LIMIT_S, &format!("listing {LISTING_S}"));
    let list = list.map_or(Value::NoAnswer(LIMIT_S), |times| {
        Value::Less(median_us(&times) / MILLISECOND_US, "ms")
    });
    let listed_mb = attackers.connections as f64 * LISTED_LEN / MEGABYTE;
    let row = |what, value| beside.row(what, value, Target::AtMost(TIMES_ALONE));
    let mut rows = vec![
        row("root's create + destroy, p99, of its time alone", times_alone(brief, alone.0)),
        row(
            "another member's create + list + destroy, p99, of its time alone",
            times_alone(short, alone.1),
        ),
        Row::new(format!("{}: root's list, {listed_mb:.0} MB, median", beside.name), list),
    ];
    // Root's create + list + destroy, which is the list of all sessions, has no target here.
    let with_list = beside.rows().into_iter().map(|row| match row.target {
        Some(Target::AtMost(most)) if most == TIMES_ALONE => Row { target: None, ..row },
        _ => row,
    });
    rows.extend(with_list);
    rows.extend(beside.left(vec![attackers]));
    rows
}

/// Sessions that record into a file system which answers no write.
pub fn writing(run: &Run) -> Vec<Row> {
    let name = "4 sessions in a file system that answers no write";
    let beside = Beside::new(run.contender.stage(), PER_USER, name);
    let Some(mut still) = Still::mount(&beside.stage) else { return Vec::new() };
    for number in 0..STILL_SESSIONS {
        let session = format!("s{number}");
        let output = format!("--output={}", still.mount.join(&session).display());
        record(&beside, &session, &output, "--subbuf-size=4k --num-subbuf=4");
    }
    let mut program = Program::ready(&beside.stage.arena);
    program.tell("number=1000");
    still.stand_still();
    program.tell("number=10000");
    let rows = beside.rows();
    rows.into_iter().chain([end(beside)]).collect()
}

/// The same, in which no file can be opened, and sessions that start.
pub fn opening(run: &Run) -> Vec<Row> {
    let name = "4 sessions that start in a file system which opens nothing";
    let beside = Beside::new(run.contender.stage(), PER_USER, name);
    let Some(mut still) = Still::mount(&beside.stage) else { return Vec::new() };
    let _program = Program::ready(&beside.stage.arena);
    still.stand_still_at_opening();
    std::thread::scope(|scope| {
        for number in 0..STILL_SESSIONS {
            let session = format!("s{number}");
            let output = format!("--output={}", still.mount.join(&session).display());
            let beside = &beside;
            scope.spawn(move || record(beside, &session, &output, ""));
        }
        while !still.holds_one() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let rows = beside.rows();
        still.go_on();
        rows
    })
}

/// A session that streams to a relay daemon which never says whether it has all.
pub fn relay(run: &Run) -> Vec<Row> {
    /// Commands by which it is asked: `enum lttcomm_relayd_command`.
    const BEGIN_DATA_PENDING: u32 = 10;
    const CLOSE_TRACE_CHUNK: u32 = 20;

    let name = "a relay daemon that never says whether it has all";
    let beside = Beside::new(run.contender.stage(), PER_USER, name);
    let relay = Relay::start(&beside.stage);
    let gate = Gate::before(&beside.stage, &relay, Connection::Control);
    let url = format!("--set-url=net://127.0.0.1:{}:{}", gate.port, relay.ports[1]);
    record(&beside, "s0", &url, "");
    let mut program = Program::ready(&beside.stage.arena);
    program.tell("number=1000");
    gate.hold(|it| [BEGIN_DATA_PENDING, CLOSE_TRACE_CHUNK].contains(&it));
    let rows = std::thread::scope(|scope| {
        let beside = &beside;
        scope.spawn(move || {
            for command in ["rotate s0", "stop s0", "destroy s0"] {
                let line = beside.stage.members_lttng(command);
                let answer = beside.stage.arena.shell_within(LIMIT_S, &line);
                eprintln!("{command}: {} after {:?}", answer.code, answer.took);
            }
        });
        beside.rows()
    });
    rows.into_iter().chain([end(beside)]).collect()
}

/// Starts a session of the member; what comes of it is his.
fn record(beside: &Beside, session: &str, create: &str, channel: &str) {
    for command in [
        format!("create {session} {create}"),
        format!("enable-channel -u -s {session} {channel} c"),
        format!("enable-event -u -s {session} -c c sample:number"),
        format!("start {session}"),
    ] {
        let line = beside.stage.members_lttng(&command);
        let answer = beside.stage.arena.shell_within(LIMIT_S, &line);
        if answer.code != 0 {
            eprintln!("{command}: {answer:?}");
        }
    }
}

/// How long the daemon takes to end.
fn end(beside: Beside) -> Row {
    let what = format!("{}: end of the daemon", beside.name);
    let mut stage = beside.stage;
    let begun = Instant::now();
    stage.arena.signal(stage.daemon.pid(), Signal::TERM);
    while stage.daemon.is_running() && begun.elapsed().as_secs() < END_LIMIT_S.into() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let took = match stage.daemon.is_running() {
        true => Value::NoAnswer(END_LIMIT_S),
        false => Value::Less(begun.elapsed().as_secs_f64(), "s"),
    };
    Row::new(what, took).target(Target::AtMost(END_S))
}
