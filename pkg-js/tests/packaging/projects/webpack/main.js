import * as tidegate from "tidegate";
import * as clientEntry from "tidegate/client";
import * as workerEntry from "tidegate/worker";
import { client } from "./shared/client.mjs";
import { schema } from "./shared/data.mjs";
import { exercise } from "./shared/exercise.mjs";
import { files } from "./shared/files.mjs";
import { inWorker } from "./shared/own-worker.mjs";
import { tell } from "./shared/tell.mjs";

tell(async () => ({
  exercise: await exercise(tidegate, () => tidegate.init()),
  client: await client(clientEntry, tidegate.prepare(schema), location.hash.slice(1)),
  files: await files(workerEntry, tidegate),
  worker: await inWorker(new Worker(new URL("./worker.js", import.meta.url), { type: "module" })),
}));
