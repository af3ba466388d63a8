// A real browser on a console, with the internet blocked: what both tests open. What is missing is a failure that says
// how to get it, never a skip.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";

const BROWSERS = [process.env.WAYSTONE_CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const ARGS = ["--headless=new", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

/**
 * Opens a console by the address that the node prints, its key included.
 * @param {string | undefined} address
 * @returns {Promise<{browser: import("playwright-core").Browser, page: import("playwright-core").Page, strays: string[], errors: string[]}>}
 * `strays`: requests to any other origin, each of which is aborted; `errors`: on the page's console, and uncaught ones.
 */
export async function open(address) {
  assert.ok(address, "set the console's address, as the node prints it");
  const executablePath = BROWSERS.find((path) => path && existsSync(path));
  assert.ok(executablePath, "Chromium is not installed: apt-get install chromium, or set WAYSTONE_CHROMIUM to a browser");
  const { chromium } = await import("playwright-core").catch(() => {
    throw new Error("playwright-core is not installed: run `npm ci` in tests/console");
  });
  const browser = await chromium.launch({ executablePath, args: ARGS });
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  const [strays, errors] = [[], []];
  const home = new URL(address).host;
  await context.route((url) => url.host !== home, (route) => {
    strays.push(route.request().url());
    return route.abort();
  });
  page.on("websocket", (socket) => new URL(socket.url()).host !== home && strays.push(socket.url()));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(error.stack ?? error.message));
  await page.goto(address, { waitUntil: "load" });
  return { browser, page, strays, errors };
}
