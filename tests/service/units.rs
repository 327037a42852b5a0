//! The units that are installed.

use std::fs;
use std::path::Path;
use std::process::Command;

use lttngd_world::{Which, arena::is_installed};

/// Where a package puts the program.
const INSTALLED: &str = "/usr/bin/lttngd";
/// Each, and the option of systemd-analyze by which it is looked at.
const UNITS: [(&str, &str); 2] = [("system", "--system"), ("user", "--user")];

fn unit(of: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(root.join("packaging/systemd").join(of).join("lttngd.service")).unwrap()
}

#[test]
fn systemd_has_nothing_to_say_about_the_units() {
    if !is_installed("systemd-analyze") {
        eprintln!("the units are not verified: there is no systemd-analyze");
        return;
    }
    let program = Which::Ours.program();
    for (of, option) in UNITS {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("lttngd.service");
        fs::write(&path, unit(of).replace(INSTALLED, program.to_str().unwrap())).unwrap();
        let verified = |path: &Path| {
            let mut command = Command::new("systemd-analyze");
            command.args([option, "--man=no", "verify"]).arg(path);
            // A user's manager looks for its places there.
            let output = command.env("XDG_RUNTIME_DIR", place.path()).output().unwrap();
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            // Other units of the machine are not ours to mend.
            let ours = text.lines().filter(|line| line.contains("lttngd")).map(str::to_owned);
            (output.status.success(), ours.collect::<Vec<_>>())
        };
        assert_eq!(verified(&path), (true, Vec::new()), "{of}");
        // It would say what is wrong.
        let wrong = fs::read_to_string(&path).unwrap().replace("CPUWeight=", "CPUWait=");
        fs::write(&path, wrong).unwrap();
        assert!(verified(&path).1.iter().any(|line| line.contains("CPUWait")), "{of}");
    }
}

/// What a service manager is promised, and what the daemon does by it.
#[test]
fn the_units_are_those_of_this_daemon() {
    for (of, _) in UNITS {
        let unit = unit(of);
        let has = |line: &str| assert!(unit.lines().any(|it| it == line), "{of}: {line}");
        has("Type=notify");
        has("ExecStart=/usr/bin/lttngd --keep-sockets --keep-sessions $DAEMON_ARGS");
        let value = |key: &str| -> u64 {
            let line = unit.lines().find_map(|it| it.strip_prefix(key)).unwrap();
            line.trim_start_matches('=').parse().unwrap()
        };
        // One of each kind, and a second one of each while sockets of other paths take their places.
        assert!(value("FileDescriptorStoreMax") >= 12, "{of}");
        assert!(value("TimeoutStopSec") > 20, "{of}: an end takes 10 s, that of modules 10 s more");
    }
}
