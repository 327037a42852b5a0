//! The scenarios: each is one round against one daemon in a world of its own.

mod commands;
mod crowds;
mod fairness;
mod hostile;
mod idle_streams;
mod lives;
mod many_applications;
mod memory;
mod notifications;
mod observed;
mod producers;
mod registrations;
mod relays;
mod rules;
mod saturation;
mod scale;
mod snapshot;
mod streamed;
mod unconcerned;

use crate::callers;
use crate::contender::Contender;
use crate::options::Options;
use crate::table::Row;

/// What one round runs against, and how.
pub struct Run<'a> {
    /// The daemon.
    pub contender: Contender,
    /// What the command line asks for.
    pub options: &'a Options,
}

/// One scenario.
pub struct Scenario {
    /// Its name, by which it is chosen.
    pub name: &'static str,
    /// The section of the table.
    pub title: &'static str,
    /// At most so many rounds: some take long and vary little.
    pub rounds: u32,
    /// Runs one round.
    pub run: fn(&Run) -> Vec<Row>,
}

/// All scenarios in their order; those with the same title are together.
pub fn all() -> Vec<Scenario> {
    const LIVES: &str = "Session lives: create, channel, event rule, start, stop, destroy";
    const APPLICATIONS: &str = "Applications that start and end while a session is active";
    const FAIRNESS: &str = "Create, list and destroy beside peers that do not answer";
    const REQUESTS: &str = "Requests by 8 clients for as long as they can";
    const CONCERN: &str = "What costs nothing where it is not concerned (simulated applications)";
    const TRIGGERS: &str = "Triggers and notifications";
    const MANY: &str = "Many simulated applications";
    const EMBEDDED: &str = "Callers and subscribers in a program that embeds the daemon";
    let mut all = vec![
        scenario("commands", "Commands on a session with one application", 3, commands::one),
        scenario("streamed", "The same on a streamed session", 3, streamed::commands),
        scenario("many", "Start and stop with many applications", 3, many_applications::quick),
        scenario("slow", "Start and stop with slow applications", 3, many_applications::slow),
        scenario("lives-1", LIVES, u32::MAX, |run| lives::lives(run, 1)),
        scenario("lives-8", LIVES, u32::MAX, |run| lives::lives(run, 8)),
        scenario("lives-32", LIVES, u32::MAX, |run| lives::lives(run, 32)),
        scenario("crowd-uid", APPLICATIONS, 3, crowds::per_user),
        scenario("crowd-pid", APPLICATIONS, 3, crowds::per_process),
        scenario("list", REQUESTS, u32::MAX, saturation::list),
        scenario("brief", REQUESTS, u32::MAX, saturation::brief),
        scenario("fairness-alone", FAIRNESS, 3, fairness::alone),
        scenario("fairness-silent", FAIRNESS, 3, fairness::beside_a_silent_client),
        scenario("fairness-stopped", FAIRNESS, 3, fairness::beside_a_stopped_application),
        scenario("fairness-relay", FAIRNESS, 3, fairness::beside_a_silent_relay),
        scenario("unconcerned-applications", CONCERN, 3, unconcerned::idle_applications),
        scenario("unconcerned-sessions", CONCERN, 3, unconcerned::idle_sessions),
        scenario("unconcerned-memory", CONCERN, 3, unconcerned::held),
        scenario("registrations", MANY, 3, registrations::active_sessions),
        scenario("rules-one-more", MANY, 3, rules::one_more),
        scenario("rules-of-one-user", MANY, 3, rules::of_one_user),
        scenario("limit", MANY, 1, registrations::limit),
        scenario("scale-applications", MANY, 1, scale::applications),
        scenario("scale-stopped", MANY, 1, scale::stopped),
        scenario("scale-commands", MANY, 1, scale::commands_beside),
        scenario("scale-sessions", MANY, 1, scale::sessions),
        scenario("scale-storm", MANY, 3, scale::storm),
        scenario("scale-rules", MANY, 3, scale::rules),
        scenario("callers", EMBEDDED, 3, callers::rows),
        scenario("notifications-paced", TRIGGERS, 3, notifications::paced),
        scenario("notifications-beside", TRIGGERS, 3, notifications::beside_lives),
        scenario("notifications-rate", TRIGGERS, 3, notifications::without_a_drop),
        scenario("notifications-flood", TRIGGERS, 3, notifications::flood),
        scenario("notifications-triggers", TRIGGERS, 1, notifications::triggers),
        scenario("snapshot", "Snapshots", 3, snapshot::large),
        scenario("cost", "Consumer daemon", 3, producers::cost),
        scenario("loss", "Consumer daemon", 3, producers::loss),
        scenario("loss-user", "Consumer daemon", 3, producers::loss_without_priority),
        scenario("isolation", "Consumer daemon", 1, relays::isolation),
        scenario("streaming", "Consumer daemon", 3, streamed::throughput),
        scenario("idle", "Consumer daemon", 1, idle_streams::idle),
        scenario("rest", "Consumer daemon", 1, idle_streams::at_rest),
        scenario("observed", "Being looked at", 3, observed::cost),
        scenario("memory", "Memory of the session daemon", 1, memory::memory),
    ];
    all.extend(beside_one_user());
    all
}

/// What one user does who wants the daemon for himself.
fn beside_one_user() -> Vec<Scenario> {
    const HOSTILE: &str = "Beside one user who wants the daemon for himself";
    vec![
        scenario("hostile-begun", HOSTILE, 1, hostile::begun),
        scenario("hostile-events", HOSTILE, 1, hostile::events),
        scenario("hostile-enumerations", HOSTILE, 1, hostile::enumerations),
        scenario("hostile-announced", HOSTILE, 1, hostile::announced),
        scenario("hostile-silent", HOSTILE, 1, hostile::silent),
        scenario("hostile-registrations", HOSTILE, 1, hostile::registrations),
        scenario("hostile-descriptors", HOSTILE, 1, hostile::descriptors),
        scenario("hostile-slow", HOSTILE, 1, hostile::slow),
        scenario("hostile-agents", HOSTILE, 1, hostile::agents),
        scenario("hostile-loggers", HOSTILE, 1, hostile::loggers),
        scenario("hostile-clients", HOSTILE, 1, hostile::clients),
        scenario("hostile-sessions", HOSTILE, 1, hostile::sessions),
        scenario("hostile-wrong", HOSTILE, 1, hostile::wrong),
        scenario("hostile-tracepoints", HOSTILE, 1, hostile::tracepoints),
        scenario("hostile-forger", HOSTILE, 1, hostile::forger),
        scenario("hostile-position", HOSTILE, 1, hostile::position),
        scenario("hostile-timers", HOSTILE, 1, hostile::timers),
        scenario("hostile-writing", HOSTILE, 1, hostile::writing),
        scenario("hostile-opening", HOSTILE, 1, hostile::opening),
        scenario("hostile-relay", HOSTILE, 1, hostile::relay),
    ]
}

fn scenario(
    name: &'static str,
    title: &'static str,
    rounds: u32,
    run: fn(&Run) -> Vec<Row>,
) -> Scenario {
    Scenario { name, title, rounds, run }
}
