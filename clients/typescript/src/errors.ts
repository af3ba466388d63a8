// What can go wrong, as classes with a `kind` to tell them apart by, so that an app decides by type and not by text.
//
// A refusal is an answer of the server and final for that call; the other kinds say that there was no answer. Promise:
// every promise that this package rejects is rejected with one of these.

import { CLOSES, REFUSALS } from "./generated.js";

/** The name of a refusal, such as `not_there`. */
export type RefusalName = (typeof REFUSALS)[keyof typeof REFUSALS]["name"];

/** Why a connection is over for good: a final close code of the server, or what this side decided. */
export type CloseReason =
  | Extract<(typeof CLOSES)[keyof typeof CLOSES], { comeBack: false }>["reason"]
  /** `close()` was called. */
  | "stopped"
  /** `getToken` gave none, or the token has expired and there is no `getToken`. */
  | "unauthorized"
  /** The SDK does not come back after a message over the server's limit, whatever the server says of that code. */
  | "message too big"
  /** The server refused to connect us, or closed with a code that this package does not know. */
  | "refused";

/** What all errors of this package have in common. */
export abstract class WaystoneError extends Error {
  /** Which of them it is. */
  abstract readonly kind: "refused" | "out_of_time" | "closed" | "too_many";
}

/** The server said no. Show `message`, which says what to do; decide by `refusal`. */
export class Refused extends WaystoneError {
  readonly kind = "refused";
  override readonly name = "Refused";
  /** Which refusal; `unknown` for one that is newer than this package. */
  readonly refusal: RefusalName | "unknown";

  constructor(
    /** The refusal's number. */
    readonly code: number,
    message: string,
    /** Whether the same call may succeed later. */
    readonly temporary: boolean,
  ) {
    super(message);
    this.refusal = REFUSALS[code as keyof typeof REFUSALS]?.name ?? "unknown";
  }
}

/** There was no outcome before the deadline. */
export class OutOfTime extends WaystoneError {
  readonly kind = "out_of_time";
  override readonly name = "OutOfTime";

  constructor(
    /** What was called. */
    readonly method: string,
    /** The command's id, if it was one: call again with it, and the command is still done once at most. */
    readonly cmd: string | null,
    /** Whether it was sent at all; if not, it was surely not done. */
    readonly sent: boolean,
    /** What the last try met with. */
    last?: SdkError,
  ) {
    const what = sent ? "no outcome in time; it may have been done" : "there was no connection in time";
    super(`${method}: ${what}`, { cause: last });
  }
}

/** The connection is over for good. */
export class Closed extends WaystoneError {
  readonly kind = "closed";
  override readonly name = "Closed";

  constructor(
    /** Why. */
    readonly reason: CloseReason,
    /** The close code, or the code of the refusal. */
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}

/** Too many calls wait for their outcome already. */
export class TooMany extends WaystoneError {
  readonly kind = "too_many";
  override readonly name = "TooMany";
}

/** What the SDK rejects with: codes below 100 are its own and mean that there was no answer. */
export interface SdkError {
  code: number;
  message: string;
  temporary?: boolean;
}

/** Whether the call had no answer, so that only a repeat can tell what became of it. */
export function isUnanswered(error: SdkError): boolean {
  return error.code < 100;
}

/** Refusals that are over by themselves in moments: a fault, haste, a journal or an owner that is out of reach, a queue. */
const PASSING: ReadonlySet<number> = new Set([100, 111, 1003, 1004]);

/** Whether the same call is worth repeating at once, without asking the player. */
export function isPassing(error: SdkError): boolean {
  return isUnanswered(error) || PASSING.has(error.code);
}

/** Codes below 100 are the SDK's own. */
const OF_THE_SDK: ReadonlyMap<number, CloseReason> = new Map([[0, "stopped"], [1, "unauthorized"], [3, "message too big"]]);

/** Why the SDK has given up. */
export function closedBy(code: number, message: string): Closed {
  const known = CLOSES[code as keyof typeof CLOSES];
  if (known && !known.comeBack) return new Closed(known.reason, code, message);
  return new Closed(OF_THE_SDK.get(code) ?? "refused", code, message);
}
