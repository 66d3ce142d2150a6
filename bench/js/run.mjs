// Measures in Node.js, and in Chromium where one is named: `node run.mjs module.wasm cases [chromium]`.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as crypto from "node:crypto";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { measure } from "./measure.mjs";

const [module, cases, browser] = process.argv.slice(2);

function read(name) {
  return readFile(name === "module.wasm" ? module : join(cases, name));
}

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
  await measure("node", read, { "node-crypto": sha256 });
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
      await measure("chromium", async (name) => {
        const answer = await fetch(`/${name}`);
        return new Uint8Array(await answer.arrayBuffer());
      });
    });
  } finally {
    await browser.close();
    server.close();
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
    if (name === "") {
      response.setHeader("content-type", "text/html").end("<!doctype html><title>bench</title>");
    } else if (name === "measure.js") {
      response.setHeader("content-type", "text/javascript").end(measure);
    } else {
      await read(name).then(
        (bytes) => response.end(bytes),
        () => response.writeHead(404).end(),
      );
    }
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return server;
}
