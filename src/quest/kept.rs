//! A notice as it is kept for phones that come back: as the text that it is told and stored as.
//!
//! Of all that is known of a player their latest notices are the most, and hardly any is ever asked for again: as text
//! each takes a third of its memory. Promise: what comes out is what was put in.

use crate::quest::notice::Notice;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use std::sync::Arc;

/// A kept notice; cheap to clone.
#[derive(Debug, Clone, Serialize)]
pub struct Kept(Arc<RawValue>);

impl Kept {
    /// Keeps a notice.
    pub fn new(notice: &Notice) -> Self {
        Self(serde_json::value::to_raw_value(notice).expect("a notice has a form in JSON").into())
    }

    /// The notice.
    pub fn notice(&self) -> Notice {
        serde_json::from_str(self.0.get()).expect("it was made of a notice")
    }
}

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

impl<'de> Deserialize<'de> for Kept {
    /// By way of a notice: what is no notice is found at once, and stores that write JSON their own way change nothing.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Notice::deserialize(deserializer).map(|notice| Self::new(&notice))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::QuestId;
    use crate::quest::notice::What;
    use crate::units::Timestamp;

    #[test]
    fn what_comes_out_is_what_was_put_in() {
        let quest = QuestId::new("q").expect("an id");
        let what = What::PointsGiven { quest, points: -3, team: true };
        let notice = Notice { at: Timestamp::from_millis(7), what };
        let kept = Kept::new(&notice);
        assert_eq!(kept.notice(), notice);
        let stored = serde_json::to_string_pretty(&serde_json::to_value(&kept).expect("JSON")).expect("JSON");
        assert_eq!(serde_json::from_str::<Kept>(&stored).expect("the same"), kept);
        assert!(serde_json::from_str::<Kept>(r#"{"at":7,"type":"no.such"}"#).is_err());
    }
}
