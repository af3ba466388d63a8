// The queue of fixes by itself: its bounds, its memory, and what it does with what a phone may get wrong.

import assert from "node:assert/strict";
import { test } from "node:test";
import { FixQueue, WAITING_MAX } from "../dist/fixes.js";
import { memory } from "./kit/phone.mjs";

function queue(storage = null) {
  const drops = [];
  const made = new FixQueue(storage, "q", (count, why) => drops.push([count, why]));
  return { queue: made, drops };
}

const fix = (n = 0) => ({ lat: 60.17, lon: 24.94, t: Date.now() - 1000 + n });

test("the oldest goes when the queue is full, and numbers still rise by one", () => {
  const { queue: q, drops } = queue();
  const numbers = Array.from({ length: WAITING_MAX + 2 }, (_, n) => q.push(fix(n)));
  assert.deepEqual([q.size, drops], [WAITING_MAX, [[1, "full"], [1, "full"]]]);
  assert.deepEqual(numbers, numbers.map((_, n) => numbers[0] + n));
  assert.equal(q.batch()[0].seq, numbers[2]);
});

test("a batch holds 100, the oldest first, and no more than a frame takes", () => {
  const { queue: q } = queue();
  for (let n = 0; n < 150; n++) q.push(fix(n));
  const first = q.batch();
  assert.equal(first.length, 100);
  q.done(first.at(-1).seq);
  assert.deepEqual([q.size, q.batch()[0].seq], [50, first.at(-1).seq + 1]);
  const { queue: full } = queue();
  const long = { lat: -60.123456789012345, lon: -124.123456789012345, acc: 12_345.678901234, speed: 12.345678901,
    heading: 359.123456789, alt: -1234.56789, mock: true };
  for (let n = 0; n < 100; n++) full.push({ ...fix(n), ...long });
  const batch = full.batch();
  assert.ok(JSON.stringify({ id: 4_294_967_295, rpc: { method: "fixes", data: { fixes: batch } } }).length < 16_384);
  assert.deepEqual(Object.values(batch[0]).slice(0, 6), [-60.1234568, -124.1234568, 12345.7, 12.35, 359.1, -1234.6]);
});

test("what is too old to count is dropped, and told", () => {
  const { queue: q, drops } = queue();
  q.push({ ...fix(), t: Date.now() - 600_001 });
  const young = q.push(fix());
  assert.deepEqual([q.batch().map(({ seq }) => seq), drops], [[young], [[1, "old"]]]);
});

test("a place that is no number is refused at once, what is unknown is left out", () => {
  const { queue: q } = queue();
  for (const lat of [Number.NaN, Number.POSITIVE_INFINITY, undefined, "60"]) {
    assert.throws(() => q.push({ lat, lon: 24 }), RangeError);
  }
  q.push({ lat: 60, lon: 24, acc: null, speed: Number.NaN, heading: undefined, alt: null, t: null, mock: false });
  const [kept] = q.batch();
  assert.deepEqual(Object.keys(kept).sort(), ["lat", "lon", "seq", "t"]);
  assert.ok(Math.abs(kept.t - Date.now()) < 5_000);
});

test("without a storage the clock sees to it that numbers rise from page to page", () => {
  const before = Date.now();
  const number = queue().queue.push(fix());
  assert.ok(number >= before && number <= Date.now());
});

test("a storage keeps fixes and numbers; one that is broken does no harm", () => {
  const storage = memory();
  const { queue: before } = queue(storage);
  const numbers = [before.push(fix(0)), before.push(fix(1))];
  const { queue: after } = queue(storage);
  assert.deepEqual([after.batch().map(({ seq }) => seq), after.push(fix(2))], [numbers, numbers[1] + 1]);
  for (const text of ["", "{", "null", "[]", '{"next":"1"}', '{"next":5,"fixes":[null,{},{"lat":1,"lon":1,"seq":1}]}']) {
    storage.setItem("q", text);
    const { queue: fresh } = queue(storage);
    fresh.push(fix());
    assert.equal(fresh.size, 1, text);
  }
  const broken = { getItem: () => { throw new Error("forbidden"); }, setItem: () => { throw new Error("full"); } };
  const { queue: alone } = queue(broken);
  alone.push(fix());
  assert.equal(alone.batch().length, 1);
});

test("fixes of another player are not sent; those of an unknown one are", () => {
  const storage = memory();
  const { queue: unknown } = queue(storage);
  unknown.push(fix());
  const { queue: ada, drops: none } = queue(storage);
  ada.belongsTo("ada");
  assert.deepEqual([ada.size, none], [1, []]);
  const { queue: eve, drops } = queue(storage);
  const own = eve.push(fix());
  eve.belongsTo("eve");
  assert.deepEqual([eve.batch().map(({ seq }) => seq), drops], [[own], [[1, "stranger"]]]);
  eve.belongsTo("ada");
  assert.deepEqual([eve.size, drops[1]], [0, [1, "stranger"]]);
});
