//! Triggers by the stock command line, and notifications by the stock library.

use super::world::{Program, Stage, Subscriber, Which, alone, both, eventually};

/// The names of triggers that are listed, and what else is told of each, in the order of the command line.
const LIST: &str = "list-triggers";
/// What the event rule of most triggers is.
const RULE: &str = "--condition event-rule-matches --type user --name";

#[test]
fn triggers_are_added_listed_and_removed() {
    both(|stage| {
        for arguments in [
            format!("--name=one {RULE} 'sample:*' --action notify"),
            format!("--name=one {RULE} 'sample:other' --action notify"),
            format!("--name='' {RULE} 'sample:other' --action notify"),
            format!("{RULE} 'sample:**' --filter 'number > 4' --action notify"),
            format!("{RULE} '*' --exclude-name=a,b --log-level=INFO.. --action notify"),
            format!("{RULE} '*' --log-level=INFO --action notify --rate-policy=every:3"),
            format!("{RULE} '*' --action notify --rate-policy=once-after:5"),
            format!("{RULE} '*' --capture number --capture 'a[3]' --capture '$ctx.vpid' --capture '$app.p:c' --action notify"),
            format!("{RULE} '*' --action start-session s --action stop-session s"),
            format!("{RULE} '*' --action rotate-session s --rate-policy=every:2"),
            format!("{RULE} '*' --action snapshot-session s --path=/tmp/x --max-size=4k --name=n"),
            format!("{RULE} '*' --action snapshot-session s --url=net://localhost"),
            format!("{RULE} '*' --filter 'number >' --action notify"),
            format!("{RULE} '*' --log-level=NOSUCH --action notify"),
            format!("{RULE} '*'"),
            "--condition event-rule-matches --type jul --name l --filter 'a == 1' --action notify".to_owned(),
            "--condition event-rule-matches --type log4j --name l --log-level=WARN --action notify".to_owned(),
            "--condition event-rule-matches --type python --name '*' --action notify".to_owned(),
            "--owner-uid=12345 --name=foreign --condition event-rule-matches --type user --action notify".to_owned(),
        ] {
            stage.lttng(&format!("add-trigger {arguments}"));
        }
        stage.lttng_ok(LIST);
        stage.lttng("remove-trigger one");
        stage.lttng("remove-trigger one");
        stage.lttng("remove-trigger ''");
        stage.lttng("remove-trigger trigger3");
        stage.lttng("remove-trigger --owner-uid=12345 foreign");
        stage.lttng_ok(LIST);
        // The name is free again, the automatic ones are not used again.
        stage.lttng(&format!("add-trigger --name=one {RULE} '*' --action notify"));
        stage.lttng(&format!("add-trigger {RULE} '*' --action notify"));
        stage.lttng_ok(LIST);
    });
}

#[test]
fn an_event_rule_tells_of_programs_that_were_there_and_that_come() {
    both(|stage| {
        let mut before = stage.program();
        stage.lttng_ok(&format!(
            "add-trigger --name=t {RULE} 'sample:number' --filter 'number != 1' \
             --capture number --capture text --capture nosuch --action notify"
        ));
        let mut subscriber = Subscriber::start(&stage.arena);
        subscriber.tell("subscribe=t");
        note(stage, &[subscriber.ask("subscribe=t").to_string()]);
        before.tell("number=3");
        note(stage, &subscriber.take(2));
        let mut after = stage.program();
        after.tell("number=1");
        note(stage, &subscriber.take(1));
        stage.lttng_ok("remove-trigger t");
        before.tell("number=1");
        assert_eq!(subscriber.ask("pending"), 0);
        before.finish();
        after.finish();
    });
}

/// Notes what a subscriber was told.
fn note(stage: &mut Stage, told: &[String]) {
    stage.note(&told.join("\n"));
}

#[test]
fn captured_fields_are_told_as_they_are() {
    both(|stage| {
        let mut program = stage.program();
        stage.lttng_ok(&format!(
            "add-trigger --name=t {RULE} 'sample:fields' --capture values --capture 'values[1]' \
             --capture '$ctx.procname' --capture '$app.no:such' --action notify"
        ));
        let mut subscriber = Subscriber::start(&stage.arena);
        subscriber.tell("subscribe=t");
        program.tell("fields=2");
        note(stage, &subscriber.take(2));
        program.finish();
    });
}

#[test]
fn rate_policies_say_which_events_are_told() {
    both(|stage| {
        let mut program = stage.program();
        for (name, policy) in [("every", "every:3"), ("once", "once-after:4")] {
            stage.lttng_ok(&format!(
                "add-trigger --name={name} {RULE} 'sample:number' --capture number \
                 --action notify --rate-policy={policy}"
            ));
        }
        for name in ["every", "once"] {
            let mut subscriber = Subscriber::start(&stage.arena);
            subscriber.tell(&format!("subscribe={name}"));
            if name == "every" {
                // Both triggers have one condition, so that both tell whoever subscribed to it.
                program.tell("number=10");
                let mut told = subscriber.take(4);
                told.sort();
                note(stage, &told);
            }
        }
        program.finish();
    });
}

/// What of a trigger's errors is listed.
fn errors(stage: &mut Stage) -> String {
    stage.lttng_ok(LIST)
}

#[test]
fn actions_start_stop_rotate_and_record_sessions() {
    both(|stage| {
        let mut program = stage.program();
        stage.lttng_ok("create recorded");
        stage.lttng_ok("enable-event -u 'sample:alarm'");
        let snapshots = stage.arena.file("snapshots");
        stage.lttng_ok(&format!("create recorder --snapshot --output={}", snapshots.display()));
        stage.lttng_ok("enable-event -u 'sample:*'");
        for (name, event, action) in [
            ("start", "sample:number", "start-session recorded"),
            ("start2", "sample:number", "start-session recorder"),
            ("rotate", "sample:fields", "rotate-session recorded"),
            ("record", "sample:bulk", "snapshot-session recorder"),
            ("stop", "sample:detail", "stop-session recorded"),
            ("fail", "sample:detail", "stop-session nosuch"),
        ] {
            stage.lttng_ok(&format!(
                "add-trigger --name={name} {RULE} '{event}' --action {action} --action notify"
            ));
        }
        let mut subscriber = Subscriber::start(&stage.arena);
        for name in ["start", "rotate", "record", "stop"] {
            subscriber.tell(&format!("subscribe={name}"));
        }
        // What is told comes after the actions before it.
        program.tell("number=1");
        let mut told = subscriber.take(2);
        told.sort();
        note(stage, &told);
        eventually("both are started", || {
            let listed = stage.arena.lttng_ok("list");
            (listed.matches("[active").count() == 2).then_some(())
        });
        program.tell("levels=0");
        program.tell("fields=1");
        note(stage, &subscriber.take(1));
        program.tell("bulk=1");
        note(stage, &subscriber.take(1));
        let recorded = std::fs::read_dir(&snapshots).unwrap().count();
        stage.note(&format!("{recorded} snapshot"));
        program.tell("levels=1");
        let mut told = subscriber.take(2);
        told.sort();
        note(stage, &told);
        let listed = stage.arena.lttng_ok("list recorded");
        assert!(listed.contains("[inactive]"), "{listed}");
        errors(stage);
        stage.arena.lttng_ok("destroy recorder");
        stage.arena.lttng_ok("destroy recorded");
        let archives = stage.arena.trace_of("recorded").join("archives");
        stage.note(&format!("{} archives", std::fs::read_dir(archives).unwrap().count()));
        program.finish();
    });
}

#[test]
fn rotations_are_told_when_they_begin_and_when_they_are_over() {
    both(|stage| {
        let mut program = stage.program();
        stage.lttng_ok("create s");
        stage.lttng_ok("enable-event -u 'sample:*'");
        let mut subscriber = Subscriber::start(&stage.arena);
        subscriber.tell("ongoing=begun,s");
        subscriber.tell("completed=over,s");
        stage.note(&subscriber.ask("completed=over,other").to_string());
        for name in ["begun", "over"] {
            subscriber.tell(&format!("subscribe={name}"));
        }
        stage.lttng_ok("start");
        program.tell("number=1");
        stage.arena.lttng_ok("rotate");
        let place =
            |told: Vec<String>| told.iter().map(|line| without_times(line)).collect::<Vec<_>>();
        note(stage, &place(subscriber.take(2)));
        stage.arena.lttng_ok("rotate");
        note(stage, &place(subscriber.take(2)));
        // The last chunk goes to the archives as well.
        stage.arena.lttng_ok("destroy s");
        note(stage, &place(subscriber.take(2)));
        subscriber.tell("unsubscribe=over");
        stage.note(&subscriber.ask("unsubscribe=over").to_string());
        program.finish();
    });
}

/// A line without the directory's times.
fn without_times(line: &str) -> String {
    match line.split_once('/') {
        Some((before, path)) => {
            let number = path.rsplit('-').next().unwrap_or_default();
            format!("{before}.../{number}")
        }
        None => line.to_owned(),
    }
}

#[test]
fn the_use_of_buffers_and_what_was_written_is_told_once_each_time() {
    both(|stage| {
        let mut program = stage.program();
        stage.lttng_ok("create s");
        // The consumer reads when a sub-buffer is full, and else leaves what there is.
        stage
            .lttng_ok("enable-channel -u c --subbuf-size=64K --num-subbuf=2 --monitor-timer=20000");
        stage.lttng_ok("enable-event -u -c c 'sample:*'");
        let mut subscriber = Subscriber::start(&stage.arena);
        subscriber.tell("high=full,s,c,0.1");
        subscriber.tell("low=empty,s,c,0.05");
        subscriber.tell("consumed=much,s,60000");
        stage.lttng_ok("start");
        subscriber.tell("subscribe=empty");
        note(stage, &kinds(&subscriber.take(1)));
        subscriber.tell("subscribe=full");
        program.tell("pin");
        program.tell("bulk=8");
        let told = until(&mut subscriber, "full");
        // The stock daemon, when it is late, tells twice that they are empty.
        assert!(told.len() == 1 || stage.which == Which::Stock, "{told:?}");
        note(stage, &kinds(&told[told.len() - 1..]));
        subscriber.tell("subscribe=much");
        // A sub-buffer is full then, which is written at once.
        program.tell("bulk=20");
        let told = until(&mut subscriber, "much");
        let consumed = told.last().unwrap();
        let bytes: u64 = consumed.rsplit(' ').next().unwrap().parse().unwrap();
        assert!(bytes >= 60_000, "{told:?}");
        // What is true already is told at the subscription.
        let mut late = Subscriber::start(&stage.arena);
        late.tell("subscribe=much");
        note(stage, &kinds(&late.take(1)));
        stage.lttng_ok("destroy s");
        program.finish();
    });
}

/// What is told until this trigger does.
fn until(subscriber: &mut Subscriber, trigger: &str) -> Vec<String> {
    let mut told = subscriber.take(1);
    while !told.iter().any(|line| line.contains(trigger)) {
        told.extend(subscriber.take(1));
    }
    told
}

/// Which triggers told, and of what, without numbers.
fn kinds(told: &[String]) -> Vec<String> {
    let kind = |line: &String| line.rsplit_once(' ').map_or(line.clone(), |it| it.0.to_owned());
    told.iter().map(kind).collect()
}

#[test]
fn a_trigger_may_stop_the_very_session_that_made_its_event() {
    alone(|stage| {
        let mut program = stage.program();
        stage.lttng_ok("create s");
        stage.lttng_ok("enable-event -u 'sample:*'");
        stage.lttng_ok("start");
        stage.lttng_ok(&format!(
            "add-trigger --name=t {RULE} 'sample:number' --action rotate-session s \
             --action stop-session s --action start-session s --action notify"
        ));
        let mut subscriber = Subscriber::start(&stage.arena);
        subscriber.tell("subscribe=t");
        program.tell("number=20");
        assert_eq!(subscriber.take(20).len(), 20);
        assert!(stage.lttng_ok("list s").contains("[active]"));
        stage.lttng_ok("destroy s");
        program.finish();
    });
}

#[test]
fn actions_to_a_session_that_stands_still_cost_other_triggers_nothing() {
    alone(|stage| {
        // Whoever connects is neither refused nor answered.
        let silent = stage
            .arena
            .in_network(|| [(); 2].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap()));
        let [control, data] = silent.each_ref().map(|it| it.local_addr().unwrap().port());
        let snapshots = stage.arena.file("snapshots");
        for (session, output) in [("stuck", "/nowhere"), ("fine", snapshots.to_str().unwrap())] {
            stage.lttng_ok(&format!("create {session} --snapshot --output={output}"));
            stage.lttng_ok("enable-event -u 'sample:*'");
            stage.lttng_ok("start");
        }
        stage.lttng_ok(&format!(
            "add-trigger --name=stuck {RULE} 'sample:number' --action snapshot-session stuck \
             --ctrl-url=tcp://127.0.0.1:{control} --data-url=tcp://127.0.0.1:{data}"
        ));
        stage.lttng_ok(&format!(
            "add-trigger --name=fine {RULE} 'sample:fields' --action snapshot-session fine \
             --action notify"
        ));
        let mut subscriber = Subscriber::start(&stage.arena);
        subscriber.tell("subscribe=fine");
        let mut program = stage.program();
        eventually("as much waits as may", || {
            program.tell("number=500");
            let listed = stage.arena.lttng_ok("list-triggers");
            listed.contains("total execution failures").then_some(())
        });
        program.tell("fields=1");
        assert_eq!(subscriber.take(1), ["notified fine event"]);
        assert_eq!(std::fs::read_dir(&snapshots).unwrap().count(), 1);
        program.finish();
    });
}

#[test]
fn a_hundred_triggers_on_one_event_tell_each_for_itself() {
    alone(|stage| {
        let mut program = stage.program();
        for number in 0..100 {
            stage.lttng_ok(&format!(
                "add-trigger --name=t{number} {RULE} 'sample:number' --action notify"
            ));
        }
        let mut subscriber = Subscriber::start(&stage.arena);
        subscriber.tell("subscribe=t0");
        program.tell("number=1");
        let mut told = subscriber.take(100);
        told.sort();
        told.dedup();
        assert_eq!(told.len(), 100);
        assert_eq!(subscriber.ask("pending"), 0);
        program.finish();
    });
}

#[test]
fn kernel_rules_are_refused_and_nothing_of_them_stays() {
    alone(|stage| {
        for rule in [
            "kernel:tracepoint --name=sched_switch",
            "kernel:syscall --name=open",
            "kernel:kprobe --location=do_exit --event-name=p",
            "kernel:uprobe --location=/bin/sh:main --event-name=p",
        ] {
            let arguments =
                format!("add-trigger --condition event-rule-matches --type={rule} --action notify");
            assert_ne!(stage.lttng(&arguments).code, 0, "{rule}");
        }
        assert_eq!(stage.lttng_ok(LIST).trim(), "");
    });
}

/// The programs tell what loggers log, by name, level and filter.
fn tells_of_loggers(domain: &str, level: &str, start: fn(&Stage) -> Option<Program>) {
    // The stock daemon tells of one of the two programs only.
    alone(|stage| {
        let Some(mut early) = start(stage) else { return };
        for (name, rule) in [
            (
                "exact",
                "--name=app --capture msg --capture logger_name --capture int_loglevel".to_owned(),
            ),
            ("level", format!("--name='*' --log-level={level} --capture msg")),
            ("filter", "--name=lib --filter='msg == \"m*\"' --capture msg".to_owned()),
        ] {
            stage.lttng_ok(&format!(
                "add-trigger --name={name} --condition event-rule-matches --type={domain} {rule} \
                 --action notify"
            ));
        }
        let Some(mut late) = start(stage) else { return };
        let mut subscribers = ["exact", "level", "filter"].map(|name| {
            let mut subscriber = Subscriber::start(&stage.arena);
            subscriber.tell(&format!("subscribe={name}"));
            subscriber
        });
        let (low, number, high) = match domain {
            "python" => ("10", 10, "40"),
            "jul" => ("FINE", 500, "SEVERE"),
            _ => ("DEBUG", 10_000, "ERROR"),
        };
        for program in [&mut early, &mut late] {
            program.tell(&format!("log app {low} one"));
            program.tell(&format!("log lib {low} mine"));
            program.tell(&format!("log lib {high} other"));
        }
        let exact = format!("notified exact event \"one\" \"app\" u{number}");
        let expected =
            [exact.as_str(), "notified level event \"other\"", "notified filter event \"mine\""];
        for (subscriber, expected) in subscribers.iter_mut().zip(expected) {
            assert_eq!(subscriber.take(2), [expected; 2]);
        }
        stage.lttng_ok("remove-trigger exact");
        stage.lttng_ok(LIST);
        early.finish();
        late.finish();
    });
}

#[test]
fn python_loggers_are_told_of() {
    tells_of_loggers("python", "ERROR", |stage| Some(Program::python(&stage.arena)));
}

#[test]
fn java_util_loggers_are_told_of() {
    tells_of_loggers("jul", "SEVERE", |stage| Program::java(&stage.arena, "jul"));
}

#[test]
fn log4j_loggers_are_told_of() {
    tells_of_loggers("log4j", "ERROR", |stage| Program::java(&stage.arena, "log4j"));
}
