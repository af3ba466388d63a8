// The client against a server that does what the real one seldom does: it answers late, refuses whole batches, tells of
// things that are newer than this package, closes for every reason.

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { Emitter } from "../dist/events.js";
import { CLOSES } from "../dist/index.js";
import { Odd } from "./kit/odd.mjs";
import { Phone } from "./kit/phone.mjs";
import { eventually } from "./kit/server.mjs";

/** @type {Phone[]} */ let phones = [];

afterEach(() => {
  for (const phone of phones) phone.session.close();
  phones = [];
});

function phone(odd, options) {
  const phone = new Phone("ws://odd/connect", "ada", { websocket: odd.websocket, answerMs: 500, ...options });
  phones.push(phone);
  return phone;
}

const said = (n) => ({ type: "team.said", at: 1, team: "t", player: "bo", text: `${n}` });
const state = (offset) => ({ player: "ada", offset, team: null, runs: [] });

/** A promise and what fulfils it. */
function later() {
  let tell;
  const told = new Promise((done) => { tell = done; });
  return { told, tell };
}

test("what comes while the state is fetched is told after it, unless the state contains it", async () => {
  const odd = new Odd();
  const { told, tell } = later();
  odd.methods["state.get"] = () => told;
  odd.subs = () => ({ offset: 3 });
  const ada = phone(odd);
  const order = [];
  ada.session.on("resync", ({ state }) => order.push(`state ${state.offset}`));
  ada.session.on("team.said", ({ text }) => order.push(text));
  ada.session.connect();
  await ada.is("connected");
  for (const n of [3, 4, 5, 5, 6, 7]) odd.notice(n, said(n));
  await new Promise((done) => setTimeout(done, 50));
  assert.deepEqual(order, [], "nothing before the state");
  tell(state(5));
  await eventually("all", () => order.length === 3);
  odd.notice(7, said(7));
  odd.notice(8, said(8));
  await eventually("what follows", () => order.length === 4);
  assert.deepEqual(order, ["state 5", "6", "7", "8"]);
});

test("what the state contains is not told, though it comes later", async () => {
  const odd = new Odd();
  odd.methods["state.get"] = () => state(5);
  const ada = phone(odd);
  ada.session.connect();
  await eventually("a state", () => ada.resyncs.length > 0);
  for (const n of [4, 5, 6]) odd.notice(n, said(n));
  await ada.hears("the last", ({ text }) => text === "6");
  assert.deepEqual(ada.said(), ["6"]);
});

test("a state that was overtaken by another loss is not used", async () => {
  const odd = new Odd();
  let asked = 0;
  odd.methods["state.get"] = () => (asked += 1) === 1 ? undefined : state(9);
  odd.subs = (connection) => connection === 1 ? {} : { epoch: "y", offset: 9, was_recovering: true, recovered: false };
  const ada = phone(odd);
  ada.session.connect();
  await eventually("a first fetch", () => asked === 1);
  odd.notice(1, said("of the old journal"));
  odd.socket.end(3001, "shutdown");
  await eventually("a second fetch, and the first one again", () => asked === 3);
  odd.notice(10, said("of the new one"));
  await ada.hears("what follows", ({ text }) => text === "of the new one");
  assert.deepEqual(ada.resyncs.map(({ why, state }) => [why, state.offset]), [["missed", 9]]);
  assert.deepEqual(ada.said(), ["of the new one"]);
});

test("a session that ended before there was a state fetches it when it is taken up again", async () => {
  const odd = new Odd();
  odd.methods["state.get"] = () => undefined;
  odd.subs = (connection) => connection === 1 ? {} : { was_recovering: true, recovered: true };
  const ada = phone(odd);
  ada.session.connect();
  await ada.is("connected");
  ada.session.close();
  odd.methods["state.get"] = () => state(0);
  ada.session.connect();
  assert.equal((await eventually("a state", () => ada.resyncs[0])).why, "first");
  odd.notice(1, said(1));
  await ada.hears("what follows", ({ text }) => text === "1");
});

test("more notices than can be held mean a newer state", async () => {
  const odd = new Odd();
  const first = later();
  let asked = 0;
  odd.methods["state.get"] = () => ++asked === 1 ? first.told : state(300);
  const ada = phone(odd, { answerMs: 5_000 });
  ada.session.connect();
  await ada.is("connected");
  for (let n = 1; n <= 301; n++) odd.notice(n, said(n));
  await eventually("a state", () => ada.resyncs.length > 0);
  first.tell(state(0));
  await ada.hears("the last", ({ text }) => text === "301");
  assert.deepEqual([ada.resyncs.map(({ state }) => state.offset), ada.said()], [[300], ["301"]]);
});

test("a notice that is newer than this package is told as one of all, and passes for nothing else", async () => {
  const odd = new Odd();
  const ada = phone(odd);
  const all = [];
  ada.session.on("notice", ({ type }) => all.push(type));
  ada.session.connect();
  await eventually("a state", () => ada.resyncs.length > 0);
  for (const [n, type] of ["closed", "resync", "weather.changed"].entries()) odd.notice(n + 1, { type, at: 1 });
  await eventually("all", () => all.length === 3);
  assert.deepEqual([all, ada.ends, ada.resyncs.length], [["closed", "resync", "weather.changed"], [], 1]);
});

test("a listener that throws keeps nobody from being told, and its error comes up", (t) => {
  const events = new Emitter();
  const told = [];
  const later = t.mock.method(globalThis, "queueMicrotask", () => {});
  events.on("x", () => { throw new Error("of the app"); });
  const off = events.on("x", (what) => told.push(what));
  events.emit("x", 1);
  assert.throws(later.mock.calls[0].arguments[0], /of the app/);
  off();
  events.emit("x", 2);
  assert.deepEqual(told, [1]);
});

test("what is too much for a message is not sent, since the session would end over it", async () => {
  const odd = new Odd();
  const ada = phone(odd);
  const error = await ada.session.act("quest.photo", { quest: "q", step: "s", photo: "ä".repeat(8_000) }).catch((error) => error);
  assert.deepEqual([error.kind, error.refusal], ["refused", "bad_request"]);
});

test("one batch is under way at a time, and the next has all that came meanwhile", async () => {
  const odd = new Odd();
  const batches = [];
  const first = later();
  odd.methods.fixes = ({ fixes }) => {
    batches.push(fixes.map(({ seq }) => seq));
    return batches.length === 1 ? first.told : { accepted: fixes.length };
  };
  const ada = phone(odd);
  ada.session.connect();
  await ada.is("connected");
  const sent = [ada.session.fix({ lat: 1, lon: 1 })];
  await eventually("a batch", () => batches.length > 0);
  sent.push(...[2, 3].map((lat) => ada.session.fix({ lat, lon: 1 })));
  await new Promise((done) => setTimeout(done, 100));
  assert.equal(batches.length, 1);
  first.tell({ accepted: 1 });
  await eventually("all", () => ada.session.waiting === 0);
  assert.deepEqual(batches, [sent.slice(0, 1), sent.slice(1)]);
});

test("a batch that is refused as a whole is dropped and told, and holds up nothing", async () => {
  const odd = new Odd();
  let calls = 0;
  odd.methods.fixes = ({ fixes }) => {
    calls += 1;
    if (calls === 1) throw { code: 111, message: "too many fixes", temporary: true };
    if (calls === 2) throw { code: 1001, message: "data: what is that?" };
    return { accepted: fixes.length, ignored: [{ index: 1, reason: "late" }] };
  };
  const ada = phone(odd);
  ada.session.connect();
  await ada.is("connected");
  const first = ada.session.fix({ lat: 1, lon: 1 });
  await eventually("the refusal", () => ada.dropped.length > 0);
  assert.deepEqual([calls, ada.dropped], [2, [{ count: 1, why: "refused" }]]);
  const next = [ada.session.fix({ lat: 1, lon: 1 }), ada.session.fix({ lat: 1, lon: 1 })];
  await eventually("the others", () => ada.session.waiting === 0);
  assert.deepEqual(next, [first + 1, first + 2]);
  assert.equal(ada.reports.flatMap(({ ignored }) => ignored).at(0).reason, "late");
});

test("what passes by itself is repeated with the same id, and any other refusal is final", async () => {
  const odd = new Odd();
  const seen = [];
  const refusals = [{ code: 100 }, { code: 111 }, { code: 1003 }, { code: 1004 }];
  odd.methods["team.say"] = ({ cmd, text }) => {
    seen.push(cmd);
    const refusal = text === "final" ? { code: 1203 } : refusals.shift();
    if (refusal) throw { message: "no", temporary: true, ...refusal };
    return {};
  };
  const ada = phone(odd);
  ada.session.connect();
  assert.deepEqual(await ada.session.act("team.say", { text: "patience" }), {});
  assert.deepEqual([seen.length, new Set(seen).size, seen[0].length], [5, 1, 32]);
  const error = await ada.session.act("team.say", { text: "final" }).catch((error) => error);
  assert.deepEqual([seen.length, error.refusal, error.temporary], [6, "not_there", true]);
  odd.methods["team.say"] = () => { throw { code: 1003, message: "no journal", temporary: true }; };
  const late = await ada.session.act("team.say", { text: "late" }, { deadlineMs: 300 }).catch((error) => error);
  assert.deepEqual([late.kind, late.sent, late.cause.code], ["out_of_time", true, 1003]);
});

test("a call without an answer leaves the line only when nothing else was heard", async () => {
  const odd = new Odd();
  odd.methods["team.say"] = () => undefined;
  const ada = phone(odd, { answerMs: 400 });
  ada.session.connect();
  await eventually("a state", () => ada.resyncs.length > 0);
  const say = () => ada.session.act("team.say", { text: "?" }, { deadlineMs: 300 }).catch((error) => error);
  const alive = say();
  odd.notice(1, said(1));
  assert.equal((await alive).kind, "out_of_time");
  assert.equal(odd.sockets.length, 1, "slow is not dead");
  assert.equal((await say()).kind, "out_of_time");
  await eventually("another socket", () => odd.sockets.length === 2);
});

test("it comes back after every close code after which it should, and after no other", async () => {
  for (const [code, { reason, comeBack }] of [...Object.entries(CLOSES), ["4999", { reason: "refused", comeBack: false }]]) {
    const odd = new Odd();
    const ada = phone(odd, { reconnectMs: [1, 2] });
    ada.session.connect();
    await ada.is("connected");
    odd.socket.end(Number(code), reason);
    // As the SDK has it.
    if (code === "1009") assert.equal(ada.ends[0].reason, reason);
    else if (comeBack) await eventually(`it is back after ${code}`, () => odd.sockets.length === 2);
    else assert.deepEqual(ada.ends.map((end) => [end.reason, end.code]), [[reason, Number(code)]]);
    ada.session.close();
  }
});
