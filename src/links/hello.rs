//! The first message each way: who speaks, for which cluster, in which versions, and whether they belong together.
//!
//! A certificate says that a node is one of ours; hello says which one. An address may have passed from a node that
//! has ended to another, so the one who dials says whom it means, and both sides compare.
//! Promise: whoever is refused is told one of [`Refused`], never less.

use super::wire::Hello;
use crate::cluster::member::{NodeId, Protocols};
use std::fmt;

/// The longest id or name that is believed; host names have at most 253 bytes.
const NAME_BYTES: usize = 256;

/// A node as its links present it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Me {
    /// The id of the journal, which is the cluster's.
    pub cluster: String,
    /// This run of the node.
    pub node: NodeId,
    /// Its name.
    pub name: String,
    /// What its links speak.
    pub protocols: Protocols,
}

/// Why two nodes have no link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The other belongs to another journal.
    ForeignCluster,
    /// Another node answers at that address, or dials under our own id.
    OtherNode,
    /// There is no protocol version that both speak.
    NoCommonVersion,
    /// It says no hello, or one that no node would say.
    NoHello,
    /// It is about to end.
    Draining,
}

impl Refused {
    const ALL: [(Self, &'static str, &'static str); 5] = [
        (Self::ForeignCluster, "foreign_cluster", "it keeps another journal: one of the two has a wrong database"),
        (Self::OtherNode, "other_node", "another node, or another run of the node, is at this address"),
        (Self::NoCommonVersion, "no_common_version", "no protocol version is common: upgrade one step at a time"),
        (Self::NoHello, "no_hello", "it did not say hello as a node does"),
        (Self::Draining, "draining", "it is about to end"),
    ];

    /// As it is written on the wire.
    pub(super) fn word(self) -> &'static str {
        Self::ALL.iter().find(|(reason, ..)| *reason == self).map_or("", |(_, word, _)| word)
    }

    /// The reverse of [`Self::word`].
    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, _)| *known == word).map(|(reason, ..)| *reason)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::ALL.iter().find(|(reason, ..)| reason == self).map_or("", |(.., text)| text))
    }
}

impl Me {
    /// What it says; `to` if it dials.
    pub(super) fn hello(&self, to: Option<&NodeId>) -> Hello {
        Hello {
            cluster: self.cluster.clone(),
            node: self.node.as_str().to_owned(),
            name: self.name.clone(),
            protocol_min: self.protocols.min.into(),
            protocol_max: self.protocols.max.into(),
            to: to.map(|to| to.as_str().to_owned()).unwrap_or_default(),
        }
    }

    /// Judges the hello of one who dialled us: who it is, and the version to speak.
    pub(super) fn admit(&self, hello: &Hello) -> Result<(NodeId, u16), Refused> {
        let version = self.judge(hello)?;
        // Who dials under our own id has reached itself, by a row with a wrong address.
        if hello.to != self.node.as_str() || hello.node == self.node.as_str() {
            return Err(Refused::OtherNode);
        }
        Ok((NodeId::new(&hello.node), version))
    }

    /// Judges the hello of the one that we dialled.
    pub(super) fn accept(&self, hello: &Hello, dialled: &NodeId, name: &str) -> Result<u16, Refused> {
        let version = self.judge(hello)?;
        if hello.node != dialled.as_str() || hello.name != name {
            return Err(Refused::OtherNode);
        }
        Ok(version)
    }

    fn judge(&self, hello: &Hello) -> Result<u16, Refused> {
        let plausible = |text: &str| {
            !text.is_empty() && text.len() <= NAME_BYTES && !text.chars().any(|c| c.is_control() || c.is_whitespace())
        };
        if !plausible(&hello.node) || !plausible(&hello.name) {
            return Err(Refused::NoHello);
        }
        if hello.cluster != self.cluster {
            return Err(Refused::ForeignCluster);
        }
        let version = |version| u16::try_from(version).map_err(|_| Refused::NoCommonVersion);
        let theirs = Protocols { min: version(hello.protocol_min)?, max: version(hello.protocol_max)? };
        self.protocols.common(theirs).ok_or(Refused::NoCommonVersion)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn me(node: &str, min: u16, max: u16) -> Me {
        Me {
            cluster: "j1".to_owned(),
            node: NodeId::new(node),
            name: format!("name-{node}"),
            protocols: Protocols { min, max },
        }
    }

    #[test]
    fn the_newest_common_version_is_spoken() {
        let (a, b) = (me("a", 1, 2), me("b", 1, 1));
        assert_eq!(a.admit(&b.hello(Some(&a.node))), Ok((b.node.clone(), 1)));
        assert_eq!(b.admit(&a.hello(Some(&b.node))), Ok((a.node.clone(), 1)));
        assert_eq!(a.accept(&b.hello(None), &b.node, "name-b"), Ok(1));
        assert_eq!(a.admit(&me("c", 1, 2).hello(Some(&a.node))).map(|(_, version)| version), Ok(2));
    }

    #[test]
    fn others_are_refused_with_the_reason() {
        let (a, b) = (me("a", 1, 2), me("b", 1, 2));
        let hello = b.hello(Some(&a.node));
        let admit = |change: &dyn Fn(&mut Hello)| {
            let mut hello = hello.clone();
            change(&mut hello);
            a.admit(&hello).expect_err("refused")
        };
        assert_eq!(admit(&|hello| hello.cluster = "j2".to_owned()), Refused::ForeignCluster);
        assert_eq!(admit(&|hello| hello.to = "older".to_owned()), Refused::OtherNode);
        assert_eq!(admit(&|hello| hello.node = "a".to_owned()), Refused::OtherNode);
        assert_eq!(admit(&|hello| hello.protocol_min = 3), Refused::NoCommonVersion);
        assert_eq!(admit(&|hello| hello.protocol_max = 70_000), Refused::NoCommonVersion);
        assert_eq!(admit(&|hello| hello.name = "b\n2026 ERROR".to_owned()), Refused::NoHello);
        assert_eq!(a.accept(&b.hello(None), &NodeId::new("older"), "name-b"), Err(Refused::OtherNode));
        assert_eq!(a.accept(&b.hello(None), &b.node, "name-x"), Err(Refused::OtherNode));
        for (reason, word, _) in Refused::ALL {
            assert_eq!(Refused::from_word(word), Some(reason));
        }
    }
}
