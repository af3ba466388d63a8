// The connection: the SDK with what it leaves open. It waits with deadlines, it knows when all is over, and it leaves a
// line that is dead but looks alive.
//
// Half-open lines: after a change of networks a socket may look open for half a minute, until the server's ping is
// missed. A call without an answer, during whose wait nothing else was heard either, is taken for that: we connect anew.
// Promise: `ask` tries once; every wait here ends with a connection, a deadline or the end of it all.

import { Centrifuge, type Options } from "centrifuge";
import { type Closed, type SdkError, closedBy, isUnanswered } from "./errors.js";

/** How the connection is: `idle` before the first `connect`, `closed` when it will not come back. */
export type Connection = "idle" | "connecting" | "connected" | "closed";

/** What the own channel of a player says when it begins. */
export interface Begun {
  /** Whose it is. */
  player: string;
  /** Whether an earlier place in it was asked for. */
  wasRecovering: boolean;
  /** Whether all that was missed follows. */
  recovered: boolean;
  /** Where it is. */
  offset: number;
}

/** Who wants to hear of the connection. */
export interface Hears {
  connection(state: Connection, end: Closed | null): void;
  begun(begun: Begun): void;
  notice(data: unknown, offset: number): void;
  trouble(error: Error): void;
}

/** The end of `own#<player>`'s name. */
const OWN = "#";

/** A connection that comes back. */
export class Line {
  /** The SDK's client, for live channels. */
  readonly sdk: Centrifuge;
  readonly #hears: Hears;
  readonly #waiting = new Set<() => void>();
  #state: Connection = "idle";
  #end: Closed | null = null;
  /** Counts what was heard. */
  #heard = 0;
  #reviving = false;

  constructor(url: string, options: Partial<Options>, hears: Hears) {
    this.#hears = hears;
    this.sdk = new Centrifuge(url, options);
    this.sdk.on("connecting", () => this.#become("connecting", null));
    this.sdk.on("connected", () => this.#become("connected", null));
    this.sdk.on("disconnected", ({ code, reason }) => {
      if (!this.#reviving) this.#become("closed", closedBy(code, reason));
    });
    this.sdk.on("subscribed", ({ channel, wasRecovering, recovered, streamPosition }) => {
      if (!channel.startsWith(OWN)) return;
      const [player, offset] = [channel.slice(OWN.length), streamPosition?.offset ?? 0];
      hears.begun({ player, wasRecovering, recovered, offset });
    });
    this.sdk.on("publication", ({ channel, data, offset }) => {
      this.#heard += 1;
      if (channel.startsWith(OWN)) hears.notice(data, offset ?? 0);
    });
    this.sdk.on("error", ({ type, error }) => hears.trouble(new Error(`${type}: ${error.message} (${error.code})`)));
  }

  /** How the connection is. */
  get state(): Connection {
    return this.#state;
  }

  /** Connects; also again after `closed`. */
  open(): void {
    this.sdk.connect();
  }

  /** Ends it. */
  shut(): void {
    this.sdk.disconnect();
    if (this.#state !== "closed") this.#become("closed", closedBy(0, "closed by the app"));
  }

  /** Waits for a connection: true when there is one, false when there was none in time. Throws when all is over. */
  async up(until: number): Promise<boolean> {
    while (this.#state !== "connected") {
      if (this.#end) throw this.#end;
      if (Date.now() >= until) return false;
      await this.#change(until - Date.now());
    }
    return true;
  }

  /** Waits so long, or until all is over. Throws when it is. */
  async pause(ms: number): Promise<void> {
    const until = Date.now() + ms;
    while (Date.now() < until) {
      if (this.#end) throw this.#end;
      await this.#change(until - Date.now());
    }
    if (this.#end) throw this.#end;
  }

  /** Asks once. Rejects with the SDK's plain error. */
  async ask(method: string, data: object): Promise<unknown> {
    const heard = this.#heard;
    try {
      const { data: reply } = await this.sdk.rpc(method, data);
      this.#heard += 1;
      return reply;
    } catch (error) {
      if (!isUnanswered(error as SdkError)) this.#heard += 1;
      else if (this.#state === "connected" && this.#heard === heard) this.#revive();
      throw error;
    }
  }

  /** Leaves a line that gives no answer; the SDK keeps its place in the stream. */
  #revive(): void {
    this.#reviving = true;
    this.sdk.disconnect();
    this.#reviving = false;
    this.sdk.connect();
  }

  #become(state: Connection, end: Closed | null): void {
    this.#state = state;
    this.#end = end;
    for (const wake of [...this.#waiting]) wake();
    this.#hears.connection(state, end);
  }

  /** The next change of state, or so many milliseconds. */
  #change(ms: number): Promise<void> {
    return new Promise((done) => {
      const wake = () => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        done();
      };
      // A longer timer would overflow and ring at once.
      const timer = setTimeout(wake, Math.min(ms, 2 ** 31 - 1));
      this.#waiting.add(wake);
    });
  }
}
