// The unmodified Centrifuge SDK for JavaScript against a whole Waystone server: it connects with a token that we sign
// ourselves, calls, is refused in numbers, loses its connection and gets every notice that it missed, once and in order.
//
//   cd tests/sdk && npm ci
//   WAYSTONE_BIN=../../target/debug/waystone node --test
//
// WAYSTONE_SERVER_CMD (optional) is a whole command line in place of `$WAYSTONE_BIN demo ...`; `{data}` in it stands
// for the data folder. What is missing is a failure that says how to get it, never a skip.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHmac, randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, afterEach, before, test } from "node:test";

const QUEST = "bronze-and-granite";
const WITHIN_MS = 15_000;
/** Kivi's statue, where the demo's quest begins. */ const KIVI = { lat: 60.171683, lon: 24.94392 };

/** @type {import("node:child_process").ChildProcess} */ let server;
/** What the server has printed. */ let printed = "";
let url, data, key, Centrifuge, Protobuf, WebSocket;
/** Clients of the test under way. @type {Phone[]} */ let phones = [];

before(async () => {
  const missing = (name) => () => { throw new Error(`${name} is not installed: run \`npm ci\` in tests/sdk`); };
  ({ Centrifuge } = await import("centrifuge").catch(missing("centrifuge")));
  ({ Centrifuge: Protobuf } = await import("centrifuge/build/protobuf").catch(missing("centrifuge")));
  ({ WebSocket } = await import("ws").catch(missing("ws")));
  data = mkdtempSync(join(tmpdir(), "waystone-sdk-"));
  const [program, ...args] = command();
  server = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  for (const stream of [server.stdout, server.stderr]) stream.on("data", (text) => { printed += text; });
  const failed = once(server, "error").then(([err]) => { throw err; });
  const ended = once(server, "exit").then(([code]) => { throw new Error(`the server ended with ${code}:\n${printed}`); });
  ended.catch(() => {});
  failed.catch(() => {});
  const address = eventually("the server prints its address", () => printed.match(/(?:ws|http):\/\/([\d.]+:\d+)/)?.[1]);
  url = `ws://${await Promise.race([address, failed, ended])}/connect`;
  // The secret is the text in the file, as it stands there.
  key = readFileSync(join(data, "auth.key"), "utf8").trim();
  assert.match(key, /^[0-9a-f]{64}$/, "auth.key holds 32 bytes in hex");
});

afterEach(() => {
  for (const phone of phones) phone.client.disconnect();
  phones = [];
});

after(async () => {
  if (server && server.exitCode === null && server.signalCode === null) {
    const exit = once(server, "exit");
    server.kill("SIGINT");
    const late = setTimeout(() => server.kill("SIGKILL"), WITHIN_MS);
    await exit;
    clearTimeout(late);
  }
  if (data) rmSync(data, { recursive: true, force: true });
});

function command() {
  const whole = process.env.WAYSTONE_SERVER_CMD;
  if (whole) return whole.split(" ").map((word) => word.replace("{data}", data));
  const program = process.env.WAYSTONE_BIN;
  assert.ok(program, "set WAYSTONE_BIN to the server's program: `cargo build`, then target/debug/waystone");
  assert.ok(existsSync(program), `WAYSTONE_BIN names ${program}, which is not there: run \`cargo build\``);
  return [resolve(program), "demo", "--port", "0", "--walkers", "0", "--data", data, "--no-open"];
}

/** Looks until there is something; a deadline, never a bare sleep. */
async function eventually(what, look) {
  const end = Date.now() + WITHIN_MS;
  for (;;) {
    const found = look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not within ${WITHIN_MS} ms: ${what}; the server printed:\n${printed}`);
    await new Promise((wake) => setTimeout(wake, 20));
  }
}

/** A token as any backend would sign it: HS256 by hand. */
function token(player, claims = {}) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub: player, exp, ...claims })}`;
  return `${signed}.${createHmac("sha256", key).update(signed).digest("base64url")}`;
}

/** A player with the stock SDK; keeps the sockets so that the test can break them, and all that it hears. */
class Phone {
  constructor(player, options = {}) {
    this.player = player;
    this.notices = [];
    this.connects = [];
    this.errors = [];
    const sockets = (this.sockets = []);
    class Socket extends WebSocket {
      constructor(...args) {
        super(...args);
        sockets.push(this);
      }
    }
    const settings = { token: token(player), websocket: Socket, minReconnectDelay: 50, maxReconnectDelay: 500, ...options };
    this.client = this.open(settings);
    this.client.on("publication", ({ channel, data, offset }) => this.notices.push({ channel, data: this.read(data), offset }));
    this.client.on("subscribed", (context) => this.connects.push(context));
    this.client.on("error", (context) => this.errors.push(context.error));
    phones.push(this);
  }

  open(settings) {
    return new Centrifuge(url, settings);
  }

  /** What the app sees of data, and what it must hand over. */
  read(data) {
    return data;
  }

  write(data) {
    return data;
  }

  async connect() {
    this.client.connect();
    await this.client.ready(WITHIN_MS);
    return this;
  }

  async call(method, data = {}) {
    return this.read((await this.client.rpc(method, this.write(data))).data);
  }

  act(method, data = {}) {
    return this.call(method, { cmd: randomUUID(), ...data });
  }

  async refused(method, data) {
    const answer = await this.client.rpc(method, this.write(data)).then((fine) => ({ fine }), (error) => error);
    assert.ok(answer.code, `${method} ${JSON.stringify(data)} was to be refused: ${JSON.stringify(answer)}`);
    return answer;
  }

  /** The first notice that pleases. */
  hears(what, pleases) {
    const look = () => this.notices.find(({ data }) => pleases(data));
    return eventually(`${this.player} hears ${what}`, look).catch((err) => {
      throw new Error(`${err.message}\nheard: ${JSON.stringify(this.notices, null, 1)}`);
    });
  }

  /** Cuts the line without a word. */
  enterTunnel() {
    this.sockets.at(-1)._socket.destroy();
  }

  /** Each notice once, none missing. */
  assertDense() {
    const offsets = this.notices.filter(({ offset }) => offset !== undefined).map(({ offset }) => offset);
    assert.deepEqual(offsets, offsets.map((_, place) => offsets[0] + place), `${this.player} heard ${offsets}`);
  }
}

/** The same in the Protobuf form, in which data is bytes: JSON still, which the app writes and reads. */
class BinaryPhone extends Phone {
  open(settings) {
    return new Protobuf(url, { ...settings, protocol: "protobuf" });
  }

  read(data) {
    return JSON.parse(new TextDecoder().decode(data));
  }

  write(data) {
    return new TextEncoder().encode(JSON.stringify(data));
  }
}

/** Two who are a team. */
async function team(...names) {
  return teamOf(names.map((name) => new Phone(name)));
}

async function teamOf(phones) {
  const [first, ...others] = await Promise.all(phones.map((phone) => phone.connect()));
  const { team, invite } = await first.act("team.create", { name: "The SDKs" });
  await first.hears("of its team", ({ type }) => type === "team.joined");
  for (const other of others) {
    await other.act("team.join", { code: invite });
    await other.hears("of its team", ({ type }) => type === "team.joined");
  }
  return { team, phones: [first, ...others] };
}

test("connects with a token of our own making and is refused in numbers", async () => {
  const ada = await new Phone("sdk-ada").connect();
  assert.equal((await ada.call("state.get")).player, "sdk-ada");
  const unknown = await ada.refused("quest.start", { quest: "nowhere", cmd: randomUUID() });
  assert.equal(unknown.code, 1101);
  const slip = await ada.refused("quest.strat", {});
  assert.equal(slip.code, 104);
  assert.match(slip.message, /did you mean "quest\.start"/);
  const bad = await ada.refused("fix", { lat: 91, lon: 24.9 });
  assert.equal(bad.code, 1001);
  assert.match(bad.message, /latitude/i);
  const now = Date.now();
  const fixes = [2, 1, 0].map((ago, seq) => ({ ...KIVI, acc: 5, t: now - ago * 1000, seq }));
  const { next, ...reply } = await ada.call("fixes", { fixes });
  assert.deepEqual(reply, { seq: 2, accepted: 3 });
  assert.ok(next.distance > 4_900, "without a quest no edge is near");
  assert.deepEqual(await ada.call("fixes", { fixes }).then(({ seq }) => seq), 2, "a repeat is harmless");
});

test("hears its notices with dense offsets on its own channel", async () => {
  const { phones: [bo, cy] } = await team("sdk-bo", "sdk-cy");
  await bo.act("quest.start", { quest: QUEST });
  for (const phone of [bo, cy]) {
    const { data, channel } = await phone.hears("that it has begun", ({ type }) => type === "quest.started");
    assert.deepEqual([channel, data.title], [`#${phone.player}`, "Bronze and Granite"]);
    await phone.hears("the first step", ({ type, step }) => type === "step.opened" && step.id === "gather");
  }
  const now = Date.now();
  await bo.call("fixes", { fixes: [2, 1, 0].map((ago, seq) => ({ ...KIVI, acc: 5, t: now - ago * 1000, seq })) });
  const { data } = await bo.hears("where it is", ({ type }) => type === "region.entered");
  assert.equal(data.place, "kivi");
  assert.ok(data.why.distance > 30 && data.why.probability > 0.9, JSON.stringify(data.why));
  for (const phone of [bo, cy]) phone.assertDense();
});

test("recovers what it missed in a tunnel, in order, each once", async () => {
  const { phones: [dee, eve] } = await team("sdk-dee", "sdk-eve");
  const texts = Array.from({ length: 20 }, (_, n) => `line ${n}`);
  for (const [n, text] of texts.entries()) {
    // Cut in the middle of the talk; the talk goes on while the line is down and while it comes up again.
    if (n === 5) eve.enterTunnel();
    await dee.act("team.say", { text });
  }
  await eve.hears("the last line", ({ text }) => text === texts.at(-1));
  await eventually("a second connection", () => eve.connects.length === 2);
  const said = eve.notices.filter(({ data }) => data.type === "team.said").map(({ data }) => data.text);
  assert.deepEqual(said, texts);
  eve.assertDense();
  const { wasRecovering, recovered } = eve.connects[1];
  assert.deepEqual({ wasRecovering, recovered }, { wasRecovering: true, recovered: true });
});

test("fetches a new token when the old one has expired", async () => {
  let fetched = 0;
  const getToken = async () => {
    fetched += 1;
    return token("sdk-fay");
  };
  const exp = Math.floor(Date.now() / 1000) - 60;
  const fay = await new Phone("sdk-fay", { token: token("sdk-fay", { exp }), getToken }).connect();
  assert.equal(fetched, 1);
  assert.equal((await fay.call("state.get")).player, "sdk-fay");
  // And in the middle: a token of two seconds is renewed on the open connection.
  const short = { exp: Math.floor(Date.now() / 1000) + 2 };
  const gil = new Phone("sdk-gil", { token: token("sdk-gil", short), getToken: async () => { fetched += 1; return token("sdk-gil"); } });
  await gil.connect();
  await eventually("a refresh", () => fetched === 2);
  assert.equal((await gil.call("state.get")).player, "sdk-gil");
  assert.equal(gil.sockets.length, 1, "the connection stayed open");
});

test("gives up when its token is no good, and when a newer connection takes over", async () => {
  const ended = (phone) => new Promise((done) => { phone.client.on("disconnected", ({ code }) => done(code)); });
  const hal = new Phone("sdk-hal", { token: `${token("sdk-hal").slice(0, -2)}xx` });
  const refused = ended(hal);
  hal.client.connect();
  assert.equal(await refused, 3500);
  const old = await new Phone("sdk-ida").connect();
  const replaced = ended(old);
  const newer = await new Phone("sdk-ida").connect();
  assert.equal(await replaced, 4501);
  assert.equal(old.sockets.length, 1, "it stayed away");
  assert.equal((await newer.call("state.get")).player, "sdk-ida");
});

test("subscribes to its team's channel and to a board, and not to others'", async () => {
  const { team: id, phones: [jo, kim] } = await team("sdk-jo", "sdk-kim");
  await jo.act("quest.start", { quest: QUEST });
  await kim.hears("that it has begun", ({ type }) => type === "quest.started");
  const listen = (phone, channel) => {
    const sub = phone.client.newSubscription(channel);
    const seen = [];
    sub.on("subscribed", ({ data }) => seen.push(data));
    sub.on("publication", ({ data }) => seen.push(data));
    sub.subscribe();
    return { sub, seen };
  };
  const mates = listen(jo, `team:${id}`);
  const board = listen(jo, `board:${QUEST}`);
  await mates.sub.ready(WITHIN_MS);
  await board.sub.ready(WITHIN_MS);
  await eventually("the board", () => board.seen.some(({ rows }) => rows.some((row) => row.team === id)));
  await kim.call("fix", { ...KIVI, acc: 5, t: Date.now() });
  await eventually("Kim on the map", () => mates.seen.some(({ members }) => members.some((member) => member.id === "sdk-kim")));
  const stranger = await new Phone("sdk-lou").connect();
  const sub = stranger.client.newSubscription(`team:${id}`);
  const refused = new Promise((done) => { sub.on("unsubscribed", ({ code }) => done(code)); });
  sub.subscribe();
  assert.equal(await refused, 103);
});

test("speaks the Protobuf form with the SDK's own build for it, also after a tunnel", async () => {
  const { team: id, phones: [max, nia] } = await teamOf([new BinaryPhone("sdk-max"), new Phone("sdk-nia")]);
  assert.equal(max.sockets[0].protocol, "centrifuge-protobuf");
  assert.equal(nia.sockets[0].protocol, "");
  const slip = await max.refused("quest.strat", {});
  assert.deepEqual([slip.code, slip.temporary], [104, false]);
  const reply = await max.call("fix", { ...KIVI, acc: 5, t: Date.now(), seq: 1 });
  assert.deepEqual([reply.seq, reply.accepted], [1, 1]);
  const texts = Array.from({ length: 12 }, (_, n) => `ääni ${n}`);
  for (const [n, text] of texts.entries()) {
    if (n === 4) max.enterTunnel();
    await nia.act("team.say", { text });
  }
  await max.hears("the last line", ({ text }) => text === texts.at(-1));
  await eventually("a second connection", () => max.connects.length === 2);
  assert.deepEqual(max.notices.filter(({ data }) => data.type === "team.said").map(({ data }) => data.text), texts);
  max.assertDense();
  assert.equal(max.connects[1].recovered, true);
  const sub = max.client.newSubscription(`team:${id}`);
  const seen = new Promise((done) => sub.on("subscribed", ({ data }) => done(max.read(data))));
  sub.subscribe();
  assert.equal((await seen).team, id);
  assert.equal((await max.call("state.get")).player, "sdk-max");
});
