// The console of a demo of three nodes, in a real browser: it shows all of them, kills one by its button, and goes on.
//
//   cd tests/console && npm ci
//   WAYSTONE_CLUSTER_CONSOLE='http://127.0.0.1:7170/console/open?key=…' node --test tests/console/cluster.test.mjs
//
// The address is the one that `waystone demo --nodes 3` prints. WAYSTONE_CLUSTER_SHOT (optional) takes a screenshot.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { open } from "./browser.mjs";

const ADDRESS = process.env.WAYSTONE_CLUSTER_CONSOLE;
const SHOT = process.env.WAYSTONE_CLUSTER_SHOT;
const WALKERS = Number(process.env.WAYSTONE_CLUSTER_WALKERS ?? 40);
// A debug build on a busy machine; a test that passes is no slower for waiting.
const PATIENCE_MS = 60_000;
// What players are promised is five seconds; a debug build beside a browser has more.
const SERVED_AGAIN_MS = 15_000;

/** @type {import("playwright-core").Browser} */ let browser;
/** @type {import("playwright-core").Page} */ let page;
/** @type {string[]} */ let strays;
/** @type {string[]} */ let errors;

before(async () => {
  ({ browser, page, strays, errors } = await open(ADDRESS));
});

after(() => browser?.close());

const nodes = () => page.locator("#nodes li").evaluateAll((rows) => rows.map((row) => ({
  name: row.querySelector("strong").textContent,
  state: row.dataset.state,
  shards: Number(/(\d+) shards?/.exec(row.textContent)?.[1] ?? 0),
  sessions: Number(/(\d+) sessions?/.exec(row.textContent)?.[1] ?? 0),
  stoppable: !row.querySelector("button").disabled,
})));

/** Looks again and again until there is something that pleases. */
async function until(what, look, pleases) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const seen = await look();
    if (pleases(seen)) return seen;
    assert.ok(Date.now() < end, `not within ${PATIENCE_MS / 1000} s: ${what}; last seen: ${JSON.stringify(seen)}`);
    await page.waitForTimeout(100);
  }
}

const sum = (list, field) => list.reduce((all, node) => all + node[field], 0);
/** How many were given of how many, and how many over. */
const tickets = async () => /(\d+) of (\d+), (\d+) over/.exec(await page.locator("#stock li").first().innerText()).slice(1).map(Number);

test("all three nodes are there, with the teams and players of all", async () => {
  await page.locator('#node[data-state="live"]').waitFor({ timeout: PATIENCE_MS });
  // The first to start has all shards, for ten seconds.
  const all = await until("three nodes that are up, share all shards and have all sessions", nodes, (seen) => seen.length === 3
    && seen.every((node) => node.state === "up" && node.stoppable && node.shards > 64)
    && sum(seen, "shards") === 256 && sum(seen, "sessions") >= WALKERS);
  assert.deepEqual(all.map((node) => node.name), ["a", "b", "c"]);
  assert.ok(all.every((node) => node.sessions > 0), "each node has sessions, as behind a load balancer");
  await until("all teams", () => page.locator("#teams li").count(), (teams) => teams >= WALKERS / 4);
  const [given, of, over] = await tickets();
  assert.ok(given <= of && over === 0);
});

test("a node is stopped, its shards are served by the others, and it comes back", async () => {
  const victim = (await nodes()).toSorted((one, other) => other.shards - one.shards)[0];
  const rest = (seen) => seen.filter((node) => node.name !== victim.name);
  const teams = await page.locator("#teams li").count();
  await page.locator("#nodes li", { has: page.locator("strong", { hasText: new RegExp(`^${victim.name}$`) }) }).locator("button").click();
  await until("the node is down, and the others own all shards", nodes, (seen) => (
    seen.some((node) => node.name === victim.name && node.state === "down") && sum(rest(seen), "shards") === 256));
  const note = await until("how long the hand-over took", () => page.locator("#nodes-note").innerText(), (text) => /after [\d,]+ ms/.test(text));
  const took = Number(/after ([\d,]+) ms/.exec(note)[1].replaceAll(",", ""));
  console.log(`${victim.name} had ${victim.shards} shards: ${note}`);
  assert.ok(took < SERVED_AGAIN_MS, note);
  await until("no team is missing", () => page.locator("#teams li").count(), (seen) => seen >= teams);
  if (SHOT) await page.screenshot({ path: SHOT });
  await page.locator('#node[data-state="live"]').waitFor({ timeout: PATIENCE_MS });
  await until("the node again, with all sessions on some node", nodes, (seen) => seen.length === 3
    && seen.every((node) => node.state === "up" && node.stoppable) && sum(seen, "sessions") >= WALKERS);
});

test("the game goes on, and no ticket is over", async () => {
  const before = await page.locator("#rate-fixes").innerText();
  assert.match(before, /\d/);
  await until("fixes are judged again", () => page.locator("#rate-fixes").innerText(), (text) => Number(text.replace(/\D/g, "")) > 0);
  const [given, of, over] = await tickets();
  assert.ok(given <= of && over === 0);
  assert.deepEqual(strays, [], "requests to other origins");
  // A connection that is cut is what the test does; anything else is an error.
  const cut = /net::ERR_|WebSocket connection|Failed to load resource/;
  assert.deepEqual(errors.filter((error) => !cut.test(error)), [], "errors on the page");
});
