import * as tidegate from "tidegate";
import * as clientEntry from "tidegate/client";
import * as workerEntry from "tidegate/worker";
import { client } from "./shared/client.mjs";
import { schema } from "./shared/data.mjs";
import { exercise } from "./shared/exercise.mjs";
import { files } from "./shared/files.mjs";
import { exhaustStack, hostile, many } from "./shared/hostile.mjs";
import { tell } from "./shared/tell.mjs";

tell(async () => ({
  exercise: await exercise(tidegate),
  client: await client(clientEntry, tidegate.prepare(schema), process.argv[2]),
  files: await files(workerEntry, tidegate),
  hostile: hostile(tidegate),
  many: many(tidegate),
  stack: exhaustStack(tidegate),
}));
