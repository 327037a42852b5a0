//! Who is told of what was refused.

use lttngd_model::Credentials;
use lttngd_users::{NOBODY, count_refusal};

use super::world::World;

#[actix::test]
async fn root_is_told_of_all_refusals_and_others_of_their_own() {
    const WHAT: &str = "things of this test";
    const ONE: u32 = 70_001;
    const OTHER: u32 = 70_002;

    let world = World::new(lttngd_peer::ConsumerScript::default(), None).await;
    for uid in [ONE, OTHER, OTHER, NOBODY] {
        count_refusal(uid, WHAT);
    }
    let told = async |uid| {
        let handle = world.handle.acting_for(Credentials { uid, gid: uid });
        let refusals = handle.list_refusals().await.unwrap();
        let of_this = refusals.into_iter().filter(|refusal| refusal.what == WHAT);
        of_this.map(|refusal| (refusal.uid, refusal.count)).collect::<Vec<_>>()
    };
    assert_eq!(told(0).await, [(ONE, 1), (OTHER, 2), (NOBODY, 1)]);
    assert_eq!(told(ONE).await, [(ONE, 1)]);
    assert_eq!(told(OTHER).await, [(OTHER, 2)]);
    assert!(told(70_003).await.is_empty());
    world.end().await;
}
