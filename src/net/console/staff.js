// What concerns those who run the server: who they are, what is out of service, what was done, and phones to set up.
//
// Promise: who may only look is shown no button that the server would refuse, and nothing that it would not tell; what
// cannot be undone takes two clicks; a link that bears a token is forgotten when its window is closed.

import { ask } from "./ask.js";
import { byId, el, say } from "./dom.js";
import { clock, day, plural } from "./format.js";

/** How often what is out of service is asked for: it is tried again by itself after half a minute at the earliest. */
const LOOK_MS = 10_000;
/** How long a second click counts. */
const SURE_MS = 5_000;
/** Lines of the audit log at a time. */
const LINES = 50;

export class Staff {
  constructor() {
    /** @type {string | null} what the server takes us for */
    this.role = null;
    /** @type {string | null} what the next older lines are asked by */
    this.older = null;
    byId("audit-open").addEventListener("click", () => this.#audit());
    byId("audit-again").addEventListener("click", () => this.#audit());
    byId("audit-older").addEventListener("click", () => this.#lines(this.older));
    byId("device-open").addEventListener("click", () => byId("device").showModal());
    byId("device-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#device();
    });
    byId("device").addEventListener("close", () => forget());
    for (const shut of document.querySelectorAll("dialog .shut")) {
      shut.addEventListener("click", () => shut.closest("dialog").close());
    }
    setInterval(() => !document.hidden && this.#look(), LOOK_MS);
  }

  /** Asks who we are, until that is known. What only some may do is hidden till then. */
  async begin() {
    if (this.role !== null) return;
    const { said } = await ask("/v1/me");
    if (!said) return;
    this.role = said.role;
    document.body.dataset.role = said.role;
    this.#look();
  }

  get acts() {
    return this.role === "operator";
  }

  async #look() {
    if (this.role === null) return;
    const { said, problem } = await ask("/v1/operator/parked");
    say(byId("parked-problem"), problem);
    if (said) this.#parked(said);
  }

  #parked({ parked, more, unkept, silent }) {
    const rest = [
      more > 0 && `${more} more are not shown.`,
      unkept > 0 && `${plural(unkept, "panic")} of others, for which there was no room.`,
      silent.length > 0 && `Not asked: ${silent.join(", ")}.`,
    ].filter(Boolean).join(" ");
    byId("parked-section").hidden = parked.length === 0 && rest === "";
    say(byId("parked-count"), String(parked.length + more));
    say(byId("parked-note"), rest);
    const list = byId("parked");
    // A row under a finger stays as it is; there are hardly ever two.
    const key = JSON.stringify(parked);
    if (list.dataset.shown === key) return;
    list.dataset.shown = key;
    list.replaceChildren(...parked.map((card) => this.#row(card)));
  }

  #row(card) {
    const problem = el("p", { class: "error", role: "alert" });
    const wish = async (what) => {
      const { said, problem: why } = await ask("/v1/operator/parked", { entity: card.entity, do: what });
      const none = said?.done === "nothing_to_drop" && "There is no message that could be dropped.";
      say(problem, why || none || "");
      if (said && !none) await this.#look();
    };
    const drop = card.cause && sure("Drop message", "Drop for ever?", () => wish("drop"));
    const state = card.on_trial ? "being tried again" : `tried again at ${clock(card.until)}`;
    return el("li", { "data-entity": card.entity },
      el("p", {}, el("strong", {}, card.entity), ` since ${clock(card.since)}, ${state}`),
      el("p", { class: "faint" }, `${plural(card.panics, "panic")}, the last at ${card.message}`),
      el("p", { class: "faint clip", title: card.panic }, card.panic),
      this.acts && el("div", { class: "row" },
        el("button", { type: "button", onclick: () => wish("redrive") }, "Try again now"), drop),
      problem);
  }

  async #audit() {
    byId("audit-lines").replaceChildren();
    if (!byId("audit").open) byId("audit").showModal();
    await this.#lines(null);
  }

  /** @param {string | null} before */
  async #lines(before) {
    const older = byId("audit-older");
    older.disabled = true;
    const from = before ? `&before=${encodeURIComponent(before)}` : "";
    const { said, problem } = await ask(`/v1/operator/audit?limit=${LINES}${from}`);
    older.disabled = false;
    say(byId("audit-problem"), problem);
    if (!said) return;
    this.older = said.next;
    older.hidden = !said.next;
    byId("audit-lines").append(...said.lines.map((line) => el("tr", { "data-action": line.action },
      el("td", {}, el("time", { datetime: new Date(line.at).toISOString() }, `${day(line.at)} ${clock(line.at)}`)),
      el("td", {}, line.who, line.role !== "-" && el("span", { class: "faint" }, ` ${line.role}`)),
      el("td", {}, line.action), el("td", {}, line.target),
      el("td", { class: outcome(line.outcome) }, line.outcome), el("td", { class: "faint" }, line.node))));
  }

  async #device() {
    forget();
    const { said, problem } = await ask("/v1/operator/devices", {
      player: byId("device-player").value.trim(), app: byId("device-app").value,
    });
    say(byId("device-problem"), problem);
    // Closed meanwhile: then nobody wants to see it any more.
    if (!said || !byId("device").open) return;
    const code = byId("device-code");
    code.src = `data:image/svg+xml,${encodeURIComponent(said.picture)}`;
    code.alt = `QR code that sets the app up for ${said.player}`;
    byId("device-link").value = said.link;
    say(byId("device-note"), `Good until ${day(said.expires * 1000)}. If the phone is lost, revoke the token ${said.token}.`);
    byId("device-made").hidden = false;
  }
}

function forget() {
  byId("device-made").hidden = true;
  byId("device-code").removeAttribute("src");
  byId("device-link").value = "";
  say(byId("device-note"), "");
  say(byId("device-problem"), "");
}

const outcome = (text) => (text === "done" ? "good" : text === "asked" ? "faint" : "bad");

/** A button that acts at the second of two clicks. */
function sure(label, question, act) {
  let armed = 0;
  const button = el("button", { type: "button", class: "bad", onclick: () => {
    clearTimeout(armed);
    const meant = button.textContent === question;
    say(button, meant ? label : question);
    if (meant) act();
    else armed = setTimeout(() => say(button, label), SURE_MS);
  } }, label);
  return button;
}
