// Sends the fixes that wait: one batch at a time, oldest first, at the pace that the server allows.
//
// Promise: at most one batch is under way, so fixes are judged in order; a batch whose answer was lost is sent again
// with the same numbers; a batch that the server refuses as a whole is dropped and told, so that it holds up nothing.

import { backOff } from "./calls.js";
import { Closed, Refused, type SdkError, isPassing } from "./errors.js";
import type { FixQueue, NumberedFix } from "./fixes.js";
import type { FixReply, NextFix, RingCrossed } from "./generated.js";
import type { Line } from "./line.js";

/** The server takes 20 fixes a second in the long run; a little less keeps clear of it. */
const PACE_MS = 55;

/** What became of fixes that were sent. */
export interface FixesReport {
  /** The first number of the batch. */
  from: number;
  /** The last. */
  to: number;
  /** How many counted. */
  accepted: number;
  /** Those that counted for nothing, and why: `late`, `repeated`, `held`, `teleport`, `bad_fix`. */
  ignored: Array<{ seq: number; reason: string }>;
  /** Rings around places that were crossed, in order: "warm, warmer". */
  rings: RingCrossed[];
  /** When the next fix matters; `null` until one has counted. */
  next: NextFix | null;
}

/** Who wants to hear what became of fixes. */
export interface SenderHears {
  fixes(report: FixesReport): void;
  trouble(error: Error): void;
}

/** Sends what is in a queue while there is a connection. */
export class Sender {
  readonly #line: Line;
  readonly #queue: FixQueue;
  readonly #hears: SenderHears;
  #running = false;

  constructor(line: Line, queue: FixQueue, hears: SenderHears) {
    this.#line = line;
    this.#queue = queue;
    this.#hears = hears;
  }

  /** Something is there to be sent, or may be sent now. */
  async kick(): Promise<void> {
    if (this.#running || this.#line.state !== "connected") return;
    this.#running = true;
    try {
      for (let tries = 0; this.#queue.size > 0 && (await this.#line.up(0)); ) {
        tries = (await this.#sendOne()) ? 0 : tries + 1;
        if (tries > 0) await this.#line.pause(backOff(tries - 1));
      }
    } catch (error) {
      if (!(error instanceof Closed)) this.#hears.trouble(error as Error);
    } finally {
      this.#running = false;
    }
  }

  /** Sends a batch; false when it must be sent again. */
  async #sendOne(): Promise<boolean> {
    const batch = this.#queue.batch();
    const [first, last] = [batch[0], batch.at(-1)];
    if (!first || !last) return true;
    try {
      const reply = (await this.#line.ask("fixes", { fixes: batch })) as FixReply;
      this.#queue.done(last.seq);
      this.#hears.fixes(report(batch, first.seq, last.seq, reply));
    } catch (thrown) {
      const error = thrown as SdkError;
      if (isPassing(error)) return false;
      this.#queue.refuse(batch);
      this.#hears.trouble(new Refused(error.code, error.message, error.temporary ?? false));
    }
    await this.#line.pause(batch.length * PACE_MS);
    return true;
  }
}

function report(batch: NumberedFix[], from: number, to: number, reply: FixReply): FixesReport {
  const ignored = (reply.ignored ?? []).map(({ index, reason }) => ({ seq: batch[index]?.seq ?? from, reason }));
  return { from, to, accepted: reply.accepted, ignored, rings: reply.rings ?? [], next: reply.next ?? null };
}
