// Fixes that wait to be sent: numbered, bounded, kept over a reload.
//
// The server judges a fix by when and where it was taken, so a fix of five minutes ago still counts, one of ten minutes
// ago does not. Promise: numbers rise by one with each fix, also after a reload where there is a storage; a fix waits
// until the server has spoken about it; when the queue is full the oldest goes, and whoever listens is told.

import type { Fix } from "./wire.js";

/** What keeps things over a reload: `localStorage`, or anything that looks like it. */
export interface SyncStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

/** Why fixes were dropped without being sent. */
export type DropReason =
  /** The queue was full. */
  | "full"
  /** They were too old to count. */
  | "old"
  /** The server refused the batch as a whole. */
  | "refused"
  /** They were kept for another player. */
  | "stranger";

/** A fix as it is sent. */
export interface NumberedFix extends Fix {
  seq: number;
  t: number;
}

/** Fixes that wait: ten minutes at one a second; older ones would not count. */
export const WAITING_MAX = 600;
/** The server ignores fixes that are older; both times are the device's, so a wrong clock does no harm here. */
const AGE_MAX_MS = 600_000;
/** Most fixes in a batch, as the server has it. */
const BATCH_MAX = 100;
/** The server takes frames of 32 KiB, an older one 16; what is left is for the frame round the fixes. */
const BATCH_BYTES_MAX = 15_000;
/** Decimals that matter: a centimetre, a decimetre. They also keep a batch small. */
const DECIMALS = { lat: 7, lon: 7, acc: 1, speed: 2, heading: 1, alt: 1 } as const;

/** A queue of fixes. */
export class FixQueue {
  #storage: SyncStorage | null;
  readonly #key: string;
  readonly #dropped: (count: number, why: DropReason) => void;
  #fixes: NumberedFix[] = [];
  #next: number;
  #player: string | null = null;
  /** Fixes below this number are surely the player's: kept by an earlier page, or taken while connected. */
  #owned: number;

  constructor(storage: SyncStorage | null, key: string, dropped: (count: number, why: DropReason) => void) {
    this.#storage = storage;
    this.#key = key;
    this.#dropped = dropped;
    // Without a memory of its own the clock sees to it that numbers rise.
    this.#next = Date.now();
    this.#load();
    this.#owned = this.#next;
  }

  /** How many wait. */
  get size(): number {
    return this.#fixes.length;
  }

  /** Takes a fix; the answer is its number. A place that is no number would spoil the whole batch, so it throws. */
  push(fix: Fix): number {
    if (!Number.isFinite(fix.lat) || !Number.isFinite(fix.lon)) throw new RangeError("lat and lon must be numbers");
    const seq = this.#next++;
    this.#fixes.push({ ...rounded(fix), t: Math.round(Number.isFinite(fix.t) ? (fix.t as number) : Date.now()), seq });
    const surplus = this.#fixes.length - WAITING_MAX;
    if (surplus > 0) this.#drop(surplus, "full");
    this.#save();
    return seq;
  }

  /** The oldest that are worth sending, as many as go into one call. */
  batch(): NumberedFix[] {
    const since = Date.now() - AGE_MAX_MS;
    const young = this.#fixes.findIndex(({ t }) => t >= since);
    const old = young < 0 ? this.#fixes.length : young;
    if (old > 0) {
      this.#drop(old, "old");
      this.#save();
    }
    let bytes = 0;
    const batch = this.#fixes.slice(0, BATCH_MAX);
    const fits = batch.findIndex((fix) => (bytes += JSON.stringify(fix).length + 1) > BATCH_BYTES_MAX);
    return fits < 0 ? batch : batch.slice(0, Math.max(fits, 1));
  }

  /** Forgets fixes up to this number: the server has spoken about them. */
  done(seq: number): void {
    this.#fixes = this.#fixes.filter((fix) => fix.seq > seq);
    this.#save();
  }

  /** Says whose phone this is. What was kept for somebody else is dropped, or it would count for the wrong player. */
  belongsTo(player: string): void {
    if (this.#player !== null && this.#player !== player) {
      const theirs = this.#fixes.filter(({ seq }) => seq < this.#owned).length;
      if (theirs > 0) this.#drop(theirs, "stranger");
    }
    this.#player = player;
    this.#owned = Number.MAX_SAFE_INTEGER;
    this.#save();
  }

  /** Drops a batch that the server would never take. */
  refuse(batch: NumberedFix[]): void {
    this.#dropped(batch.length, "refused");
    this.done(batch.at(-1)?.seq ?? 0);
  }

  /** Leaves the storage to another page, which has taken over. */
  leave(): void {
    this.#storage = null;
  }

  #drop(count: number, why: DropReason): void {
    this.#fixes.splice(0, count);
    this.#dropped(count, why);
  }

  #load(): void {
    try {
      const kept = JSON.parse(this.#storage?.getItem(this.#key) ?? "null");
      if (!Number.isSafeInteger(kept?.next) || !Array.isArray(kept.fixes)) return;
      this.#next = kept.next;
      this.#player = typeof kept.player === "string" ? kept.player : null;
      this.#fixes = kept.fixes.filter((fix: Partial<NumberedFix>) => Number.isFinite(fix?.lat) && Number.isFinite(fix?.lon)
        && Number.isFinite(fix?.t) && Number.isSafeInteger(fix?.seq));
    } catch {
      // What cannot be read is lost; the clock's numbers are higher than any that were kept.
    }
  }

  /** A storage that is full or forbidden leaves a queue that does not survive a reload, and nothing worse. */
  #save(): void {
    try {
      this.#storage?.setItem(this.#key, JSON.stringify({ next: this.#next, player: this.#player, fixes: this.#fixes }));
    } catch {
      // As said.
    }
  }
}

function rounded(fix: Fix): Fix {
  const round = (value: number, decimals: number) => Math.round(value * 10 ** decimals) / 10 ** decimals;
  const result: Fix = { lat: round(fix.lat, DECIMALS.lat), lon: round(fix.lon, DECIMALS.lon) };
  for (const field of ["acc", "speed", "heading", "alt"] as const) {
    const value = fix[field];
    // Browsers say "unknown" with null or NaN; the server reads a missing field so.
    if (typeof value === "number" && Number.isFinite(value)) result[field] = round(value, DECIMALS[field]);
  }
  if (fix.mock) result.mock = true;
  return result;
}
