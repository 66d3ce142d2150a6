// Serves the page on loopback: `node serve.mjs [PORT] [PACKAGE_DIR]`. Any other static server does as well.

import { createServer } from "node:http";
import { once } from "node:events";
import { existsSync, realpathSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const HOST = "127.0.0.1";
const PACKAGE = "/node_modules/tidegate/";

/** What is served. The module is compiled while it arrives only if its type is right. */
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

/** Where the package is: installed, or as it was built in this project. */
function installed() {
  const places = ["node_modules/tidegate", "../../pkg-js"].map((place) => join(HERE, place));
  return places.find((place) => existsSync(join(place, "dist/tidegate.wasm")));
}

export async function serve(port, packageDir = installed()) {
  if (!packageDir) throw new Error("there is no package to serve: run `cargo xtask build npm`, or install it here");
  // A worker has the policy of its own file's answer, not that of the page, so all answers have it.
  const page = await readFile(join(HERE, "index.html"), "utf8");
  const policy = page.match(/http-equiv="Content-Security-Policy" content="([^"]+)"/)[1];

  const server = createServer(async ({ method, url }, response) => {
    response.setHeader("Content-Security-Policy", policy);
    response.setHeader("X-Content-Type-Options", "nosniff");
    response.setHeader("Cache-Control", "no-cache");
    if (method !== "GET" && method !== "HEAD") return response.writeHead(405, { Allow: "GET, HEAD" }).end();
    const file = fileOf(url, packageDir);
    const bytes = file && (await readFile(file).catch(() => undefined));
    if (!bytes) return response.writeHead(404).end();
    response.setHeader("Content-Type", TYPES[extname(file)]);
    response.setHeader("Content-Length", bytes.length);
    response.end(method === "HEAD" ? undefined : bytes);
  });
  server.listen(port, HOST);
  await once(server, "listening");
  return server;
}

/** The file that an address stands for, if it is one that is served. */
function fileOf(address, packageDir) {
  const path = address.split(/[?#]/)[0].replace(/\/$/, "/index.html");
  // Neither a way out of the folder, nor a hidden file, nor anything that would have to be decoded.
  if (!/^(\/[\w-][\w.-]*)+$/.test(path) || !(extname(path) in TYPES)) return undefined;
  if (path.startsWith(PACKAGE)) return join(packageDir, path.slice(PACKAGE.length));
  if (path.startsWith("/data/")) return join(HERE, "..", path);
  return join(HERE, path);
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [port = "5173", packageDir] = process.argv.slice(2);
  try {
    await serve(Number(port), packageDir);
    console.log(`http://${HOST}:${port}/\nThe Tidegate has to allow this page: --allow-origin http://${HOST}:${port}`);
  } catch (error) {
    console.error(error.message);
    process.exitCode = 2;
  }
}
