// A player's session: what an app holds on to.
//
// Promise: between `connect` and `close` the session mends itself. Fixes wait for a connection, commands are repeated
// until they have an outcome, notices come once and in order, and where that is not possible a state comes instead. When
// it cannot be mended, for instance since the player has opened the app elsewhere, it says `closed`, once, with why.

import type { Options as SdkOptions } from "centrifuge";
import { Calls, commandId } from "./calls.js";
import type { Closed } from "./errors.js";
import { Emitter, type Off } from "./events.js";
import { type DropReason, FixQueue, type SyncStorage } from "./fixes.js";
import { NOTICES, type Notice, type Wake } from "./generated.js";
import { type Begun, type Connection, Line } from "./line.js";
import { Live } from "./live.js";
import { Notices, type Resync } from "./notices.js";
import { type FixesReport, Sender } from "./sender.js";
import type { BoardLive, Commands, Fix, MapLive, NoticeOf, State, TeamLive } from "./wire.js";

/** How long a call may wait for its outcome unless it says otherwise. */
const DEADLINE_MS = 60_000;
/** How long one try waits for its answer: the slowest durable answers take a second. */
const ANSWER_MS = 5_000;
/** The shortest and the longest pause before a reconnect. */
const RECONNECT_MS = [500, 20_000] as const;

/** How to reach the server, and as whom. */
export interface WaystoneOptions {
  /** Where the server is: `wss://host/connect`. */
  url: string;
  /** A token to begin with. Without it `getToken` is asked. */
  token?: string;
  /** Gets a new token when there is none or the old one ends. Throw `UnauthorizedError` when there will be none. */
  getToken?: () => Promise<string>;
  /** The player's name, where the token has none. */
  name?: string;
  /** A language tag such as `fi`, where the token has none. */
  lang?: string;
  /** Keeps unsent fixes over a reload: `localStorage`, or what your platform has. */
  storage?: SyncStorage;
  /** Under which name; `waystone.fixes` if missing. */
  storageKey?: string;
  /** A WebSocket class, where the platform has none (Node before 22: the package `ws`). */
  websocket?: unknown;
  /** How long a call may wait for its outcome; 60,000 ms if missing. */
  deadlineMs?: number;
  /** How long one try of it waits for its answer; 5,000 ms if missing. */
  answerMs?: number;
  /** The shortest and the longest pause before a reconnect; 500 and 20,000 ms if missing. */
  reconnectMs?: readonly [number, number];
}

/** Of a command, beside its data. */
export interface ActOptions {
  /** How long it may wait for its outcome. */
  deadlineMs?: number;
  /** The id of an earlier try of the same command, from `OutOfTime.cmd`. */
  cmd?: string;
}

/** What a session tells: each type of notice by its name, and what it has to say itself. */
export type Events = { [Type in Notice["type"]]: NoticeOf<Type> } & {
  /** Every notice, also of types that are newer than this package. */
  notice: Notice;
  /** A state to start from, in place of all that was told before. */
  resync: Resync;
  /** What became of fixes. */
  fixes: FixesReport;
  /** Fixes that were dropped without being sent. */
  dropped: { count: number; why: DropReason };
  /** How the connection is. */
  connection: Connection;
  /** It is over for good. */
  closed: Closed;
  /** Something failed that is being mended, for logs. */
  trouble: Error;
};

/** A player's session. */
export class Waystone {
  readonly #events = new Emitter<Events>();
  readonly #line: Line;
  readonly #calls: Calls;
  readonly #queue: FixQueue;
  readonly #sender: Sender;
  readonly #notices: Notices;
  readonly #live = new Map<string, Live<unknown>>();
  readonly #deadlineMs: number;

  constructor(options: WaystoneOptions) {
    this.#deadlineMs = options.deadlineMs ?? DEADLINE_MS;
    const trouble = (error: Error) => this.#events.emit("trouble", error);
    this.#line = new Line(options.url, sdkOptions(options), {
      connection: (state, end) => this.#connection(state, end),
      begun: (begun) => this.#begun(begun),
      notice: (data, offset) => this.#notices.take(data, offset),
      trouble,
    });
    this.#calls = new Calls(this.#line);
    this.#queue = new FixQueue(options.storage ?? null, options.storageKey ?? "waystone.fixes", (count, why) =>
      this.#events.emit("dropped", { count, why }));
    this.#sender = new Sender(this.#line, this.#queue, { fixes: (report) => this.#events.emit("fixes", report), trouble });
    this.#notices = new Notices(this.#calls, {
      resync: (resync) => this.#events.emit("resync", resync),
      notice: (notice) => this.#notice(notice),
      trouble,
    });
  }

  /** Connects and stays connected. */
  connect(): void {
    this.#line.open();
  }

  /** Ends the session. Fixes that wait stay in the storage, if there is one. */
  close(): void {
    this.#line.shut();
  }

  /** How the connection is. */
  get connection(): Connection {
    return this.#line.state;
  }

  /** Listens to a type of notice, or to the session itself; the answer ends it. */
  on<Name extends keyof Events>(name: Name, listener: (told: Events[Name]) => void): Off {
    return this.#events.on(name, listener);
  }

  /** Reports where the phone is, now or as soon as there is a connection; the answer is the fix's number. */
  fix(fix: Fix): number {
    const seq = this.#queue.push(fix);
    void this.#sender.kick();
    return seq;
  }

  /** How many fixes wait to be sent. */
  get waiting(): number {
    return this.#queue.size;
  }

  /** Does something, once, however often the connection is lost meanwhile. */
  async act<Method extends keyof Commands>(
    method: Method,
    data: Commands[Method]["data"],
    { deadlineMs = this.#deadlineMs, cmd = commandId() }: ActOptions = {},
  ): Promise<Commands[Method]["reply"]> {
    return (await this.#calls.call(method, { ...data, cmd }, deadlineMs, cmd)) as Commands[Method]["reply"];
  }

  /** All that the player may know now. `resync` brings it by itself where it is needed. */
  async state(): Promise<State> {
    return (await this.#calls.call("state.get", {}, this.#deadlineMs)) as State;
  }

  /** Which circles the phone is to watch while the app sleeps, `max` at most (1 to 100; 20 if missing). */
  async wake(max?: number): Promise<Wake> {
    return (await this.#calls.call("wake", max === undefined ? {} : { max }, this.#deadlineMs)) as Wake;
  }

  /** Where the members of the player's team are. Open it when `team.joined` or `resync` has told of the team. */
  team(id: string): Live<TeamLive> {
    return this.#channel<TeamLive>(`team:${id}`);
  }

  /** Who of those is in a window of the map, in degrees; west is greater than east across the antimeridian. */
  map(west: number, south: number, east: number, north: number): Live<MapLive> {
    return this.#channel<MapLive>(`map:${[west, south, east, north].map((edge) => edge.toFixed(6)).join(",")}`);
  }

  /** The scores of a quest. */
  board(quest: string): Live<BoardLive> {
    return this.#channel<BoardLive>(`board:${quest}`);
  }

  #channel<Content>(name: string): Live<Content> {
    const open = this.#live.get(name) as Live<Content> | undefined;
    if (open) return open;
    const subscription = this.#line.sdk.newSubscription(name);
    const live = new Live<Content>(subscription, () => {
      this.#live.delete(name);
      this.#line.sdk.removeSubscription(subscription);
    });
    this.#live.set(name, live as Live<unknown>);
    return live;
  }

  #connection(state: Connection, end: Closed | null): void {
    this.#events.emit("connection", state);
    if (state === "connected") void this.#sender.kick();
    if (end?.reason === "replaced") this.#queue.leave();
    if (end) this.#events.emit("closed", end);
  }

  #begun(begun: Begun): void {
    this.#queue.belongsTo(begun.player);
    this.#notices.begun(begun);
  }

  #notice(notice: Notice): void {
    this.#events.emit("notice", notice);
    // One that is newer than this package must not pass for an event of the session.
    if (NOTICES.includes(notice.type)) this.#events.emit(notice.type, notice as never);
  }
}

function sdkOptions({ token, getToken, name, lang, websocket, answerMs, reconnectMs }: WaystoneOptions): Partial<SdkOptions> {
  const [minReconnectDelay, maxReconnectDelay] = reconnectMs ?? RECONNECT_MS;
  const data = { ...(name !== undefined && { name }), ...(lang !== undefined && { lang }) };
  return {
    timeout: answerMs ?? ANSWER_MS,
    minReconnectDelay,
    maxReconnectDelay,
    ...(token !== undefined && { token }),
    ...(getToken && { getToken: () => getToken() }),
    ...(Object.keys(data).length > 0 && { data }),
    ...(websocket !== undefined && { websocket }),
  };
}
