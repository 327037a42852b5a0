//! Command lines of two versions of LTTng at once: each is answered in its own form, and none does another thing than was
//! asked. The newer one is that of Debian's unstable packages, in a root directory of its own; where they cannot be had
//! these tests say so and are left out.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use super::world::{Answer, Arena, Stage, Which, built, program, trace};

/// What `tests/versions/root` ends with where the packages cannot be had.
const NOT_HAD: i32 = 125;

/// The directory that has the newer command line, and its root directory.
pub fn newer_directory() -> Option<&'static Path> {
    static DIRECTORY: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
        let directory = built::kept().join("versions");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/versions/root");
        let status = Command::new(script).arg(&directory).status().unwrap();
        match status.code() {
            Some(0) => Some(directory),
            Some(NOT_HAD) => None,
            _ => panic!("the newer LTTng cannot be prepared: {status}"),
        }
    });
    DIRECTORY.as_deref()
}

/// A world with our daemon, and both command lines.
pub struct Both {
    pub stage: Stage,
    newer: PathBuf,
}

impl Both {
    /// `None` where there is no newer one.
    pub fn new(options: &[&str]) -> Option<Both> {
        let newer = newer_directory()?.join("lttng");
        Some(Both { stage: Stage::with_options(Which::Ours, options), newer })
    }

    pub fn arena(&self) -> &Arena {
        &self.stage.arena
    }

    fn newer(&self, arguments: &str) -> Answer {
        let line = self.arena().lttng_line(arguments);
        let line = line.strip_prefix("lttng").unwrap();
        self.arena().shell_within(60, &format!("{} {line}", self.newer.display()))
    }

    /// Runs the newer command line, which must succeed.
    pub fn newer_ok(&self, arguments: &str) -> String {
        let answer = self.newer(arguments);
        assert_eq!(
            answer.code,
            0,
            "newer lttng {arguments}: {answer:#?}\n{}",
            self.stage.daemon.log()
        );
        answer.stdout
    }

    /// Runs the older command line, which must succeed.
    pub fn older_ok(&self, arguments: &str) -> String {
        self.arena().lttng_ok(arguments)
    }

    /// What both list of sessions: a name, and whether it is active.
    pub fn sessions(&self) -> Vec<(String, bool)> {
        let older = listed(&self.older_ok("--mi xml list"));
        assert_eq!(listed(&self.newer_ok("--mi xml list")), older);
        older
    }

    fn is_active(&self, session: &str) -> bool {
        let sessions = self.sessions();
        sessions.iter().find(|(name, _)| name == session).unwrap().1
    }
}

/// The sessions of a list in XML.
fn listed(xml: &str) -> Vec<(String, bool)> {
    let between = |text: &str, tag: &str| {
        let behind = text.split_once(&format!("<{tag}>"))?.1;
        Some(behind.split_once(&format!("</{tag}>"))?.0.to_owned())
    };
    let sessions = xml.split("<session>").skip(1);
    let mut all: Vec<_> = sessions
        .map(|text| (between(text, "name").unwrap(), between(text, "enabled").unwrap() == "true"))
        .collect();
    all.sort();
    all
}

/// The command line of a program of [`Stage::program`]'s kind with the newer LTTng-UST.
pub fn newer_program() -> String {
    let runner = newer_directory().unwrap().join("traced");
    format!("{} {}", runner.display(), program::traced().display())
}

/// The directories of a trace that have streams of the channel.
pub fn directories_of(traces: &Path, channel: &str) -> Vec<String> {
    let streams = trace::files(traces).into_iter().filter(|file| {
        file.rsplit('/').next().is_some_and(|name| name.starts_with(channel) && !name.contains('.'))
    });
    let mut all: Vec<String> =
        streams.filter_map(|file| Some(file.rsplit_once('/')?.0.to_owned())).collect();
    all.dedup();
    all
}

/// One user's programs with LTTng-UST 2.13 and 2.16 in one session: their buffers are apart, their events in one trace.
#[test]
fn programs_of_two_versions_in_one_session() {
    const EACH: usize = 2000;

    let Some(both) = Both::new(&[]) else { return };
    both.older_ok("create s");
    both.older_ok("enable-channel -u -s s c --subbuf-size=256k --num-subbuf=8");
    both.newer_ok("enable-event -u -s s -c c 'sample:*' --filter 'number >= 0'");
    both.older_ok("add-context -u -s s -c c -t vpid -t '$app.provider:context'");
    both.older_ok("start s");
    let run = |program: &str| both.arena().shell_within(60, &format!("{program} number={EACH}"));
    let older = program::traced().display().to_string();
    let newer = newer_program();
    std::thread::scope(|scope| {
        for program in [&older, &newer, &older, &newer] {
            let run = &run;
            scope.spawn(move || {
                let answer = run(program);
                assert_eq!(answer.code, 0, "{answer:#?}");
            });
        }
    });
    both.newer_ok("rotate s");
    assert_eq!(run(&newer).code, 0);
    both.newer_ok("stop s");
    let events = both.arena().events(&both.arena().traces());
    assert_eq!(events.len(), 5 * EACH);
    let directories = directories_of(&both.arena().traces(), "c_");
    let of_one = |end: &str| directories.iter().filter(|name| name.ends_with(end)).count();
    assert!(directories.len() >= 2 && of_one("64-bit") > 0, "{directories:?}");
    both.older_ok("destroy s");
    both.stage.end();
}

/// What a newer program leaves in its buffers is closed, taken and given back as an older one's.
#[test]
fn the_buffers_of_a_newer_program() {
    let Some(both) = Both::new(&[]) else { return };
    let newer = newer_program();
    let run = |arguments: &str| {
        let answer = both.arena().shell_within(60, &format!("{newer} {arguments}"));
        assert_eq!(answer.code, 0, "{answer:#?}");
    };
    let place = |name: &str| both.arena().file(name);
    // Small buffers, which are written round many times.
    for (name, options) in [
        ("discard", "--discard"),
        ("overwrite", "--overwrite"),
        ("timers", "--read-timer=1000 --switch-timer=1000 --buffers-pid"),
    ] {
        both.older_ok(&format!("create {name} --output={}", place(name).display()));
        both.older_ok(&format!(
            "enable-channel -u -s {name} c --subbuf-size=4k --num-subbuf=4 {options}"
        ));
        both.older_ok(&format!("enable-event -u -s {name} -c c sample:number"));
        both.older_ok(&format!("start {name}"));
    }
    run("number=5000 fork=3000");
    for name in ["discard", "overwrite", "timers"] {
        both.older_ok(&format!("stop {name}"));
        let numbers = both.arena().events(&place(name)).len();
        assert!((1..=8000).contains(&numbers), "{name}: {numbers}");
        both.older_ok(&format!("clear {name}"));
        both.older_ok(&format!("start {name}"));
    }
    run("number=10");
    for name in ["discard", "overwrite", "timers"] {
        both.older_ok(&format!("stop {name}"));
        assert_eq!(both.arena().events(&place(name)).len(), 10, "{name}");
    }
    both.older_ok("destroy --all");

    both.older_ok("create snapshots --snapshot");
    both.older_ok("enable-event -u -s snapshots sample:number");
    both.older_ok("start snapshots");
    run("number=7");
    both.older_ok(&format!("snapshot record -s snapshots {}", place("first").display()));
    run("number=5");
    both.older_ok(&format!("snapshot record -s snapshots {}", place("second").display()));
    assert_eq!(both.arena().events(&place("first")).len(), 7);
    assert_eq!(both.arena().events(&place("second")).len(), 12);
    both.older_ok("destroy --all");
    both.stage.end();
}

#[test]
fn each_sees_what_the_other_makes() {
    let Some(both) = Both::new(&[]) else { return };
    both.newer_ok("create new");
    both.older_ok("create old");
    let inactive = |name: &str| (name.to_owned(), false);
    assert_eq!(both.sessions(), [inactive("new"), inactive("old")]);

    both.newer_ok("enable-channel -u -s new ch --subbuf-size=64k --num-subbuf=8");
    both.newer_ok(
        "enable-event -u -s new -c ch 'sample:*' --filter 'index < 1000' --exclude sample:fields",
    );
    both.newer_ok("add-context -u -s new -c ch -t vpid");
    both.older_ok("enable-event -u -s old sample:number --loglevel=INFO");
    for session in ["new", "old"] {
        both.newer_ok(&format!("track -u -s {session} --vgid 12345"));
        both.older_ok(&format!("untrack -u -s {session} --vgid 12345"));
        both.older_ok(&format!("track -u -s {session} --vgid --all"));
    }
    let old = both.older_ok("list new");
    for text in
        ["ch: [enabled]", "65536 bytes", "sample:*", "index < 1000", "[exclusions: sample:fields]"]
    {
        assert!(old.contains(text), "{text}: {old}");
    }
    let new = both.newer_ok("list new");
    for text in
        ["`ch`", "8 sub-buffers of 64.00 KiB", "`sample:*`", "`index < 1000`", "`sample:fields`"]
    {
        assert!(new.contains(text), "{text}: {new}");
    }
    let new = both.newer_ok("list old");
    assert!(new.contains("`sample:number`") && new.contains("`channel0`"), "{new}");
    both.newer_ok("disable-event -u -s new -c ch 'sample:*'");
    both.older_ok(
        "enable-event -u -s new -c ch 'sample:*' --filter 'index < 1000' --exclude sample:fields",
    );
    both.newer_ok("disable-channel -u -s new ch");
    assert!(both.older_ok("list new").contains("ch: [disabled]"));
    assert!(both.newer_ok("enable-channel -u -s new ch").contains("enabled"));

    both.newer_ok("destroy old");
    assert_eq!(both.sessions(), [inactive("new")]);
    both.older_ok("destroy new");
    assert_eq!(both.sessions(), []);
    both.stage.end();
}

#[test]
fn what_one_starts_the_other_stops() {
    let Some(both) = Both::new(&[]) else { return };
    let mut program = both.stage.program();
    both.newer_ok("create new");
    both.newer_ok("enable-event -u -s new sample:number");
    let place = both.arena().file("old-traces");
    both.older_ok(&format!("create old --output={}", place.display()));
    both.older_ok("enable-event -u -s old sample:number");

    both.newer_ok("start old");
    assert!(both.is_active("old") && !both.is_active("new"));
    both.older_ok("start new");
    program.tell("number=10");
    // What its buffers use of what they may.
    let memory = both.newer_ok("list new");
    let usage = memory.lines().find(|line| line.contains("Memory usage:")).unwrap();
    assert!(!usage.ends_with("None"), "{memory}");
    both.older_ok("stop old");
    assert!(both.is_active("new") && !both.is_active("old"));
    both.newer_ok("stop new");
    assert!(!both.is_active("new") && !both.is_active("old"));
    for session in ["new", "old"] {
        assert_eq!(both.newer_ok(&format!("view {session}")).lines().count(), 10);
        assert_eq!(both.older_ok(&format!("view {session}")).lines().count(), 10);
    }

    // What regenerates the metadata of one is what clears for another version.
    both.newer_ok("start new");
    both.newer_ok("regenerate metadata -s new");
    both.older_ok("regenerate metadata -s new");
    both.newer_ok("regenerate statedump -s new");
    both.older_ok("regenerate statedump -s new");
    both.newer_ok("stop new");
    assert_eq!(
        both.older_ok("view new").lines().filter(|line| line.contains("sample:")).count(),
        10
    );

    both.newer_ok("start new");
    both.newer_ok("rotate new");
    both.older_ok("rotate new");
    assert!(trace::files(&both.arena().traces()).iter().any(|file| file.contains("archives")));
    both.newer_ok("enable-rotation -s new --size=16M");
    assert!(both.older_ok("list new").contains("16777216"));
    both.older_ok("disable-rotation -s new --size");
    both.newer_ok("clear new");
    both.older_ok("clear old");
    assert_eq!(both.sessions().len(), 2, "nothing but data is cleared");
    let streams = |files: Vec<String>| files.iter().any(|file| file.contains("channel0"));
    assert!(!streams(trace::files(&place)), "it is cleared");
    both.newer_ok("destroy --all");
    assert_eq!(both.sessions(), []);
    program.finish();
    both.stage.end();
}

#[test]
fn snapshots_triggers_and_files_of_either() {
    let Some(both) = Both::new(&[]) else { return };
    both.newer_ok("create snapshots --snapshot");
    both.newer_ok("enable-event -u sample:number");
    both.older_ok("start snapshots");
    let outputs = both.newer_ok("snapshot list-output -s snapshots");
    assert!(outputs.contains("[1] snapshot-1"), "{outputs}");
    both.older_ok("snapshot del-output -s snapshots 1");
    let place = both.arena().file("elsewhere");
    both.newer_ok(&format!("snapshot add-output -s snapshots --name=there {}", place.display()));
    assert!(both.older_ok("snapshot list-output -s snapshots").contains("there"));
    let mut program = both.stage.program();
    program.tell("number=5");
    both.newer_ok("snapshot record -s snapshots");
    both.older_ok("snapshot record -s snapshots");
    let snapshots = std::fs::read_dir(&place).unwrap().count();
    assert_eq!(snapshots, 2);
    for snapshot in std::fs::read_dir(&place).unwrap() {
        assert_eq!(both.arena().events(&snapshot.unwrap().path()).len(), 5);
    }

    both.newer_ok(
        "add-trigger --name=new --condition event-rule-matches --type=user --name='sample:*' \
         --filter='index > 3' --capture=index --action=notify",
    );
    both.older_ok(
        "add-trigger --name=old --condition event-rule-matches --type=user --name=sample:end \
         --action stop-session snapshots",
    );
    for triggers in [both.newer_ok("list-triggers"), both.older_ok("list-triggers")] {
        for text in ["name: new", "name: old", "sample:*", "stop session `snapshots`", "index > 3"]
        {
            assert!(triggers.contains(text), "{text}: {triggers}");
        }
    }
    both.older_ok("remove-trigger new");
    both.newer_ok("remove-trigger old");
    assert!(!both.newer_ok("list-triggers").contains("name:"));
    assert!(both.is_active("snapshots"), "no command stopped it");

    both.newer_ok("create shared --shm-path=/dev/shm/shared");
    assert!(both.newer_ok("list shared").contains("/dev/shm/shared"));
    let saved = both.arena().file("saved");
    both.newer_ok(&format!("save --output-path={} --all", saved.display()));
    both.older_ok("destroy --all");
    both.older_ok(&format!("load --input-path={} snapshots", saved.display()));
    assert!(both.is_active("snapshots"));
    both.newer_ok(&format!("load --input-path={} shared", saved.display()));
    assert!(both.newer_ok("list shared").contains("/dev/shm/shared"));
    both.newer_ok("destroy --all");
    program.finish();
    both.stage.end();
}

#[test]
fn what_there_is_not_here_is_said_in_words() {
    let Some(both) = Both::new(&["--no-kernel"]) else { return };
    both.newer_ok("create s");
    both.newer_ok("enable-channel -u c");
    let refused = |arguments: &str| {
        let answer = both.newer(arguments);
        assert_ne!(answer.code, 0, "{arguments}: {answer:#?}");
        assert!(!answer.stderr.contains("session daemon"), "{arguments}: {answer:#?}");
        answer.stderr
    };
    let format = refused("create t --trace-format=ctf-2");
    assert!(format.to_lowercase().contains("trace format"), "{format}");
    refused("enable-channel -u one --buffer-allocation=per-channel");
    refused("add-map-channel -u m");
    refused("reclaim-memory -u c");
    refused("list --kernel");
    both.newer_ok("list s");
    both.newer_ok("create ctf --trace-format=ctf-1.8");
    assert_eq!(both.sessions().len(), 2);
    both.newer_ok("destroy --all");
    both.stage.end();
}

#[test]
fn lives_of_either_at_once() {
    const LIVES: usize = 5;

    let Some(both) = Both::new(&[]) else { return };
    both.older_ok("create watched");
    both.older_ok("enable-event -u -s watched sample:number");
    both.older_ok("start watched");
    let life = |run: &dyn Fn(&str) -> String, name: &str| {
        for at in 0..LIVES {
            let session = format!("{name}-{at}");
            run(&format!("create {session}"));
            run(&format!("enable-event -u -s {session} sample:number"));
            run(&format!("start {session}"));
            assert!(run(&format!("list {session}")).contains("sample:number"));
            run(&format!("stop {session}"));
            run(&format!("destroy {session}"));
        }
    };
    std::thread::scope(|scope| {
        for number in 0..2 {
            let (both, life) = (&both, &life);
            scope.spawn(move || life(&|line| both.newer_ok(line), &format!("new-{number}")));
            scope.spawn(move || life(&|line| both.older_ok(line), &format!("old-{number}")));
        }
    });
    assert_eq!(both.sessions(), [("watched".to_owned(), true)]);
    both.older_ok("destroy watched");
    both.stage.end();
}

/// Another root directory, as containers have: the daemon's own is another library at the same path.
#[test]
fn a_client_under_another_root_directory() {
    let Some(both) = Both::new(&[]) else { return };
    if !both.arena().is_root() {
        eprintln!("only root has another root directory");
        return;
    }
    let root = newer_directory().unwrap().join("root");
    let place = both.arena().file("root");
    let script = both.arena().file("contained");
    let (place, root) = (place.display(), root.display());
    let lines = format!(
        "#!/bin/sh\nset -e\nmkdir -p {place}\nmount --bind {root} {place}\n\
         mount --bind /var/run/lttng {place}/var/run/lttng\nmount -t tmpfs none {place}/tmp\n\
         export HOME=/tmp LTTNG_HOME=/tmp\n\
         exec unshare --pid --fork --mount-proc={place}/proc chroot {place} /usr/bin/lttng --no-sessiond \"$@\"\n"
    );
    std::fs::write(&script, lines).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let contained = |arguments: &str| {
        let line = format!("unshare --mount {} {arguments}", script.display());
        let answer = both.arena().shell_within(60, &line);
        assert_eq!(answer.code, 0, "{arguments}: {answer:#?}\n{}", both.stage.daemon.log());
        answer.stdout
    };
    both.older_ok("create outside");
    contained("create inside --no-output");
    contained("enable-event -u -s inside sample:number");
    assert_eq!(listed(&contained("--mi xml list")).len(), 2);
    contained("start inside");
    assert!(both.is_active("inside") && !both.is_active("outside"));
    contained("stop inside");
    contained("destroy inside");
    assert_eq!(both.sessions(), [("outside".to_owned(), false)]);
    both.older_ok("destroy outside");
    both.stage.end();
}
