//! The journal itself as it is driven: entries in, durable ones out.

use super::drive::Sink;
use super::mix::{Mix, entity};
use crate::fault::Fault;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use waystone::cluster::shard::Shard;
use waystone::ids::EntityId;
use waystone::persist::{Journal, Place};

/// A journal and the entities that write to it.
#[derive(Debug)]
pub struct Real {
    journal: Arc<dyn Journal>,
    mix: Arc<Mix>,
    entities: Vec<EntityId>,
}

/// Opens a journal and claims all of it; how long the claim took.
pub async fn open(place: &Place) -> Result<(Arc<dyn Journal>, Duration), Fault> {
    place.migrate().await.map_err(|err| Fault::Store(err.to_string()))?;
    let journal = place.open().await.map_err(|err| Fault::Store(err.to_string()))?;
    let begun = Instant::now();
    let claims = journal.claim(Shard::all().collect()).await.map_err(|err| Fault::Store(err.to_string()))?;
    let took = begun.elapsed();
    if claims.len() == Shard::all().count() {
        Ok((journal, took))
    } else {
        Err(Fault::Store(format!("{} shards were claimed", claims.len())))
    }
}

impl Real {
    /// With so many entities that are new to it.
    pub fn new(journal: &Arc<dyn Journal>, mix: &Arc<Mix>, in_flight: u64) -> Result<Self, Fault> {
        let run = format!("load{in_flight}");
        let entities = (0..in_flight).map(|n| entity(&run, n)).collect::<Result<_, _>>()?;
        Ok(Self { journal: Arc::clone(journal), mix: Arc::clone(mix), entities })
    }
}

impl Sink for Real {
    async fn write(&self, n: u64, seq: u64) -> Result<(), Fault> {
        let entity = &self.entities[usize::try_from(n).unwrap_or(0)];
        let appended = self.journal.append(self.mix.append(entity, n, seq)).await;
        appended.map(drop).map_err(|err| Fault::Store(err.to_string()))
    }
}
