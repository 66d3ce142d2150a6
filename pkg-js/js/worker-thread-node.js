/** What runs in the worker of Node.js. */
import { setImmediate } from "node:timers/promises";
import { parentPort } from "node:worker_threads";
import { FileCheck } from "./files.js";
import { init, prepare } from "./node.js";
import { serve } from "./worker-thread-core.js";

// A message to ourselves would be let in before all others here, up to a thousand times in a row.
const receive = serve((message) => parentPort.postMessage(message), setImmediate, { init, prepare, FileCheck });
parentPort.on("message", receive);
