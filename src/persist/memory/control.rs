//! Revocations and the audit log in memory, kept with the journal's data: another handle on them sees the same.

use super::MemoryJournal;
use super::data::Data;
use crate::persist::ReadError;
use crate::persist::control::{ASKED, AuditLine, Control, ControlError, Revocation, Revocations};
use crate::units::Timestamp;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use std::collections::BTreeMap;

/// What a disk would hold of it.
#[derive(Debug, Default)]
pub(super) struct Tables {
    revocations: Revocations,
    audit: BTreeMap<String, AuditLine>,
}

impl MemoryJournal {
    fn change<T>(&self, change: impl FnOnce(&mut Tables) -> Result<T, ControlError>) -> Result<T, ControlError> {
        let trouble = self.handle().trouble();
        match trouble {
            None => change(&mut self.data().control),
            Some(trouble) => Err(ControlError::Unavailable(trouble.to_owned())),
        }
    }

    fn look<T>(&self, look: impl FnOnce(&Data) -> T) -> Result<T, ReadError> {
        self.reading().map(|data| look(&data))
    }
}

impl Control for MemoryJournal {
    fn revocations(
        &self,
        known: Option<i64>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Option<Revocations>, ReadError>> {
        let found = self.look(|data| {
            let mut found = data.control.revocations.clone();
            found.all.retain(|revocation| revocation.ends > now);
            (known != Some(found.version)).then_some(found)
        });
        ready(found).boxed()
    }

    fn revoke(&self, revocation: Revocation, max: u32) -> BoxFuture<'_, Result<(), ControlError>> {
        let done = self.change(|tables| {
            let kept = &mut tables.revocations;
            kept.all.retain(|kept| kept.ends > revocation.at);
            if kept.all.len() >= usize::try_from(max).unwrap_or(usize::MAX) {
                return Err(ControlError::Full);
            }
            kept.all.push(revocation);
            kept.version += 1;
            Ok(())
        });
        ready(done).boxed()
    }

    fn lift(&self, id: String) -> BoxFuture<'_, Result<bool, ControlError>> {
        let done = self.change(|tables| {
            let kept = &mut tables.revocations;
            let before = kept.all.len();
            kept.all.retain(|kept| kept.id != id);
            let lifted = kept.all.len() < before;
            kept.version += i64::from(lifted);
            Ok(lifted)
        });
        ready(done).boxed()
    }

    fn record(&self, line: AuditLine) -> BoxFuture<'_, Result<(), ControlError>> {
        let done = self.change(|tables| {
            tables.audit.insert(line.id.clone(), line);
            Ok(())
        });
        ready(done).boxed()
    }

    fn conclude(&self, id: String, outcome: String) -> BoxFuture<'_, Result<(), ControlError>> {
        let done = self.change(|tables| {
            if let Some(line) = tables.audit.get_mut(&id).filter(|line| line.outcome == ASKED) {
                line.outcome = outcome;
            }
            Ok(())
        });
        ready(done).boxed()
    }

    fn audit(&self, before: Option<String>, limit: u32) -> BoxFuture<'_, Result<Vec<AuditLine>, ReadError>> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let page = self.look(|data| {
            let lines = data.control.audit.values().rev();
            lines.filter(|line| before.as_ref().is_none_or(|before| line.id < *before)).take(limit).cloned().collect()
        });
        ready(page).boxed()
    }

    fn trim(&self, before: Timestamp, keep: u32) -> BoxFuture<'_, Result<(), ControlError>> {
        let done = self.change(|tables| {
            tables.audit.retain(|_, line| line.at >= before);
            while tables.audit.len() > usize::try_from(keep).unwrap_or(usize::MAX) {
                tables.audit.pop_first();
            }
            Ok(())
        });
        ready(done).boxed()
    }
}
