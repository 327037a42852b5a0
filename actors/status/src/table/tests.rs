#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;

/// With one of everything.
fn status() -> Status {
    let status = json!({
        "daemon": {
            "pid": 7, "uid": 0, "version": "0.1.0", "uptime_s": 3700, "resident_bytes": 20_000_000,
            "descriptors_max": 1024,
            "descriptors": { "applications": 2, "channels": 8, "clients": 1, "control": 3 },
        },
        "sessions": [{
            "name": "mine", "uid": 1000, "state": "active", "output": "/tmp/mine", "created_s": 5,
            "is_snapshot": false, "live_timer_us": 0, "kernel_channels": 1, "user_space_channels": 2,
            "agent_domains": 0, "recorded_bytes": 3_145_728, "recorded_packets": 48,
            "bytes_per_s": 1024,
            "losses": {
                "age_ms": 1500, "discarded_events": 12, "lost_packets": 3,
                "channels": [{
                    "domain": "Ust", "channel": "c", "discarded_events": 12, "lost_packets": 3,
                }],
            },
            "commands": {
                "waiting": 2, "oldest_waits_ms": 900, "running": "start", "runs_for_ms": 1200,
            },
        }, {
            "name": "idle", "uid": 0, "state": "inactive", "output": "", "created_s": 5,
            "is_snapshot": true, "live_timer_us": 0, "kernel_channels": null,
            "user_space_channels": null, "agent_domains": 0, "recorded_bytes": 0,
            "bytes_per_s": null, "losses": null, "commands": null,
        }],
        "applications": [{
            "pid": 70, "uid": 1000, "name": "evil\u{1b}[2J\nroot", "bits": 64, "abi_major": 9,
            "tracer_version": "2.13.5", "state": "set_aside", "set_aside_ms": 65_000,
            "requests": 2, "owes_ms": 70_000,
        }],
        "agents": [{ "pid": 71, "domain": "Jul" }],
        "consumers": [{
            "kind": "64-bit", "state": "running", "pid": 72, "requests": 1, "owes_ms": 40,
            "channels": 2,
        }],
        "relays": [{ "address": "[::1]:5342", "session": "mine", "state": "silent" }],
        "users": [{
            "uid": 1000,
            "holds": [{ "what": "sessions", "count": 2 }],
            "refused": [{ "what": "connections of clients", "count": 5 }],
        }],
    });
    serde_json::from_value(status).unwrap()
}

#[test]
fn each_line_says_what_it_is_about() {
    let shown = table(&status());
    let lines: Vec<Vec<&str>> = shown
        .lines()
        .map(|line| line.split("  ").map(str::trim).filter(|it| !it.is_empty()).collect())
        .collect();
    let has = |line: &[&str]| assert!(lines.iter().any(|it| it == line), "{line:?} in\n{shown}");
    has(&[
        "lttngd 0.1.0, process 7 of user 0, up 1 h 1 min, 19.0 MiB resident, 14 descriptors of 1024 taken",
    ]);
    has(&[
        "mine",
        "1000",
        "active",
        "3",
        "3.0 MiB",
        "48",
        "1.0 KiB/s",
        "12",
        "3",
        "1 s ago",
        "start for 1 s; 2 wait, the oldest for 900 ms",
    ]);
    has(&["idle", "0", "inactive", "0", "0 B", "-", "-", "-", "-", "-", "-"]);
    has(&["agent of Jul", "71", "-", "-", "-", "-", "-", "registered"]);
    has(&["64-bit", "72", "running", "2", "1", "40 ms"]);
    has(&["[::1]:5342", "mine", "set aside: it does not answer"]);
    has(&["1000", "-", "5", "connections of clients"]);
    has(&["1000", "2", "-", "sessions"]);
}

#[test]
fn a_name_that_an_application_chose_is_one_text_on_one_line() {
    let shown = table(&status());
    assert!(shown.chars().all(|it| it == '\n' || !it.is_control()), "{shown:?}");
    let line = shown.lines().find(|line| line.contains("evil")).unwrap();
    assert!(line.contains("\\u{1b}[2J\\nroot"), "{line}");
    assert!(line.ends_with("set aside for 1 min 5 s: it does not answer"), "{line}");
    assert!(line.contains(" 1 min 10 s "), "{line}");
}

#[test]
fn kinds_of_which_there_is_none_are_not_shown() {
    let mut status = status();
    (status.sessions, status.relays, status.users) = (Vec::new(), Vec::new(), None);
    let shown = table(&status);
    assert!(!shown.contains("SESSION") && !shown.contains("RELAY") && !shown.contains("HOLDS"));
    assert!(shown.contains("APPLICATION") && shown.contains("CONSUMER"));
}
