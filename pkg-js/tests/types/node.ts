// The same types where there is no DOM: with those of Node.js alone. It is compiled and never run.

import { createReadStream, openAsBlob } from "node:fs";
import { Worker } from "node:worker_threads";

import { Client } from "../../js/client.js";
import { init, prepare } from "../../js/index.js";
import { GateWorker } from "../../js/worker.js";

export async function check(path: string): Promise<boolean> {
  await init();
  const client = new Client({
    url: process.env["TIDEGATE"]!,
    key: process.env["KEY"]!,
    fetch,
    gates: { t: prepare("{}") },
  });
  await client.sendBulk("t", Buffer.from("[]"), { signal: AbortSignal.timeout(1000) });
  const worker = await GateWorker.start("{}", { worker: new Worker("./thread.js") });
  const results = [
    await worker.check(createReadStream(path)),
    await worker.check(await openAsBlob(path)),
    await worker.check((await openAsBlob(path)).stream()),
  ];
  worker.terminate();
  return results.every((result) => result.valid);
}
