// Words and numbers for people: times, distances, rates, sentences.
//
// Promise: pure functions that return plain text; whoever shows it sets `textContent`, never HTML.

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const COMPASS = ["N", "NE", "E", "SE", "S", "SW", "W", "NW"];

/** Milliseconds since 1970 (or an ISO text) as 14:03:12. @param {number | string} at */
export function clock(at) {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? "--:--:--" : CLOCK.format(date);
}

/** Milliseconds since 1970 as 9 Jun 2026. @param {number} at */
export function day(at) {
  return DAY.format(new Date(at));
}

/** 12.3 m, 140 m, 1.2 km. @param {number} m */
export function metres(m) {
  const size = Math.abs(m);
  if (size < 20) return `${size.toFixed(1)} m`;
  return size < 1000 ? `${Math.round(size)} m` : `${(size / 1000).toFixed(1)} km`;
}

/** 1,234 or 12.3 k. @param {number} n */
export function count(n) {
  if (!Number.isFinite(n)) return "–";
  return n >= 100_000 ? `${(n / 1000).toFixed(0)} k` : Math.round(n).toLocaleString("en-GB");
}

/** @param {number} n */
export function millis(n) {
  if (!Number.isFinite(n)) return "–";
  return n < 10 ? n.toFixed(1) : String(Math.round(n));
}

/** 3:05 left of a duration. @param {number} ms */
export function duration(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  const minutes = Math.floor(s / 60) % 60;
  const tail = `${String(minutes).padStart(s >= 3600 ? 2 : 1, "0")}:${String(s % 60).padStart(2, "0")}`;
  return s >= 3600 ? `${Math.floor(s / 3600)}:${tail}` : tail;
}

/** @param {number} degrees */
export const compass = (degrees) => COMPASS[Math.round(degrees / 45) % 8];

/** museum-tickets -> Museum tickets. @param {string} id */
export function words(id) {
  const text = String(id ?? "").replace(/[-_]+/g, " ").trim();
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A text that may be given per language. @param {any} value @param {string} [otherwise] */
export function text(value, otherwise = "") {
  if (typeof value === "string" && value !== "") return value;
  if (value && typeof value === "object") {
    const lang = (globalThis.navigator?.language ?? "en").slice(0, 2);
    const found = value[lang] ?? value.en ?? Object.values(value)[0];
    if (typeof found === "string") return found;
  }
  return otherwise;
}

/** 1 step, 2 steps. @param {number} n @param {string} noun */
export const plural = (n, noun) => `${n} ${noun}${n === 1 ? "" : "s"}`;

/** How sure the decision was, 0..1: of being inside for an entry, outside for an exit. */
export function sureness(why) {
  return why.distance >= 0 ? why.probability : 1 - why.probability;
}

const asPercent = (/** @type {number} */ share) => `${Math.round(share * 100)} %`;

/** "12.3 m inside the edge, accuracy 5.0 m, 99 % sure (95 % asked), rule: sure, 14:03:12". @param {any} why Evidence */
export function whySentence(why) {
  const side = why.distance >= 0 ? "inside" : "outside";
  const sure = Math.min(99.9, sureness(why) * 100);
  const percent = sure > 99 && sure < 99.9 ? sure.toFixed(1) : String(Math.round(sure));
  const asked = why.threshold == null ? "" : ` (${asPercent(why.distance >= 0 ? why.threshold : 1 - why.threshold)} asked)`;
  const fixes = why.fixes > 1 ? `, ${why.fixes} fixes agree` : "";
  return `${metres(why.distance)} ${side} the edge, accuracy ${metres(why.accuracy)}, ${percent} % sure${asked}${fixes}, `
    + `rule: ${why.rule}, ${clock(why.fix_time)}`;
}

/** What the plausibility rules said. @param {any} why Evidence */
export function plausibility(why) {
  const flags = why.flags?.length ? `: ${why.flags.map(words).join(", ").toLowerCase()}` : "";
  return `Movement ${Math.round((why.score ?? 1) * 100)} % plausible${flags} (rules v${why.rules ?? "?"})`;
}

/**
 * A notice as a phone would say it.
 * @param {any} n the notice
 * @param {{step: (id: string) => string, place: (id: string) => string, me: string}} names
 * @returns {{icon: string, text: string, tone: "good" | "bad" | "plain"}}
 */
export function noticeLine(n, names) {
  const line = (icon, said, tone = "plain") => ({ icon, text: said, tone: /** @type {any} */ (tone) });
  switch (n.type) {
    case "team.joined": return line("◎", `You are in team ${n.name}. Invite code: ${n.invite}`);
    case "team.left": return line("◎", "You have left the team");
    case "team.member":
      return line("◎", n.player === names.me ? "You are here" : `${n.name || n.player} ${n.present ? "has joined" : "has left"}`);
    case "team.said": return line("❝", n.text);
    case "quest.started": return line("▶", `${n.title} has started`, "good");
    case "quest.finished": return line("★", `Quest finished with ${n.points} points`, "good");
    case "quest.ended": return line("■", n.reason === "time_over" ? "Time is over" : "The team gave up", "bad");
    case "step.opened": return line("○", `New: ${n.step.title}`);
    case "step.closed": return line("○", `${names.step(n.step)} is closed for now`);
    case "step.reached": return line("◐", `${names.step(n.step)}: your part is done (${n.have} of ${n.need})`);
    case "step.completed": return line("●", `${names.step(n.step)} done${n.points ? `, +${n.points}` : ""}`, "good");
    case "region.entered": return line("↘", `You are at ${names.place(n.place)}`);
    case "region.left": return line("↗", `You have left ${names.place(n.place)}`);
    case "content": return line("◇", "There is something to see here (AR)");
    case "hint.given": return line("✎", `Hint: ${n.text}${n.cost ? ` (−${n.cost})` : ""}`);
    case "photo.submitted": return line("▣", `${names.step(n.step)}: photo sent, an operator looks at it`);
    case "photo.rejected": return line("▣", `Photo not taken: ${n.reason || "try again"}`, "bad");
    case "badge.given": return line("✦", `Badge: ${words(n.badge)}`, "good");
    case "points.given": return line("+", `${n.points} points${n.team ? " for the team" : ""}`, "good");
    case "code.given": return line("✦", `${words(n.pool)} no. ${n.number}: ${n.code}`, "good");
    case "reward.gone": return line("–", `${words(n.pool)}: all given away`, "bad");
    default: return line("·", words(n.type ?? "notice"));
  }
}
