use std::sync::Arc;

use lttngd_model::{
    ChannelKey, Domain, SessionId, Tracer,
    trigger::{ArchiveLocation, BufferUsage, Condition, Evaluation, Threshold},
};

use super::USER;
use crate::sessions::{Change, SampledChannel, Sessions};

const ID: SessionId = SessionId(3);

fn channel(key: u64, name: &str) -> Arc<SampledChannel> {
    let (key, name) = (ChannelKey(key), name.to_owned());
    Arc::new(SampledChannel { key, tracer: Tracer::Ust, name, capacity_bytes: 1000 })
}

fn usage(threshold: Threshold) -> BufferUsage {
    BufferUsage { session: "s".to_owned(), domain: Domain::Ust, channel: "c".to_owned(), threshold }
}

fn high(threshold: Threshold) -> Condition {
    Condition::BufferUsageHigh(usage(threshold))
}

fn low(threshold: Threshold) -> Condition {
    Condition::BufferUsageLow(usage(threshold))
}

fn consumed(threshold_bytes: u64) -> Condition {
    Condition::SessionConsumedSize { session: "s".to_owned(), threshold_bytes }
}

/// That are told how buffers are used.
fn watching() -> Sessions {
    let mut sessions = Sessions::default();
    sessions.watch_use(true);
    sessions
}

/// The numbers of the samples, from 1, that make a condition true.
fn times(condition: &Condition, samples: &[(u64, u64)]) -> Vec<usize> {
    let mut sessions = watching();
    let is_true = |(at, (usage, consumed)): (usize, &(u64, u64))| {
        let change = sessions.used((ID, "s", USER), &channel(1, "c"), *usage, *consumed);
        change.unwrap().makes_true(condition).map(|_| at + 1)
    };
    samples.iter().enumerate().filter_map(is_true).collect()
}

#[test]
fn a_condition_becomes_true_once_each_time() {
    let used = [(600, 0), (700, 0), (400, 0), (500, 0), (500, 0), (0, 0)];
    assert_eq!(times(&high(Threshold::Bytes(500)), &used), [1, 4]);
    assert_eq!(times(&high(Threshold::Ratio(0.7)), &used), [2]);
    assert_eq!(times(&low(Threshold::Bytes(400)), &used), [3, 6]);
    assert_eq!(times(&low(Threshold::Ratio(1.0)), &used), [1]);
    assert_eq!(times(&low(Threshold::Ratio(0.0)), &used), [6]);
    assert_eq!(times(&consumed(10), &[(0, 9), (0, 10), (0, 11)]), [2]);
    assert_eq!(times(&consumed(0), &[(0, 0), (0, 1)]), [1]);
    assert_eq!(times(&Condition::RotationOngoing { session: "s".to_owned() }, &used), [0; 0]);
}

#[test]
fn each_set_of_buffers_of_a_channel_is_looked_at_for_itself() {
    let mut sessions = watching();
    let condition = high(Threshold::Bytes(500));
    let mut used = |key, name, usage| {
        let change = sessions.used((ID, "s", USER), &channel(key, name), usage, 0);
        change.unwrap().makes_true(&condition)
    };
    let expected = Evaluation::BufferUsageHigh { usage_bytes: 501, capacity_bytes: 1000 };
    assert_eq!(used(1, "c", 501), Some(expected.clone()));
    assert_eq!(used(2, "c", 501), Some(expected));
    assert_eq!(used(3, "other", 501), None);
    assert_eq!(used(1, "c", 502), None);
}

#[test]
fn channels_of_another_domain_are_none_of_the_conditions() {
    let change = |tracer| {
        let channel = SampledChannel { tracer, ..SampledChannel::clone(&channel(1, "c")) };
        watching().used((ID, "s", USER), &Arc::new(channel), 999, 0).unwrap()
    };
    let of_kernel = BufferUsage { domain: Domain::Kernel, ..usage(Threshold::Bytes(1)) };
    let of_kernel = Condition::BufferUsageHigh(of_kernel);
    assert!(change(Tracer::Kernel).makes_true(&of_kernel).is_some());
    assert!(change(Tracer::Ust).makes_true(&of_kernel).is_none());
    assert!(change(Tracer::Kernel).makes_true(&high(Threshold::Bytes(1))).is_none());
}

#[test]
fn what_is_true_already_is_known() {
    let mut sessions = watching();
    let conditions = [consumed(5), high(Threshold::Bytes(5)), low(Threshold::Bytes(5))];
    assert!(conditions.iter().all(|it| sessions.state_of(it).is_none()));
    sessions.used((ID, "s", USER), &channel(1, "c"), 5, 5);
    for condition in &conditions {
        assert_eq!(sessions.state_of(condition).unwrap().1, USER);
    }
    assert!(sessions.state_of(&consumed(6)).is_none());
    sessions.channel_gone(ID, ChannelKey(1));
    assert!(sessions.state_of(&conditions[1]).is_none());
    assert!(sessions.state_of(&conditions[0]).is_some());
    sessions.ended(ID);
    assert!(sessions.state_of(&conditions[0]).is_none());
}

#[test]
fn rotations_begin_and_end() {
    let mut sessions = watching();
    let session = "s".to_owned();
    let ongoing = Condition::RotationOngoing { session: session.clone() };
    let completed = Condition::RotationCompleted { session };
    let began = sessions.rotation_ongoing((ID, "s", USER), 4);
    assert_eq!(began.makes_true(&ongoing), Some(Evaluation::RotationOngoing { rotation_id: 4 }));
    assert_eq!(began.makes_true(&completed), None);
    assert!(sessions.state_of(&ongoing).is_some());
    let location = ArchiveLocation::Local { path: "/a".to_owned() };
    let over = sessions.rotation_over((ID, "s", USER), 4, Some(location.clone())).unwrap();
    let expected = Evaluation::RotationCompleted { rotation_id: 4, location: Some(location) };
    assert_eq!(over.makes_true(&completed), Some(expected));
    assert!(sessions.state_of(&ongoing).is_none() && sessions.state_of(&completed).is_none());
    sessions.rotation_ongoing((ID, "s", USER), 5);
    // One that failed is told nobody.
    assert!(sessions.rotation_over((ID, "s", USER), 5, None).is_none());
    assert!(sessions.state_of(&ongoing).is_none());
    assert!(matches!(over, Change::RotationCompleted(4, _)));
}

#[test]
fn what_nobody_wants_to_know_is_forgotten() {
    let mut sessions = watching();
    let condition = consumed(5);
    assert!(!sessions.watch_use(true), "they tell it already");
    sessions.used((ID, "s", USER), &channel(1, "c"), 5, 5);
    sessions.rotation_ongoing((ID, "s", USER), 4);
    assert!(sessions.watch_use(false));
    assert!(sessions.used((ID, "s", USER), &channel(1, "c"), 6, 6).is_none(), "it was on its way");
    assert!(sessions.watch_use(true));
    assert!(sessions.state_of(&condition).is_none());
    assert!(sessions.state_of(&Condition::RotationOngoing { session: "s".to_owned() }).is_some());
    let told = sessions.used((ID, "s", USER), &channel(1, "c"), 6, 6).unwrap();
    assert!(told.makes_true(&condition).is_some());
}
