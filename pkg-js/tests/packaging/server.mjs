// What the projects talk to: a server for their files, and one that answers as a Tidegate would.

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { text } from "node:stream/consumers";

const TYPES = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
};

/** Serves a directory, and gives its address. */
export async function serveFiles(directory) {
  return listening(async ({ url }, response) => {
    const { pathname } = new URL(url, "http://localhost");
    // `pathname` has no `..` left in it.
    const file = join(directory, pathname.endsWith("/") ? `${pathname}index.html` : pathname);
    try {
      const content = await readFile(file);
      response.setHeader("Content-Type", TYPES[extname(file)] ?? "application/octet-stream").end(content);
    } catch {
      response.writeHead(404).end();
    }
  });
}

/** A Tidegate that knows its part by heart: it answers with what it was asked. */
export async function serveFake() {
  // How often each unsteady table was asked for: several projects ask at the same time.
  const asked = new Map();
  return listening(async (request, response) => {
    const { pathname, search } = new URL(request.url, "http://localhost");
    const body = await text(request);
    response.setHeader("Access-Control-Allow-Origin", "*");
    response.setHeader("Access-Control-Expose-Headers", "X-Request-Id, Retry-After");
    const answer = (status, value) => {
      response.writeHead(status, { "Content-Type": "application/json", "X-Request-Id": "r-1" });
      response.end(JSON.stringify(value));
    };
    const problem = (status, code) =>
      answer(status, { type: `urn:tidegate:problem:${code}`, code, title: code, status, detail: code });

    const asks = `${request.method} ${pathname.replace(/^.*\/custom-data\//, "")}`;
    const route = asks.replace(/unsteady-.*/, "unsteady");
    if (request.method === "OPTIONS") {
      response.setHeader("Access-Control-Allow-Headers", "X-Ingest-Key, Content-Type");
      response.setHeader("Access-Control-Allow-Methods", "GET, POST, DELETE");
      response.end();
    } else if (request.headers["x-ingest-key"] !== "tgk_right") {
      problem(401, "unauthorized");
    } else if (route.startsWith("GET manifest/moved")) {
      response.writeHead(302, { Location: "/elsewhere" }).end();
    } else if (route.startsWith("GET manifest/")) {
      answer(200, { items: { 2: "0".repeat(64), 9: "1".repeat(64) } });
    } else if (route === "POST event/unsteady" && (asked.get(asks) ?? 0) < 2) {
      asked.set(asks, (asked.get(asks) ?? 0) + 1);
      response.setHeader("Retry-After", "0");
      problem(503, "storage-unavailable");
    } else {
      const type = request.headers["content-type"] ?? null;
      answer(200, { route, search, type, body: body === "" ? null : JSON.parse(body) });
    }
  });
}

async function listening(answer) {
  const server = createServer(answer);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${server.address().port}/`, close };
}
