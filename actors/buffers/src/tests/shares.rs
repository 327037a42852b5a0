//! What the applications of one user announce, beside those of another.

use lttngd_metadata::ustregistry::{Enumeration, RegistryError};
use lttngd_model::{EnumerationEntry, EnumerationValue};
use lttngd_peer::ConsumerScript;

use super::world::World;
use crate::RegisterEnumeration;

/// Who wants all.
const HOSTILE: u32 = 54_321;
const OTHER: u32 = 54_322;

fn large(number: usize) -> RegisterEnumeration {
    let value = |value: usize| EnumerationValue { value: value as u64, signed: false };
    let entry = |at: usize| EnumerationEntry {
        start: value(at),
        end: value(at),
        label: format!("{at:0>60}"),
        auto: false,
    };
    let entries = (0..1 << 16).map(entry).collect();
    RegisterEnumeration { enumeration: Enumeration::new(format!("e{number}"), entries) }
}

#[actix::test]
async fn one_user_cannot_have_all_the_memory_for_what_is_announced() {
    let sets = [
        World::of_user(ConsumerScript::default(), HOSTILE).await,
        World::of_user(ConsumerScript::default(), HOSTILE).await,
    ];
    let mut refused = None;
    'all: for (at, world) in sets.iter().enumerate() {
        for number in 0..16 {
            let registered = world.set.send(large(at * 16 + number)).await.unwrap();
            if let Err(error) = registered {
                refused = Some(error);
                break 'all;
            }
        }
    }
    let refused = refused.expect("he has his share");
    assert_eq!(refused.errno(), -12, "it is memory that is short");
    assert!(matches!(refused, RegistryError::NoRoom { uid: HOSTILE, held } if held < 121 << 20));

    let world = World::of_user(ConsumerScript::default(), OTHER).await;
    world.prepare(0..1).await.unwrap();
    world.stream(0).await;
    for number in 0..1000 {
        world.event(0, &format!("p:event{number}")).await;
    }
    let counted = lttngd_users::refusals();
    assert!(counted.iter().any(|(uid, ..)| *uid == HOSTILE), "{counted:?}");
    world.end().await;
    for set in sets {
        set.end().await;
    }
}
