// A web server for a page that uses the built client as it is: ES modules and an import map, no bundler.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

const ROOT = new URL("../../", import.meta.url);
const PAGE = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script type="importmap">
{"imports": {"centrifuge": "/node_modules/centrifuge/build/index.mjs", "waystone-client": "/dist/index.js"}}
</script>`;

/** Answers with the server, which listens on a free port. */
export async function pages() {
  const server = createServer((request, response) => {
    const path = new URL(request.url, "http://page").pathname;
    if (path === "/") return response.writeHead(200, { "content-type": "text/html" }).end(PAGE);
    if (!/^\/(dist|node_modules\/centrifuge\/build)\/[\w.]+\.m?js$/.test(path)) return response.writeHead(404).end();
    response.writeHead(200, { "content-type": "text/javascript" }).end(readFileSync(new URL(`.${path}`, ROOT)));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  server.origin = `http://127.0.0.1:${server.address().port}`;
  return server;
}
