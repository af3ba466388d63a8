//! Which node owns each shard, as far as this node has heard: a cache, ordered by epoch, so that old news never undoes
//! new news. Readers never wait.

use crate::cluster::link::Ownership;
use crate::cluster::member::NodeId;
use crate::cluster::shard::{SHARDS, Shard};
use arc_swap::ArcSwap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// The table of a node.
#[derive(Debug)]
pub struct Table {
    rows: ArcSwap<Vec<Row>>,
    /// Held while rows are replaced.
    writing: Mutex<()>,
    /// Counts changes, for who waits for one.
    changes: watch::Sender<u64>,
}

/// Whose a shard is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    /// The node; `None`: nobody's, as far as is known.
    pub node: Option<NodeId>,
    /// In which epoch.
    pub epoch: u64,
}

impl Default for Table {
    fn default() -> Self {
        let rows = vec![Row::default(); usize::from(SHARDS)];
        Self { rows: ArcSwap::from_pointee(rows), writing: Mutex::default(), changes: watch::channel(0).0 }
    }
}

impl Table {
    /// Whose a shard is.
    pub fn row(&self, shard: Shard) -> Row {
        self.rows.load()[usize::from(shard.number())].clone()
    }

    /// All rows, by shard.
    pub fn rows(&self) -> Arc<Vec<Row>> {
        self.rows.load_full()
    }

    /// Takes news in; what is older than what is known changes nothing. Within an epoch a shard goes from its owner to
    /// nobody, never back. Answers with what was new.
    pub fn learn(&self, news: impl IntoIterator<Item = Ownership>) -> Vec<Ownership> {
        let guard = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.rows.load();
        // Each second's look at the database says what is known already: rows are copied for news only.
        let mut rows = None;
        let mut learnt = Vec::new();
        for news in news {
            let place = usize::from(news.shard.number());
            let row = &rows.as_ref().unwrap_or(&**known)[place];
            let released = news.epoch == row.epoch && news.node.is_none() && row.node.is_some();
            if news.epoch > row.epoch || released {
                let row = Row { node: news.node.clone(), epoch: news.epoch };
                rows.get_or_insert_with(|| Vec::clone(&known))[place] = row;
                learnt.push(news);
            }
        }
        if let Some(rows) = rows {
            self.rows.store(Arc::new(rows));
            drop(guard);
            self.changes.send_modify(|count| *count += 1);
        }
        learnt
    }

    /// Counts changes from now on.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news(epoch: u64, node: Option<&str>) -> Ownership {
        let shard = Shard::from_number(3).expect("there are more");
        Ownership { shard, node: node.map(NodeId::new), epoch }
    }

    #[test]
    fn old_news_never_undoes_new_news() {
        let table = Table::default();
        assert_eq!(table.learn([news(2, Some("a"))]).len(), 1);
        assert!(table.learn([news(1, Some("b")), news(2, Some("a")), news(2, Some("b"))]).is_empty());
        assert_eq!(table.learn([news(2, None)]).len(), 1, "it was released");
        assert!(table.learn([news(2, Some("a"))]).is_empty(), "what was said before the release");
        assert_eq!(table.learn([news(3, Some("b"))]).len(), 1);
        let shard = Shard::from_number(3).expect("there are more");
        assert_eq!(table.row(shard), Row { node: Some(NodeId::new("b")), epoch: 3 });
    }
}
