// The live console in a real browser: it loads from its own origin alone, draws, tells events and their why, and lets
// the reader be a player.
//
//   cd tests/console && npm ci
//   WAYSTONE_CONSOLE=http://127.0.0.1:7170/console/ WAYSTONE_SHOT=console.png node --test tests/console/console.test.mjs
//
// WAYSTONE_CONSOLE is the address that the node prints, its key included. WAYSTONE_SHOT (optional) takes a screenshot;
// WAYSTONE_CHROMIUM (optional) names the browser. What is missing is a failure that says how to get it, never a skip.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { open } from "./browser.mjs";

const ADDRESS = process.env.WAYSTONE_CONSOLE;
const SHOT = process.env.WAYSTONE_SHOT;
// A debug build on a busy machine takes up to 20 s to lay out the streets; a test that passes is no slower for waiting.
const PATIENCE_MS = 60_000;
const EVENT_WITHIN_MS = 60_000;
const WHY_WITHIN_MS = 60_000;
const WALK_WITHIN_MS = 60_000;

/** @type {import("playwright-core").Browser} */ let browser;
/** @type {import("playwright-core").Page} */ let page;
/** Whether the screenshot is taken: at the best moment, or at the end when that never came. */ let shot = false;
/** @type {string[]} */ let strays;
/** @type {string[]} */ let errors;

before(async () => {
  ({ browser, page, strays, errors } = await open(ADDRESS));
});

after(async () => {
  if (SHOT && !shot) await page?.screenshot({ path: SHOT });
  await browser?.close();
});

test("the console is live and says so", async () => {
  await page.locator('#node[data-state="live"]').waitFor({ timeout: PATIENCE_MS });
  await page.locator("#teams li").first().waitFor({ timeout: PATIENCE_MS });
  await page.waitForFunction(() => /\d/.test(document.getElementById("rate-fixes").textContent), null, { timeout: PATIENCE_MS });
});

test("the map is drawn: streets below, places and players on top", async () => {
  await page.waitForFunction(() => document.getElementById("loading").hidden);
  await page.waitForTimeout(1000);
  const colours = (selector) => page.locator(selector).evaluate((/** @type {HTMLCanvasElement} */ canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const seen = new Set();
    for (let i = 0; i < data.length; i += 4 * 7) seen.add((data[i] << 24) | (data[i + 1] << 16) | (data[i + 2] << 8) | data[i + 3]);
    return seen.size;
  });
  const [base, top] = [await colours("#map canvas.base"), await colours("#map canvas.top")];
  assert.ok(base > 50, `the base map has ${base} colours; a city has hundreds`);
  assert.ok(top > 20, `the layer of places and players has ${top} colours`);
  assert.match(await page.locator("#attribution").innerText(), /OpenStreetMap contributors/);
});

test("an event arrives, and its why bears distance, accuracy, rule and time", async () => {
  await page.locator("#events li").first().waitFor({ timeout: EVENT_WITHIN_MS });
  const why = page.locator("#events details.why").first();
  await why.waitFor({ timeout: WHY_WITHIN_MS });
  // The row may move while a finger is on its way: open it where it is, as the keyboard does.
  await page.evaluate(() => document.querySelector("#events details.why summary").click());
  const open = page.locator("#events details.why[open] .why-body");
  await open.waitFor();
  assert.match(await open.innerText(),
    /[\d.]+ k?m (inside|outside) the edge, accuracy [\d.]+ k?m, [\d.]+ % sure( \(\d+ % asked\))?(, \d+ fixes agree)?, rule: \S.*, \d\d:\d\d:\d\d/);
  assert.equal(await open.locator("svg circle.gauge-acc").count(), 1, "the gauge shows the circle of accuracy");
  await page.evaluate(() => document.querySelector("#events details.why[open] summary").click());
});

test("be a player: the session connects, a team forms, and a click on the map moves the avatar", async () => {
  await page.locator("#play").click();
  await page.locator('#phone[data-state="live"]').waitFor({ timeout: PATIENCE_MS });
  await page.locator("#phone-steps li").first().waitFor({ timeout: PATIENCE_MS });
  const where = () => page.locator("#phone-walk").evaluate((at) => [Number(at.dataset.lon), Number(at.dataset.lat)]);
  const [lon, lat] = await where();
  const map = await page.locator("#map canvas.top").boundingBox();
  await page.mouse.click(map.x + map.width * 0.4, map.y + map.height * 0.25);
  const metres = ([x, y]) => Math.hypot((x - lon) * 111_320 * Math.cos((lat * Math.PI) / 180), (y - lat) * 111_320);
  const until = Date.now() + WALK_WITHIN_MS;
  let gone = 0;
  while (gone < 8 && Date.now() < until) {
    await page.waitForTimeout(300);
    gone = metres(await where());
  }
  assert.ok(gone >= 8, `the avatar moved ${gone.toFixed(1)} m in ${WALK_WITHIN_MS / 1000} s`);
  assert.notEqual(await page.locator("#phone-notices li").count(), 0, "the phone shows notices");
  if (SHOT) await page.screenshot({ path: SHOT });
  shot = true;
});

test("a reload goes on with the same player", async () => {
  const team = await page.locator("#phone-team").innerText();
  await page.reload({ waitUntil: "load" });
  await page.locator('#phone[data-state="live"]').waitFor({ timeout: PATIENCE_MS });
  await page.waitForFunction((before) => document.getElementById("phone-team").textContent === before, team, { timeout: PATIENCE_MS });
  await page.locator("#phone-steps li").first().waitFor({ timeout: PATIENCE_MS });
});

test("nothing left the origin and nothing failed", () => {
  assert.deepEqual(strays, [], "requests to other origins");
  assert.deepEqual(errors, [], "errors on the page");
});
