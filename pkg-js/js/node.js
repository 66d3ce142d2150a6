// For Node.js: the module is read from beside this file, at the first need if `init` was left out.

import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { isStarted, start } from "./core.js";
import * as gate from "./gate.js";
import { load } from "./load.js";

export * from "./public.js";

const place = new URL("./tidegate.wasm", import.meta.url);

export function init(source = place) {
  // Node.js fetches no files.
  return load(source instanceof URL && source.protocol === "file:" ? readFile(source) : source);
}

export function prepare(schema) {
  startNow();
  return gate.prepare(schema);
}

export function digest(payload) {
  startNow();
  return gate.digest(payload);
}

export function diff(before, after) {
  startNow();
  return gate.diff(before, after);
}

function startNow() {
  if (!isStarted()) {
    start(new WebAssembly.Module(readFileSync(place)));
  }
}
