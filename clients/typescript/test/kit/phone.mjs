// A phone with the built client, which notes down all that it is told.

import { WebSocket as Ws } from "ws";
import { NOTICES, Waystone } from "../../dist/index.js";
import { eventually, token } from "./server.mjs";

const websocket = globalThis.WebSocket ?? Ws;

export class Phone {
  notices = [];
  resyncs = [];
  reports = [];
  dropped = [];
  troubles = [];
  states = [];
  ends = [];

  constructor(url, player, options = {}) {
    this.player = player;
    this.session = new Waystone({ url, token: token(player), websocket, reconnectMs: [50, 300], ...options });
    // By its type and as one of all: the same notice, once each.
    for (const type of NOTICES) this.session.on(type, (notice) => this.notices.push(notice));
    for (const [name, list] of [["resync", this.resyncs], ["fixes", this.reports], ["dropped", this.dropped],
      ["trouble", this.troubles], ["connection", this.states], ["closed", this.ends]]) {
      this.session.on(name, (told) => list.push(told));
    }
  }

  /** Connects, and waits for the state to start from. */
  async connect() {
    this.session.connect();
    await eventually(`${this.player} has a state`, () => this.resyncs.length > 0);
    return this;
  }

  /** The first notice that pleases. */
  hears(what, pleases) {
    return eventually(`${this.player} hears ${what}`, () => this.notices.find(pleases)).catch((error) => {
      throw new Error(`${error.message}\nheard: ${JSON.stringify(this.notices)}\ntroubles: ${this.troubles}`);
    });
  }

  is(state) {
    return eventually(`${this.player} is ${state}`, () => this.session.connection === state);
  }

  /** What was said, in the order heard. */
  said() {
    return this.notices.filter(({ type }) => type === "team.said").map(({ text }) => text);
  }

  /** The numbers of fixes that the server has spoken about, in the order in which it did. */
  heardOf() {
    return this.reports.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, n) => from + n));
  }
}

/** A team of these phones, each connected. */
export async function team(...phones) {
  const [first, ...others] = await Promise.all(phones.map((phone) => phone.connect()));
  const founded = await first.session.act("team.create", { name: "The clients" });
  for (const other of others) await other.session.act("team.join", { code: founded.invite });
  for (const phone of phones) await phone.hears("of its team", ({ type }) => type === "team.joined");
  return founded;
}

/** `localStorage` for a test. */
export function memory() {
  const kept = new Map();
  return { kept, getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => void kept.set(key, value) };
}
