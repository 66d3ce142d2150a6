import { isStarted, start } from "./core.js";
import { TidegateError } from "./errors.js";

let loading;

// Starts the module from a source, once. One that failed can be tried again.
export function load(source) {
  if (isStarted()) {
    return Promise.resolve();
  }
  loading ??= compile(source)
    .then(start)
    .finally(() => (loading = undefined));
  return loading;
}

async function compile(source) {
  try {
    source = await source;
    if (typeof source === "string" || source instanceof URL || source instanceof Request) {
      source = await fetch(source);
    }
    if (source instanceof Response) {
      if (!source.ok) {
        throw new Error(`${source.url}: ${source.status} ${source.statusText}`);
      }
      // Others are not compiled while they arrive.
      if (source.headers.get("content-type") === "application/wasm") {
        return await WebAssembly.compileStreaming(source);
      }
      source = await source.arrayBuffer();
    }
    return source instanceof WebAssembly.Module ? source : await WebAssembly.compile(source);
  } catch (error) {
    throw new TidegateError(
      `tidegate's WebAssembly module does not load (${error.message}); where a bundler does not find it, ` +
        "give `init` its place, or use the entry `tidegate/inline`",
      { cause: error },
    );
  }
}
