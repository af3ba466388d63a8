//! Checks that every text is there in every language that the quest promises.

use super::tree::Tree;
use crate::content::code;
use crate::content::file::QuestFile;
use crate::content::names::{did_you_mean, listed};
use crate::content::report::Fault;
use crate::content::spot::At;
use crate::content::step::Verb;
use crate::content::values::Words;

pub(super) fn check(file: &QuestFile, tree: &Tree, faults: &mut Vec<Fault>) {
    if file.languages.is_empty() {
        return;
    }
    let promised = || file.languages.iter().map(|tag| tag.value.as_str());
    for text in texts(file, tree) {
        // A plain text, under no tag, serves every language.
        if text.0.contains_key("") {
            continue;
        }
        let missing: Vec<_> = promised().filter(|tag| !text.0.contains_key(*tag)).collect();
        if !missing.is_empty() {
            let message = format!("this text is missing in {}", listed(missing));
            faults.push(Fault::new(code::MISSING_LANGUAGE, text.spot, message));
        }
        for tag in text.0.keys().filter(|tag| !promised().any(|known| known == tag.as_str())) {
            let message = format!("this text has the language \"{tag}\", which the quest does not list");
            let fault = Fault::new(code::UNLISTED_LANGUAGE, text.spot, message);
            faults.push(fault.maybe_help(did_you_mean(tag, promised())));
        }
    }
}

fn texts<'a>(file: &'a QuestFile, tree: &Tree<'a>) -> Vec<&'a At<Words>> {
    let mut texts = vec![&file.title];
    texts.extend(&file.summary);
    texts.extend(file.places.values().filter_map(|place| place.name.as_ref()));
    for node in &tree.nodes {
        texts.extend(&node.step.title);
        texts.extend(node.step.hints.iter().map(|hint| &hint.text));
        match node.verb {
            Some(Verb::Answer(answer)) => texts.push(&answer.question),
            Some(Verb::Choose(choose)) => {
                texts.push(&choose.question);
                texts.extend(choose.options.iter().map(|option| &option.label));
            }
            _ => {}
        }
    }
    texts
}
