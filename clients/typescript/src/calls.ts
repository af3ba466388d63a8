// Calls that are repeated until they have an outcome.
//
// A lost connection leaves open whether a command was done. Each command therefore bears an id, and is sent again with
// the same one: the server recognizes it and gives the same answer. Promise: a call ends with the server's answer, a
// refusal that a repeat would not change, or a typed error at its deadline; never twice in effect, never in silence.

import { Closed, OutOfTime, Refused, type SdkError, TooMany, isPassing } from "./errors.js";
import type { Line } from "./line.js";

/** Calls that may wait for their outcome: after a reconnect all are sent at once, and the server allows 50 in a burst. */
const WAITING_MAX = 32;
/** The server closes on frames over 32 KiB, once 16, and the SDK does not come back after that; the rest is for the frame. */
const DATA_BYTES_MAX = 16_000;
/** After so long without an answer `insist` says so and goes on. */
const INSIST_MS = 60_000;
/** The shortest and the longest pause before a repeat. */
const PAUSE_MS = [200, 5_000] as const;

/** The pause before the repeat of this number, from 0: growing, random, so that a crowd does not come back at once. */
export function backOff(tries: number): number {
  const [least, most] = PAUSE_MS;
  return Math.min(most, least * 2 ** tries) * (0.5 + Math.random() / 2);
}

/** An id that no other command has. `randomUUID` is there on secure pages alone. */
export function commandId(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The calls of one connection. */
export class Calls {
  readonly #line: Line;
  #waiting = 0;

  constructor(line: Line) {
    this.#line = line;
  }

  /** Calls until there is an outcome. `cmd` must be in `data` too where the method is a command. */
  async call(method: string, data: object, deadlineMs: number, cmd: string | null = null): Promise<unknown> {
    if (this.#waiting >= WAITING_MAX) throw new TooMany(`${WAITING_MAX} calls wait for their outcome: wait for one`);
    const bytes = new TextEncoder().encode(JSON.stringify(data)).length;
    if (bytes > DATA_BYTES_MAX) throw new Refused(107, `${method}: ${bytes} bytes are too much for one message`, false);
    this.#waiting += 1;
    try {
      return await this.#repeat(method, data, Date.now() + deadlineMs, cmd);
    } finally {
      this.#waiting -= 1;
    }
  }

  /** Calls until the answer comes, however long it takes: for what a session cannot do without. Throws at its end. */
  async insist(method: string, data: object, trouble: (error: Error) => void): Promise<unknown> {
    for (let tries = 0; ; tries++) {
      try {
        return await this.#repeat(method, data, Date.now() + INSIST_MS, null);
      } catch (error) {
        if (error instanceof Closed) throw error;
        trouble(error as Error);
        await this.#line.pause(backOff(tries));
      }
    }
  }

  async #repeat(method: string, data: object, until: number, cmd: string | null): Promise<unknown> {
    let last: SdkError | undefined;
    for (let tries = 0; ; tries++) {
      if (!(await this.#line.up(until))) throw new OutOfTime(method, cmd, last !== undefined, last);
      try {
        return await this.#line.ask(method, data);
      } catch (thrown) {
        const error = (last = thrown as SdkError);
        if (!isPassing(error)) throw new Refused(error.code, error.message, error.temporary ?? false);
        const pause = backOff(tries);
        if (Date.now() + pause >= until) throw new OutOfTime(method, cmd, true, last);
        await this.#line.pause(pause);
      }
    }
  }
}
