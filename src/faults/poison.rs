//! Words that the server chokes on, for tests of what a panic takes with it.
//!
//! Promise: a word is poison for the whole process until its [`Poisoned`] is dropped, which is the fault being mended.
//! Without the feature `faults` nothing is ever tasted.

/// Panics if what is said bears a word that is poison.
#[inline]
pub fn taste(said: impl FnOnce() -> String) {
    #[cfg(feature = "faults")]
    flask::taste(said);
    #[cfg(not(feature = "faults"))]
    let _ = said;
}

/// As long as it lives, its word is poison.
#[cfg(feature = "faults")]
#[derive(Debug)]
#[must_use = "dropping it mends the fault"]
pub struct Poisoned(String);

/// Makes a word poison. Tests in one process choose different words.
#[cfg(feature = "faults")]
pub fn poison(word: &str) -> Poisoned {
    flask::add(word);
    Poisoned(word.to_owned())
}

#[cfg(feature = "faults")]
impl Drop for Poisoned {
    fn drop(&mut self) {
        flask::remove(&self.0);
    }
}

#[cfg(feature = "faults")]
mod flask {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Mutex, MutexGuard, PoisonError};

    static COUNT: AtomicUsize = AtomicUsize::new(0);
    static WORDS: Mutex<Vec<String>> = Mutex::new(Vec::new());

    fn words() -> MutexGuard<'static, Vec<String>> {
        WORDS.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn add(word: &str) {
        words().push(word.to_owned());
        COUNT.fetch_add(1, Ordering::SeqCst);
    }

    pub fn remove(word: &str) {
        words().retain(|known| known != word);
        COUNT.fetch_sub(1, Ordering::SeqCst);
    }

    pub fn taste(said: impl FnOnce() -> String) {
        if COUNT.load(Ordering::SeqCst) == 0 {
            return;
        }
        let said = said();
        let found = words().iter().any(|word| said.contains(word.as_str()));
        assert!(!found, "planted poison");
    }
}
