// For browsers and bundlers: the module is fetched.

import { load } from "./load.js";

export * from "./public.js";

export function init(source) {
  // Written so that bundlers see it.
  return load(source ?? new URL("./tidegate.wasm", import.meta.url));
}
