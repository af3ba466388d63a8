//! From a checked file to what the rules and the fences read.
//!
//! Promise: a quest is published whole or not at all; every default is set here, so that no rule has to know one.

use super::check::faults_of;
use super::fence::Fence;
use super::file::{self, Audience, Each, Give, Mode, QuestFile, Repeat};
use super::read::read;
use super::report::{Fault, Report};
use super::resolved::{id, window};
use super::shapes::Outline;
use super::spot::At;
use super::step::{Step, Verb};
use super::values::{Span, Words};
use crate::geo::region::Region;
use crate::geo::rules::FenceRules;
use crate::ids::{PlaceId, QuestId, RegionId, StepId};
use crate::quest::definition as model;
use crate::units::{Meters, MetersPerSecond};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long to wait after too many wrong answers, if the file does not say.
const WAIT_DEFAULT: Duration = Duration::from_secs(60);

/// One version of a quest, ready for the rules and the fences.
#[derive(Clone)]
pub struct Published {
    /// What the rules read.
    pub quest: Arc<model::Quest>,
    /// One region for each place, in the order of their names.
    pub regions: Vec<Region>,
    /// How long tracks may be kept; `None`: as the server is configured.
    pub keep_track_for: Option<Duration>,
    /// The file's `extensions`, for apps.
    pub extensions: BTreeMap<String, serde_json::Value>,
    /// Warnings, if any; never errors.
    pub report: Report,
}

/// Reads, checks and resolves a quest file. `code_for` gives the secret text of the code to hang up for a `scan` step
/// whose file names none.
pub fn publish(
    source: &str,
    file_name: &str,
    version: u32,
    code_for: &dyn Fn(&StepId) -> String,
) -> Result<Published, Report> {
    let refuse = |fault| Report::new(file_name, source, vec![fault]);
    let file = read(source).map_err(refuse)?;
    let report = Report::new(file_name, source, faults_of(&file));
    if report.has_errors() {
        return Err(report);
    }
    resolve(&file, version, code_for, report).map_err(refuse)
}

/// Makes the values. What `check` let through does not fail here; should it, the fault is reported like any other.
fn resolve(
    file: &QuestFile,
    version: u32,
    code_for: &dyn Fn(&StepId) -> String,
    report: Report,
) -> Result<Published, Fault> {
    let quest_id: QuestId = id(&file.id)?;
    let mut places = BTreeMap::new();
    let mut regions = Vec::new();
    let rules = Arc::new(fence_rules(&file.safety));
    for (name, place) in &file.places {
        let place_id: PlaceId = id(name)?;
        let outline = Outline::of(name, place)?;
        let region = RegionId::of_place(&quest_id, version, &place_id)
            .map_err(|error| Fault::new(super::code::BAD_ID, name.spot, error.to_string()))?;
        let region = Region::new(region, outline.shape);
        regions.push(match &place.fence {
            Some(fence) => Fence::applied(fence, region, *rules, file.available.as_ref())?,
            None => region.with_rules(Arc::clone(&rules)),
        });
        let text = words(place.name.as_ref());
        places.insert(place_id, model::Place { name: text, hidden: place.hidden, outline: outline.geojson });
    }
    let mut steps = Steps { file, code_for, out: BTreeMap::new() };
    let roots = steps.add(&file.steps, None)?;
    let quest = model::Quest {
        quest: model::QuestRef { id: quest_id, version },
        title: words(Some(&file.title)),
        summary: words(file.summary.as_ref()),
        languages: file.languages.iter().map(|tag| tag.value.clone()).collect(),
        play: play(&file.play),
        available: file.available.as_ref().map(|available| window(available, None)).transpose()?,
        requires: file.requires.as_ref().map(|requires| id(&requires.quest)).transpose()?,
        places,
        steps: steps.out,
        roots,
        rewards: file.rewards.iter().map(reward).collect::<Result<_, _>>()?,
        safety: safety(&file.safety),
    };
    Ok(Published {
        quest: Arc::new(quest),
        regions,
        keep_track_for: file.safety.keep_track_for.map(|span| span.0),
        extensions: file.extensions.iter().map(|(key, value)| (key.value.clone(), value.clone())).collect(),
        report,
    })
}

/// The flat map of steps as it fills.
struct Steps<'a> {
    file: &'a QuestFile,
    code_for: &'a dyn Fn(&StepId) -> String,
    out: BTreeMap<StepId, model::Step>,
}

impl Steps<'_> {
    /// Adds these steps and all below them; gives their ids in the order of the file.
    fn add(&mut self, steps: &[Step], parent: Option<&StepId>) -> Result<Vec<StepId>, Fault> {
        steps.iter().map(|step| self.add_one(step, parent)).collect()
    }

    fn add_one(&mut self, step: &Step, parent: Option<&StepId>) -> Result<StepId, Fault> {
        let step_id: StepId = id(&step.id)?;
        let resolved = model::Step {
            title: words(step.title.as_ref()),
            parent: parent.cloned(),
            verb: self.verb(step, &step_id)?,
            after: step.after.as_ref().map(condition).transpose()?,
            available: step
                .available
                .as_ref()
                .map(|available| window(available, self.file.available.as_ref()))
                .transpose()?,
            points: step.points,
            hints: step.hints.iter().map(hint).collect(),
            content: content(step),
        };
        self.out.insert(step_id.clone(), resolved);
        Ok(step_id)
    }

    fn verb(&mut self, step: &Step, step_id: &StepId) -> Result<model::Verb, Fault> {
        let verbs = step.verbs();
        let Some((_, verb)) = verbs.first() else {
            return Err(Fault::new(super::code::NO_VERB, step.id.spot, "this step says nothing to do"));
        };
        Ok(match *verb {
            Verb::Visit(visit) => model::Verb::Visit {
                at: id(&visit.at)?,
                stay: span(visit.stay.as_ref(), Duration::ZERO),
                team: visit.team.as_ref().map_or(model::TeamRule::ANYONE, |team| team_rule(team)),
            },
            Verb::Answer(answer) => model::Verb::Answer {
                at: answer.at.as_ref().map(id).transpose()?,
                question: words(Some(&answer.question)),
                accept: answer.accept.iter().map(|text| text.value.clone()).collect(),
                // Whoever gives only a wait means it for each wrong answer.
                tries: match (&answer.tries, &answer.wait) {
                    (Some(tries), _) => tries.value,
                    (None, Some(_)) => 1,
                    (None, None) => u16::MAX,
                },
                wait: span(answer.wait.as_ref(), WAIT_DEFAULT),
            },
            Verb::Scan(scan) => model::Verb::Scan {
                at: id(&scan.at)?,
                code: scan.code.as_ref().map_or_else(|| (self.code_for)(step_id), |code| code.value.clone()),
            },
            Verb::Photo(photo) => model::Verb::Photo { at: id(&photo.at)? },
            Verb::Follow(follow) => {
                let reach = match self.file.places.get_key_value(follow.along.as_str()) {
                    Some((name, place)) => Outline::of(name, place)?.reach.unwrap_or(0.0),
                    None => 0.0,
                };
                let within = follow.within.as_ref().map_or(reach, |within| within.value.0);
                model::Verb::Follow { along: id(&follow.along)?, within: Meters::lossy(within) }
            }
            Verb::Choose(choose) => model::Verb::Choose {
                at: choose.at.as_ref().map(id).transpose()?,
                question: words(Some(&choose.question)),
                options: choose.options.iter().map(choice).collect(),
            },
            Verb::Meet(meet) => model::Verb::Meet {
                within: Meters::lossy(meet.within.value.0),
                members: meet.members.as_ref().map_or(2, |members| members.value),
                stay: span(meet.stay.as_ref(), Duration::ZERO),
            },
            Verb::Sequence(steps) => model::Verb::Sequence(self.add(steps, Some(step_id))?),
            Verb::AllOf(steps) => model::Verb::AllOf(self.add(steps, Some(step_id))?),
            Verb::AnyOf(group) => model::Verb::AnyOf {
                need: group.need.as_ref().map_or(1, |need| need.value),
                steps: self.add(&group.steps, Some(step_id))?,
            },
        })
    }
}

fn words(text: Option<&At<Words>>) -> model::Text {
    text.map(|text| model::Text(text.0.clone())).unwrap_or_default()
}

fn span(at: Option<&At<Span>>, default: Duration) -> Duration {
    at.map_or(default, |span| span.value.0)
}

fn team_rule(team: &file::Team) -> model::TeamRule {
    model::TeamRule {
        share: team.share.as_ref().map_or(0.0, |share| share.value),
        members: team.members.as_ref().map_or(1, |members| members.value),
        together: team.together.as_ref().map(|span| span.value.0),
    }
}

fn choice(option: &file::Choice) -> model::Choice {
    model::Choice { id: option.id.value.clone(), label: words(Some(&option.label)), points: option.points }
}

fn hint(hint: &file::Hint) -> model::Hint {
    model::Hint {
        text: words(Some(&hint.text)),
        after: span(hint.after.as_ref(), Duration::ZERO),
        cost: hint.cost.as_ref().map_or(0, |cost| cost.value),
    }
}

/// The `ar` block as it stands, and beside its keys the step's extensions, which start with `x-`.
fn content(step: &Step) -> Option<serde_json::Value> {
    let mut object = serde_json::Map::new();
    if let Some(ar) = &step.ar {
        let anchor = serde_json::json!({ "at": ar.anchor.at.value, "heading": ar.anchor.heading });
        let all = serde_json::json!({
            "anchor": anchor, "model": ar.model, "scale": ar.scale, "fallback": ar.fallback
        });
        object.extend(all.as_object().cloned().unwrap_or_default());
    }
    object.extend(step.extensions.iter().map(|(key, value)| (key.value.clone(), value.clone())));
    (!object.is_empty()).then_some(serde_json::Value::Object(object))
}

fn condition(at: &At<file::Condition>) -> Result<model::Condition, Fault> {
    let step = |name: &str| id(&At { value: name.to_owned(), spot: at.spot });
    let all = |parts: &[At<file::Condition>]| parts.iter().map(condition).collect::<Result<Vec<_>, _>>();
    Ok(match &at.value {
        file::Condition::Done(name) => model::Condition::Done(step(name)?),
        file::Condition::Points(points) => model::Condition::Points(*points),
        file::Condition::Chose { step: name, option } => {
            model::Condition::Chose { step: id(name)?, option: option.value.clone() }
        }
        file::Condition::All(parts) => model::Condition::All(all(parts)?),
        file::Condition::Any(parts) => model::Condition::Any(all(parts)?),
        file::Condition::Not(part) => model::Condition::Not(Box::new(condition(part)?)),
    })
}

fn reward(reward: &file::Reward) -> Result<model::Reward, Fault> {
    Ok(model::Reward {
        give: give(&reward.give)?,
        each: match reward.each.value {
            Each::Player => model::Each::Player,
            Each::Team => model::Each::Team,
        },
        stock: reward.stock.as_ref().map(|stock| stock.value),
        otherwise: reward.otherwise.as_ref().map(give).transpose()?,
        when: reward.when.as_ref().map(condition).transpose()?,
    })
}

fn give(at: &At<Give>) -> Result<model::Give, Fault> {
    Ok(match &at.value {
        Give::Badge(name) => model::Give::Badge(id(name)?),
        Give::Points(points) => model::Give::Points(*points),
        Give::CodePool(name) => model::Give::CodePool(name.value.clone()),
    })
}

fn play(play: &file::Play) -> model::Play {
    let team_size = match (play.mode, &play.team_size) {
        (Mode::Team, Some(size)) => (size.value[0], size.value[1]),
        (Mode::Team | Mode::Solo, _) => (1, 1),
    };
    let time_limit = play.time_limit.as_ref().map(|limit| limit.value.0);
    model::Play { team_size, time_limit, repeat: play.repeat == Repeat::Again }
}

fn safety(safety: &file::Safety) -> model::Safety {
    model::Safety {
        max_speed: safety.max_speed.as_ref().map(|speed| MetersPerSecond::lossy(speed.value)),
        min_accuracy: safety.min_accuracy.as_ref().map(|accuracy| Meters::lossy(accuracy.value.0)),
        min_score: safety.min_score.as_ref().map_or(0.0, |score| score.value),
        show_position_to_team: safety.show_position_to == Audience::Team,
    }
}

pub(super) fn fence_rules(limits: &file::Safety) -> FenceRules {
    let limits = safety(limits);
    let default = FenceRules::default();
    FenceRules {
        max_accuracy: limits.min_accuracy.unwrap_or(default.max_accuracy),
        max_speed: limits.max_speed.or(default.max_speed),
        min_score: limits.min_score,
        ..default
    }
}
