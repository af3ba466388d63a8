// Waystone's live console: wires the server's stream, the panels, the map and the reader's own player together.
//
// Promise: the state shown is what the server sent last; this file keeps it and decides who must be told, the others
// draw. Nothing is ever asked from another origin.

import { post } from "./ask.js";
import { Card } from "./card.js";
import { drawChart } from "./chart.js";
import { byId, say } from "./dom.js";
import { Events } from "./events.js";
import { count, millis, text, words } from "./format.js";
import { boxOf, depth, distance, middleOf, shifted, union } from "./geo.js";
import { Live, Rates } from "./live.js";
import { MapView } from "./map.js";
import { Panel } from "./panel.js";
import { Phone } from "./phone.js";
import { Player } from "./player.js";
import { Players } from "./players.js";
import { Regions } from "./regions.js";
import { Staff } from "./staff.js";
import { Streets } from "./streets.js";
import { onThemeChange, teamColour } from "./theme.js";

/** @type {any} what the server sent last */
const world = { node: "", nodes: [], demo: null, quests: [], teams: [], stock: [], reviews: [], players: [] };
/** @type {string | null} */ let chosenTeam = null;
/** @type {string | null} */ let chosenQuest = null;
/** @type {Streets | null} */ let streets = null;
let welcomed = false;
/** @type {string | null} the reader's own team, as last shown */ let shownTeam = null;
const names = new Map();

const regions = new Regions();
const players = new Players();
const map = new MapView(byId("map"), [regions, players, regions.names]);
regions.avoid = () => (players.avatar ? [players.avatar.at()] : []);
const rates = new Rates();
const staff = new Staff();
const quest = () => world.quests.find((q) => q.id === chosenQuest) ?? world.quests[0] ?? null;
const team = (id) => world.teams.find((t) => t.id === id) ?? null;
const stepName = (id) => text(quest()?.steps.find((s) => s.id === id)?.title, words(id));
const placeName = (id) => text(quest()?.places.find((p) => p.id === id)?.name, words(id));
const home = () => union((quest()?.places ?? []).map((place) => boxOf(place.outline)));

const me = new Player({
  streets: () => streets,
  quest,
  start: startingPoint,
  changed: () => playerChanged(),
  noticed: (notice) => {
    if (["region.entered", "step.completed"].includes(notice.type)) glow(notice.place ?? placeOfStep(notice.step));
  },
});
const phone = new Phone(me, { step: stepName, place: placeName });
const card = new Card(() => {
  regions.chosen = null;
  players.chosen = null;
  map.touch();
});
const events = new Events((happening) => {
  const at = happening.player ? players.at(happening.player) : null;
  const place = placeOfStep(happening.step);
  if (place) glow(place);
  if (at) {
    players.chosen = happening.player;
    map.reveal(at);
  } else if (place) map.reveal(middleOf(quest().places.find((p) => p.id === place).outline));
  map.touch();
});
const panel = new Panel({
  chooseTeam: (id) => chooseTeam(chosenTeam === id ? null : id),
  review: (cardShown, approve, reason) => {
    const { player, quest: of, step } = cardShown;
    return post("/v1/reviews", { player, quest: of, step, approve, ...(reason && !approve ? { reason } : {}) });
  },
  stop: (node) => post("stop", { node }),
});

function placeOfStep(step) {
  return quest()?.steps.find((s) => s.id === step)?.place ?? null;
}

function glow(place) {
  if (place) regions.glow(place);
  map.touch();
}

/** A spot on a street near the first place, outside every place. */
function startingPoint() {
  const places = quest()?.places ?? [];
  const first = places[0] ? middleOf(places[0].outline) : map.view.centre;
  for (const [east, north] of [[95, -50], [-95, -60], [60, 110], [-70, 110], [160, 0], [0, -170], [-190, 0]]) {
    const snapped = streets?.snap(shifted(first, east, north));
    const spot = snapped && snapped.d < 80 ? snapped.at : shifted(first, east, north);
    if (places.every((place) => depth(spot, place.outline) < -25)) return spot;
  }
  return shifted(first, 200, -200);
}

function chooseTeam(id) {
  chosenTeam = id;
  players.team = id;
  events.only(id);
  say(byId("events-of"), id ? `of ${team(id)?.name ?? id}` : "");
  if (id !== null) {
    const spots = (team(id)?.members ?? []).map((player) => players.at(player)).filter(Boolean);
    const open = (quest()?.places ?? []).filter((place) => regionState(place.id, team(id)) === "open");
    map.fit(union([...spots.map(([x, y]) => [x, y, x, y]), ...open.map((place) => boxOf(place.outline))]) ?? home());
  } else map.fit(home());
  showTeams();
}

/** A place for a team: open where a step is open, done where all are, else locked. */
function regionState(place, of) {
  const steps = (quest()?.steps ?? []).filter((step) => step.place === place);
  if (steps.some((step) => of.open.includes(step.id))) return "open";
  return steps.length > 0 && steps.every((step) => of.done.includes(step.id)) ? "done" : "locked";
}

function showTeams() {
  const of = team(chosenTeam ?? me.team?.id);
  byId("legend").hidden = of === null;
  byId("legend-close").hidden = chosenTeam === null;
  if (of) {
    byId("legend-dot").style.background = teamColour(of.id);
    say(byId("legend-team"), of.name);
  }
  regions.states = new Map(of ? regions.places.map((place) => [place.id, regionState(place.id, of)]) : []);
  panel.showTeams(world.teams, quest(), chosenTeam, me.team?.id ?? null);
  panel.showNodes(world.nodes, world.demo);
  panel.showStock(world.stock);
  panel.showReviews(world.reviews, stepName, (id) => names.get(id)?.name ?? id);
  map.touch();
}

function showQuest() {
  const now = quest();
  const list = byId("quest");
  list.hidden = world.quests.length < 2;
  byId("quest-title").hidden = world.quests.length > 1;
  say(byId("quest-title"), now ? text(now.title, now.id) : "No quest is published yet");
  if (list.childElementCount !== world.quests.length) {
    list.replaceChildren(...world.quests.map((q) => new Option(text(q.title, q.id), q.id)));
  }
  if (now) list.value = now.id;
  regions.places = (now?.places ?? []).filter((p) => p.outline).map((p) => ({ ...p, name: text(p.name, words(p.id)) }));
  byId("play").disabled = now === null;
  map.redraw();
  if (now && !welcomed) {
    welcomed = true;
    map.fit(home());
  }
}

function takeTeams({ nodes, teams, stock, reviews, demo }) {
  // An overview says nothing of a demo; what comes after it does.
  Object.assign(world, { nodes, teams, stock, reviews, ...(demo === undefined ? {} : { demo }) });
  names.clear();
  for (const of of teams) for (const member of of.members) names.set(member, of);
  [...teams].sort((a, b) => (a.id < b.id ? -1 : 1)).forEach((of) => teamColour(of.id));
  showTeams();
}

function takeDots({ players: dots, counts }) {
  world.players = dots;
  players.update(dots);
  if (counts) showCounts(counts, dots.length);
  map.touch();
}

function showCounts(counts, live) {
  const rate = rates.add(counts);
  say(byId("rate-players"), count(counts.sessions ?? live));
  say(byId("rate-fixes"), count(rate.fixes));
  say(byId("rate-entries"), count(rate.entries));
  say(byId("rate-notice"), `${millis(counts.notice_p50_ms)} / ${millis(counts.notice_p99_ms)}`);
}

function countInside() {
  const within = new Map();
  for (const dot of world.players) {
    for (const place of regions.places) {
      if (depth([dot.lon, dot.lat], place.outline) >= 0) within.set(place.id, [...(within.get(place.id) ?? []), dot]);
    }
  }
  regions.within = within;
  regions.inside = new Map([...within].map(([id, dots]) => [id, dots.length]));
  map.touch();
}

map.onhover = (px) => {
  const point = map.view.unproject(...px);
  return players.hit(px, map.view) !== null || (walkIsOff() && regions.hit(point, 0) !== null);
};
const walkIsOff = () => me.state === "off" || byId("mode-look").getAttribute("aria-pressed") === "true";

map.onclick = (point, px) => {
  const hit = players.hit(px, map.view);
  if (!walkIsOff()) {
    card.close();
    me.walkTo(point);
    return;
  }
  const dot = hit ? players.dots.get(hit) : null;
  const place = dot ? null : regions.hit(point, 4 * map.view.metresPerPixel);
  card.close();
  if (dot) {
    players.chosen = dot.id;
    const at = [dot.lon, dot.lat];
    const within = regions.places.filter((p) => depth(/** @type {any} */ (at), p.outline) >= 0).map((p) => p.name);
    card.showPlayer(dot, team(dot.team), within, () => chooseTeam(dot.team));
  } else if (place) {
    regions.chosen = place.id;
    const steps = quest().steps.filter((step) => step.place === place.id);
    const inside = (regions.within?.get(place.id) ?? []).map((d) => ({ id: d.id, team: team(d.team) }));
    const go = me.state === "live" ? { label: "Walk there", act: () => me.walkTo(middleOf(place.outline)) } : null;
    card.showPlace(place, steps, regions.states.get(place.id) ?? "idle", inside, go);
  }
  map.touch();
};

function playerChanged() {
  const on = me.state !== "off";
  const joined = on && players.me !== me.id && me.id !== null;
  players.me = on ? me.id : null;
  players.avatar = on && me.id ? { at: () => me.at(), way: () => me.way, acc: 5 } : null;
  byId("modes").hidden = !on;
  document.body.classList.toggle("playing", on);
  phone.show();
  if (shownTeam !== (me.team?.id ?? null)) {
    shownTeam = me.team?.id ?? null;
    showTeams();
  }
  const covered = on && !byId("phone").classList.contains("folded") ? byId("phone").offsetHeight : 0;
  map.pad = [64, 40, 48 + covered, 40];
  if (joined) {
    const place = quest()?.places[0];
    const near = place && distance(me.here, middleOf(place.outline)) < 500 ? [boxOf(place.outline)] : [];
    map.fit(union([[...me.here, ...me.here], ...near]), 16.8);
  }
  if (on && me.way.length > 0 && !walkIsOff() && !map.held) map.reveal(me.here);
  map.touch();
}

function setMode(look) {
  byId("mode-look").setAttribute("aria-pressed", String(look));
  byId("mode-walk").setAttribute("aria-pressed", String(!look));
  byId("map").classList.toggle("walking", !look);
}

async function loadMap() {
  const reply = await fetch("map.geojson").catch(() => null);
  const features = reply?.ok ? ((await reply.json().catch(() => null))?.features ?? []) : [];
  byId("no-map").hidden = features.length > 0;
  byId("attribution").hidden = features.length === 0;
  streets = new Streets(features);
  map.setFeatures(features);
}

byId("play").addEventListener("click", () => {
  setMode(false);
  me.join();
});
byId("mode-look").addEventListener("click", () => setMode(true));
byId("mode-walk").addEventListener("click", () => setMode(false));
byId("zoom-in").addEventListener("click", () => map.zoomBy(0.7));
byId("zoom-out").addEventListener("click", () => map.zoomBy(-0.7));
byId("zoom-home").addEventListener("click", () => map.fit(home()));
byId("legend-close").addEventListener("click", () => chooseTeam(null));
byId("quest").addEventListener("change", (event) => {
  chosenQuest = event.target.value;
  showQuest();
  showTeams();
  map.fit(home());
});
document.addEventListener("keydown", (event) => event.key === "Escape" && card.close());
onThemeChange(() => drawChart(byId("chart"), rates.history));
setInterval(() => {
  countInside();
  drawChart(byId("chart"), rates.history);
}, 1000);

setMode(false);
const mapLoaded = loadMap();
let resumed = false;
new Live("live", {
  state: (state) => {
    const chip = byId("node");
    chip.dataset.state = state;
    say(chip, `${world.node || "node"} · ${{ connecting: "connecting", live: "live", lost: "reconnecting" }[state]}`);
  },
  overview: (overview) => {
    Object.assign(world, overview);
    byId("node").textContent = `${world.node} · live`;
    showQuest();
    takeTeams(overview);
    takeDots(overview);
    events.reset(overview.recent ?? []);
    staff.begin();
    byId("loading").hidden = true;
    if (!resumed) mapLoaded.then(() => me.resume());
    resumed = true;
  },
  happening: (happening) => {
    events.add(happening);
    if (["entered", "step"].includes(happening.kind) && (chosenTeam === null || happening.team === chosenTeam)) {
      glow(placeOfStep(happening.step));
    }
  },
  dots: takeDots,
  teams: takeTeams,
});
