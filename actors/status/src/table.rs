//! A status as a person reads it.

mod columns;
mod quantity;

use lttngd_handle::{
    AppState, AppStatus, ConsumerState, ConsumerStatus, RelayState, RelayStatus, SessionState,
    SessionStatus, Status, UserStatus,
};

use columns::Columns;
use quantity::{bytes, milliseconds, rate, seconds};

/// Shows a status in lines, of which each kind has its heading.
#[must_use]
pub fn table(status: &Status) -> String {
    let parts = [
        daemon(status),
        sessions(&status.sessions),
        applications(status),
        consumers(&status.consumers),
        relays(&status.relays),
        status.users.as_deref().map(users).unwrap_or_default(),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

fn daemon(status: &Status) -> String {
    let it = &status.daemon;
    let taken = it.descriptors.applications
        + it.descriptors.channels
        + it.descriptors.clients
        + it.descriptors.control;
    let memory = it.resident_bytes.map_or_else(|| "?".to_owned(), bytes);
    format!(
        "lttngd {}, process {} of user {}, up {}, {memory} resident, {taken} descriptors of {} taken\n",
        it.version,
        it.pid,
        it.uid,
        seconds(it.uptime_s),
        it.descriptors_max,
    )
}

fn sessions(sessions: &[SessionStatus]) -> String {
    let heads = [
        "SESSION",
        "USER",
        "STATE",
        "CHANNELS",
        "RECORDED",
        "PACKETS",
        "RATE",
        "DISCARDED",
        "OVERWRITTEN",
        "LOOKED AT",
        "COMMANDS",
    ];
    let mut columns = Columns::new(heads);
    for it in sessions {
        let channels = it.kernel_channels.unwrap_or(0) + it.user_space_channels.unwrap_or(0);
        let lost = |count: fn(&lttngd_handle::LossStatus) -> u64| {
            it.losses.as_ref().map_or_else(|| "-".to_owned(), |losses| count(losses).to_string())
        };
        columns.line([
            it.name.clone(),
            it.uid.to_string(),
            session_state(it.state).to_owned(),
            channels.to_string(),
            bytes(it.recorded_bytes),
            it.recorded_packets.map_or_else(|| "-".to_owned(), |packets| packets.to_string()),
            it.bytes_per_s.map_or_else(|| "-".to_owned(), rate),
            lost(|losses| losses.discarded_events),
            lost(|losses| losses.lost_packets),
            it.losses
                .as_ref()
                .map_or_else(|| "-".to_owned(), |it| milliseconds(it.age_ms) + " ago"),
            commands(it),
        ]);
    }
    columns.shown()
}

fn session_state(state: SessionState) -> &'static str {
    match state {
        SessionState::Active => "active",
        SessionState::Inactive => "inactive",
        SessionState::ConsumerLost => "consumer lost",
        SessionState::Failed => "failed",
    }
}

/// What a session does, and what waits for that.
fn commands(session: &SessionStatus) -> String {
    let Some(it) = &session.commands else { return "-".to_owned() };
    let running = it.running.as_ref().map(|name| {
        let runs_for = it.runs_for_ms.map(milliseconds).unwrap_or_default();
        format!("{name} for {runs_for}")
    });
    let waiting = it
        .oldest_waits_ms
        .map(|oldest| format!("{} wait, the oldest for {}", it.waiting, milliseconds(oldest)));
    let parts: Vec<_> = running.into_iter().chain(waiting).collect();
    if parts.is_empty() { "-".to_owned() } else { parts.join("; ") }
}

fn applications(status: &Status) -> String {
    let mut columns =
        Columns::new(["APPLICATION", "PROCESS", "USER", "BITS", "UST", "ABI", "OWES", "STATE"]);
    for it in &status.applications {
        let AppStatus { pid, uid, bits, abi_major, .. } = it;
        columns.line([
            it.name.clone(),
            pid.to_string(),
            uid.to_string(),
            bits.to_string(),
            it.tracer_version.clone(),
            abi_major.to_string(),
            it.owes_ms.map_or_else(|| "-".to_owned(), milliseconds),
            match it.state {
                AppState::Registered => "registered".to_owned(),
                AppState::SetAside => {
                    let since = it.set_aside_ms.map(milliseconds).unwrap_or_default();
                    format!("set aside for {since}: it does not answer")
                }
            },
        ]);
    }
    for agent in &status.agents {
        let none = || "-".to_owned();
        let name = format!("agent of {:?}", agent.domain);
        let state = "registered".to_owned();
        let pid = agent.pid.to_string();
        columns.line([name, pid, none(), none(), none(), none(), none(), state]);
    }
    columns.shown()
}

fn consumers(consumers: &[ConsumerStatus]) -> String {
    let mut columns =
        Columns::new(["CONSUMER", "PROCESS", "STATE", "CHANNELS", "REQUESTS", "OWES"]);
    for it in consumers {
        columns.line([
            it.kind.clone(),
            it.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
            match it.state {
                ConsumerState::Idle => "not needed yet",
                ConsumerState::Starting => "starting",
                ConsumerState::Running => "running",
                ConsumerState::Silent => "set aside: it does not answer",
                ConsumerState::Ending => "ending",
            }
            .to_owned(),
            it.channels.to_string(),
            it.requests.to_string(),
            if it.owes_ms == 0 { "-".to_owned() } else { milliseconds(it.owes_ms) },
        ]);
    }
    columns.shown()
}

fn relays(relays: &[RelayStatus]) -> String {
    let mut columns = Columns::new(["RELAY", "SESSION", "STATE"]);
    for it in relays {
        let state = match it.state {
            RelayState::Connecting => "connecting",
            RelayState::Connected => "connected",
            RelayState::Silent => "set aside: it does not answer",
            RelayState::GivenUp => "given up",
        };
        columns.line([it.address.clone(), it.session.clone(), state.to_owned()]);
    }
    columns.shown()
}

fn users(users: &[UserStatus]) -> String {
    let mut columns = Columns::new(["USER", "HOLDS", "REFUSED", "OF"]);
    for user in users {
        let mut of: Vec<&str> = Vec::new();
        of.extend(user.holds.iter().map(|it| it.what.as_str()));
        of.extend(user.refused.iter().map(|it| it.what.as_str()));
        of.sort_unstable();
        of.dedup();
        let count = |all: &[lttngd_handle::Quantity], what: &str| {
            let found = all.iter().find(|it| it.what == what);
            found.map_or_else(|| "-".to_owned(), |it| it.count.to_string())
        };
        for what in of {
            let (holds, refused) = (count(&user.holds, what), count(&user.refused, what));
            columns.line([user.uid.to_string(), holds, refused, what.to_owned()]);
        }
    }
    columns.shown()
}

#[cfg(test)]
mod tests;
