//! The budget of open descriptors.

use std::time::{Duration, Instant};

use crate::{Descriptors, Held, Purpose, Shares, Sparing};

/// Takes pieces of `count` until there is no room.
fn fill(budget: &Descriptors, purpose: Purpose, count: usize) -> Vec<Held> {
    std::iter::from_fn(|| budget.take(purpose, count).ok()).collect()
}

/// What applications of which each has a channel of its own find, and then clients.
#[test]
fn everybody_finds_a_share_at_any_limit() {
    // The limit, and with 34 of the daemon's own and channels of 5: registrations alone, channels beside
    // them, clients beside both.
    let cases = [
        (64, 12, 2, 4),
        (100, 25, 5, 12),
        (150, 44, 8, 25),
        (256, 84, 16, 45),
        (1024, 372, 74, 187),
        (20_000, 16_894, 204, 1540),
        (65_535, 62_429, 204, 1540),
    ];
    for (limit, registered, with_channel, served) in cases {
        let budget = Descriptors::new(Shares::new(limit, 34));
        let registrations = fill(&budget, Purpose::Registrations, 1);
        let channels = fill(&budget, Purpose::Channels, 5);
        let clients = fill(&budget, Purpose::Clients, 1);
        let found = (registrations.len(), channels.len(), clients.len());
        assert_eq!(found, (registered, with_channel, served), "{limit}");
        let refused = budget.take(Purpose::Registrations, 1).unwrap_err();
        assert_eq!((refused.limit, refused.taken), (limit, registered));
        drop(registrations);
        assert_eq!(fill(&budget, Purpose::Registrations, 1).len(), registered, "given back");
    }
}

#[test]
fn channels_may_have_what_nobody_registers_for() {
    let budget = Descriptors::new(Shares::new(1034, 34));
    assert_eq!(fill(&budget, Purpose::Channels, 1).len(), 750);
}

#[test]
fn the_daemons_own_work_is_never_refused_and_leaves_less_for_others() {
    let budget = Descriptors::new(Shares::new(1034, 34));
    let within = budget.control(250);
    assert_eq!(fill(&budget, Purpose::Channels, 1).len(), 688, "a part of the reserve is kept");
    let beyond = budget.control(2000);
    assert!(budget.take(Purpose::Clients, 1).is_err());
    assert!(budget.take(Purpose::Control, 10).is_ok());
    drop((within, beyond));
    assert_eq!(fill(&budget, Purpose::Channels, 1).len(), 750);
}

#[test]
fn a_limit_with_which_nothing_can_be_done_is_told() {
    assert_eq!(Shares::new(50, 34).check(), Ok(()));
    let too_few = Shares::new(40, 34).check().unwrap_err();
    assert_eq!((too_few.limit, too_few.needed), (40, 50));
    assert!(Shares::new(20, 34).check().is_err());
    Descriptors::of_process(0).unwrap();
    assert_eq!(fill(&Descriptors::unlimited(), Purpose::Clients, usize::MAX / 16).len(), 15);
}

#[test]
fn a_flood_of_lines_is_counted() {
    let mut lines = Sparing::new(2, Duration::from_secs(1));
    let begin = Instant::now();
    let said: Vec<_> = (0..5).map(|_| lines.line(begin)).collect();
    assert_eq!(said, [Some(0), Some(0), None, None, None]);
    assert_eq!(lines.line(begin + Duration::from_secs(1)), Some(3));
    assert_eq!(lines.line(begin + Duration::from_secs(1)), Some(0));
}
