// The built client in Chromium, as ES modules without a bundler, against a whole server with the network between them
// cut, frozen and restored; and a reload of the page while fixes wait.
//
// WAYSTONE_CHROMIUM (optional) names the browser. What is missing is a failure that says how to get it, never a skip.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { Network } from "./kit/network.mjs";
import { pages } from "./kit/pages.mjs";
import { Phone } from "./kit/phone.mjs";
import { KIVI, Server, eventually, token } from "./kit/server.mjs";

const BROWSERS = [process.env.WAYSTONE_CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const ARGS = ["--headless=new", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

/** @type {Server} */ let server;
/** @type {Network} */ let network;
/** @type {import("playwright-core").Browser} */ let browser;
/** @type {import("playwright-core").Page} */ let page;
/** @type {Phone} */ let mate;
let site;
/** Uncaught errors of the page. */ const errors = [];

before(async () => {
  const executablePath = BROWSERS.find((path) => path && existsSync(path));
  assert.ok(executablePath, "Chromium is not installed: apt-get install chromium, or set WAYSTONE_CHROMIUM to a browser");
  site = await pages();
  server = await Server.start("--origin", site.origin);
  network = await Network.to(server.port);
  browser = await chromium.launch({ executablePath, args: ARGS });
  page = await browser.newPage();
  page.on("pageerror", (error) => errors.push(error.stack ?? error.message));
  mate = await new Phone(`ws://127.0.0.1:${server.port}/connect`, "mate").connect();
});

after(async () => {
  mate?.session.close();
  await browser?.close();
  site?.close();
  network?.close();
  await server?.stop();
});

/** Loads the page and starts a session in it; `window.told` is what it has heard. */
async function load() {
  await page.goto(`${site.origin}/`);
  await page.evaluate(async ({ url, token }) => {
    const { Waystone } = await import("waystone-client");
    const session = new Waystone({ url, token, storage: localStorage, answerMs: 1_000, reconnectMs: [50, 300] });
    const told = { said: [], numbers: [], resyncs: [], ends: [] };
    Object.assign(window, { session, told });
    session.on("team.said", ({ text }) => told.said.push(text));
    session.on("resync", ({ why, state }) => told.resyncs.push([why, state.player]));
    session.on("fixes", ({ from, to }) => { for (let n = from; n <= to; n++) told.numbers.push(n); });
    session.on("closed", ({ reason }) => told.ends.push(reason));
    session.connect();
  }, { url: network.url, token: token("page") });
}

const told = () => page.evaluate(() => window.told);
const is = (state) => page.waitForFunction((state) => window.session.connection === state, state);
const fixes = (count) => page.evaluate(({ kivi, count }) => Array.from({ length: count }, (_, n) =>
  window.session.fix({ ...kivi, acc: 5, t: Date.now() - (count - n) * 1000 })), { kivi: KIVI, count });
const idle = () => page.waitForFunction(() => window.session.waiting === 0);

test("connects from a page whose origin is allowed", async () => {
  await load();
  await page.waitForFunction(() => window.told.resyncs.length > 0);
  assert.deepEqual((await told()).resyncs, [["first", "page"]]);
  const { invite } = await page.evaluate(() => window.session.act("team.create", { name: "The page" }));
  await mate.session.act("team.join", { code: invite });
  await mate.hears("of its team", ({ type }) => type === "team.joined");
});

test("after a cut: fixes once and in order, the command once, what was missed once and in order", async () => {
  network.cut();
  await is("connecting");
  const sent = await fixes(30);
  await page.evaluate(() => { window.said = window.session.act("team.say", { text: "from the page" }); });
  const texts = Array.from({ length: 10 }, (_, n) => `line ${n}`);
  for (const text of texts) await mate.session.act("team.say", { text });
  network.restore();
  assert.deepEqual(await page.evaluate(() => window.said), {});
  await idle();
  await page.waitForFunction(() => window.told.said.includes("from the page"));
  const { said, numbers, resyncs } = await told();
  assert.deepEqual([said, numbers, resyncs.length], [[...texts, "from the page"], sent, 1]);
  await mate.hears("the page", ({ text }) => text === "from the page");
  assert.equal(mate.said().filter((text) => text === "from the page").length, 1);
});

test("a frozen line is left, and the command done once", async () => {
  network.freeze();
  await page.evaluate(() => { window.said = window.session.act("team.say", { text: "from the tunnel" }); });
  await is("connecting");
  network.restore();
  assert.deepEqual(await page.evaluate(() => window.said), {});
  await page.waitForFunction(() => window.told.said.includes("from the tunnel"));
  assert.deepEqual([(await told()).said.length, mate.said().filter((text) => text === "from the tunnel").length], [12, 1]);
});

test("a reload goes on with the fixes that waited", async () => {
  await idle();
  network.cut();
  await is("connecting");
  const sent = await fixes(3);
  await load();
  sent.push(...(await fixes(1)));
  assert.deepEqual(sent, sent.map((_, n) => sent[0] + n));
  network.restore();
  await idle();
  await page.waitForFunction(() => window.told.resyncs.length > 0);
  const { numbers, resyncs } = await told();
  assert.deepEqual([numbers, resyncs], [sent, [["first", "page"]]]);
});

test("a second page of the same player ends the first, which stays away", async () => {
  const opened = network.opened;
  const second = await new Phone(`ws://127.0.0.1:${server.port}/connect`, "page").connect();
  await eventually("the end", async () => (await told()).ends.length > 0);
  assert.deepEqual((await told()).ends, ["replaced"]);
  await second.session.act("team.say", { text: "I am the page now" });
  second.session.close();
  assert.equal(network.opened, opened);
  assert.deepEqual(errors, []);
});
