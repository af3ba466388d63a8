// The player's own stream: each notice once and in order, and a fresh start where that cannot be had.
//
// On a first connection, and when too much was missed to be told again, there is a state instead of a past: it is
// fetched, and what came meanwhile and is contained in it is not told again. Promise: whoever takes the state of
// `resync` and then every notice after it knows what the server knows; nothing is told twice.

import type { Calls } from "./calls.js";
import { Closed } from "./errors.js";
import type { Notice } from "./generated.js";
import type { Begun } from "./line.js";
import type { State } from "./wire.js";

/** Notices that wait for the state; more than the server keeps, so that a fetch anew costs nothing that was to be had. */
const HELD_MAX = 256;

/** A state to start from; it takes the place of everything told before. */
export interface Resync {
  /** `first`: this page has just begun. `missed`: too much was missed, or the server's journal is another one. */
  why: "first" | "missed";
  /** All that the player may know now. */
  state: State;
}

/** Who wants to hear of the stream. */
export interface NoticesHear {
  resync(resync: Resync): void;
  notice(notice: Notice): void;
  trouble(error: Error): void;
}

/** The stream. */
export class Notices {
  readonly #calls: Calls;
  readonly #hears: NoticesHear;
  #told = 0;
  /** Notices since the connection, while the state is being fetched. */
  #held: Array<{ notice: Notice; offset: number }> | null = null;
  #why: Resync["why"] = "first";
  /** Counts fetches, so that one that was overtaken is not used. */
  #fetch = 0;

  constructor(calls: Calls, hears: NoticesHear) {
    this.#calls = calls;
    this.#hears = hears;
  }

  /** A connection has begun. */
  begun({ wasRecovering, recovered, offset }: Begun): void {
    if (!wasRecovering || !recovered) {
      this.#told = offset;
      void this.#resync(wasRecovering ? "missed" : "first");
    } else if (this.#held !== null) {
      // The last connection ended before there was a state.
      void this.#resync(this.#why);
    }
  }

  /** A notice has come. */
  take(data: unknown, offset: number): void {
    if (offset <= this.#told) return;
    this.#told = offset;
    const notice = data as Notice;
    if (this.#held === null) return this.#hears.notice(notice);
    this.#held.push({ notice, offset });
    if (this.#held.length > HELD_MAX) void this.#resync(this.#why);
  }

  async #resync(why: Resync["why"]): Promise<void> {
    // What is held is older than the state that is asked for now.
    this.#held = [];
    this.#why = why;
    const fetch = ++this.#fetch;
    try {
      const state = (await this.#calls.insist("state.get", {}, (error) => this.#hears.trouble(error))) as State;
      if (fetch === this.#fetch) this.#start(why, state);
    } catch (error) {
      // With the session ends the fetch; the next connection begins another.
      if (!(error instanceof Closed)) this.#hears.trouble(error as Error);
    }
  }

  #start(why: Resync["why"], state: State): void {
    const held = this.#held ?? [];
    this.#held = null;
    this.#told = Math.max(this.#told, state.offset);
    this.#hears.resync({ why, state });
    for (const { notice, offset } of held) if (offset > state.offset) this.#hears.notice(notice);
  }
}
