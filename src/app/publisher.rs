//! Publishing a quest while the server runs: checked as `waystone quest check` does, kept in the journal, then known here.
//!
//! The other nodes of a cluster see the new version with their next view and read it from the journal. Promise: one
//! publication at a time on a node, and of two nodes that publish at once one is told to try again; a version is known
//! here only after the journal has it.

use super::{StartError, read};
use crate::actors::world::World;
use crate::content::{self, Published as Content, Report};
use crate::net::auth::Secret;
use crate::net::quests::{Checked, Publish, PublishError, Published};
use crate::persist::{AppendError, Journal, PublishedSource};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

/// Versions of quests that are kept: each stays in memory with its places, some 50 KB for a quest of a city.
const VERSIONS_MAX: usize = 1_000;
/// What faults call a file that came without a name.
const NAME: &str = "quest.yaml";

/// Publishes into a journal and a world.
#[derive(Debug)]
pub(super) struct Publisher {
    pub(super) journal: Arc<dyn Journal>,
    pub(super) world: World,
    pub(super) secret: Secret,
    pub(super) one: Mutex<()>,
}

impl Publisher {
    async fn keep(&self, text: String) -> Result<Published, PublishError> {
        let _one = self.one.lock().await;
        let draft = self.read(text.clone(), 1).await?;
        let quest = draft.quest.quest.id.clone();
        let stored = self.journal.published().await.map_err(|err| PublishError::Unavailable(err.to_string()))?;
        let latest = stored.iter().filter(|known| known.quest == quest).max_by_key(|known| known.version);
        if let Some(latest) = latest.filter(|latest| latest.source == text) {
            return Ok(Published { version: latest.version, new: false });
        }
        if stored.len() >= VERSIONS_MAX {
            return Err(PublishError::Full(VERSIONS_MAX));
        }
        let version = latest.map_or(1, |latest| latest.version + 1);
        let content = self.read(text.clone(), version).await?;
        self.journal.publish(PublishedSource { quest, version, source: text }).await.map_err(|err| match err {
            AppendError::Conflict(_) | AppendError::Repeated(_) => PublishError::Taken,
            AppendError::Lost | AppendError::Unavailable(_) => PublishError::Unavailable(err.to_string()),
        })?;
        self.world.publish(vec![content]);
        Ok(Published { version, new: true })
    }

    async fn read(&self, text: String, version: u32) -> Result<Content, PublishError> {
        let secret = self.secret.clone();
        aside(move || read(&text, NAME, version, &secret)).await?.map_err(|err| match err {
            StartError::Quest(report) => PublishError::Faults(faults(&report)),
            err => PublishError::Unavailable(err.to_string()),
        })
    }
}

impl Publish for Publisher {
    fn check(&self, text: String) -> BoxFuture<'_, Result<Checked, PublishError>> {
        async move {
            let looked_at = text.clone();
            let report = aside(move || content::check(&looked_at, NAME)).await?;
            if report.has_errors() {
                return Err(PublishError::Faults(faults(&report)));
            }
            let quest = self.read(text, 1).await?.quest.quest.id.clone();
            Ok(Checked { quest, warnings: faults(&report) })
        }
        .boxed()
    }

    fn publish(&self, text: String) -> BoxFuture<'_, Result<Published, PublishError>> {
        self.keep(text).boxed()
    }
}

/// A large file takes a while to look at, and nobody shall wait for it who does not have to.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, PublishError> {
    spawn_blocking(work).await.map_err(|_| PublishError::Unavailable("the file could not be looked at".to_owned()))
}

fn faults(report: &Report) -> Value {
    serde_json::to_value(&report.faults).unwrap_or_default()
}
