/** What runs in the worker of browsers. */
import { FileCheck } from "./files.js";
import { init, prepare } from "./index.js";
import { serve } from "./worker-thread-core.js";

const { port1, port2 } = new MessageChannel();

/** A message to ourselves: timers would be held back. */
function turn() {
  return new Promise((resolve) => {
    port1.onmessage = resolve;
    port2.postMessage(null);
  });
}

const receive = serve((message) => postMessage(message), turn, { init, prepare, FileCheck });
addEventListener("message", ({ data }) => receive(data));
