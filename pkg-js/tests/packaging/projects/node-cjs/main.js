const tidegate = require("tidegate");
const clientEntry = require("tidegate/client");
const workerEntry = require("tidegate/worker");

// Only what is shared with the other projects is a module.
Promise.all(["client", "data", "exercise", "files", "tell"].map((name) => import(`./shared/${name}.mjs`))).then(
  ([{ client }, { schema }, { exercise }, { files }, { tell }]) =>
    tell(async () => ({
      exercise: await exercise(tidegate),
      client: await client(clientEntry, tidegate.prepare(schema), process.argv[2]),
      files: await files(workerEntry, tidegate),
    })),
);
