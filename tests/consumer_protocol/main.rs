//! Our consumer daemon before a session daemon that speaks its protocol badly: sequences of commands with
//! wrong members, frames that are cut, wrong descriptors, wrong metadata, relay daemons that are none.
//! It answers as the protocol has it, does not panic, hang or keep descriptors, and serves a valid
//! session afterwards. Seeds are fixed; `PROPTEST_RNG_SEED` and `PROPTEST_CASES` choose others.
#![allow(clippy::unwrap_used)]

mod commands;
mod consumerd;
mod metadata;
mod session;

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rustix::thread::CapabilitySet;

use commands::{Descriptors, Step, steps};
use consumerd::Consumerd;
use lttngd_wire::consumer::MESSAGE_LEN;
use lttngd_world::{Arena, eventually};
use metadata::Manners;

/// The seed of runs that name none.
const SEED: u64 = 0x1777;

fn config(cases: u32) -> ProptestConfig {
    let mut config =
        ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(SEED);
    }
    if let Some(cases) = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()) {
        config.cases = cases;
    }
    config
}

/// How the session daemon leaves.
#[derive(Clone, Copy, Debug)]
enum End {
    /// Between two commands.
    Orderly,
    /// In the middle of one, after so many bytes.
    Cut(usize),
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![3 => Just(End::Orderly), 1 => (1..12_690_usize).prop_map(End::Cut)]
}

/// Closes and destroys all that the steps have named, in any session.
fn clean_up(consumerd: &mut Consumerd, steps: &[Step]) {
    consumerd.drop_objects();
    let mut cleaned = BTreeSet::new();
    for step in steps {
        for message in step.opposites() {
            if cleaned.insert(message.encode()) {
                consumerd.perform(&Step { bytes: message.encode(), ..Step::default() });
            }
        }
    }
}

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn any_commands(
        manners in any::<Manners>(),
        steps in steps(),
        end in end(),
    ) {
        let arena = Arena::new();
        let mut consumerd = Consumerd::start(&arena, manners);
        session::is_served(&mut consumerd);
        let before = consumerd.settled_descriptors();
        for step in &steps {
            consumerd.perform(step);
        }
        session::is_served(&mut consumerd);
        clean_up(&mut consumerd, &steps);
        eventually("what was opened is closed", || {
            (consumerd.descriptors() <= before).then_some(())
        });
        match end {
            End::Orderly => consumerd.end(),
            End::Cut(len) => consumerd.end_within_a_command(len),
        }
    }
}

/// Those that are whole and those that are none: what came for one would be taken for the next command's answer.
#[test]
fn commands_of_the_kernels_domain_are_not_answered() {
    let arena = Arena::new();
    let mut consumerd = Consumerd::start(&arena, Manners::Good);
    for number in [0_u32, 1, 16] {
        for filling in [0, 0xff] {
            let mut bytes = [filling; MESSAGE_LEN];
            bytes[..4].copy_from_slice(&number.to_ne_bytes());
            consumerd.write(&bytes);
            session::is_served(&mut consumerd);
        }
    }
    consumerd.end();
}

/// Somebody is quicker than the session daemon, where he may connect at all.
#[test]
fn another_users_connection_gives_no_commands() {
    if !rustix::process::geteuid().is_root() {
        // Only root can be another user.
        return;
    }
    let arena = Arena::new();
    let mut consumerd = Consumerd::start_beside(&arena, Manners::Good, |command| {
        let mode = fs::metadata(command).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600, "{mode:o}");
        for path in command.ancestors().take(2) {
            fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
        }
        let connect = || {
            let user = rustix::process::Uid::from_raw(1234);
            rustix::thread::set_thread_res_uid(user, user, user).unwrap();
            UnixStream::connect(command).unwrap()
        };
        let strangers: Vec<_> =
            (0..2).map(|_| std::thread::scope(|it| it.spawn(connect).join().unwrap())).collect();
        for mut stranger in strangers {
            stranger.set_read_timeout(Some(lttngd_world::PATIENCE)).unwrap();
            assert_eq!(stranger.read(&mut [0; 1]).unwrap(), 0, "it is served");
        }
    });
    session::is_served(&mut consumerd);
    consumerd.end();
}

/// Whatever a fault of its own would let somebody do: it loads no module, mounts nothing, looks into no process.
#[test]
fn the_kernels_has_no_rights_but_those_over_files() {
    if !rustix::process::geteuid().is_root() {
        // Others have none.
        return;
    }
    let arena = Arena::new();
    let consumerd = Consumerd::start_of_the_kernel(&arena);
    let kept = CapabilitySet::CHOWN
        | CapabilitySet::DAC_OVERRIDE
        | CapabilitySet::DAC_READ_SEARCH
        | CapabilitySet::FOWNER
        | CapabilitySet::FSETID
        | CapabilitySet::SETUID
        | CapabilitySet::SETGID
        | CapabilitySet::SETPCAP
        | CapabilitySet::SYS_NICE
        | CapabilitySet::SYS_RESOURCE;
    let statuses = consumerd.statuses();
    assert!(statuses.len() > 1, "data threads are threads of their own");
    for status in statuses {
        for set in ["CapPrm", "CapEff"] {
            let line = status.lines().find_map(|line| line.strip_prefix(set)?.strip_prefix(':'));
            let has = u64::from_str_radix(line.unwrap().trim(), 16).unwrap();
            assert_eq!(has & !kept.bits(), 0, "{status}");
        }
        assert!(status.contains("NoNewPrivs:\t1"), "{status}");
        assert!(status.contains("Seccomp:\t2"), "a filter: {status}");
    }
    consumerd.end();
}

/// What is sent in place of a descriptor.
#[test]
fn descriptors_of_the_wrong_count_and_kind() {
    let arena = Arena::new();
    let mut consumerd = Consumerd::start(&arena, Manners::Good);
    session::is_served(&mut consumerd);
    let before = consumerd.settled_descriptors();
    let wrong = [Descriptors::None, Descriptors::Two, Descriptors::File, Descriptors::Closed];
    for descriptors in wrong {
        for message in commands::with_descriptors() {
            let step = Step { bytes: message.encode(), descriptors };
            consumerd.perform(&step);
            clean_up(&mut consumerd, &[step]);
        }
    }
    session::is_served(&mut consumerd);
    eventually("what was opened is closed", || (consumerd.descriptors() <= before).then_some(()));
    consumerd.end();
}
