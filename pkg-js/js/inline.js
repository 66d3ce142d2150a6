// For pages that cannot fetch a file: the module is in the code.

import { gzipped } from "./inline-wasm.js";
import { load } from "./load.js";

export * from "./public.js";

export function init(source) {
  return load(source ?? gunzip(gzipped));
}

async function gunzip(base64) {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}
