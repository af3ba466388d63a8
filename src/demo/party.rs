//! Parties of simulated players: a team each, playing the quest and then, under new names, playing it again; and
//! companions that join a person's team and go where that person goes.

use crate::actors::game::{Game, Review};
use crate::demo::brain::{Brain, Errand};
use crate::demo::ground::Ground;
use crate::demo::phone::Phone;
use crate::ids::PlayerId;
use crate::net::console::CompanionRequest;
use crate::walk::streets::Streets;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Walkers in a team: the middle of what the quest allows.
const TEAM: u32 = 4;
/// How long a party rests before it plays again under new names.
const REST: Duration = Duration::from_secs(20);
/// How long the demo's clerk takes to look at a simulated player's photo.
const CLERK_EVERY: Duration = Duration::from_secs(3);
/// Phones are switched on one after the other, so that the first second is not all connects.
const STAGGER: Duration = Duration::from_millis(40);

/// Any number that no party's walker has.
const OTSO: u64 = u64::MAX;

/// Team names: animals of the Finnish forest.
const ANIMALS: [&str; 12] =
    ["Kettu", "Hirvi", "Susi", "Ilves", "Karhu", "Orava", "Joutsen", "Pöllö", "Saukko", "Ahma", "Kurki", "Majava"];
/// The same for ids.
const ANIMAL_IDS: [&str; 12] =
    ["kettu", "hirvi", "susi", "ilves", "karhu", "orava", "joutsen", "pollo", "saukko", "ahma", "kurki", "majava"];
const NAMES: [&str; 8] = ["Aino", "Eero", "Helmi", "Onni", "Kerttu", "Väinö", "Lempi", "Toivo"];
const NAME_IDS: [&str; 8] = ["aino", "eero", "helmi", "onni", "kerttu", "vaino", "lempi", "toivo"];

/// Plays until told to stop.
pub async fn play(
    ground: Arc<Ground>,
    streets: Arc<Streets>,
    walkers: u32,
    mut wishes: mpsc::Receiver<CompanionRequest>,
    stop: CancellationToken,
) {
    let tasks = TaskTracker::new();
    let parties = walkers / TEAM + u32::from(walkers % TEAM >= 2);
    for party in 0..parties {
        let size = TEAM.min(walkers - party * TEAM);
        tasks.spawn(play_on(Arc::clone(&ground), Arc::clone(&streets), (party, size), stop.clone()));
    }
    let mut companions = 0;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            wish = wishes.recv() => {
                let Some(wish) = wish else { break };
                companions += 1;
                let errand = Errand::Accompany { invite: wish.invite };
                let id = format!("otso-{companions}-{}", ground.clock.now().as_millis());
                let otso = Person { id, name: "Otso".to_owned(), errand, salt: OTSO };
                tasks.spawn(walk(Arc::clone(&ground), Arc::clone(&streets), otso, stop.clone()));
            }
        }
    }
    stop.cancelled().await;
    tasks.close();
    tasks.wait().await;
}

/// One party's life: plays, rests, plays again under new names.
async fn play_on(ground: Arc<Ground>, streets: Arc<Streets>, (party, size): (u32, u32), stop: CancellationToken) {
    let animal = party as usize % ANIMALS.len();
    let round = party as usize / ANIMALS.len();
    let pack = if round == 0 { String::new() } else { format!(" {}", round + 1) };
    tokio::select! {
        () = stop.cancelled() => return,
        () = tokio::time::sleep(STAGGER * party * TEAM) => {}
    }
    for generation in 1_u32.. {
        let number = if generation == 1 { String::new() } else { format!(" {generation}") };
        let team = format!("{}{pack}{number}", ANIMALS[animal]);
        let (invite, _) = watch::channel(None);
        let invite = Arc::new(invite);
        let members = TaskTracker::new();
        for member in 0..size {
            let name = NAMES[member as usize % NAMES.len()].to_owned();
            let id = format!(
                "{}.{}{}.{generation}",
                NAME_IDS[member as usize % NAME_IDS.len()],
                ANIMAL_IDS[animal],
                if round == 0 { String::new() } else { (round + 1).to_string() },
            );
            let errand = Errand::Play { team: team.clone(), founder: member == 0, size, invite: Arc::clone(&invite) };
            let salt = u64::from(party) << 32 | u64::from(generation) << 8 | u64::from(member);
            let person = Person { id, name, errand, salt };
            members.spawn(walk(Arc::clone(&ground), Arc::clone(&streets), person, stop.clone()));
        }
        members.close();
        members.wait().await;
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(REST) => {}
        }
    }
}

/// Who goes for a walk.
struct Person {
    id: String,
    name: String,
    errand: Errand,
    /// Sets this one's chances apart from the others'.
    salt: u64,
}

/// One simulated player from switching the phone on to the end of the quest.
async fn walk(ground: Arc<Ground>, streets: Arc<Streets>, person: Person, stop: CancellationToken) {
    let Person { id, name, errand, salt } = person;
    let Ok(player) = PlayerId::new(id) else { return };
    let rng = StdRng::seed_from_u64(ground.seed ^ salt.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let phone = Phone::switch_on(&ground, &player, &name);
    let brain = Brain::new(Arc::clone(&ground), streets, player, errand, rng);
    tokio::select! {
        () = stop.cancelled() => {}
        () = brain.live(phone) => {}
    }
}

/// The operator of the demo: approves simulated players' photos, and leaves a person's to the person at the console.
pub async fn clerk(game: Game, stop: CancellationToken) {
    let mut every = tokio::time::interval(CLERK_EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {}
        }
        let waiting = game.overview().reviews;
        for card in waiting.into_iter().filter(|card| card.photo.starts_with("demo:walker/")) {
            let review =
                Review { player: card.player, quest: card.quest, step: card.step, approve: true, reason: None };
            if let Err(refusal) = game.review(review).await {
                tracing::debug!(%refusal, "a photo was settled meanwhile");
            }
        }
    }
}
