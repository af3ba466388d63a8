// A whole Waystone server for a test, and tokens for its players.
//
// WAYSTONE_BIN names the program. What is missing is a failure that says how to get it, never a skip.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const WITHIN_MS = 15_000;
export const QUEST = "bronze-and-granite";
/** Kivi's statue, where the quest begins. */
export const KIVI = { lat: 60.171683, lon: 24.94392 };

const SECRET = "a secret of the tests, 32 bytes or more";
const QUEST_FILE = fileURLToPath(new URL("../../../../quests/helsinki.yaml", import.meta.url));

/** Looks until there is something; a deadline, never a bare sleep. */
export async function eventually(what, look, withinMs = WITHIN_MS) {
  const end = Date.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((wake) => setTimeout(wake, 20));
  }
}

/** A token as any backend would sign it: HS256 by hand. */
export function token(player, claims = {}) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub: player, exp, ...claims })}`;
  return `${signed}.${createHmac("sha256", SECRET).update(signed).digest("base64url")}`;
}

/** A server on a free port with a data folder of its own. */
export class Server {
  #child;
  #folder;
  #printed = "";

  static async start(...options) {
    const program = process.env.WAYSTONE_BIN;
    assert.ok(program, "set WAYSTONE_BIN to the server's program: `cargo build`, then target/debug/waystone");
    assert.ok(existsSync(program), `WAYSTONE_BIN names ${program}, which is not there: run \`cargo build\``);
    const server = new Server();
    const folder = (server.#folder = mkdtempSync(join(tmpdir(), "waystone-client-")));
    writeFileSync(join(folder, "key"), SECRET, { mode: 0o600 });
    const args = ["serve", "--listen", "127.0.0.1:0", "--data", join(folder, "data"), "--hs256-secret-file",
      join(folder, "key"), "--quest", QUEST_FILE, ...options];
    server.#child = spawn(resolve(program), args, { stdio: ["ignore", "pipe", "pipe"], cwd: folder });
    for (const stream of [server.#child.stdout, server.#child.stderr]) {
      stream.on("data", (text) => { server.#printed += text; });
    }
    const look = () => {
      assert.equal(server.#child.exitCode, null, `the server ended:\n${server.#printed}`);
      return server.#printed.match(/ws:\/\/[\d.]+:(\d+)/)?.[1];
    };
    server.port = Number(await eventually("the server prints its address", look));
    return server;
  }

  /** A counter of its metrics. */
  async counter(name) {
    const text = await (await fetch(`http://127.0.0.1:${this.port}/metrics`)).text();
    const line = text.split("\n").find((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
    assert.ok(line, `/metrics has no ${name}:\n${text}`);
    return Number(line.split(" ").at(-1));
  }

  async stop() {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exit = once(this.#child, "exit");
      this.#child.kill("SIGINT");
      const late = setTimeout(() => this.#child.kill("SIGKILL"), WITHIN_MS);
      await exit;
      clearTimeout(late);
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
