// "Be a player": the reader's own player. It opens a session like any phone, forms a team with a simulated companion,
// starts the quest, walks along streets where the map is clicked, and sends a fix each second.
//
// Promise: it uses nothing that a phone could not use, but for the two calls that only a demo has (a player made on the
// spot, a companion). It never moves faster than `SPEED`. A reload of the page goes on where it was.

import { distance } from "./geo.js";
import { Session } from "./session.js";

/** Four times a walk, below the usual limit of 8 m/s with room for the noise. */
export const SPEED = 5.6;
export const ACCURACY = 5;
const NOISE_M = 0.9;
const KEPT = "waystone.player";
const NOTICES_KEPT = 60;
const TEAM_SIZE = 1305;
const GONE = [109, 3500, 3501, 3503];

export class Player {
  /**
   * @param {{streets: () => import("./streets.js").Streets | null, quest: () => any, start: () => [number, number],
   *   changed: () => void, noticed: (notice: any) => void}} world
   */
  constructor(world) {
    this.world = world;
    /** @type {string | null} */
    this.id = null;
    this.state = /** @type {"off" | "connecting" | "live" | "waiting" | "over"} */ ("off");
    this.problem = "";
    /** @type {any} the team, as `state.get` gives it */
    this.team = null;
    /** @type {any} the run of the quest shown */
    this.run = null;
    /** @type {Map<string, any>} open steps */
    this.open = new Map();
    /** @type {any[]} newest first */
    this.notices = [];
    /** @type {[number, number]} */
    this.here = [0, 0];
    /** @type {[number, number][]} */
    this.way = [];
    this.movedAt = 0;
    this.seq = 0;
  }

  /** Makes a player and opens its session. */
  async join() {
    this.problem = "";
    this.state = "connecting";
    this.world.changed();
    try {
      const reply = await fetch("player", { method: "POST" });
      if (!reply.ok) throw new Error(`the server answered ${reply.status}`);
      const { player, token, url } = await reply.json();
      this.here = this.world.start();
      this.kept = { player, token, url, position: null, seq: 0, here: this.here, companion: null, notices: [] };
      this.#open();
    } catch (error) {
      this.state = "off";
      this.problem = `No player could be made: ${error.message}`;
      this.world.changed();
    }
  }

  /** Goes on with the player of an earlier page, if there is one. */
  resume() {
    try {
      const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
      if (!kept?.token) return;
      this.kept = kept;
      this.here = kept.here;
      this.way = kept.way ?? [];
      this.seq = kept.seq;
      this.notices = kept.notices ?? [];
      this.#open();
    } catch {
      sessionStorage.removeItem(KEPT);
    }
  }

  /** Ends the session and forgets the player. */
  leave() {
    this.session?.close();
    clearInterval(this.timer);
    sessionStorage.removeItem(KEPT);
    Object.assign(this, { id: null, state: "off", team: null, run: null, notices: [], way: [], seq: 0, problem: "" });
    this.open.clear();
    this.world.changed();
  }

  #open() {
    this.id = this.kept.player;
    this.movedAt = performance.now();
    this.session = new Session(this.kept.url, this.kept.token, this.kept.position, {
      state: (state, why) => {
        this.state = state;
        if (why) this.problem = GONE.includes(why.code) ? "This player's time is over." : why.message || `closed (${why.code})`;
        this.world.changed();
      },
      notice: (notice, offset) => this.#notice(notice, offset),
      welcome: () => this.#ready().catch((failure) => this.#fail(failure)),
    });
    this.session.connect();
    clearInterval(this.timer);
    this.timer = setInterval(() => this.#fix(), 1000);
    this.world.changed();
  }

  /** Brings everything to where a player plays: state, team, companion, start. Safe to repeat. */
  async #ready() {
    await this.refresh();
    if (this.team === null) {
      await this.session.act("team.create", { name: "You" });
      await this.refresh();
    }
    if (this.run === null) await this.#start();
  }

  /** Asks for all that the player may know now. */
  async refresh() {
    const state = await this.session.rpc("state.get", {});
    this.team = state.team ?? null;
    const quest = this.world.quest();
    this.run = (state.runs ?? []).find((run) => run.quest === quest?.id) ?? null;
    this.offset = state.offset ?? 0;
    this.open = new Map((this.run?.open ?? []).map((step) => [step.id, step]));
    this.world.changed();
  }

  async #start() {
    const quest = this.world.quest();
    // A member who comes while a start is being refused must not be the one whom nobody waits for.
    if (this.starting) this.startAgain = true;
    // Founding a team is answered a moment before the player's own state knows of it; team.joined tells.
    if (!quest || !this.team || this.starting) return;
    this.starting = true;
    this.startAgain = false;
    try {
      const least = quest.play?.team_size?.[0] ?? 1;
      if ((this.team?.members?.length ?? 1) < least) await this.#companion();
      await this.session.act("quest.start", { quest: quest.id });
      await this.refresh();
      this.problem = "";
    } catch (failure) {
      if (failure.code !== TEAM_SIZE) this.#fail(failure);
    } finally {
      this.starting = false;
      this.world.changed();
    }
    if (this.startAgain && !this.run) await this.#start();
  }

  async #companion() {
    const invite = this.team?.invite;
    if (!invite || this.kept.companion === invite) return;
    const reply = await fetch("companion", {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ invite }),
    });
    if (reply.ok) this.kept.companion = invite;
    else this.problem = `No companion is free; let someone join with the code ${invite}.`;
  }

  #fail(failure) {
    this.problem = failure.message ?? String(failure);
    this.world.changed();
  }

  /** A command on a step; the error, if any, is the caller's to show. @param {string} method @param {object} data */
  async act(method, data) {
    return this.session.act(method, { quest: this.run?.quest ?? this.world.quest()?.id, ...data });
  }

  /** What the sign at a scan step says: a demo may read it from the server. @param {string} step */
  async signOf(step) {
    const quest = this.run?.quest ?? this.world.quest()?.id;
    const reply = await fetch(`codes?quest=${encodeURIComponent(quest)}`);
    if (!reply.ok) throw new Error(`the codes could not be read (${reply.status})`);
    const found = (await reply.json()).codes.find((code) => code.step === step);
    if (!found) throw new Error("this step has no sign");
    return found.code;
  }

  #notice(notice, offset) {
    this.notices.unshift(notice);
    this.notices.length = Math.min(this.notices.length, NOTICES_KEPT);
    if (offset === 0 || offset > (this.offset ?? 0)) this.#apply(notice);
    this.world.noticed(notice);
    this.world.changed();
    if (this.session?.live && this.run === null && ["team.member", "team.joined"].includes(notice.type)) {
      this.refresh().then(() => this.run ?? this.#start()).catch((failure) => this.#fail(failure));
    }
  }

  #apply(n) {
    if (n.type === "step.opened") this.open.set(n.step.id, n.step);
    if (["step.closed", "step.completed"].includes(n.type)) this.open.delete(n.step);
    if (n.type === "step.completed" && this.run && n.mine) this.run.points = (this.run.points ?? 0) + n.points;
    if (["points.given", "hint.given", "quest.finished", "quest.ended", "quest.started"].includes(n.type) && this.session?.live) {
      this.refresh().catch(() => {});
    }
  }

  /** Walks there along streets. @param {[number, number]} to */
  walkTo(to) {
    const from = this.at();
    this.way = this.world.streets()?.way(from, to) ?? [to];
    this.world.changed();
  }

  /** Where the avatar is now. @returns {[number, number]} */
  at() {
    const now = performance.now();
    let reach = ((now - this.movedAt) / 1000) * SPEED;
    this.movedAt = now;
    while (this.way.length > 0 && reach > 0) {
      const d = distance(this.here, this.way[0]);
      if (d <= reach) {
        this.here = this.way.shift();
        reach -= d;
      } else {
        const t = reach / d;
        const [a, b] = [this.here, this.way[0]];
        this.here = [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t];
        reach = 0;
      }
    }
    return this.here;
  }

  /** Metres still to walk. */
  get left() {
    return this.way.reduce((sum, p, i) => sum + distance(i === 0 ? this.here : this.way[i - 1], p), 0);
  }

  #fix() {
    const [lon, lat] = this.at();
    const live = this.session?.live;
    if (live) {
      this.seq += 1;
      const north = (noise() * NOISE_M) / 111_320;
      const east = (noise() * NOISE_M) / (111_320 * Math.cos((lat * Math.PI) / 180));
      const acc = Math.round((ACCURACY + Math.random() * 0.8 - 0.4) * 10) / 10;
      this.session.rpc("fix", { lat: round(lat + north), lon: round(lon + east), acc, t: Date.now(), seq: this.seq })
        .then((reply) => { this.ignored = reply?.ignored?.[0]?.reason ?? ""; }, () => {});
    }
    Object.assign(this.kept, {
      here: this.here, way: this.way, seq: this.seq, position: this.session?.position ?? null, notices: this.notices.slice(0, 30),
    });
    sessionStorage.setItem(KEPT, JSON.stringify(this.kept));
    this.world.changed();
  }
}

const round = (degrees) => Math.round(degrees * 1e7) / 1e7;

/** About normal, mean 0, deviation 1. */
function noise() {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}
