/** The worker of browsers; under Node.js it is `worker-node.js`. */
import { gateWorker } from "./worker-core.js";

// Bundlers find the worker by this very expression.
export const GateWorker = gateWorker(
  () => new Worker(new URL("./worker-thread.js", import.meta.url), { type: "module" }),
);
