//! Loads of single entities, asked together: while all connections that loads may use are busy, what is asked waits
//! and then goes in one question. After a node has died its players all come to others at once, and a question for
//! each would keep the last of ten thousand waiting until it is given up.
//!
//! There is no task of its own: whoever waits for an entity and finds a connection free asks for all who wait. If it
//! is dropped while it does, those it asked for ask again.
//! Promise: who waits alone waits for nobody; what waits is one entry for each entity that loads (`limits.entities_max`
//! bounds those), and nobody waits for longer than its caller's deadline.

use crate::ids::EntityId;
use crate::persist::{Loaded, ReadError};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{Semaphore, oneshot};

/// Questions under way at once: of the pool's four connections, two are left for shards that come and for scans.
const ASKING: usize = 2;
/// Entities in one question at most: at some 10 KB each, half a megabyte to be read in one go. Beyond some dozens the
/// cost is that of the rows, not of the question.
const TOGETHER: usize = 64;

/// What many entities' loads end in, in the order in which they were asked.
pub(super) type Answers = Vec<Result<Loaded, ReadError>>;

/// Those who wait.
#[derive(Debug)]
pub(super) struct Loads {
    waiting: Mutex<VecDeque<Waiter>>,
    asking: Semaphore,
}

#[derive(Debug)]
struct Waiter {
    entity: EntityId,
    answer: oneshot::Sender<Result<Loaded, ReadError>>,
}

impl Loads {
    pub(super) fn new() -> Self {
        Self { waiting: Mutex::default(), asking: Semaphore::new(ASKING) }
    }

    /// One entity, by a question that may be for others as well.
    pub(super) async fn one<F: Future<Output = Result<Answers, ReadError>>>(
        &self,
        entity: &EntityId,
        ask: impl Fn(Vec<EntityId>) -> F,
    ) -> Result<Loaded, ReadError> {
        loop {
            let (answer, mut answered) = oneshot::channel();
            self.waiting().push_back(Waiter { entity: entity.clone(), answer });
            loop {
                tokio::select! {
                    biased;
                    found = &mut answered => match found {
                        Ok(found) => return found,
                        // Who asked for this one was dropped.
                        Err(_) => break,
                    },
                    Ok(_turn) = self.asking.acquire() => if self.ask(&ask).await { continue },
                }
                // Nobody waits: this one is being asked for.
                match (&mut answered).await {
                    Ok(found) => return found,
                    Err(_) => break,
                }
            }
        }
    }

    /// Asks for the next who wait; `false`: there are none.
    async fn ask<F: Future<Output = Result<Answers, ReadError>>>(&self, ask: impl Fn(Vec<EntityId>) -> F) -> bool {
        let next: Vec<Waiter> = {
            let mut waiting = self.waiting();
            let n = waiting.len().min(TOGETHER);
            if n == 0 {
                return false;
            }
            // Whoever has given up since is not asked for.
            waiting.drain(..n).filter(|waiter| !waiter.answer.is_closed()).collect()
        };
        if next.is_empty() {
            return true;
        }
        let all = match ask(next.iter().map(|waiter| waiter.entity.clone()).collect()).await {
            Ok(answers) => answers,
            Err(err) => vec![Err(err); next.len()],
        };
        for (waiter, found) in next.into_iter().zip(all) {
            // Whoever has given up meanwhile needs no answer.
            waiter.answer.send(found).unwrap_or_default();
        }
        true
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Waiter>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::PlayerId;
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::task::JoinSet;

    fn player(number: usize) -> EntityId {
        EntityId::Player(PlayerId::new(format!("p{number}")).expect("an id"))
    }

    /// What a database would answer for an entity, so that answers can be told apart.
    fn found(entity: &EntityId) -> Loaded {
        Loaded { snapshot: Some((1, entity.key().as_bytes().to_vec())), tail: Vec::new() }
    }

    #[derive(Debug, Default)]
    struct Asked(Mutex<Vec<usize>>);

    impl Asked {
        async fn answer(&self, entities: Vec<EntityId>) -> Result<Answers, ReadError> {
            self.0.lock().expect("nobody panics").push(entities.len());
            tokio::time::sleep(Duration::from_millis(10)).await;
            Ok(entities.iter().map(|entity| Ok(found(entity))).collect())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn many_are_asked_for_together_and_each_gets_its_own() {
        let (loads, asked) = (Arc::new(Loads::new()), Arc::new(Asked::default()));
        let mut all = JoinSet::new();
        for number in 0..1_000 {
            let (loads, asked) = (Arc::clone(&loads), Arc::clone(&asked));
            all.spawn(async move {
                let loaded = loads.one(&player(number), |entities| asked.answer(entities)).await;
                (number, loaded)
            });
        }
        while let Some(one) = all.join_next().await {
            let (number, loaded) = one.expect("no panic");
            assert_eq!(loaded.expect("it can be read").snapshot, found(&player(number)).snapshot);
        }
        let asked = asked.0.lock().expect("nobody panics");
        assert_eq!(asked.iter().sum::<usize>(), 1_000, "each once");
        assert!(asked.len() <= 1_000 / TOGETHER + 3, "in few questions: {asked:?}");
        assert!(asked.iter().all(|n| *n <= TOGETHER));
        assert_eq!(asked[0], 1, "the first waits for nobody");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_dropped_while_it_asks_leaves_nobody_without_an_answer() {
        let (loads, asked) = (Arc::new(Loads::new()), Arc::new(Asked::default()));
        let (mut tasks, mut handles) = (JoinSet::new(), Vec::new());
        for number in 0..10 {
            let (loads, asked) = (Arc::clone(&loads), Arc::clone(&asked));
            handles.push(
                tasks.spawn(
                    async move { (number, loads.one(&player(number), |entities| asked.answer(entities)).await) },
                ),
            );
        }
        tokio::time::sleep(Duration::from_millis(12)).await;
        // The first two have their answers; one of the rest asks for all of them now.
        handles[2..5].iter().for_each(tokio::task::AbortHandle::abort);
        let mut answered = Vec::new();
        while let Some(joined) =
            tokio::time::timeout(Duration::from_secs(1), tasks.join_next()).await.expect("nobody waits for ever")
        {
            if let Ok((number, loaded)) = joined {
                assert_eq!(loaded.expect("read").snapshot, found(&player(number)).snapshot);
                answered.push(number);
            }
        }
        answered.sort_unstable();
        assert_eq!(answered, [0, 1, 5, 6, 7, 8, 9]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_fails_for_all_who_were_asked_for() {
        let loads = Loads::new();
        let refuse = |_| std::future::ready(Err(ReadError::Unavailable("away".to_owned())));
        let (one, other) = (player(1), player(2));
        let both = tokio::join!(loads.one(&one, refuse), loads.one(&other, refuse));
        assert!(matches!(both, (Err(ReadError::Unavailable(_)), Err(ReadError::Unavailable(_)))));
        assert!(loads.waiting().is_empty());
    }
}
