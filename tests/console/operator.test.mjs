// What those who run the server do on the console, in a real browser: see what is out of service and end it, read what was
// done, set a phone up; and who may only look is offered none of it.
//
//   cd tests/console && npm ci
//   WAYSTONE_FAULT=poison:Belladonna waystone demo --port 7170 --no-open      # a build with `--features faults`
//   WAYSTONE_OPERATOR_CONSOLE='http://127.0.0.1:7170/console/open?key=…' node --test tests/console/operator.test.mjs
//
// The fault makes the server choke on a word, as a bug of ours would. WAYSTONE_OPERATOR_SHOTS (optional) names a folder for
// screenshots.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { open } from "./browser.mjs";

const ADDRESS = process.env.WAYSTONE_OPERATOR_CONSOLE;
const SHOTS = process.env.WAYSTONE_OPERATOR_SHOTS;
// A debug build on a busy machine; a test that passes is no slower for waiting.
const PATIENCE_MS = 60_000;
const POISON = "Belladonna";

/** @type {import("playwright-core").Browser} */ let browser;
/** @type {import("playwright-core").Page} */ let page;
/** @type {string[]} */ let strays;
/** @type {string[]} */ let errors;

before(async () => {
  ({ browser, page, strays, errors } = await open(ADDRESS));
  page.setDefaultTimeout(PATIENCE_MS);
  await page.locator('#node[data-state="live"]').waitFor();
});

after(() => browser?.close());

const shoot = async (of, name) => SHOTS && of.screenshot({ path: `${SHOTS}/${name}.png` });

/** Calls a method as the operator's own player, over a socket of its own: its error code, or 0. */
const call = (method, data) => page.evaluate(async ([method, data]) => {
  const { token, url } = await (await fetch("/console/player", { method: "POST" })).json();
  const socket = new WebSocket(url);
  const reply = (id) => new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("no reply")), 20_000);
    socket.addEventListener("message", ({ data: text }) => {
      const line = text.split("\n").map((one) => JSON.parse(one)).find((one) => one.id === id);
      if (line) resolve((clearTimeout(timer), line));
    });
  });
  await new Promise((resolve) => socket.addEventListener("open", resolve, { once: true }));
  socket.send(JSON.stringify({ id: 1, connect: { token } }));
  await reply(1);
  socket.send(JSON.stringify({ id: 2, rpc: { method, data } }));
  const { error } = await reply(2);
  socket.close();
  return error?.code ?? 0;
}, [method, data]);

const audit = (action) => page.locator(`#audit-lines tr[data-action="${action}"]`);

test("an entity that panics is shown out of service, and dropping its message ends that", async () => {
  assert.equal(await page.locator("#parked-section").isVisible(), false, "nothing is wrong yet");
  for (let time = 0; time < 3; time += 1) {
    assert.equal(await call("profile.set", { name: POISON, cmd: "poisoned" }), 1003);
  }
  const row = page.locator("#parked li").first();
  await row.waitFor();
  assert.match(await row.innerText(), /^player\/operator-[0-9a-f]+ since \d\d:\d\d:\d\d, tried again at \d\d:\d\d:\d\d/);
  assert.match(await row.innerText(), /3 panics, the last at \S+/);
  assert.match(await row.innerText(), /planted poison/);
  assert.equal(await page.locator("#parked-count").innerText(), "1");
  await shoot(page, "parked");

  // The fault is still there, so another try brings it back.
  await row.getByRole("button", { name: "Try again now" }).click();
  assert.equal(await call("profile.set", { name: POISON, cmd: "poisoned" }), 1003);
  await page.waitForFunction(() => /4 panics/.test(document.getElementById("parked").textContent), null, { timeout: PATIENCE_MS });

  const drop = page.locator("#parked li").first().getByRole("button", { name: "Drop" });
  await drop.click();
  assert.equal(await drop.innerText(), "Drop for ever?", "one click does nothing that cannot be undone");
  await drop.click();
  await page.locator("#parked li").first().waitFor({ state: "detached" });
  assert.equal(await call("profile.set", { name: POISON, cmd: "poisoned" }), 1007, "the message is dropped");
  assert.equal(await call("profile.set", { name: "Bella", cmd: "sound" }), 0, "and the player plays on");
});

test("the audit log tells it, the newest first, with older lines below", async () => {
  // More lines than are shown at once.
  const quest = await page.evaluate(async () => {
    const { quests: [{ id }] } = await (await fetch("/v1/quests")).json();
    for (let n = 0; n < 60; n += 1) await fetch(`/console/codes?quest=${id}`);
    return id;
  });
  await page.locator("#audit-open").click();
  await audit("codes.read").first().waitFor();
  assert.equal(await page.locator("#audit-lines tr").count(), 50);
  assert.match((await page.locator("#audit-lines tr").first().innerText()).replace(quest, "QUEST"),
    /^\d+ \w+ 20\d\d \d\d:\d\d:\d\d\toperator-[0-9a-f]+ operator\tcodes\.read\tquest\/QUEST\tdone\t/);
  await page.locator("#audit-older").click();
  await audit("console.open").first().waitFor();
  assert.match(await audit("parked.drop").innerText(), /player\/operator-[0-9a-f]+\tdone/);
  assert.equal(await audit("parked.redrive").count(), 1);
  assert.equal(await page.locator("#audit-older").isVisible(), false, "there are no older ones");
  await page.locator("#audit .scroll").evaluate((box) => box.scrollTo(0, box.scrollHeight));
  await shoot(page, "audit");
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("#audit").isVisible(), false);
});

test("a phone is set up by a picture, whose link works and is forgotten with the window", async () => {
  await page.locator("#device-open").click();
  await page.locator("#device-player").fill("a b");
  await page.getByRole("button", { name: "Make the code" }).click();
  await page.locator("#device-problem:not(:empty)").waitFor();
  // The browser says on its console that the server has refused.
  errors.splice(0, errors.length, ...errors.filter((line) => !/status of 400/.test(line)));
  await page.locator("#device-player").fill("ada");
  await page.locator("#device-app").selectOption("traccar");
  await page.getByRole("button", { name: "Make the code" }).click();
  await page.locator("#device-made").waitFor();
  const picture = await page.locator("#device-code").evaluate(async (/** @type {HTMLImageElement} */ image) => {
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.width, image.height];
    const brush = canvas.getContext("2d");
    brush.drawImage(image, 0, 0, image.width, image.height);
    const { data } = brush.getImageData(0, 0, image.width, image.height);
    let dark = 0;
    for (let at = 0; at < data.length; at += 4) dark += data[at] < 128 && data[at + 3] > 128 ? 1 : 0;
    return dark / (image.width * image.height);
  });
  assert.ok(picture > 0.2 && picture < 0.7, `a QR code is about half dark, this is ${picture.toFixed(2)}`);
  await shoot(page, "device");
  const link = await page.locator("#device-link").inputValue();
  const base = new URL(page.url()).origin;
  assert.ok(link.startsWith(`${base}/in/traccar?id=`), "the link leads to the address that the page has");
  // As the app would: the token in the link posts a fix.
  const posted = await page.request.get(`${link.split("&")[0]}&lat=60.17&lon=24.94&timestamp=${Date.now()}&accuracy=5`);
  assert.equal(posted.status(), 200);
  await page.locator("#device .shut").click();
  // It bears a token. A dialog says that it has closed only after it has.
  await page.waitForFunction(() => document.querySelector("#device-link").value === "", null, { timeout: PATIENCE_MS });
});

test("who may only look is offered no button that would be refused", async () => {
  const made = await page.evaluate(async () => {
    const reply = await fetch("/v1/operator/links", {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ role: "viewer" }),
    });
    return reply.json();
  });
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const viewer = await context.newPage();
  const refused = [];
  viewer.on("response", (response) => [401, 403].includes(response.status()) && refused.push(response.url()));
  await viewer.goto(new URL(made.path, page.url()).href, { waitUntil: "load" });
  await viewer.locator('#node[data-state="live"]').waitFor({ timeout: PATIENCE_MS });
  await viewer.locator('body[data-role="viewer"]').waitFor({ timeout: PATIENCE_MS });
  await viewer.locator("#teams li").first().waitFor({ timeout: PATIENCE_MS });
  const shown = await viewer.getByRole("button").evaluateAll((buttons) => buttons
    .filter((button) => button.checkVisibility()).map((button) => button.id).filter(Boolean));
  assert.deepEqual(shown.filter((id) => /^(play|audit|device)/.test(id)), [], "buttons of operators");
  assert.deepEqual(shown.sort(), ["events-pause", "zoom-home", "zoom-in", "zoom-out"]);
  // Cards with buttons of their own, as the server could send them at any time.
  assert.equal(await viewer.locator(".acts").evaluateAll((all) => all.filter((one) => one.checkVisibility()).length), 0);
  await shoot(viewer, "viewer");
  assert.deepEqual(refused, [], "nothing was even asked that would be refused");
  await context.close();
  // An operator, to compare.
  assert.ok(await page.locator("#play").isVisible() && await page.locator("#audit-open").isVisible());
});

test("nothing left the origin and nothing failed", () => {
  assert.deepEqual(strays, [], "requests to other origins");
  assert.deepEqual(errors, [], "errors on the page");
});
