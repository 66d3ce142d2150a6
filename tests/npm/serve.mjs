// Serves the npm package over a pipe, as `tests/guest/run.mjs` serves the guest module:
// `node serve.mjs PACKAGE [CHROMIUM]`, where PACKAGE is the `package.json` of an installed package. With a
// Chromium, the package runs in a page.

import { createReadStream } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { once } from "node:events";
import { dirname, extname, join, normalize } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { answers } from "./answers.mjs";
import { frames, send } from "../guest/frames.mjs";

const [manifest, executablePath] = process.argv.slice(2);
const dist = join(dirname(manifest), "dist");
const here = fileURLToPath(new URL(".", import.meta.url));

const { answer, end } = executablePath ? await inChromium() : await inNode();
for await (const request of frames(process.stdin)) {
  await send(Buffer.from(await answer(request.toString())));
}
await end();

async function inNode() {
  const at = (name) => pathToFileURL(join(dist, name));
  await (await import(at("node.js"))).init();
  const { problemOf } = await import(at("problem.js"));
  return { answer: answers(await import(at("core.js")), problemOf), end() {} };
}

async function inChromium() {
  const require = createRequire(join(here, "../../pkg-js/package.json"));
  const { chromium } = require("playwright-core");
  const server = await serve();
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
  const page = await browser.newPage();
  page.on("pageerror", (error) => console.error(error));
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  await page.evaluate(async () => {
    const { init } = await import("/package/index.js");
    await init();
    const { answers } = await import("/answers.mjs");
    const { problemOf } = await import("/package/problem.js");
    window.answer = answers(await import("/package/core.js"), problemOf);
  });
  return {
    answer: (request) => page.evaluate((request) => window.answer(request), request),
    async end() {
      await browser.close();
      server.close();
    },
  };
}

// Serves a page, the package and what answers, to this machine.
async function serve() {
  const types = { ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm" };
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url, "http://localhost").pathname);
    if (path === "/") {
      response.setHeader("content-type", "text/html").end("<!doctype html><title>tests</title>");
      return;
    }
    const file = path.startsWith("/package/") ? join(dist, path.slice("/package/".length)) : join(here, path);
    response.setHeader("content-type", types[extname(file)] ?? "application/octet-stream");
    createReadStream(file)
      .on("error", () => response.writeHead(404).end())
      .pipe(response);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return server;
}
