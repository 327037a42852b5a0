//! Worlds in which an ordinary user wants the daemon for himself, and others are there as well.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use lttngd_peer::hostile::{ATTACKER, Attack};

use super::{Arena, Program, Stage, program};

/// The run directory of root's daemon as those in the world see it.
const RUN_DIRECTORY: &str = "/var/run/lttng";
/// Another ordinary user than the one who does it.
const OTHER: u32 = 54_322;

/// Processes that do it, until they are dropped.
pub struct Attackers {
    programs: Vec<Program>,
    /// How many connections they have together.
    pub connections: usize,
}

impl Attackers {
    /// Has so many processes begin, which are this program again with these arguments: where it begins it asks
    /// [`Attack::asked`] what it is to do.
    pub fn begin(arena: &Arena, attack: Attack, processes: usize, arguments: &[&str]) -> Attackers {
        let start = |_| {
            // They answer where nothing else that the program writes goes.
            let mut command = arena.command("sh");
            command.args(["-c", "exec 3>&1 >&2; exec \"$0\" \"$@\""]);
            command.arg(std::env::current_exe().unwrap()).args(arguments);
            command.envs(attack.environment(RUN_DIRECTORY));
            Program::spawn(command)
        };
        let mut programs: Vec<Program> = (0..processes).map(start).collect();
        programs.iter_mut().for_each(|program| program.begin("begin"));
        let counts = programs.iter_mut().map(|program| program.done("begin"));
        let connections = counts.sum::<i32>().cast_unsigned() as usize;
        eprintln!("{attack:?}: {connections} connections");
        Attackers { programs, connections }
    }

    /// They end.
    pub fn leave(mut self) {
        self.programs.iter_mut().for_each(Program::kill);
    }
}

impl Stage {
    /// Lets users that are not root run what is there.
    ///
    /// Panics when the daemon is not root's.
    pub fn open_to_all(&self) {
        assert!(self.arena.is_root(), "others are other users: run this as root");
        fs::set_permissions(self.arena.file(""), fs::Permissions::from_mode(0o755)).unwrap();
        fs::copy(program::traced(), self.arena.file("traced")).unwrap();
    }

    /// A shell command of another ordinary user: a traced program that does this.
    pub fn others_program(&self, commands: &str) -> String {
        format!("{} {commands}", self.traced_as(OTHER))
    }

    /// A shell command of the attacker: a traced program that does this.
    pub fn attackers_program(&self, commands: &str) -> String {
        format!("{} {commands}", self.traced_as(ATTACKER))
    }

    /// Such a program that does what it is told.
    pub fn attacker(&self) -> Program {
        let mut command = self.arena.command("sh");
        command.args(["-c", &format!("exec {}", self.attackers_program("-"))]);
        let mut program = Program::spawn(command);
        program.tell("pid");
        program
    }

    fn traced_as(&self, uid: u32) -> String {
        format!("{} {}", as_user(uid, ""), self.arena.file("traced").display())
    }

    /// A shell command of the attacker as a member of the group that commands the daemon: `lttng` with these arguments.
    pub fn members_lttng(&self, arguments: &str) -> String {
        let home = self.members_home();
        self.as_member(ATTACKER, &home, &self.arena.lttng_line(arguments))
    }

    /// A shell command of another member.
    pub fn another_members(&self, command: &str) -> String {
        self.as_member(OTHER, &self.home_of("other", OTHER), command)
    }

    /// A directory that is the attacker's alone.
    pub fn members_home(&self) -> PathBuf {
        self.home_of("member", ATTACKER)
    }

    fn home_of(&self, name: &str, uid: u32) -> PathBuf {
        let home = self.arena.file(name);
        if !home.exists() {
            fs::create_dir(&home).unwrap();
            chown(&home, Some(uid), Some(uid)).unwrap();
        }
        home
    }

    fn as_member(&self, uid: u32, home: &Path, command: &str) -> String {
        let socket = self.arena.run_directory().join("client-lttng-sessiond");
        let group = fs::metadata(socket).unwrap().gid();
        let (user, home) = (as_user(uid, &group.to_string()), home.display());
        format!("{user} env HOME={home} LTTNG_HOME={home} {command}")
    }
}

/// The beginning of a shell command of a user of these groups and no other.
fn as_user(uid: u32, groups: &str) -> String {
    let groups = match groups {
        "" => "--clear-groups".to_owned(),
        groups => format!("--groups={groups}"),
    };
    format!("setpriv --reuid={uid} --regid={uid} {groups}")
}
