// Where the module and the worker are is said here, and not left to what is beside the bundle.
import * as tidegate from "tidegate";
import wasm from "tidegate/tidegate.wasm";
import * as workerEntry from "tidegate/worker";
import { exercise } from "./shared/exercise.mjs";
import { files } from "./shared/files.mjs";
import { tell } from "./shared/tell.mjs";

const place = new URL(wasm, import.meta.url);
const thread = () => new Worker(new URL("./threads/gate.js", import.meta.url), { type: "module" });

tell(async () => ({
  exercise: await exercise(tidegate, () => tidegate.init(place)),
  files: await files(workerEntry, tidegate, () => ({ wasm: place, worker: thread() })),
}));
