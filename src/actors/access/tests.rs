//! What a revocation is about, and how one node hears of another's.

use super::*;
use crate::actors::start;
use crate::actors::world::World;
use crate::persist::Journal;
use crate::persist::memory::MemoryJournal;

const NOW: i64 = 1_800_000_000_000;

fn player(name: &str) -> PlayerId {
    PlayerId::new(name).expect("an id")
}

fn signed(ms: i64, token: Option<&str>) -> Credential {
    Credential { issued: Some(Timestamp::from_millis(ms)), token: token.and_then(TokenId::new) }
}

async fn node(journal: &MemoryJournal, clock: &Clock) -> Arc<Node> {
    let started = start::start(clock.clone(), Arc::new(journal.clone()), World::default()).await;
    Arc::clone(&started.expect("memory answers").node)
}

fn of_player(name: &str, until: i64) -> Revoked {
    Revoked::Player { player: player(name), until: Timestamp::from_millis(until) }
}

#[tokio::test]
async fn a_revocation_is_about_what_was_signed_before() {
    let (journal, clock) = (MemoryJournal::new(), Clock::manual(Timestamp::from_millis(NOW)));
    let node = node(&journal, &clock).await;
    let ada = player("ada");
    assert!(!node.access.revokes(&ada, &Credential::default()), "nothing is revoked yet");
    let made = node.revoke(of_player("ada", NOW), "clerk").await.expect("memory answers");
    for (credential, revoked) in [
        (signed(NOW - 1, None), true),
        (signed(NOW, Some("x")), true),
        (signed(NOW + 1_000, Some("x")), false),
        (Credential::default(), true),
    ] {
        assert_eq!(node.access.revokes(&ada, &credential), revoked, "{credential:?}");
        assert!(!node.access.revokes(&player("bo"), &credential), "{credential:?}");
    }
    let token = Revoked::Token { token: TokenId::new("x").expect("short") };
    node.revoke(token, "clerk").await.expect("memory answers");
    assert!(node.access.revokes(&player("bo"), &signed(NOW + 1_000, Some("x"))), "one token, whoever shows it");
    assert_eq!(node.access.revocations().len(), 2);
    assert_eq!(node.lift(&made.id).await, Ok(true));
    assert_eq!(node.lift(&made.id).await, Ok(false), "there is none any more");
    assert!(!node.access.revokes(&ada, &Credential::default()));
}

#[tokio::test]
async fn another_node_hears_of_it_and_it_outlives_both() {
    let (journal, clock) = (MemoryJournal::new(), Clock::manual(Timestamp::from_millis(NOW)));
    let (one, other) = (node(&journal, &clock).await, node(&journal.reopen(), &clock).await);
    one.revoke(of_player("ada", NOW), "clerk").await.expect("memory answers");
    assert!(!other.access.revokes(&player("ada"), &Credential::default()), "it has not looked");
    other.look_for_revocations().await.expect("memory answers");
    assert!(other.access.revokes(&player("ada"), &Credential::default()));
    let later = node(&journal.reopen(), &clock).await;
    assert!(later.access.revokes(&player("ada"), &Credential::default()), "it has read them before it serves");
    clock.advance(TOKEN_LIFE_MAX + Duration::from_secs(2 * 86_400));
    assert!(later.access.revocations().is_empty(), "no token of then is good any more");
}

#[tokio::test]
async fn there_is_a_bound_and_an_answer_when_it_is_reached() {
    let (journal, clock) = (MemoryJournal::new(), Clock::manual(Timestamp::from_millis(NOW)));
    let node = node(&journal, &clock).await;
    let control = journal.control();
    for n in 0..REVOCATIONS_MAX {
        let what = of_player(&format!("p{n}"), NOW);
        let at = Timestamp::from_millis(NOW);
        let ends = at + Duration::from_secs(60);
        let revocation = Revocation { id: n.to_string(), at, ends, by: "clerk".to_owned(), what };
        control.revoke(revocation, REVOCATIONS_MAX).await.expect("there is room");
    }
    let refused = node.revoke(of_player("ada", NOW), "clerk").await.expect_err("there is none");
    assert_eq!(refused.code, Refusal::limit_exceeded("").code);
    clock.advance(Duration::from_secs(61));
    assert!(node.revoke(of_player("ada", NOW), "clerk").await.is_ok(), "those that have ended make room");
}

#[tokio::test]
async fn a_deed_is_written_before_it_is_done_and_what_cannot_be_written_is_refused() {
    let (journal, clock) = (MemoryJournal::new(), Clock::manual(Timestamp::from_millis(NOW)));
    let node = node(&journal, &clock).await;
    let deed = |target: &str| Deed {
        who: "clerk".to_owned(),
        role: "operator",
        action: "review",
        target: target.to_owned(),
    };
    let first = node.access.begin(deed("ada")).await.expect("memory answers");
    clock.advance(Duration::from_millis(1));
    node.access.note(deed("bo"), "done").await.expect("memory answers");
    let lines = node.access.audit(None, 10).await.expect("memory answers");
    let told = |lines: &[AuditLine]| {
        lines.iter().map(|line| format!("{} {}", line.target, line.outcome)).collect::<Vec<_>>()
    };
    assert_eq!(told(&lines), ["bo done", "ada asked"], "the newest first");
    node.access.end(first.clone(), "done").await;
    node.access.end(first, "failed").await;
    let older = node.access.audit(Some(lines[0].id.clone()), 10).await.expect("memory answers");
    assert_eq!(told(&older), ["ada done"], "an outcome stands once it is there");
    journal.faults().cut(true);
    let refused = node.access.begin(deed("cy")).await.expect_err("nothing can be written");
    assert!(refused.temporary && refused.message.contains("was not done"), "{refused}");
}
