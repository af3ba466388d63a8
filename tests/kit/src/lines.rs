//! The lines of a cluster: from node to node and from each node to its services, as proxies that can be made to fail.

use crate::proxy::{Callers, Proxy, Rule};
use crate::{Result, Trouble};
use std::collections::BTreeMap;

/// All lines of a cluster.
#[derive(Debug)]
pub struct Lines {
    callers: Callers,
    /// Before the port for other nodes of each node.
    links: BTreeMap<&'static str, Proxy>,
    /// Of each node to the database, and to Redis.
    postgres: BTreeMap<&'static str, Proxy>,
    redis: BTreeMap<&'static str, Proxy>,
}

impl Lines {
    /// From and to nodes that listen for others on these ports, to a database, and to Redis where each node speaks to it.
    pub fn lay(nodes: &[(&'static str, u16)], postgres: u16, redis: impl Fn(&str) -> u16) -> Result<Self> {
        let callers = Callers::default();
        let proxy = |port| Proxy::start(port, &callers);
        let links = nodes.iter().map(|(name, port)| Ok((*name, proxy(*port)?))).collect::<Result<_>>()?;
        let postgres = nodes.iter().map(|(name, _)| Ok((*name, proxy(postgres)?))).collect::<Result<_>>()?;
        let redis = nodes.iter().map(|(name, _)| Ok((*name, proxy(redis(name))?))).collect::<Result<_>>()?;
        Ok(Self { callers, links, postgres, redis })
    }

    /// A node runs as this process now.
    pub fn runs(&self, name: &str, pid: u32) {
        self.callers.name(pid, name);
    }

    /// Where other nodes reach a node.
    pub fn link_port(&self, name: &str) -> Result<u16> {
        Ok(line(&self.links, name)?.port())
    }

    /// Where a node reaches the database.
    pub fn postgres_port(&self, name: &str) -> Result<u16> {
        Ok(line(&self.postgres, name)?.port())
    }

    /// Where a node reaches Redis.
    pub fn redis_port(&self, name: &str) -> Result<u16> {
        Ok(line(&self.redis, name)?.port())
    }

    /// What becomes of all that two nodes say to each other.
    pub fn between(&self, one: &str, other: &str, rule: Rule) -> Result<()> {
        line(&self.links, one)?.set_for(other, rule);
        line(&self.links, other)?.set_for(one, rule);
        Ok(())
    }

    /// What becomes of all that a node and all others say to each other.
    pub fn around(&self, name: &str, rule: Rule) -> Result<()> {
        self.links.keys().filter(|other| **other != name).try_for_each(|other| self.between(name, other, rule))
    }

    /// What one node says does not reach another; what that one says does.
    pub fn lose_one_way(&self, from: &str, to: &str) -> Result<()> {
        line(&self.links, to)?.set_for(from, Rule::Hold { up: true, down: false });
        line(&self.links, from)?.set_for(to, Rule::Hold { up: false, down: true });
        Ok(())
    }

    /// As if nothing listened where a node does: its links end, and its machine refuses new ones.
    pub fn refuse(&self, name: &str, refuse: bool) -> Result<()> {
        line(&self.links, name)?.shut(refuse);
        Ok(())
    }

    /// What becomes of all that a node and the database say to each other.
    pub fn to_postgres(&self, name: &str, rule: Rule) -> Result<()> {
        line(&self.postgres, name)?.set(rule);
        Ok(())
    }

    /// What becomes of all that a node and Redis say to each other.
    pub fn to_redis(&self, name: &str, rule: Rule) -> Result<()> {
        line(&self.redis, name)?.set(rule);
        Ok(())
    }
}

fn line<'a>(lines: &'a BTreeMap<&'static str, Proxy>, name: &str) -> Result<&'a Proxy> {
    lines.get(name).ok_or_else(|| Trouble::new(format!("there is no line of a node {name}")))
}
