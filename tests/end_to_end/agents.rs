//! The agent domains (JUL, log4j, Python): commands, listings, saved sessions.

use std::fs;

use super::world::{Stage, both};

/// The options of `lttng` for the agent domains, their channels, and a log level of each.
const DOMAINS: [(&str, &str, &str); 3] = [
    ("-j", "lttng_jul_channel", "JUL_INFO"),
    ("-l", "lttng_log4j_channel", "LOG4J_WARN"),
    ("-p", "lttng_python_channel", "PYTHON_WARNING"),
];

fn rules(stage: &mut Stage, domain: &str, level: &str) {
    let loglevel = [format!("app --loglevel={level}"), format!("app --loglevel-only={level}")];
    for arguments in [
        "app",
        "app",
        &loglevel[0],
        &loglevel[1],
        "'other.*' --filter='int_loglevel > 3 && msg == \"x\"'",
        "'other.*' --filter='int_loglevel > 3 && msg == \"x\"' --loglevel=nothing",
        "'a***b'",
        "app -c somewhere",
        "app -x b",
        "one,two",
        "--filter='x ==' app",
    ] {
        stage.lttng(&format!("enable-event {domain} {arguments}"));
    }
    list(stage);
    for arguments in ["app", "app", "nobody", "-c somewhere two", "one,nobody"] {
        stage.lttng(&format!("disable-event {domain} {arguments}"));
    }
    list(stage);
    stage.lttng(&format!("enable-event {domain} app"));
    stage.lttng(&format!("disable-event {domain} -a"));
    list(stage);
}

/// The rules of agents are in no channel, and the stock daemon has no order of them.
fn list(stage: &mut Stage) {
    let answer = stage.arena.lttng("list s");
    let mut lines: Vec<_> = answer.stdout.lines().collect();
    lines.sort_unstable();
    stage.note(&lines.join("\n"));
    stage.lttng("--mi=xml list s");
}

#[test]
fn rules_of_agents_are_made_and_listed() {
    both(|stage| {
        for (domain, _, level) in DOMAINS {
            stage.lttng(&format!("enable-event {domain} app"));
            stage.lttng_ok("create s");
            stage.lttng(&format!("disable-event {domain} app"));
            rules(stage, domain, level);
            stage.lttng(&format!("list {domain}"));
            stage.lttng_ok("start");
            stage.lttng(&format!("enable-event {domain} late"));
            stage.lttng_ok("stop");
            stage.lttng_ok("destroy");
        }
    });
}

/// Alone: where there are other rules, the stock daemon lists them as enabled by this one.
#[test]
fn a_rule_for_every_logger() {
    both(|stage| {
        for (domain, _, level) in DOMAINS {
            stage.lttng_ok("create s");
            for arguments in ["-a", "-a", "'*'", &format!("-a --loglevel={level}")] {
                stage.lttng(&format!("enable-event {domain} {arguments}"));
            }
            list(stage);
            stage.lttng(&format!("disable-event {domain} -a"));
            list(stage);
            stage.lttng_ok("destroy");
        }
    });
}

#[test]
fn channels_and_contexts_of_agents() {
    both(|stage| {
        for (domain, channel, _) in DOMAINS {
            stage.lttng_ok("create s");
            stage.lttng(&format!("enable-channel -u --subbuf-size=8k {channel}"));
            stage.lttng(&format!("enable-channel -u {channel}"));
            stage.lttng(&format!("disable-channel -u {channel}"));
            stage.lttng(&format!("enable-channel -u {channel}"));
            for arguments in [
                format!("{domain} -t vpid"),
                format!("{domain} -c other -t vtid"),
                format!("{domain} -c {channel} -t vtid"),
                format!("{domain} -t '$app.prov:ctx'"),
                format!("{domain} -c {channel} -t '$app.prov:ctx'"),
                format!("-u -c {channel} -t procname"),
            ] {
                stage.lttng(&format!("add-context {arguments}"));
            }
            stage.lttng(&format!("track {domain} --vpid=1"));
            stage.lttng(&format!("enable-event -u -c {channel} 'app:*'"));
            stage.lttng(&format!("enable-event {domain} app"));
            stage.lttng("enable-event -u app:e");
            stage.lttng(&format!("disable-event -u -c {channel} -a"));
            list(stage);
            stage.lttng(&format!("enable-event {domain} app"));
            stage.lttng_ok("start");
            stage.lttng(&format!("add-context {domain} -t vpid"));
            stage.lttng_ok("destroy");
        }
    });
}

#[test]
fn saved_rules_of_agents_come_back() {
    both(|stage| {
        stage.lttng_ok("create s");
        for (domain, _, level) in DOMAINS {
            stage.lttng_ok(&format!("enable-event {domain} app"));
            stage.lttng_ok(&format!("enable-event {domain} lib --loglevel={level}"));
            stage.lttng_ok(&format!("enable-event {domain} lib --loglevel-only={level}"));
            stage.lttng_ok(&format!("disable-event {domain} app"));
        }
        stage.lttng_ok("add-context -j -c lttng_jul_channel -t vpid -t '$app.prov:ctx'");
        stage.lttng_ok("add-context -l -c lttng_log4j_channel -t '$app.prov:ctx'");
        let place = stage.arena.file("saved");
        stage.lttng_ok(&format!("save s --output-path={}", place.display()));
        let mut lines: Vec<_> =
            fs::read_to_string(place.join("s.lttng")).unwrap().lines().map(str::to_owned).collect();
        lines.sort_unstable();
        stage.note(&lines.join("\n"));
        stage.lttng_ok("destroy s");
        stage.lttng_ok(&format!("load --input-path={}", place.display()));
        list(stage);
    });
}
