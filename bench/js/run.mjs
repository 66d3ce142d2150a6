// Measures the npm package in Node.js, and in Chromium where one is named:
// `node run.mjs PACKAGE CASES [CHROMIUM]`, with the directories of the package and of the cases.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { once } from "node:events";
import { extname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import * as crypto from "node:crypto";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { measure } from "./measure.mjs";

const [pack, cases, browser] = process.argv.slice(2);

const TYPES = { ".js": "text/javascript", ".wasm": "application/wasm", ".json": "application/json" };

// How many cold pages are opened.
const COLD = 9;

const read = (name) => readFile(join(cases, name));

await inNode();
if (browser) {
  await inChromium(browser);
}

async function inNode() {
  console.log(`      node ${process.version}, V8 ${process.versions.v8}`);
  // The faster one is new in Node.js 20.12.
  const sha256 = crypto.hash
    ? (text) => crypto.hash("sha256", text)
    : (text) => crypto.createHash("sha256").update(text).digest("hex");
  const tidegate = await import(pathToFileURL(join(pack, "dist/node.js")));
  await measure("node", tidegate, read, { "node-crypto": sha256 });
}

async function inChromium(executablePath) {
  const server = await serve();
  const args = ["--no-sandbox", "--disable-dev-shm-usage"];
  const browser = await chromium.launch({ executablePath, args });
  try {
    console.log(`      chromium ${browser.version()}`);
    const page = await browser.newPage();
    page.on("console", (message) => message.type() === "log" && console.log(message.text()));
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    await page.evaluate(async () => {
      const { measure } = await import("/measure.js");
      const tidegate = await import("/package/index.js");
      await tidegate.init();
      await measure("chromium", tidegate, async (name) => {
        const answer = await fetch(`/${name}`);
        return new Uint8Array(await answer.arrayBuffer());
      });
    });
    await cold(browser, server);
  } finally {
    await browser.close();
    server.close();
  }
}

// From nothing to the first verdict, each time in a page that shares nothing with those before it.
async function cold(browser, server) {
  const times = {};
  for (let left = COLD; left > 0; left--) {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    const took = await page.evaluate(async () => {
      const [{ schema, payload }] = await (await fetch("/cases.json")).json();
      const [schemaText, payloadText] = await Promise.all([schema, payload].map(async (n) => (await fetch(n)).text()));
      const marks = [performance.now()];
      const mark = () => marks.push(performance.now());
      const { init, prepare } = await import("/package/index.js");
      mark();
      await init();
      mark();
      const gate = prepare(schemaText);
      mark();
      gate.check(payloadText);
      mark();
      const [begun, imported, started, prepared, checked] = marks;
      return {
        import: imported - begun,
        init: started - imported,
        prepare: prepared - started,
        "first-check": checked - prepared,
        "init-to-verdict": checked - imported,
      };
    });
    await context.close();
    for (const [name, time] of Object.entries(took)) {
      (times[name] ??= []).push(time);
    }
  }
  for (const [name, all] of Object.entries(times)) {
    const median = all.sort((a, b) => a - b)[Math.floor(all.length / 2)];
    console.log(`bench chromium-cold-${name} ours=${median.toFixed(1)} unit=ms`);
  }
}

// Serves the page, what it measures with, and what it measures.
async function serve() {
  const bundled = await build({
    entryPoints: [fileURLToPath(new URL("measure.mjs", import.meta.url))],
    bundle: true,
    format: "esm",
    target: "esnext",
    write: false,
  });
  const measure = bundled.outputFiles[0].contents;
  const server = createServer(async (request, response) => {
    // Without these two a page's clock is coarse.
    response.setHeader("cross-origin-opener-policy", "same-origin");
    response.setHeader("cross-origin-embedder-policy", "require-corp");
    const name = request.url.slice(1);
    response.setHeader("content-type", TYPES[extname(name)] ?? "application/octet-stream");
    if (name === "") {
      response.setHeader("content-type", "text/html").end("<!doctype html><title>bench</title>");
    } else if (name === "measure.js") {
      response.end(measure);
    } else {
      const file = name.startsWith("package/") ? join(pack, "dist", name.slice("package/".length)) : join(cases, name);
      await readFile(file).then(
        (bytes) => response.end(bytes),
        () => response.writeHead(404).end(),
      );
    }
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return server;
}
