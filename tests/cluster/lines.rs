//! The lines from node to node and from each node to its services: proxies, which a test can have fail.

use std::collections::BTreeMap;
use waystone_kit::Proxy;
use waystone_kit::proxy::{Callers, Rule};

/// All lines of a cluster.
#[derive(Debug)]
pub(crate) struct Lines {
    callers: Callers,
    /// Before the port for other nodes of each node.
    links: BTreeMap<&'static str, Proxy>,
    /// Of each node to the database, and to Redis.
    postgres: BTreeMap<&'static str, Proxy>,
    redis: BTreeMap<&'static str, Proxy>,
}

impl Lines {
    /// From and to nodes that listen for others on these ports, to a database, and to Redis where each node speaks to it.
    pub(crate) fn lay(nodes: &[(&'static str, u16)], postgres: u16, redis: impl Fn(&str) -> u16) -> Self {
        let callers = Callers::default();
        let proxy = |port| Proxy::start(port, &callers).expect("one of a hundred ports is free");
        let links = nodes.iter().map(|(name, port)| (*name, proxy(*port))).collect();
        let postgres = nodes.iter().map(|(name, _)| (*name, proxy(postgres))).collect();
        let redis = nodes.iter().map(|(name, _)| (*name, proxy(redis(name)))).collect();
        Self { callers, links, postgres, redis }
    }

    /// A node runs as this process now.
    pub(crate) fn runs(&self, name: &str, pid: u32) {
        self.callers.name(pid, name);
    }

    /// Where other nodes reach a node.
    pub(crate) fn link_port(&self, name: &str) -> u16 {
        self.links[name].port()
    }

    /// Where a node reaches the database.
    pub(crate) fn postgres_port(&self, name: &str) -> u16 {
        self.postgres[name].port()
    }

    /// Where a node reaches Redis.
    pub(crate) fn redis_port(&self, name: &str) -> u16 {
        self.redis[name].port()
    }

    /// What becomes of all that two nodes say to each other.
    pub(crate) fn between(&self, one: &str, other: &str, rule: Rule) {
        self.links[one].set_for(other, rule);
        self.links[other].set_for(one, rule);
    }

    /// What becomes of all that a node and all others say to each other.
    pub(crate) fn around(&self, name: &str, rule: Rule) {
        for other in self.links.keys().filter(|other| **other != name) {
            self.between(name, other, rule);
        }
    }

    /// What one node says does not reach another; what that one says does.
    pub(crate) fn lose_one_way(&self, from: &str, to: &str) {
        self.links[to].set_for(from, Rule::Hold { up: true, down: false });
        self.links[from].set_for(to, Rule::Hold { up: false, down: true });
    }

    /// As if nothing listened where a node does: its links end, and its machine refuses new ones.
    pub(crate) fn refuse(&self, name: &str, refuse: bool) {
        self.links[name].shut(refuse);
    }

    /// What becomes of all that a node and the database say to each other.
    pub(crate) fn to_postgres(&self, name: &str, rule: Rule) {
        self.postgres[name].set(rule);
    }

    /// What becomes of all that a node and Redis say to each other.
    pub(crate) fn to_redis(&self, name: &str, rule: Rule) {
        self.redis[name].set(rule);
    }
}
