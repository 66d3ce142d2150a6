/** The worker of Node.js; in browsers it is `worker.js`. */
import { Worker } from "node:worker_threads";
import { gateWorker } from "./worker-core.js";

// The options that Node.js itself was started with are none of the worker's; some would keep it from starting.
export const GateWorker = gateWorker(
  () => new Worker(new URL("./worker-thread-node.js", import.meta.url), { execArgv: [] }),
);
