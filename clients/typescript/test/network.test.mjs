// The client against a whole server, with the network between them cut, frozen, deafened and restored: what was
// collected offline arrives once and in order, what was asked is done once, what was missed is told once.
//
//   WAYSTONE_BIN=../../target/debug/waystone node --test test/network.test.mjs

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { Network } from "./kit/network.mjs";
import { Phone, memory, team } from "./kit/phone.mjs";
import { KIVI, QUEST, Server, eventually } from "./kit/server.mjs";

/** @type {Server} */ let server;
/** What ada's phone goes through; the others have a line of their own. @type {Network} */ let network;
/** @type {Network} */ let quiet;
/** @type {Phone[]} */ let phones = [];

before(async () => {
  server = await Server.start();
});

beforeEach(async () => {
  [network, quiet] = await Promise.all([Network.to(server.port), Network.to(server.port)]);
});

afterEach(() => {
  for (const phone of phones) phone.session.close();
  phones = [];
  network.close();
  quiet.close();
});

after(() => server?.stop());

function phone(player, options, line = network) {
  const phone = new Phone(line.url, player, options);
  phones.push(phone);
  return phone;
}

const mate = (player) => phone(player, {}, quiet);
const closedOrNot = (promise) => promise.then((fine) => ({ fine }), (error) => ({ error }));

test("fixes collected offline arrive once and in order, and count", async () => {
  const [ada, bo] = [phone("ada1"), mate("bo1")];
  await team(ada, bo);
  await ada.session.act("quest.start", { quest: QUEST });
  await ada.hears("the first step", ({ type, step }) => type === "step.opened" && step.id === "gather");
  network.cut();
  await ada.is("connecting");
  const before = await server.counter("waystone_fixes_total");
  const hasty = await server.counter('waystone_limited_total{what="fixes"}');
  const now = Date.now();
  const sent = Array.from({ length: 130 }, (_, n) => ada.session.fix({ ...KIVI, acc: 5, t: now - (130 - n) * 1000 }));
  assert.equal(ada.session.waiting, 130);
  network.restore();
  await eventually("all are told of", () => ada.session.waiting === 0);
  assert.deepEqual(ada.heardOf(), sent);
  assert.deepEqual(ada.reports.map(({ accepted, ignored }) => [accepted, ignored]), [[100, []], [30, []]]);
  assert.equal((await server.counter("waystone_fixes_total")) - before, 130, "the server has seen each once");
  assert.equal(await server.counter('waystone_limited_total{what="fixes"}'), hasty, "at a pace that it allows");
  const entered = () => ada.notices.filter(({ type, place }) => type === "region.entered" && place === "kivi");
  await eventually("the server knows where ada was", () => entered().length > 0);
  assert.equal(entered().length, 1);
  assert.ok(ada.reports.at(-1).next.distance >= 10);
  // The present follows at once.
  const seq = ada.session.fix({ ...KIVI, acc: 5 });
  assert.equal(seq, sent.at(-1) + 1);
  await eventually("the next one too", () => ada.session.waiting === 0);
});

test("fixes whose answer was lost are sent again and told of once", async () => {
  const ada = await phone("ada2", { answerMs: 1_000 }).connect();
  network.deafen();
  const sent = [3, 2, 1].map((ago) => ada.session.fix({ ...KIVI, acc: 5, t: Date.now() - ago * 1000 }));
  await eventually("a try without an answer", () => ada.states.filter((state) => state === "connecting").length > 1);
  assert.equal(ada.session.waiting, 3, "they wait until the server has spoken");
  network.restore();
  network.cut();
  network.restore();
  await eventually("all are told of", () => ada.session.waiting === 0);
  assert.deepEqual(ada.heardOf(), sent);
});

for (const [how, spoil] of [
  ["before it reached the server", () => network.cut()],
  ["after it was done, before its answer", () => network.deafen()],
]) {
  test(`a command in flight is done once when the line is lost ${how}`, async () => {
    const [ada, bo] = [phone(`ada-${how.slice(0, 3)}`, { answerMs: 1_000 }), mate(`bo-${how.slice(0, 3)}`)];
    await team(ada, bo);
    spoil();
    const said = ada.session.act("team.say", { text: "once" });
    if (how.startsWith("after")) await bo.hears("it", ({ text }) => text === "once");
    network.restore();
    network.cut();
    await ada.is("connecting");
    network.restore();
    assert.deepEqual(await said, {});
    await ada.session.act("team.say", { text: "and then" });
    await bo.hears("what came after", ({ text }) => text === "and then");
    assert.deepEqual(bo.said(), ["once", "and then"]);
  });
}

test("a line that is dead but looks alive is left, and the command done once", async () => {
  const [ada, bo] = [phone("ada4", { answerMs: 700 }), mate("bo4")];
  await team(ada, bo);
  network.freeze();
  const said = ada.session.act("team.say", { text: "from the tunnel" });
  await ada.is("connecting");
  network.restore();
  assert.deepEqual(await said, {});
  await bo.hears("it", ({ text }) => text === "from the tunnel");
  await ada.hears("itself", ({ text }) => text === "from the tunnel");
  assert.deepEqual([bo.said(), ada.said()], [["from the tunnel"], ["from the tunnel"]]);
  assert.equal(ada.resyncs.length, 1, "nothing was missed, so nothing was begun anew");
  assert.deepEqual(ada.ends, []);
});

test("missed notices are told once and in order", async () => {
  const [ada, bo] = [phone("ada5"), mate("bo5")];
  await team(ada, bo);
  const texts = Array.from({ length: 30 }, (_, n) => `line ${n}`);
  for (const [n, text] of texts.entries()) {
    // The talk goes on while the line is down and while it comes up again, twice.
    if (n === 5 || n === 18) network.cut();
    if (n === 11 || n === 24) network.restore();
    await bo.session.act("team.say", { text });
  }
  await ada.hears("the last line", ({ text }) => text === texts.at(-1));
  assert.deepEqual(ada.said(), texts);
  assert.equal(ada.resyncs.length, 1);
});

test("where too much was missed a state takes the place of notices", async () => {
  const [ada, ...others] = [phone("ada6"), mate("bo6"), mate("cy6"), mate("di6"), mate("ed6")];
  await team(ada, ...others);
  network.cut();
  const talk = async (other) => {
    for (let n = 0; n < 66; n++) await other.session.act("team.say", { text: `${other.player} ${n}` });
  };
  await Promise.all(others.map(talk));
  network.restore();
  // The longer the line was cut, the longer the SDK waits before it dials again: up to twenty seconds.
  const { why, state } = await eventually("a state", () => ada.resyncs[1], 45_000);
  assert.deepEqual([why, state.player, state.team.members.length], ["missed", "ada6", 5]);
  assert.deepEqual(ada.said(), [], "what the state contains is not told beside it");
  await others[0].session.act("team.say", { text: "afterwards" });
  await ada.hears("what came afterwards", ({ text }) => text === "afterwards");
  assert.deepEqual(ada.said(), ["afterwards"]);
});

test("another journal means a state to start from, and the session goes on", async () => {
  const ada = phone("ada7");
  await team(ada, mate("bo7"));
  const other = await Server.start();
  try {
    network.cut();
    network.target = other.port;
    network.restore();
    const { why, state } = await eventually("a state", () => ada.resyncs[1]);
    assert.deepEqual([why, state.team], ["missed", null]);
    await ada.session.act("team.create", { name: "Anew" });
    await ada.hears("of the new team", ({ type, name }) => type === "team.joined" && name === "Anew");
  } finally {
    network.cut();
    await other.stop();
  }
});

test("a replaced connection stops for good, and says why", async () => {
  const storage = memory();
  const old = await phone("ada8", { storage }).connect();
  const [opened, newer] = [network.opened, await mate("ada8").connect()];
  const end = await eventually("the end", () => old.ends[0]);
  assert.deepEqual([end.reason, end.code, old.session.connection], ["replaced", 4501, "closed"]);
  const { error } = await closedOrNot(old.session.act("team.create", { name: "Too late" }));
  assert.deepEqual([error.kind, error.reason], ["closed", "replaced"]);
  const kept = [...storage.kept.values()];
  old.session.fix({ ...KIVI });
  assert.deepEqual([...storage.kept.values()], kept, "the storage is the newer one's now");
  await newer.session.act("team.create", { name: "The newer one" });
  assert.deepEqual([network.opened, old.session.waiting, newer.ends], [opened, 1, []]);
});

test("a command has a deadline, and its id serves for another try", async () => {
  const ada = await phone("ada9").connect();
  network.cut();
  await ada.is("connecting");
  const { error } = await closedOrNot(ada.session.act("team.create", { name: "Late" }, { deadlineMs: 300 }));
  assert.deepEqual([error.kind, error.method, error.sent], ["out_of_time", "team.create", false]);
  network.restore();
  const done = await ada.session.act("team.create", { name: "Late" }, { cmd: error.cmd });
  assert.deepEqual(await ada.session.act("team.create", { name: "Late" }, { cmd: error.cmd }), done);
});

test("calls that wait are bounded, and end with the session", async () => {
  const ada = phone("ada10");
  network.cut();
  ada.session.connect();
  const calls = Array.from({ length: 33 }, () => closedOrNot(ada.session.state()));
  assert.equal((await calls.at(-1)).error.kind, "too_many");
  ada.session.close();
  const ends = await Promise.all(calls.slice(0, 32));
  assert.deepEqual(new Set(ends.map(({ error }) => error.reason)), new Set(["stopped"]));
});

test("a reload goes on with the fixes that waited and with their numbers", async () => {
  const storage = memory();
  const first = phone("ada11", { storage });
  await first.connect();
  network.cut();
  await first.is("connecting");
  const sent = [3, 2].map((ago) => first.session.fix({ ...KIVI, acc: 5, t: Date.now() - ago * 1000 }));
  first.session.close();
  const second = phone("ada11", { storage });
  assert.equal(second.session.waiting, 2);
  sent.push(second.session.fix({ ...KIVI, acc: 5, t: Date.now() }));
  assert.deepEqual(sent, [sent[0], sent[0] + 1, sent[0] + 2]);
  network.restore();
  await second.connect();
  await eventually("all are told of", () => second.session.waiting === 0);
  assert.deepEqual(second.heardOf(), sent);
  // Somebody else on the same phone does not inherit them.
  second.session.fix({ ...KIVI, acc: 5, t: Date.now() + 1 });
  second.session.close();
  const stranger = phone("eve11", { storage });
  const [stored, own] = [stranger.session.waiting, stranger.session.fix({ ...KIVI, acc: 5 })];
  await stranger.connect();
  await eventually("its own is told of", () => stranger.session.waiting === 0);
  assert.deepEqual([stored, stranger.heardOf(), stranger.dropped], [1, [own], [{ count: 1, why: "stranger" }]]);
});
