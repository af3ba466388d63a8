//! Identifiers: short, checked texts that cannot be mistaken for one another.
//!
//! A `PlayerId` is the `sub` of a token, so we do not choose its form; we only bound it.
//! Promise: an id is 1 to 96 bytes of printable ASCII without space, `/`, `#`, `"` or `\`, so that it can stand
//! in a channel name, a URL segment, a log line and a database key without escaping.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::sync::Arc;

/// Longest id in bytes: two names and a version, as in `quest@version:place`.
pub const ID_BYTES_MAX: usize = 96;

/// An id of kind `K`; cheap to clone, ordered by its text.
pub struct Id<K> {
    text: Arc<str>,
    kind: PhantomData<fn() -> K>,
}

/// Marks ids of players.
#[derive(Debug)]
pub enum OfPlayer {}
/// Marks ids of teams.
#[derive(Debug)]
pub enum OfTeam {}
/// Marks ids of regions.
#[derive(Debug)]
pub enum OfRegion {}
/// Marks ids of quests.
#[derive(Debug)]
pub enum OfQuest {}
/// Marks names of steps inside a quest.
#[derive(Debug)]
pub enum OfStep {}
/// Marks names of places inside a quest.
#[derive(Debug)]
pub enum OfPlace {}
/// Marks names of badges.
#[derive(Debug)]
pub enum OfBadge {}

/// A player: the `sub` of the token.
pub type PlayerId = Id<OfPlayer>;
/// A team.
pub type TeamId = Id<OfTeam>;
/// A region: `quest@version:place`, or the quest's own id for its whole area.
pub type RegionId = Id<OfRegion>;
/// A quest.
pub type QuestId = Id<OfQuest>;
/// A step within its quest.
pub type StepId = Id<OfStep>;
/// A place within its quest.
pub type PlaceId = Id<OfPlace>;
/// A badge.
pub type BadgeId = Id<OfBadge>;

/// The name that a token gives itself (`jti`): any text of 1 to 128 bytes, as its issuer makes them.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct TokenId(Arc<str>);

impl TokenId {
    /// Takes a text; `None`: it is empty or too long.
    pub fn new(text: &str) -> Option<Self> {
        (1..=128).contains(&text.len()).then(|| Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenId(..)")
    }
}

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an id is 1 to {ID_BYTES_MAX} printable ASCII characters without space, '/', '#', quotes or '\\'")]
pub struct IdError;

impl<K> Id<K> {
    /// Checks and takes a text.
    pub fn new(text: impl AsRef<str>) -> Result<Self, IdError> {
        let text = text.as_ref();
        let allowed = |b: u8| b.is_ascii_graphic() && !matches!(b, b'/' | b'#' | b'"' | b'\'' | b'\\');
        if text.is_empty() || text.len() > ID_BYTES_MAX || !text.bytes().all(allowed) {
            return Err(IdError);
        }
        Ok(Self { text: text.into(), kind: PhantomData })
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl RegionId {
    /// The region of one place of one version of a quest: a place that moves in a new version is another region, so
    /// teams under way keep theirs.
    pub fn of_place(quest: &QuestId, version: u32, place: &PlaceId) -> Result<Self, IdError> {
        Self::new(format!("{quest}@{version}:{place}"))
    }

    /// The region that stands for a quest's whole area; its aggregate keeps what all teams share, such as stock.
    pub fn of_quest(quest: &QuestId) -> Self {
        Self { text: quest.text.clone(), kind: PhantomData }
    }

    /// The place within a version of a quest that this region is, if it is one.
    pub fn place_of(&self, quest: &QuestId, version: u32) -> Option<PlaceId> {
        let rest = self.text.strip_prefix(quest.as_str())?.strip_prefix('@')?;
        let (of_version, place) = rest.split_once(':')?;
        if of_version.parse() == Ok(version) { PlaceId::new(place).ok() } else { None }
    }

    /// Whether this is a place of any version of a quest.
    pub fn is_of(&self, quest: &QuestId) -> bool {
        self.text.strip_prefix(quest.as_str()).is_some_and(|rest| rest.starts_with('@'))
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        Self { text: self.text.clone(), kind: PhantomData }
    }
}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}
impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
impl<K> std::str::FromStr for Id<K> {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::new(text)
    }
}
impl<K> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}
impl<'de, K> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::new(text).map_err(serde::de::Error::custom)
    }
}
impl<K> schemars::JsonSchema for Id<K> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Id".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "minLength": 1, "maxLength": ID_BYTES_MAX, "pattern": "^[!$-&(-.0-\\[\\]-~]+$"
        })
    }
}

/// FNV-1a, 64 bit (Fowler, Noll, Vo): a hash that is the same on every machine and in every version.
/// Stored data depends on it: it must never change.
pub fn stable_hash(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes
        .into_iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// One aggregate: the unit that owns state, has an event stream, and lives in one actor at a time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntityId {
    /// A player's own state and stream of notices.
    Player(PlayerId),
    /// A team: members, runs, score.
    Team(TeamId),
    /// A region: who is here, what it has in stock.
    Region(RegionId),
}

impl EntityId {
    /// The kind as stored: 1 player, 2 team, 3 region. Never change these numbers.
    pub fn kind(&self) -> u8 {
        match self {
            Self::Player(_) => 1,
            Self::Team(_) => 2,
            Self::Region(_) => 3,
        }
    }

    /// The id's text without its kind.
    pub fn key(&self) -> &str {
        match self {
            Self::Player(id) => id.as_str(),
            Self::Team(id) => id.as_str(),
            Self::Region(id) => id.as_str(),
        }
    }

    /// The reverse of [`Self::kind`] and [`Self::key`]; `None` for a kind or key that no version ever wrote.
    pub fn from_parts(kind: u8, key: &str) -> Option<Self> {
        match kind {
            1 => PlayerId::new(key).ok().map(Self::Player),
            2 => TeamId::new(key).ok().map(Self::Team),
            3 => RegionId::new(key).ok().map(Self::Region),
            _ => None,
        }
    }
}

impl fmt::Display for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Player(_) => "player",
            Self::Team(_) => "team",
            Self::Region(_) => "region",
        };
        write!(f, "{kind}/{}", self.key())
    }
}

impl std::str::FromStr for EntityId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let (kind, key) = text.split_once('/').ok_or(IdError)?;
        let kind = ["player", "team", "region"].iter().zip(1..).find(|(name, _)| **name == kind);
        kind.and_then(|(_, kind)| Self::from_parts(kind, key)).ok_or(IdError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_refuses_what_a_key_or_channel_cannot_bear() {
        for bad in ["", "a b", "a/b", "#a", "a\"", "å", "a\u{0}", &"x".repeat(97)] {
            assert!(PlayerId::new(bad).is_err(), "{bad:?} was taken");
        }
        for good in ["a", "auth0|5f7", "ada@example.org", &"x".repeat(96)] {
            assert!(PlayerId::new(good).is_ok(), "{good:?} was refused");
        }
    }

    #[test]
    fn region_of_a_place_leads_back_to_it() {
        let quest = QuestId::new("walk").expect("valid");
        let place = PlaceId::new("kivi").expect("valid");
        let region = RegionId::of_place(&quest, 3, &place).expect("short");
        assert_eq!(region.place_of(&quest, 3), Some(place));
        assert_eq!(region.place_of(&quest, 2), None);
        assert_eq!(RegionId::of_quest(&quest).place_of(&quest, 3), None);
        assert!(region.is_of(&quest) && !RegionId::of_quest(&quest).is_of(&quest));
    }
}
