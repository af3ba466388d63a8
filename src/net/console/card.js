// The card that opens where a place or a player is clicked on the map.
//
// Promise: it says only what the console was told; Escape and its button close it, and focus goes back to the map.

import { byId, el } from "./dom.js";
import { metres, plural, text, words } from "./format.js";
import { teamColour } from "./theme.js";

const VISIBLE = 12;

export class Card {
  /** @param {() => void} closed */
  constructor(closed) {
    this.root = byId("card");
    this.closed = closed;
    this.root.addEventListener("keydown", (event) => event.key === "Escape" && this.close());
  }

  close() {
    if (this.root.hidden) return;
    const focused = this.root.contains(document.activeElement);
    this.root.hidden = true;
    this.closed();
    if (focused) document.querySelector("canvas.top").focus();
  }

  #open(title, subtitle, ...body) {
    const shut = el("button", { type: "button", class: "shut", "aria-label": "Close", onclick: () => this.close() }, "×");
    this.root.replaceChildren(shut, el("h2", {}, title), el("p", { class: "faint" }, subtitle), ...body.filter(Boolean));
    this.root.hidden = false;
  }

  /**
   * @param {any} place @param {any[]} steps those at this place @param {string} state for the chosen team
   * @param {{id: string, team: any}[]} inside @param {{label: string, act: () => void} | null} action
   */
  showPlace(place, steps, state, inside, action) {
    const { outline } = place;
    const shape = outline.type === "Point" ? `Circle, radius ${metres(outline.radius ?? 0)}`
      : outline.type === "LineString" ? `Corridor, ${metres(outline.width ?? 0)} wide` : "Area";
    const kind = [shape, place.hidden && "hidden until open", state !== "idle" && state].filter(Boolean).join(" · ");
    const stepList = steps.length === 0 ? el("p", {}, "No step happens here.") : el("ul", { class: "plain" },
      ...steps.map((step) => el("li", {}, el("span", { class: `tag` }, step.verb), ` ${text(step.title, words(step.id))}`,
        step.points > 0 && el("span", { class: "faint" }, ` ${step.points} points`))));
    const people = el("ul", { class: "people" }, ...inside.slice(0, VISIBLE).map(({ id, team }) => el("li", {},
      el("i", { class: "dot", style: { background: teamColour(team?.id ?? null) }, "aria-hidden": "true" }),
      team ? `${team.name}` : id)));
    const rest = inside.length - VISIBLE;
    this.#open(text(place.name, words(place.id)), kind, stepList,
      el("h3", {}, inside.length === 0 ? "Nobody is here" : `${plural(inside.length, "player")} here`),
      people, rest > 0 && el("p", { class: "faint" }, `and ${rest} more`),
      action && el("button", { type: "button", class: "main", onclick: () => { action.act(); this.close(); } }, action.label));
  }

  /** @param {{id: string, acc: number}} dot @param {any} team @param {string[]} places where it is @param {() => void} choose */
  showPlayer(dot, team, places, choose) {
    this.#open(dot.id, team ? `Team ${team.name}` : "In no team",
      el("p", {}, `Accuracy ${metres(dot.acc)}`),
      el("p", {}, places.length ? `Inside ${places.join(", ")}` : "In no place of the quest"),
      team && el("button", { type: "button", class: "main", onclick: () => { choose(); this.close(); } }, `Show team ${team.name}`));
  }
}
