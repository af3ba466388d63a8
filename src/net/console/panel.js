// The left side: teams with their progress, the nodes of a cluster, limited rewards, photos that wait for a verdict.
//
// Promise: rows are kept and changed in place, so that focus and a half-typed reason survive an update.

import { byId, el, say } from "./dom.js";
import { clock, count, plural, text, words } from "./format.js";
import { teamColour } from "./theme.js";

/** Above this a bar with one piece for each step is no longer readable. */
const PIECES_MAX = 18;
const TEAMS_MAX = 60;

/** Gives each item its row, in order, making and removing as needed. */
function keyed(list, rows, items, keyOf, make) {
  const keys = new Set(items.map(keyOf));
  for (const [key, row] of rows) {
    if (keys.has(key)) continue;
    row.remove();
    rows.delete(key);
  }
  items.forEach((item, i) => {
    const key = keyOf(item);
    let row = rows.get(key);
    if (!row) {
      row = make(item);
      rows.set(key, row);
    }
    if (list.children[i] !== row) list.insertBefore(row, list.children[i] ?? null);
  });
}

export class Panel {
  /** @param {{chooseTeam: (id: string) => void, stop: (node: string) => Promise<string>, review: (card: any, approve: boolean, reason: string) => Promise<string>}} on */
  constructor(on) {
    this.on = on;
    this.teamRows = new Map();
    this.nodeRows = new Map();
    this.stockRows = new Map();
    this.reviewRows = new Map();
  }

  /** @param {any[]} teams @param {any} quest @param {string | null} chosen @param {string | null} mine the reader's own team */
  showTeams(teams, quest, chosen, mine) {
    const steps = leaves(quest);
    const sorted = [...teams].sort((a, b) => b.points - a.points || a.name.localeCompare(b.name)).slice(0, TEAMS_MAX);
    const list = byId("teams");
    keyed(list, this.teamRows, sorted, (team) => team.id, (team) => {
      const button = el("button", { type: "button", class: "team", onclick: () => this.on.chooseTeam(team.id) },
        el("i", { class: "dot", style: { background: teamColour(team.id) }, "aria-hidden": "true" }),
        el("span", { class: "name" }), el("span", { class: "score" }), el("span", { class: "bar", role: "img" }));
      return el("li", {}, button);
    });
    for (const team of sorted) {
      const row = this.teamRows.get(team.id);
      const button = row.firstChild;
      row.classList.toggle("mine", team.id === mine);
      button.setAttribute("aria-pressed", String(chosen === team.id));
      say(row.querySelector(".name"), team.id === mine && team.name !== "You" ? `${team.name} (you)` : team.name);
      say(row.querySelector(".score"), count(team.points));
      progress(row.querySelector(".bar"), team, steps);
    }
    byId("teams-empty").hidden = teams.length > 0;
    const more = teams.length - sorted.length;
    say(byId("teams-more"), more > 0 ? `and ${more} more` : "");
  }

  /**
   * @param {any[]} nodes of the cluster; none for a single server
   * @param {any} demo how the process that runs them says they are; null but in a demo, where nodes may be killed
   */
  showNodes(nodes, demo) {
    const told = new Map((demo?.nodes ?? []).map((node) => [node.name, node.state]));
    const known = new Map(nodes.map((node) => [node.name, node]));
    const all = [...new Set([...known.keys(), ...told.keys()])].sort();
    byId("nodes-section").hidden = all.length === 0;
    keyed(byId("nodes"), this.nodeRows, all, (name) => name, (name) => {
      const stop = el("button", { type: "button", class: "quiet stop acts", title: "kill -9 on its process", "aria-label": `Stop node ${name}`, hidden: true,
        onclick: async () => say(byId("nodes-note"), await this.on.stop(name)) }, "Stop");
      return el("li", {}, el("i", { class: "dot", "aria-hidden": "true" }), el("strong", { class: "clip" }, name),
        el("span", { class: "what faint clip" }), stop);
    });
    const up = [...told.values()].filter((state) => state === "up").length;
    for (const name of all) {
      const [row, node] = [this.nodeRows.get(name), known.get(name)];
      // What the demo knows of a process comes before what the others think of it.
      const state = told.has(name) && told.get(name) !== "up" ? told.get(name) : (node?.state ?? "starting");
      row.dataset.state = state;
      const shards = node && (state === "up" || node.shards > 0) ? plural(node.shards, "shard") : "";
      const sessions = node && state !== "down" && state !== "starting" ? plural(node.sessions, "session") : "";
      say(row.querySelector(".what"), [state === "up" ? "" : state, shards, sessions].filter(Boolean).join(", "));
      const stop = row.querySelector("button");
      stop.hidden = !demo;
      stop.disabled = told.get(name) !== "up" || up < 2;
    }
    const death = demo?.death;
    if (!death) return;
    const served = death.served_again_ms === null ? "its shards are being taken over"
      : `all shards served again after ${count(death.served_again_ms)} ms`;
    say(byId("nodes-note"), `${death.node} died at ${clock(death.at)}: ${served}`);
  }

  /** @param {any[]} stock */
  showStock(stock) {
    byId("stock-section").hidden = stock.length === 0;
    keyed(byId("stock"), this.stockRows, stock, (card) => `${card.quest} ${card.reward}`, () => (
      el("li", {}, el("p", {}, el("strong", {}), " ", el("span", {})), el("span", { class: "bar" }, el("i", {})))));
    for (const card of stock) {
      const row = this.stockRows.get(`${card.quest} ${card.reward}`);
      const over = Math.max(0, card.given - card.of);
      say(row.querySelector("strong"), words(card.reward));
      say(row.querySelector("p span"), `${Math.min(card.given, card.of)} of ${card.of}, ${over} over`);
      row.classList.toggle("bad", over > 0);
      row.querySelector("i").style.width = `${Math.min(100, (100 * card.given) / Math.max(1, card.of))}%`;
    }
  }

  /** @param {any[]} reviews @param {(step: string) => string} stepName @param {(player: string) => string} playerName */
  showReviews(reviews, stepName, playerName) {
    byId("reviews-section").hidden = reviews.length === 0;
    say(byId("reviews-count"), String(reviews.length));
    const keyOf = (card) => `${card.player} ${card.quest} ${card.step}`;
    keyed(byId("reviews"), this.reviewRows, reviews, keyOf, (card) => {
      const problem = el("p", { class: "error", role: "alert" });
      const reason = el("input", { type: "text", placeholder: "Reason, if not", "aria-label": "Reason for rejecting", maxlength: 200 });
      const verdict = async (approve) => {
        for (const button of row.querySelectorAll("button")) button.disabled = true;
        say(problem, await this.on.review(card, approve, reason.value.trim()));
        for (const button of row.querySelectorAll("button")) button.disabled = false;
      };
      const row = el("li", {},
        el("p", {}, el("strong", {}, stepName(card.step)), ` by ${playerName(card.player)}, `, el("time", {}, clock(card.at))),
        el("p", { class: "faint clip", title: card.photo }, card.photo),
        el("div", { class: "row acts" }, reason,
          el("button", { type: "button", class: "good", onclick: () => verdict(true) }, "Approve"),
          el("button", { type: "button", class: "bad", onclick: () => verdict(false) }, "Reject")),
        problem);
      return row;
    });
  }
}

/** Steps that are done themselves, not groups of others. @param {any} quest */
export function leaves(quest) {
  const steps = quest?.steps ?? [];
  const parents = new Set(steps.map((step) => step.parent).filter(Boolean));
  return steps.filter((step) => !parents.has(step.id));
}

function progress(bar, team, steps) {
  const state = (id) => (team.done.includes(id) ? "done" : team.open.includes(id) ? "open" : "locked");
  const done = steps.filter((step) => team.done.includes(step.id)).length;
  const label = team.finished ? "finished" : team.quest ? `${done} of ${steps.length} steps done` : "not started";
  if (bar.getAttribute("aria-label") === label && bar.childElementCount > 0 && bar.dataset.open === team.open.join()) return;
  bar.dataset.open = team.open.join();
  bar.setAttribute("aria-label", label);
  bar.title = `${label}\n${steps.map((step) => `${{ done: "✓", open: "○", locked: "·" }[state(step.id)]} ${text(step.title, words(step.id))}`).join("\n")}`;
  if (steps.length > PIECES_MAX || steps.length === 0) {
    const part = team.finished ? 1 : done / Math.max(1, steps.length);
    bar.replaceChildren(el("i", { class: "done", style: { flex: `0 0 ${part * 100}%` } }));
  } else {
    bar.replaceChildren(...steps.map((step) => el("i", { class: state(step.id) })));
  }
  bar.classList.toggle("finished", team.finished);
}
