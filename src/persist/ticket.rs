//! Waiting for the writer with a deadline that never lies.
//!
//! A request that is still queued when its time is up is called back, and nobody will ever do it. One that the writer
//! has taken is waited for to the end. Which of the two it is, is decided by one swap of one flag.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

/// The writer's half.
#[derive(Debug)]
pub(super) struct Ticket<T> {
    decided: Arc<AtomicBool>,
    reply: oneshot::Sender<T>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missed {
    /// Called back in time: it was not done and will not be.
    NotDone,
    /// The queue is closed: it was not done.
    Closed,
    /// The writer took it and ended without an answer.
    Unknown,
}

impl<T> Ticket<T> {
    /// Before doing what is asked; `false`: the asker has called it back.
    pub(super) fn take(&self) -> bool {
        !self.decided.swap(true, Ordering::AcqRel)
    }

    /// Answers; nobody may be there to hear it.
    pub(super) fn answer(self, answer: T) {
        let _ = self.reply.send(answer);
    }
}

/// The asker's half.
struct Asked<T> {
    decided: Arc<AtomicBool>,
    answer: oneshot::Receiver<T>,
}

fn ticket<T>() -> (Ticket<T>, Asked<T>) {
    let decided = Arc::new(AtomicBool::new(false));
    let (reply, answer) = oneshot::channel();
    (Ticket { decided: Arc::clone(&decided), reply }, Asked { decided, answer })
}

impl<T> Asked<T> {
    /// `true`: the writer has not taken it, and never will.
    fn call_back(&self) -> bool {
        !self.decided.swap(true, Ordering::AcqRel)
    }

    /// Waits for the answer to what is queued.
    async fn hear(mut self, until: Instant) -> Result<T, Missed> {
        match timeout_at(until, &mut self.answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) if self.call_back() => Err(Missed::Closed),
            Err(_) if self.call_back() => Err(Missed::NotDone),
            Ok(Err(_)) => Err(Missed::Unknown),
            Err(_) => self.answer.await.map_err(|_| Missed::Unknown),
        }
    }
}

/// Puts a request into a queue and waits for its answer. Once queued it is done even if this future is dropped.
pub(super) async fn ask<R, T>(
    queue: &mpsc::Sender<R>,
    deadline: Duration,
    request: impl FnOnce(Ticket<T>) -> R,
) -> Result<T, Missed> {
    let until = Instant::now() + deadline;
    let place = match timeout_at(until, queue.reserve()).await {
        Ok(Ok(place)) => place,
        Ok(Err(_)) => return Err(Missed::Closed),
        Err(_) => return Err(Missed::NotDone),
    };
    let (ticket, asked) = ticket();
    place.send(request(ticket));
    asked.hear(until).await
}

/// Puts requests into a queue, one behind the other with nothing between, and waits for their answers. There are at
/// most as many as the queue has places.
pub(super) async fn ask_run<R, T>(
    queue: &mpsc::Sender<R>,
    deadline: Duration,
    requests: Vec<impl FnOnce(Ticket<T>) -> R>,
) -> Vec<Result<T, Missed>> {
    let (until, n) = (Instant::now() + deadline, requests.len());
    let none = |missed| std::iter::repeat_with(|| Err(missed)).take(n).collect();
    // Place after place would let others in between, and its parts go in other orders than they were asked for.
    let places = match timeout_at(until, queue.reserve_many(n)).await {
        Ok(Ok(places)) => places,
        Ok(Err(_)) => return none(Missed::Closed),
        Err(_) => return none(Missed::NotDone),
    };
    let queued = places.zip(requests).map(|(place, request)| {
        let (ticket, asked) = ticket();
        place.send(request(ticket));
        asked
    });
    let queued: Vec<Asked<T>> = queued.collect();
    let mut answers = Vec::with_capacity(n);
    for asked in queued {
        answers.push(asked.hear(until).await);
    }
    answers
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn what_is_still_queued_is_called_back() {
        let (queue, mut requests) = mpsc::channel::<Ticket<u8>>(1);
        assert_eq!(ask(&queue, SHORT, |ticket| ticket).await, Err(Missed::NotDone));
        assert!(!requests.recv().await.expect("it was queued").take(), "it was done after the asker had given up");
    }

    #[tokio::test]
    async fn what_finds_no_place_is_not_done() {
        let (queue, mut requests) = mpsc::channel::<Ticket<u8>>(1);
        let _ = ask(&queue, SHORT, |ticket| ticket).await;
        assert_eq!(ask(&queue, SHORT, |ticket| ticket).await, Err(Missed::NotDone));
        requests.recv().await.expect("the first");
        assert!(requests.try_recv().is_err(), "the second was queued");
    }

    #[tokio::test]
    async fn what_is_taken_is_waited_for() {
        let (queue, mut requests) = mpsc::channel::<Ticket<u8>>(1);
        let writer = async {
            let ticket = requests.recv().await.expect("it was queued");
            assert!(ticket.take());
            tokio::time::sleep(SHORT * 5).await;
            ticket.answer(7);
        };
        assert_eq!(tokio::join!(ask(&queue, SHORT, |ticket| ticket), writer).0, Ok(7));
    }

    #[tokio::test]
    async fn a_run_stands_together_however_many_ask() {
        let (queue, mut requests) = mpsc::channel::<(u32, Ticket<u32>)>(256);
        let run = |first: u32| {
            let requests = (first..first + 200).map(|n| move |ticket| (n, ticket)).collect::<Vec<_>>();
            ask_run(&queue, SHORT * 50, requests)
        };
        let writer = async {
            let mut seen = Vec::new();
            while seen.len() < 600
                && let Some((n, ticket)) = requests.recv().await
            {
                assert!(ticket.take());
                ticket.answer(n);
                seen.push(n);
            }
            seen
        };
        let (one, two, three, seen) = tokio::join!(run(0), run(1_000), run(2_000), writer);
        for (answers, first) in [(one, 0), (two, 1_000), (three, 2_000)] {
            assert!(answers.into_iter().eq((first..first + 200).map(Ok)), "each its own answer");
        }
        assert!(seen.chunks(200).all(|run| run.windows(2).all(|two| two[1] == two[0] + 1)), "{seen:?}");
    }

    #[tokio::test]
    async fn a_run_that_finds_no_room_is_not_done() {
        let (queue, mut requests) = mpsc::channel::<Ticket<u8>>(2);
        queue.send(ticket().0).await.expect("there is room");
        let answers = ask_run(&queue, SHORT, vec![|ticket| ticket, |ticket| ticket]).await;
        assert_eq!(answers, [Err(Missed::NotDone), Err(Missed::NotDone)]);
        requests.recv().await.expect("the first");
        assert!(requests.try_recv().is_err(), "part of it was queued");
    }

    #[tokio::test]
    async fn an_ended_writer_is_told_apart_from_a_closed_queue() {
        let (queue, mut requests) = mpsc::channel::<Ticket<u8>>(1);
        let taken = async { assert!(requests.recv().await.expect("it was queued").take()) };
        assert_eq!(tokio::join!(ask(&queue, SHORT * 5, |ticket| ticket), taken).0, Err(Missed::Unknown));
        let dropped = async { drop(requests.recv().await) };
        assert_eq!(tokio::join!(ask(&queue, SHORT * 5, |ticket| ticket), dropped).0, Err(Missed::Closed));
        drop(requests);
        assert_eq!(ask(&queue, SHORT * 5, |ticket| ticket).await, Err(Missed::Closed));
    }
}
