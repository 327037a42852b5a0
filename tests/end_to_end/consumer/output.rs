//! Directories of traces that fill up, become read-only, or are gone.

use std::path::Path;

use super::super::world::{Answer, Program, Stage, eventually, program::provider};
use super::{Bystander, numbers, own};

/// Runs a command in the world, which must succeed.
pub(super) fn shell(stage: &Stage, command: &str) -> Answer {
    let answer = stage.arena.shell_within(30, command);
    assert_eq!(answer.code, 0, "{command}: {answer:?}");
    answer
}

/// A small file system of its own, mounted in the world alone; `None` without root.
pub(super) fn small_disk(stage: &Stage) -> Option<std::path::PathBuf> {
    if !stage.arena.is_root() {
        eprintln!("mounting needs root: nothing is checked");
        return None;
    }
    let place = stage.arena.file("disk");
    std::fs::create_dir(&place).unwrap();
    shell(stage, &format!("mount -t tmpfs -o size=4m tmpfs '{}'", place.display()));
    Some(place)
}

pub(super) fn start(stage: &Stage, output: &Path, options: &str) {
    for command in [
        format!("create victim --output={}", output.display()),
        format!("enable-channel -u -s victim --switch-timer=10000 --subbuf-size=16k {options} c"),
        "enable-event -u -s victim -c c sample:number".to_owned(),
        "enable-event -u -s victim -c c 'late:*'".to_owned(),
        "start victim".to_owned(),
    ] {
        stage.arena.lttng_ok(&command);
    }
}

/// Bytes of the data files below a directory that is seen in the world alone.
pub(super) fn recorded_bytes(stage: &Stage, directory: &Path) -> u64 {
    let listing = format!("find '{}' -name 'c_*' -size +0 -printf '%s\\n'", directory.display());
    shell(stage, &listing).stdout.lines().map(|size| size.parse::<u64>().unwrap_or(0)).sum()
}

#[test]
fn a_disk_that_is_full_for_a_while() {
    let stage = own();
    let mut bystander = Bystander::start(&stage);
    let consumer = stage.arena.consumer();
    let Some(disk) = small_disk(&stage) else { return };
    let output = disk.join("trace");
    start(&stage, &output, "--num-subbuf=4");
    let mut program = stage.program();
    program.tell("number=50");
    eventually("the first events are written", || {
        (recorded_bytes(&stage, &output) > 0).then_some(())
    });
    let filler = disk.join("filler");
    let filled =
        stage.arena.shell_within(30, &format!("dd if=/dev/zero bs=4k of='{}'", filler.display()));
    assert!(filled.stderr.contains("No space left"), "{filled:?}");
    // Neither packets nor what describes new events find room.
    program.tell(&format!("load={}", provider("late").display()));
    program.tell("number=20000");
    stage.arena.lttng_ok("stop victim");
    let listed = stage.arena.lttng_ok("list victim");
    bystander.go_on();
    shell(&stage, &format!("rm '{}'", filler.display()));
    stage.arena.lttng_ok("start victim");
    program.tell("text=afterwards");
    program.tell("number=50");
    stage.arena.lttng_ok("stop victim");
    let events = stage.arena.events(&output);
    let numbers: Vec<u32> = numbers(&stage.arena, &output);
    assert_eq!(numbers[..50], (0..50).collect::<Vec<u32>>());
    assert!(numbers.is_sorted_by(|left, right| left < right));
    let afterwards = events.iter().filter(|event| event.fields.contains("afterwards")).count();
    assert_eq!(afterwards, 50);
    assert!(!listed.contains("Lost packets: 0"), "{listed}");
    // What was to be described while the disk was full.
    shell(&stage, &format!("grep -raq late: '{}'", output.display()));
    stage.arena.lttng_ok("destroy victim");
    assert_eq!(stage.arena.consumer(), consumer, "the consumer daemon lives");
    program.finish();
    bystander.finish(&stage);
    stage.end();
}

#[test]
fn a_disk_that_is_read_only_for_a_while() {
    let stage = own();
    let Some(disk) = small_disk(&stage) else { return };
    let output = disk.join("trace");
    start(&stage, &output, "--buffers-pid --num-subbuf=4");
    let consumer = stage.arena.consumer();
    // It does not work while a file there is open.
    shell(&stage, &format!("mount -o remount,ro '{}'", disk.display()));
    let bystander = Bystander::start(&stage);
    // Its buffers have no files.
    let mut unlucky = stage.program();
    unlucky.tell("number=10");
    stage.arena.lttng_ok("list victim");
    shell(&stage, &format!("mount -o remount,rw '{}'", disk.display()));
    let mut program = stage.program();
    program.tell("number=30");
    stage.arena.lttng_ok("stop victim");
    stage.arena.lttng_ok("destroy victim");
    assert_eq!(numbers(&stage.arena, &output), (0..30).collect::<Vec<u32>>());
    assert_eq!(stage.arena.consumer(), consumer, "the consumer daemon lives");
    unlucky.finish();
    program.finish();
    bystander.finish(&stage);
    stage.end();
}

/// Has the output of a session removed while it records.
fn removed(options: &str) {
    let stage = own();
    let bystander = Bystander::start(&stage);
    let consumer = stage.arena.consumer();
    let output = stage.arena.file("trace");
    start(&stage, &output, options);
    let mut program = stage.program();
    program.tell("number=50");
    shell(&stage, &format!("rm -rf '{}'", output.display()));
    program.tell("number=50");
    let mut late = Program::start(&stage.arena, &["number=20"]);
    assert!(late.wait().success());
    // What they answer is theirs; they answer.
    for command in ["rotate victim", "stop victim", "start victim", "stop victim", "destroy victim"]
    {
        stage.arena.lttng(command);
    }
    eventually("the session is destroyed", || {
        (!stage.arena.lttng_ok("list").contains("victim")).then_some(())
    });
    start(&stage, &output, options);
    program.tell("text=again");
    program.tell("number=50");
    stage.arena.lttng_ok("destroy victim");
    let events = stage.arena.events(&output);
    assert_eq!(events.iter().filter(|event| event.fields.contains("again")).count(), 50);
    assert_eq!(stage.arena.consumer(), consumer, "the consumer daemon lives");
    program.finish();
    bystander.finish(&stage);
    stage.end();
}

#[test]
fn a_directory_that_is_removed_with_the_users_buffers_in_it() {
    removed("--buffers-uid");
}

#[test]
fn a_directory_that_is_removed_with_the_processes_buffers_in_it() {
    removed("--buffers-pid");
}
