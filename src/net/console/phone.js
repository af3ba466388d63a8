// The card of "Be a player": what the player's phone would show. Open steps with distance and direction, the controls
// that each verb needs, and notices.
//
// Promise: a step's row is made once and changed in place, so that a half-typed answer survives every update. A refused
// command shows the server's own words, which say what to do.

import { byId, el, say } from "./dom.js";
import { clock, compass, duration, metres, noticeLine, plural } from "./format.js";
import { bearing, depth, middleOf } from "./geo.js";

const STATES = { connecting: "connecting", live: "connected", waiting: "reconnecting", over: "ended", off: "" };
const VERBS = { visit: "Go there", answer: "Answer", scan: "Scan", photo: "Photo", follow: "Walk along", choose: "Choose", meet: "Find each other" };

const stay = (s) => (s < 120 ? `${s} s` : `${Math.round(s / 60)} min`);

export class Phone {
  /** @param {import("./player.js").Player} player @param {{step: (id: string) => string, place: (id: string) => string}} names */
  constructor(player, names) {
    this.player = player;
    this.names = names;
    /** @type {Map<string, HTMLElement>} */
    this.rows = new Map();
    this.root = byId("phone");
    byId("phone-leave").addEventListener("click", () => player.leave());
    byId("phone-fold").addEventListener("click", () => {
      const folded = this.root.classList.toggle("folded");
      byId("phone-fold").setAttribute("aria-expanded", String(!folded));
    });
  }

  /** Shows the player as it is now. */
  show() {
    const { player } = this;
    const on = player.state !== "off";
    this.root.hidden = !on;
    byId("play").hidden = on;
    byId("play-problem").hidden = on || !player.problem;
    say(byId("play-problem"), player.problem);
    if (!on) return this.#clear();
    this.root.dataset.state = player.state;
    const { team, run } = player;
    say(byId("phone-state"), STATES[player.state]);
    say(byId("phone-team"), team ? `Team ${team.name} · ${plural(team.members?.length ?? 1, "player")} · invite ${team.invite}` : "");
    say(byId("phone-points"), run ? `${run.points ?? 0} points` : "");
    const ends = run?.ends_at;
    say(byId("phone-time"), ends ? `${duration(new Date(ends).getTime() - Date.now())} left` : "");
    say(byId("phone-problem"), player.problem);
    byId("phone-problem").hidden = !player.problem;
    this.#position();
    this.#steps();
    this.#notices();
  }

  #clear() {
    this.rows.clear();
    byId("phone-steps").replaceChildren();
    byId("phone-notices").replaceChildren();
  }

  #position() {
    const [lon, lat] = this.player.at();
    const left = this.player.left;
    const status = byId("phone-walk");
    status.dataset.lon = lon.toFixed(7);
    status.dataset.lat = lat.toFixed(7);
    const ignored = this.player.ignored ? `, last fix not counted: ${this.player.ignored}` : "";
    say(status, left > 1 ? `Walking, ${metres(left)} to go${ignored}` : `Standing still; click the map to walk${ignored}`);
  }

  #steps() {
    const { open, run, notices } = this.player;
    const list = byId("phone-steps");
    for (const [id, row] of this.rows) {
      if (open.has(id)) continue;
      row.remove();
      this.rows.delete(id);
    }
    for (const step of open.values()) {
      if (!(step.verb in VERBS)) continue;
      let row = this.rows.get(step.id);
      if (!row) {
        row = this.#make(step);
        this.rows.set(step.id, row);
        list.append(row);
      }
      this.#guide(row, step);
    }
    const finished = notices.some((n) => n.type === "quest.finished") && this.rows.size === 0;
    byId("phone-empty").hidden = this.rows.size > 0;
    say(byId("phone-empty"), finished ? "All done. Leave, and be a player again." : run ? "No step is open right now."
      : this.player.state === "live" ? "Waiting for a team-mate, then the quest starts." : "");
  }

  /** Distance and direction, and which hints can be had. */
  #guide(row, step) {
    const guide = row.querySelector(".guide");
    if (step.place && guide) {
      const at = this.player.here;
      const inside = depth(at, step.place.outline);
      const towards = bearing(at, middleOf(step.place.outline));
      guide.classList.toggle("there", inside >= 0);
      say(guide.querySelector("b"), inside >= 0 ? "you are here" : `${metres(inside)} ${compass(towards)}`);
      guide.querySelector("i").style.transform = `rotate(${inside >= 0 ? 180 : towards}deg)`;
    }
    for (const button of row.querySelectorAll("button[data-from]")) {
      const wait = Number(button.dataset.from) - Date.now();
      button.disabled = wait > 0;
      say(button, wait > 0 ? `${button.dataset.label} in ${duration(wait)}` : button.dataset.label);
    }
  }

  #make(step) {
    const { player } = this;
    const problem = el("p", { class: "error", role: "alert" });
    const send = async (method, data) => {
      say(problem, "");
      try {
        await player.act(method, { step: step.id, ...data });
      } catch (failure) {
        say(problem, failure.message ?? String(failure));
      }
    };
    const button = (label, action, extra = {}) => el("button", { type: "button", onclick: action, ...extra }, label);
    const controls = el("div", { class: "row" });
    if (step.place) {
      const walk = () => player.walkTo(middleOf(step.place.outline));
      controls.append(step.verb === "follow" ? button("Walk along it", () => this.#follow(step)) : button("Walk there", walk));
    }
    if (step.verb === "answer") {
      const field = el("input", { type: "text", name: "answer", placeholder: "Your answer", "aria-label": step.question ?? "Your answer", maxlength: 280, required: true });
      controls.append(el("form", { class: "row grow", onsubmit: (event) => {
        event.preventDefault();
        send("quest.answer", { text: field.value });
      } }, field, el("button", { class: "main" }, "Send")));
    }
    for (const [id, label] of step.verb === "choose" ? (step.options ?? []) : []) {
      controls.append(button(label, () => send("quest.choose", { option: id }), { class: "main" }));
    }
    if (step.verb === "scan") {
      controls.append(button("Scan the sign", async () => {
        try {
          await send("quest.scan", { code: await player.signOf(step.id) });
        } catch (error) {
          say(problem, error.message);
        }
      }, { class: "main" }));
    }
    if (step.verb === "photo") {
      const photo = `demo:${player.id}:${step.id}`;
      controls.append(button("Take the photo", () => send("quest.photo", { photo }), { class: "main" }));
    }
    (step.hints ?? []).forEach(([from, cost], i) => {
      const label = `Hint ${i + 1}${cost ? ` (−${cost})` : ""}`;
      const at = new Date(from).getTime();
      controls.append(button(label, () => send("quest.hint", { hint: i }), { class: "quiet", "data-from": at, "data-label": label }));
    });
    const rules = [
      VERBS[step.verb], step.points && `${step.points} points`, step.stay_s && `stay ${stay(step.stay_s)}`,
      step.members > 1 && `${step.members} of you`,
    ].filter(Boolean).join(" · ");
    return el("li", { "data-step": step.id },
      el("div", { class: "step-head" }, el("strong", {}, step.title),
        step.place && el("span", { class: "guide" }, el("i", { "aria-hidden": "true" }, "↑"), el("b", {}))),
      el("p", { class: "faint" }, step.place ? `${rules} · ${step.place.name}` : rules),
      step.question && el("p", { class: "question" }, step.question),
      controls, problem);
  }

  /** To the nearer end of a corridor, then along its line to the other. */
  #follow(step) {
    const line = step.place.outline.coordinates;
    if (!Array.isArray(line?.[0])) return this.player.walkTo(middleOf(step.place.outline));
    const from = this.player.at();
    const far = (p) => Math.hypot((p[0] - from[0]) / 2, p[1] - from[1]);
    const way = far(line[0]) <= far(line.at(-1)) ? line : [...line].reverse();
    this.player.walkTo(way[0]);
    this.player.way.push(...way.slice(1));
  }

  #notices() {
    const { notices } = this.player;
    const list = byId("phone-notices");
    if (this.shown === notices[0] && list.childElementCount > 0) return;
    this.shown = notices[0];
    const names = { ...this.names, me: this.player.id ?? "" };
    list.replaceChildren(...notices.slice(0, 40).map((notice) => {
      const { icon, text, tone } = noticeLine(notice, names);
      return el("li", { class: tone }, el("i", { "aria-hidden": "true" }, icon), el("span", {}, text), el("time", {}, clock(notice.at)));
    }));
  }
}
