//! What an entity's actor makes of what the journal tells it: repeats that only the journal remembers, snapshots that
//! are of no use.

use super::*;
use crate::actors::start::{RunningNode, start};
use crate::actors::world::World;
use crate::clock::Clock;
use crate::cluster::shard::Shard;
use crate::ids::{PlayerId, TeamId};
use crate::persist::Journal;
use crate::persist::memory::MemoryJournal;
use crate::quest::act::CommandId;
use crate::quest::aggregate::Message;
use crate::quest::command::{Command, PlayerCommand};
use crate::quest::entry::{Cause, MessageId};
use futures_util::future::join_all;

/// More senders than a state remembers.
const SENDERS: u32 = 1_100;

async fn node(journal: &MemoryJournal) -> RunningNode {
    start(Clock::system(), Arc::new(journal.clone()), World::default()).await.expect("memory answers")
}

fn ada() -> (PlayerId, EntityId) {
    let ada = PlayerId::new("ada").expect("an id");
    (ada.clone(), EntityId::Player(ada))
}

fn from_team(n: u32) -> Message {
    let sender = EntityId::Team(TeamId::new(format!("t{n}")).expect("an id"));
    let cause = Some(Cause::Message(MessageId { sender, seq: 1, n: 0 }));
    Message { cause, hops: 1, command: Command::Player(PlayerCommand::Share { on: n.is_multiple_of(2) }) }
}

async fn entries(journal: &MemoryJournal, id: &EntityId) -> usize {
    let mut count = 0;
    let mut after = 0;
    loop {
        let page = journal.scan(Shard::of(id), after, 1_000).await.expect("readable");
        let Some(last) = page.last() else { return count };
        after = last.offset;
        count += page.iter().filter(|stored| stored.entity == *id).count();
    }
}

#[tokio::test]
async fn a_repeat_that_only_the_journal_remembers_has_no_second_effect() {
    let journal = MemoryJournal::new();
    let (_, id) = ada();
    let node = node(&journal).await;
    for n in 0..SENDERS {
        node.node.router.send(id.clone(), from_team(n)).await.expect("it is heard");
    }
    let heard = entries(&journal, &id).await;
    assert_eq!(heard, SENDERS as usize);
    for n in [0, 1, SENDERS - 1] {
        assert_eq!(node.node.router.send(id.clone(), from_team(n)).await, Ok(None), "message {n} was done before");
    }
    assert_eq!(entries(&journal, &id).await, heard, "a repeat was written");
    // In the midst of others that wait with it: those before it are done, and those after it too.
    let waiting = [SENDERS, SENDERS + 1, 2, SENDERS + 2, 3, SENDERS + 3];
    let answers = join_all(waiting.map(|n| node.node.router.send(id.clone(), from_team(n)))).await;
    let done: Vec<bool> = answers.iter().map(|answer| matches!(answer, Ok(Some(_)))).collect();
    assert_eq!(done, [true, true, false, true, false, true], "{answers:?}");
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(entries(&journal, &id).await, heard + 4);
    node.drain().await;
}

#[tokio::test]
async fn what_waits_together_is_refused_together_and_done_when_it_comes_again() {
    let journal = MemoryJournal::new();
    let (_, id) = ada();
    let node = node(&journal).await;
    let send = |from: u32| join_all((from..from + 40).map(|n| node.node.router.send(id.clone(), from_team(n))));
    let all_done = |answers: Vec<Result<_, Undelivered>>| answers.len() == 40 && answers.iter().all(Result::is_ok);
    assert!(all_done(send(0).await));
    journal.faults().fail_next(1);
    let answers = send(40).await;
    let refused = answers.iter().filter(|answer| **answer == Err(Undelivered::Unavailable)).count();
    assert!(refused > 0, "{answers:?}");
    assert_eq!(entries(&journal, &id).await, 80 - refused, "what was not refused is there, and nothing else");
    assert!(all_done(send(40).await));
    assert_eq!(entries(&journal, &id).await, 80);
    node.drain().await;
}

#[tokio::test]
async fn an_inbox_that_is_full_says_so_and_loses_nothing() {
    let journal = MemoryJournal::new();
    let (_, id) = ada();
    let node = node(&journal).await;
    journal.faults().delays(|| std::time::Duration::from_millis(5));
    let answers = join_all((0..400).map(|n| node.node.router.send(id.clone(), from_team(n)))).await;
    let done = answers.iter().filter(|answer| answer.is_ok()).count();
    let busy = answers.iter().filter(|answer| **answer == Err(Undelivered::Busy)).count();
    assert_eq!(done + busy, 400, "{answers:?}");
    assert!(busy > 0 && done >= 64, "{done} done");
    assert_eq!(entries(&journal, &id).await, done);
    node.drain().await;
}

#[tokio::test]
async fn a_command_whose_answer_is_forgotten_is_refused_and_not_done_again() {
    let journal = MemoryJournal::new();
    let (ada, id) = ada();
    let node = node(&journal).await;
    let command = |n: u32| {
        let cmd = CommandId::new(&format!("c{n}")).expect("an id");
        let share = Command::Player(PlayerCommand::Share { on: n.is_multiple_of(2) });
        Message::from_client(&ada, Some(cmd), share)
    };
    for n in 0..100 {
        node.node.router.send(id.clone(), command(n)).await.expect("it is done");
    }
    let done = entries(&journal, &id).await;
    let again = node.node.router.send(id.clone(), command(0)).await;
    assert!(
        matches!(&again, Err(Undelivered::Refused(refusal)) if refusal.message.contains("long ago")),
        "{again:?}"
    );
    node.node.router.send(id.clone(), command(99)).await.expect("its answer is kept");
    assert_eq!(entries(&journal, &id).await, done);
    node.drain().await;
}

#[tokio::test]
async fn a_snapshot_of_no_use_is_passed_over() {
    let journal = MemoryJournal::new();
    let (_, id) = ada();
    let first = node(&journal).await;
    for n in 0..5 {
        first.node.router.send(id.clone(), from_team(n)).await.expect("it is heard");
    }
    first.drain().await;
    // One that says another place than it has is as useless as one that is no state at all.
    let sound = journal.reopen().load(&id).await.expect("readable").snapshot.expect("kept at the drain").1;
    for (seq, bytes) in [(6, b"{}".to_vec()), (7, sound)] {
        let next = journal.reopen();
        let second = node(&next).await;
        second
            .node
            .router
            .send(id.clone(), from_team(u32::try_from(seq).expect("small")))
            .await
            .expect("it is heard");
        next.save_snapshot(&id, seq, bytes).await.expect("kept");
        second.drain().await;
        let third = node(&journal.reopen()).await;
        assert_eq!(third.node.router.send(id.clone(), from_team(0)).await, Ok(None), "it remembers what it heard");
        third.drain().await;
        assert_eq!(entries(&journal.reopen(), &id).await as u64, seq);
    }
}
