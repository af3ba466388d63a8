//! Commands that come again although the world has gone on.

use super::*;
use crate::actors::contract::Push;
use crate::actors::start;
use crate::actors::world::World;
use crate::clock::Clock;
use crate::persist::memory::MemoryJournal;
use std::time::Duration;

/// A phone that does not listen.
#[derive(Debug)]
struct Deaf;

impl Sink for Deaf {
    fn push(&self, _: Push) {}
    fn close(&self, _: CloseReason) {}
}

async fn act(session: &Session, cmd: &str, act: Act) -> Result<Value, Refusal> {
    session.act(Some(CommandId::new(cmd).expect("an id")), act).await
}

/// Waits until the session has heard of its team.
async fn in_team(session: &Session, wanted: bool) -> Value {
    for _ in 0..500 {
        let state = session.state().await.expect("it answers");
        if state["team"].is_object() == wanted {
            return state["team"]["id"].clone();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the news did not come");
}

#[tokio::test]
async fn a_leaving_that_comes_again_does_not_leave_the_next_team() {
    let node = start::start(Clock::system(), Arc::new(MemoryJournal::new()), World::default()).await;
    let node = node.expect("memory answers");
    let game = Game::new(Arc::clone(&node.node), "test");
    let player = PlayerId::new("ada").expect("an id");
    let hello = Hello { player, name: None, lang: None, resume: None, credential: Credential::default() };
    let (session, _) = game.connect(hello, Arc::new(Deaf)).await.expect("it is welcome");
    let create = |name: &str| Act::CreateTeam { name: name.to_owned() };

    act(&session, "c1", create("Owls")).await.expect("founded");
    in_team(&session, true).await;
    let said = act(&session, "c2", Act::Say { text: "hello".to_owned() }).await.expect("said");
    let left = act(&session, "c3", Act::LeaveTeam).await.expect("left");
    in_team(&session, false).await;
    act(&session, "c4", create("Foxes")).await.expect("founded");
    let foxes = in_team(&session, true).await;

    // The phone never heard the answers, and asks again.
    assert_eq!(act(&session, "c3", Act::LeaveTeam).await, Ok(left));
    assert_eq!(act(&session, "c2", Act::Say { text: "hello".to_owned() }).await, Ok(said));
    assert_eq!(in_team(&session, true).await, foxes, "the repeat has left the team of today");
    act(&session, "c5", Act::LeaveTeam).await.expect("a new command is done");
    in_team(&session, false).await;
    drop(session);
    node.drain().await;
}
