//! Many phones: connects them, puts them into teams, starts a quest.

use crate::fault::Fault;
use crate::machine::{CpuMark, CpuUsed, Machine};
use crate::phone::Phone;
use crate::target::Target;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Connects and preparations under way at the same time: enough to keep two cores busy, few enough to wait little.
const AT_ONCE: usize = 64;
/// Descriptors that are not phones: the runtime's, the server's database, standard streams.
const SPARE: u64 = 64;

/// Connected phones, in the order of their numbers, and what connecting cost.
#[derive(Debug)]
pub struct Crew {
    /// The phones.
    pub phones: Vec<Phone>,
    /// Processor time of the connects.
    pub cost: CpuUsed,
}

/// Connects phones as fast as they are let in.
pub async fn connect(target: &Target, machine: &Machine, count: u32) -> Result<Crew, Fault> {
    let Crew { phones, cost: opened } = open(target, machine, count).await?;
    let Crew { phones, cost: entered } = enter(target, phones).await?;
    Ok(Crew { phones, cost: opened.and(entered) })
}

/// Opens the sockets only.
pub async fn open(target: &Target, machine: &Machine, count: u32) -> Result<Crew, Fault> {
    if u64::from(count) + SPARE > machine.descriptors {
        return Err(Fault::Descriptors { wanted: count, limit: machine.descriptors });
    }
    let (addr, dialect) = (target.addr, target.dialect);
    let work =
        (0..count).map(|index| async move { Phone::open_as(dialect, addr, index, format!("load-{index}")).await });
    side_by_side(target, work.collect()).await
}

/// Says who each phone is.
pub async fn enter(target: &Target, phones: Vec<Phone>) -> Result<Crew, Fault> {
    // Tokens are made beforehand: signing them is not what is measured.
    let tokens = phones.iter().map(|phone| target.token(&phone.player)).collect::<Result<Vec<_>, _>>()?;
    let enter = |(mut phone, token): (Phone, String)| async move { phone.enter(&token).await.map(|()| phone) };
    side_by_side(target, phones.into_iter().zip(tokens).map(enter).collect()).await
}

/// Does so many things at a time; phones stay in their order.
async fn side_by_side<W>(target: &Target, work: Vec<W>) -> Result<Crew, Fault>
where
    W: Future<Output = Result<Phone, Fault>> + Send + 'static,
{
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let (before, count) = (CpuMark::now(target.pid)?, work.len());
    let mut tasks = JoinSet::new();
    for (index, work) in work.into_iter().enumerate() {
        let turns = Arc::clone(&turns);
        tasks.spawn(async move {
            let _turn = turns.acquire_owned().await;
            work.await.map(|phone| (index, phone))
        });
    }
    let mut phones = Vec::with_capacity(count);
    while let Some(joined) = tasks.join_next().await {
        phones.push(joined.map_err(|err| Fault::phone("a phone", err))??);
    }
    let cost = before.until(&CpuMark::now(target.pid)?);
    phones.sort_unstable_by_key(|(index, _)| *index);
    Ok(Crew { phones: phones.into_iter().map(|(_, phone)| phone).collect(), cost })
}

/// Makes teams of so many, each of which starts a quest. What does not fill a team stays without one.
pub async fn team_up(phones: Vec<Phone>, members: usize, quest: &'static str) -> Result<Vec<Vec<Phone>>, Fault> {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = JoinSet::new();
    let mut phones = phones.into_iter().peekable();
    let mut number = 0_usize;
    while phones.peek().is_some() {
        let team: Vec<Phone> = phones.by_ref().take(members).collect();
        let (turns, place) = (Arc::clone(&turns), number);
        number += 1;
        tasks.spawn(async move {
            let _turn = turns.acquire_owned().await;
            let team = if team.len() == members { begin(team, quest).await? } else { team };
            Ok::<_, Fault>((place, team))
        });
    }
    let mut teams = Vec::with_capacity(number);
    while let Some(joined) = tasks.join_next().await {
        teams.push(joined.map_err(|err| Fault::phone("a team", err))??);
    }
    teams.sort_unstable_by_key(|(place, _)| *place);
    Ok(teams.into_iter().map(|(_, team)| team).collect())
}

/// The first founds the team and starts the quest, the others join.
async fn begin(mut team: Vec<Phone>, quest: &str) -> Result<Vec<Phone>, Fault> {
    let Some((founder, mates)) = team.split_first_mut() else { return Ok(team) };
    let create = format!("{{\"name\":\"Team {}\",\"cmd\":\"create\"}}", founder.player);
    founder.call("team.create", &create).await?;
    let invite = founder.await_notice("team.joined").await?.invite;
    let invite = invite.ok_or_else(|| Fault::phone(&founder.player, "team.joined bears no invite"))?;
    for mate in mates.iter_mut() {
        mate.call("team.join", &format!("{{\"code\":\"{invite}\",\"cmd\":\"join\"}}")).await?;
        mate.await_notice("team.joined").await?;
    }
    founder.call("quest.start", &format!("{{\"quest\":\"{quest}\",\"cmd\":\"start\"}}")).await?;
    for phone in &mut team {
        phone.await_notice("quest.started").await?;
        phone.tidy();
    }
    Ok(team)
}
