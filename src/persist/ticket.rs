//! Waiting for the writer with a deadline that never lies.
//!
//! A request that is still queued when its time is up is called back, and nobody will ever do it. One that the writer
//! has taken is waited for to the end. Which of the two it is, is decided by one swap of one flag.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::sync::oneshot;

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

/// Puts a request into a queue and waits for its answer. Once queued it is done even if this future is dropped.
pub(super) async fn ask<R, T>(
    queue: &mpsc::Sender<R>,
    deadline: Duration,
    request: impl FnOnce(Ticket<T>) -> R,
) -> Result<T, Missed> {
    let decided = Arc::new(AtomicBool::new(false));
    let (reply, mut answer) = oneshot::channel();
    let ticket = Ticket { decided: decided.clone(), reply };
    let wait = async {
        let place = queue.reserve().await.map_err(|_| Missed::Closed)?;
        place.send(request(ticket));
        (&mut answer).await.map_err(|_| Missed::Unknown)
    };
    let called_back = || !decided.swap(true, Ordering::AcqRel);
    match tokio::time::timeout(deadline, wait).await {
        Ok(Err(Missed::Unknown)) if called_back() => Err(Missed::Closed),
        Ok(answered) => answered,
        Err(_) if called_back() => Err(Missed::NotDone),
        Err(_) => answer.await.map_err(|_| Missed::Unknown),
    }
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
