//! Faults on demand are as many and as long as asked, and harm nothing else.

use super::*;
use crate::persist::suite::{append, claim_all, player, seqs};

const SHORT: Duration = Duration::from_millis(20);

#[tokio::test]
async fn a_crash_after_the_commit_never_answers_and_loses_nothing() {
    let (journal, ada) = (MemoryJournal::new(), player("ada"));
    claim_all(&journal).await;
    journal.faults().crash_after_commit();
    assert!(tokio::time::timeout(SHORT, journal.append(append(&ada, 1))).await.is_err(), "it answered");
    assert!(matches!(journal.append(append(&ada, 2)).await, Err(AppendError::Unavailable(_))));
    assert!(journal.ready().is_err());
    let next = journal.reopen();
    claim_all(&next).await;
    assert_eq!(seqs(&next, &ada).await, [1]);
    next.append(append(&ada, 2)).await.expect("the stream goes on");
}

#[tokio::test]
async fn failures_and_delays_are_as_many_and_as_long_as_asked() {
    let (journal, ada) = (MemoryJournal::new(), player("ada"));
    claim_all(&journal).await;
    journal.faults().fail_next(2);
    for _ in 0..2 {
        assert!(matches!(journal.append(append(&ada, 1)).await, Err(AppendError::Unavailable(_))));
    }
    journal.append(append(&ada, 1)).await.expect("the faults are used up");
    journal.faults().delays(|| SHORT);
    let asked = tokio::time::Instant::now();
    journal.append(append(&ada, 2)).await.expect("the next");
    assert!(asked.elapsed() >= SHORT);
}
