// The event stream: one row for each happening, newest on top, and the "why" of those that a fix decided.
//
// Promise: at most 200 rows. Rows are added a few times a second, not one by one, so that a busy city does not freeze
// the page. While a "why" is open or the stream is paused nothing moves; what came meanwhile is a press away.

import { byId, el, say, svg } from "./dom.js";
import { clock, metres, plausibility, plural, whySentence } from "./format.js";
import { teamColour } from "./theme.js";

const ROWS_MAX = 200;
const FLUSH_MS = 350;

export class Events {
  /** @param {(happening: any) => void} chosen */
  constructor(chosen) {
    this.chosen = chosen;
    this.list = byId("events");
    this.more = byId("events-more");
    /** @type {any[]} newest first */
    this.rows = [];
    /** @type {any[]} oldest first, not shown yet */
    this.waiting = [];
    /** @type {string | null} */
    this.team = null;
    this.more.addEventListener("click", () => {
      for (const open of this.list.querySelectorAll("details[open]")) open.open = false;
      byId("events-pause").setAttribute("aria-pressed", "false");
      this.#flush();
    });
    byId("events-pause").addEventListener("click", (event) => {
      const on = event.currentTarget.getAttribute("aria-pressed") !== "true";
      event.currentTarget.setAttribute("aria-pressed", String(on));
      this.#flush();
    });
    setInterval(() => this.#flush(), FLUSH_MS);
  }

  get held() {
    return byId("events-pause").getAttribute("aria-pressed") === "true" || this.list.querySelector("details[open]") !== null;
  }

  /** @param {any} happening */
  add(happening) {
    this.waiting.push(happening);
    if (this.waiting.length > ROWS_MAX) this.waiting.shift();
  }

  /** What was there before we came; those that we know already are left out. @param {any[]} recent oldest first */
  reset(recent) {
    const key = (h) => `${h.at} ${h.kind} ${h.text} ${h.player ?? ""}`;
    const known = new Set([...this.rows, ...this.waiting].map(key));
    for (const happening of recent) if (!known.has(key(happening))) this.add(happening);
    this.#flush();
  }

  /** Shows one team's events, or all. @param {string | null} team */
  only(team) {
    this.team = team;
    this.list.replaceChildren(...this.rows.filter((row) => this.#shows(row)).map((row) => this.#row(row)));
  }

  #shows(happening) {
    return this.team === null || happening.team === this.team;
  }

  #flush() {
    if (this.held) {
      this.more.hidden = this.waiting.length === 0;
      say(this.more, `Show ${plural(this.waiting.length, "new event")}`);
      return;
    }
    this.more.hidden = true;
    if (this.waiting.length === 0) return;
    const fresh = this.waiting.reverse();
    this.waiting = [];
    this.rows = [...fresh, ...this.rows].slice(0, ROWS_MAX);
    this.list.prepend(...fresh.filter((row) => this.#shows(row)).map((row) => this.#row(row)));
    while (this.list.children.length > ROWS_MAX) this.list.lastChild.remove();
    byId("events-empty").hidden = true;
  }

  #row(h) {
    const line = el("button", { class: "event-text", type: "button", title: "Show on the map", onclick: () => this.chosen(h) },
      el("time", {}, clock(h.at)),
      el("i", { class: "dot", style: { background: teamColour(h.team ?? null) }, "aria-hidden": "true" }),
      el("span", {}, h.text));
    const row = el("li", { "data-kind": h.kind }, line);
    if (h.why) row.append(whyOf(h));
    return row;
  }
}

function whyOf(h) {
  const body = el("div", { class: "why-body" });
  const details = el("details", { class: "why" }, el("summary", {}, "why"), body);
  details.addEventListener("toggle", () => {
    if (!details.open || body.firstChild) return;
    body.append(gauge(h.why), el("p", {}, whySentence(h.why)), el("p", { class: "faint" }, plausibility(h.why)));
    requestAnimationFrame(() => details.closest("li").scrollIntoView({ block: "nearest" }));
  });
  return details;
}

/** The fix against the edge: how far inside or outside, with its circle of accuracy. @param {any} why Evidence */
export function gauge(why) {
  const [width, height, middle] = [244, 74, 30];
  const reach = (Math.abs(why.distance) + why.accuracy) * 1.1 + 1;
  const scale = Math.min((width / 2 - 4) / reach, 27 / Math.max(1, why.accuracy));
  const px = (m) => m * scale;
  const edge = width / 2;
  const x = edge + px(why.distance);
  const title = `${metres(why.distance)} ${why.distance >= 0 ? "inside" : "outside"}, accuracy ${metres(why.accuracy)}`;
  return svg("svg", { class: "gauge", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title },
    svg("rect", { class: "gauge-out", x: 0, y: 0, width: edge, height: height - 14, rx: 4 }),
    svg("rect", { class: "gauge-in", x: edge, y: 0, width: edge, height: height - 14, rx: 4 }),
    svg("line", { class: "gauge-edge", x1: edge, x2: edge, y1: 0, y2: height - 14 }),
    svg("circle", { class: "gauge-acc", cx: x, cy: middle, r: Math.max(4, px(why.accuracy)) }),
    svg("line", { class: "gauge-way", x1: edge, x2: x, y1: middle, y2: middle }),
    svg("circle", { class: "gauge-fix", cx: x, cy: middle, r: 3.5 }),
    svg("text", { x: (edge + x) / 2, y: middle - 6, "text-anchor": "middle", class: "gauge-m" }, metres(why.distance)),
    svg("text", { x: 4, y: height - 3 }, "outside"),
    svg("text", { x: edge, y: height - 3, "text-anchor": "middle" }, "edge"),
    svg("text", { x: width - 4, y: height - 3, "text-anchor": "end" }, "inside"));
}
