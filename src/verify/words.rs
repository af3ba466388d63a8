//! The words of the checks, which scripts may go by: one is added, never renamed. `docs/verify.md` explains them.

/// Every check: its word, and what it promises.
pub const CHECKS: &[(&str, &str)] = &[
    // The journal as it is stored.
    ("unreadable", "every entry and snapshot is of a form that this version knows"),
    ("quest", "every published quest can be read"),
    ("offsets", "a shard's offsets are 1, 2, 3, ..."),
    ("shard", "an entity's entries are in the shard of its id"),
    ("epoch", "along a shard's offsets epochs never fall, and none is above the shard's own"),
    ("writer", "no epoch has two writers: no entry stands twice in it"),
    ("sequence", "an entity's entries are 1, 2, 3, ..."),
    ("kind", "an entity has only facts of its own kind, each once in an entry"),
    ("cause", "an entity does a client's command at most once"),
    ("snapshot", "a snapshot with the entries after it is what all entries make"),
    // What was earned.
    ("award", "an award is given at most once, and stands for a fact"),
    ("credit", "a player's points are those that the team's letter brings"),
    ("missing", "a player takes what a letter owes"),
    ("undue", "a player takes nothing that no letter owes"),
    ("badge", "badges are those of the facts, each once"),
    ("points", "points are what the quest says, and their sum is kept"),
    ("reward", "a reward is one of the quest's, in its time and on its condition"),
    ("stock", "a limited reward is given to no more teams than there are, each number once, until all is given"),
    // How the game went.
    ("presence", "who enters was outside, who leaves was inside, and players are where regions have seen them"),
    ("member", "who joins a team was no member, who leaves was one, and a team comes to be once"),
    ("run", "facts of a run belong to one that was started, and runs follow each other"),
    ("reached", "a part of a step is done by a member, while the step is open"),
    ("by", "a step is done by members who have done their part"),
    ("progress", "a step is done once, while it is open, and a run is finished when its steps are done"),
    ("union", "a team's progress is the union of what members did while they were members"),
    // What entities tell each other, and players.
    ("order", "letters of one to another are heard in order, each once"),
    ("unsent", "a letter that is heard was sent, to the one who hears it"),
    ("lost", "a letter that was sent is heard, or still under way"),
    ("news", "letters say what the facts say"),
    ("untold", "who is owed a word of a fact gets it"),
    ("notices", "only players are told anything, and their notices are counted"),
    ("notice", "a player's notices tell of its facts, and of nothing else"),
    // The history by itself.
    ("history", "a history is one: questions before answers, welcomes before notices"),
    ("gap", "a client's offsets have no hole"),
    ("twin", "no offset comes twice to a client"),
    ("resume", "a client resumes where it was, and the stream goes on there"),
    ("stale", "nothing that a client sees is older than what it knew when it asked"),
    // The history against the journal.
    ("stream", "the clients' streams are of this journal"),
    ("told", "what was told stands in the journal, word for word"),
    ("phantom", "nothing was told or seen that the journal does not have"),
    ("undelivered", "at rest every client has been told all that the journal has for it"),
    ("acknowledged", "what was acknowledged is in the journal"),
    ("reply", "a command has one answer, and its entry has the same"),
    ("content", "a command is done as it was asked"),
    ("refused", "what was refused is not done"),
    ("twice", "a command is done at no more than one entity"),
    ("unasked", "no command is done that was not asked"),
    ("state", "a state that was seen is the sum of the facts up to then"),
    ("board", "a board that was seen is one that the teams made, and at rest the last"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_check_has_one_word_that_the_document_explains() {
        let document = include_str!("../../docs/verify.md");
        let words: BTreeSet<&str> = CHECKS.iter().map(|(word, _)| *word).collect();
        assert_eq!(words.len(), CHECKS.len(), "a word stands for two checks");
        for (word, promise) in CHECKS {
            assert!(
                document.contains(&format!("| `{word}` | {promise}")),
                "docs/verify.md lacks | `{word}` | {promise}"
            );
        }
    }
}
