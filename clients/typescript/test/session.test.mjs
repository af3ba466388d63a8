// The client against a whole server on a good line: refusals, tokens, live channels, and the types that are written by
// hand, which must be what the server says.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { Phone, team } from "./kit/phone.mjs";
import { KIVI, QUEST, Server, eventually, token } from "./kit/server.mjs";

/** @type {Server} */ let server;
/** @type {Phone[]} */ let phones = [];
let url;

before(async () => {
  server = await Server.start();
  url = `ws://127.0.0.1:${server.port}/connect`;
});

afterEach(() => {
  for (const phone of phones) phone.session.close();
  phones = [];
});

after(() => server?.stop());

function phone(player, options) {
  const phone = new Phone(url, player, options);
  phones.push(phone);
  return phone;
}

const keys = (value) => Object.keys(value).sort();
const refusal = (promise) => promise.then((fine) => assert.fail(`not refused: ${JSON.stringify(fine)}`), (error) => error);

test("refusals have names, and say whether to try again", async () => {
  const ada = await phone("ada").connect();
  const unknown = await refusal(ada.session.act("team.join", { code: "nobody-0000" }));
  assert.deepEqual([unknown.kind, unknown.refusal, unknown.code, unknown.temporary], ["refused", "bad_invite", 1303, false]);
  const early = await refusal(ada.session.wake());
  assert.deepEqual([early.refusal, early.temporary], ["no_fix", true]);
  assert.ok(early.message.length > 10, "and something for people");
});

test("state and replies are as their types say", async () => {
  const [ada, bo] = [phone("ada2", { name: "Ada", lang: "fi" }), phone("bo2")];
  const founded = await team(ada, bo);
  assert.deepEqual(keys(founded), ["invite", "name", "team"]);
  const started = await ada.session.act("quest.start", { quest: QUEST });
  assert.deepEqual(keys(started), ["ends_at", "quest", "version"]);
  assert.deepEqual(await ada.session.act("team.share", { on: true }), {});
  await ada.hears("the first step", ({ type }) => type === "step.opened");
  const state = await ada.session.state();
  assert.deepEqual(keys(state), ["badges", "inside", "lang", "name", "offset", "player", "points", "runs", "team"]);
  assert.deepEqual([state.name, state.lang, state.team.id], ["Ada", "fi", founded.team]);
  assert.deepEqual(keys(state.team), ["id", "invite", "members", "name", "runs"]);
  assert.deepEqual(keys(state.team.members[0]), ["name", "player"]);
  assert.deepEqual(keys(state.team.runs[0]), ["over", "points", "quest"]);
  assert.deepEqual(keys(state.runs[0]), ["done", "ends_at", "in_review", "open", "over", "places", "quest", "reached",
    "team", "title", "version"]);
  assert.equal(state.runs[0].open[0].id, "gather");
  ada.session.fix({ ...KIVI, acc: 5, speed: null, heading: Number.NaN });
  await eventually("it is told of", () => ada.session.waiting === 0);
  const wake = await ada.session.wake(5);
  assert.ok(wake.circles.length > 0 && wake.circles.length <= 5);
  const early = await refusal(ada.session.act("quest.hint", { quest: QUEST, step: "gather", hint: 0 }));
  assert.equal(early.refusal, "no_hint");
});

test("live channels bear team-mates and scores, and end with the membership", async () => {
  const [ada, bo] = [phone("ada3"), phone("bo3")];
  const { team: id } = await team(ada, bo);
  await ada.session.act("quest.start", { quest: QUEST });
  const [mates, board] = [bo.session.team(id), bo.session.board(QUEST)];
  assert.equal(bo.session.team(id), mates, "one channel, however often it is asked for");
  ada.session.fix({ ...KIVI, acc: 5 });
  const dot = await eventually("ada on the map", () => mates.latest?.members.find((member) => member.id === "ada3"));
  assert.deepEqual(keys(dot), ["acc", "id", "lat", "lon", "team"]);
  const row = await eventually("the team on the board", () => board.latest?.rows.find((row) => row.team === id));
  assert.deepEqual(keys(row), ["name", "points", "team"]);
  const end = (live) => {
    const ends = [];
    live.on("ended", (error) => ends.push(error));
    return eventually("the channel's end", () => ends[0]);
  };
  const ended = end(mates);
  await bo.session.act("team.leave", {});
  assert.ok((await ended).code > 0);
  await bo.hears("that it has left", ({ type }) => type === "team.left");
  const error = await end(bo.session.team(id));
  assert.deepEqual([error.refusal, error.code], ["permission_denied", 103]);
});

test("tokens are fetched when there is none and when one ends; one that is no good ends the session", async () => {
  let fetched = 0;
  const exp = Math.floor(Date.now() / 1000) + 2;
  const getToken = async () => token("ada4", (fetched += 1) === 1 ? { exp } : {});
  const ada = await phone("ada4", { token: "", getToken }).connect();
  await eventually("a second token", () => fetched === 2);
  assert.equal((await ada.session.state()).player, "ada4");
  assert.deepEqual(ada.states, ["connecting", "connected"], "the connection stayed open");

  const bad = phone("bo4", { token: `${token("bo4").slice(0, -2)}xx` });
  bad.session.connect();
  assert.equal((await eventually("the end", () => bad.ends[0])).reason, "invalid token");
  const expired = phone("cy4", { token: token("cy4", { exp: 1_700_000_000 }) });
  expired.session.connect();
  assert.equal((await eventually("the end", () => expired.ends[0])).reason, "unauthorized");
});
