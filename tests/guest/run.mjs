// Serves a guest module over a pipe: `node run.mjs module.wasm`.
//
// A frame is a length (u32, little endian) and that many bytes. Each frame on stdin is a request
// for the module's `run`; its answer is one frame on stdout. A trap is answered too, with
// `{"trap": "<message>"}`, and the next request gets a fresh instance.

import { readFileSync } from "node:fs";
import { frames, send } from "./frames.mjs";

const REFUSED = 3;

const module = new WebAssembly.Module(readFileSync(process.argv[2]));
const imports = WebAssembly.Module.imports(module);
if (imports.length > 0) {
  const names = imports.map((i) => `${i.module}.${i.name}`).join(", ");
  console.error(`${process.argv[2]}: the module must import nothing, but imports ${names}`);
  process.exit(REFUSED);
}

let exports = instantiate();

for await (const request of frames(process.stdin)) {
  await send(answer(request));
}

function instantiate() {
  return new WebAssembly.Instance(module, {}).exports;
}

function answer(request) {
  try {
    return call(request);
  } catch (error) {
    // Not only `RuntimeError`: V8 reports an exhausted stack as a `RangeError`.
    exports = instantiate();
    return Buffer.from(JSON.stringify({ trap: `${error.name}: ${error.message}` }));
  }
}

function call(request) {
  const at = exports.alloc(request.length) >>> 0;
  view(at, request.length).set(request);
  const packed = BigInt.asUintN(64, exports.run(at, request.length));
  const [start, length] = [Number(packed >> 32n), Number(packed & 0xffffffffn)];
  const bytes = Buffer.from(view(start, length));
  exports.release(at, request.length);
  exports.release(start, length);
  return bytes;
}

// Made anew for each use: a memory that grows detaches the views of it.
function view(start, length) {
  return new Uint8Array(exports.memory.buffer, start, length);
}
