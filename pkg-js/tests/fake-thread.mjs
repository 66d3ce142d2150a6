// What runs in a worker of Node.js in the tests.

import { setImmediate } from "node:timers/promises";
import { parentPort } from "node:worker_threads";

import { serve } from "../js/worker-thread-core.js";
import * as fake from "./fake-module.mjs";

parentPort.on(
  "message",
  serve((message) => parentPort.postMessage(message), setImmediate, fake),
);
