// What is published: generated types that are current, the files that belong into the package and no others, and a
// quick start that runs as it stands in the README.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { generate } from "../scripts/generate.mjs";
import { Server, WITHIN_MS, token } from "./kit/server.mjs";

const HERE = fileURLToPath(new URL("..", import.meta.url));
const run = promisify(execFile);
const read = (name) => readFileSync(join(HERE, name), "utf8");

test("generated types are those of the documents", () => {
  assert.ok(generate() === read("src/generated.ts"), "src/generated.ts is old: npm run generate");
});

test("the package holds what is built, and nothing else", async () => {
  const { stdout } = await run("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: HERE });
  const packed = JSON.parse(stdout);
  const [{ files }] = Array.isArray(packed) ? packed : Object.values(packed);
  const names = files.map(({ path }) => path).sort();
  const built = ["calls", "client", "errors", "events", "fixes", "generated", "index", "line", "live", "notices", "sender", "wire"];
  const expected = ["README.md", "package.json", ...built.flatMap((name) => [`dist/${name}.d.ts`, `dist/${name}.js`])];
  assert.deepEqual(names, expected.sort());
  const { exports, types, dependencies, license } = JSON.parse(read("package.json"));
  for (const path of [types, ...Object.values(exports["."])]) assert.ok(names.includes(path.slice(2)), path);
  assert.deepEqual([Object.keys(dependencies), license], [["centrifuge"], "MIT OR Apache-2.0"]);
});

test("the lock names no place to fetch from", () => {
  assert.doesNotMatch(read("package-lock.json"), /"resolved"/);
});

test("the quick start runs", async () => {
  const code = read("README.md").match(/```js\n(.*?)```/s)[1];
  assert.ok(code.split("\n").length <= 25, "it is quick");
  const server = await Server.start();
  // Inside the package, where its own name leads to what is built.
  const folder = mkdtempSync(join(HERE, "test", "run-"));
  try {
    const file = join(folder, "quick-start.mjs");
    writeFileSync(file, code.replace("127.0.0.1:7170", `127.0.0.1:${server.port}`));
    const env = { ...process.env, TOKEN: token("me") };
    const { stdout, stderr } = await run(process.execPath, [file], { env, timeout: WITHIN_MS });
    assert.equal(stderr, "");
    for (const line of ["you have 0 points", /friends join with \S+/, /1 counted, next in \d+ m/, "team_size true this quest is for",
      "over: stopped"]) {
      assert.match(stdout, new RegExp(line), stdout);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
    await server.stop();
  }
});
